"""What keeps Redis from answering, in words that name the setting which mends it."""

from collections.abc import Iterable, Iterator, Sequence

from redis.exceptions import RedisError

from ctiscraper.config import Settings
from ctiscraper.setting_texts import fault_of_authority
from ctiscraper.tasks.app import place_of

_MOST_CAUSES = 8
_MOST_WORDS = 200


def what_is_wrong(settings: Settings, error: BaseException) -> str:
    """Return what keeps Redis from answering, with the setting that mends it; no secrets."""
    place = place_of(settings)
    if settings.redis_ca and (fault := fault_of_authority(settings.redis_ca)):
        return f"Redis at {place} cannot be trusted: mend CTISCRAPER_REDIS_CA ({fault})"
    causes = list(_causes(error))
    names, texts = {_named(one) for one in causes}, [str(one) for one in causes]
    words = _words(map(_text, _telling(causes)))
    said = next(
        (say for sign, say in _SIGNS if sign in names or any(sign in one for one in texts)),
        "cannot be reached: {words} (REDIS_URL)",
    )
    for name, value in (
        ("login", _login(settings)),
        ("password", _password(settings)),
        ("words", words[:_MOST_WORDS].strip() or "no reason given"),
    ):
        said = said.replace(f"{{{name}}}", value)
    return f"Redis at {place} {said}"


def _login(settings: Settings) -> str:
    """Where user and password are corrected."""
    if settings.redis_password_file is None:
        return "correct them in REDIS_URL"
    return f"correct the password in {_password(settings)}, or the user in REDIS_URL"


def _password(settings: Settings) -> str:
    """Where the password is given."""
    if settings.redis_password_file is None:
        return "REDIS_URL, or in a file that REDIS_PASSWORD_FILE names"
    return f"the file of REDIS_PASSWORD_FILE ({settings.redis_password_file})"


_FULL = "is full: give it memory; nothing is lost, work goes on without it"
_LOADING = "is still loading its data; it is asked again by itself"
# No colon follows "password": the log would take the next word for one and black it out.
# What a message or the name of an error holds, the first that is found, and what is said of it.
_SIGNS = (
    (
        "CERTIFICATE_VERIFY_FAILED",
        (
            "has a certificate that is not trusted: set CTISCRAPER_REDIS_CA to the file of the "
            "authority that signed it, and REDIS_URL to the name that it is for"
        ),
    ),
    # Asked for nothing but a password, a server of the newer protocol says it in these words.
    ("HELLO must be called", "asks for a password; give it in {password}"),
    ("NOAUTH", "asks for a password; give it in {password}"),
    ("AuthenticationError", "refuses user or password; {login}"),
    ("WRONGPASS", "refuses user or password; {login}"),
    ("NoPermissionError", "lets this user do too little: {words} (the user of REDIS_URL)"),
    ("OutOfMemoryError", _FULL),
    ("OOM", _FULL),
    ("BusyLoadingError", _LOADING),
    ("LOADING", _LOADING),
    ("ReadOnlyError", "is a replica, which takes no messages: name the primary in REDIS_URL"),
    ("DB index is out of range", "has no database of that number: correct it in REDIS_URL"),
    ("ResponseError", "refuses a command: {words} (REDIS_URL)"),
    (
        "TimeoutError",
        (
            "does not answer in time: is it reachable, and does REDIS_URL say rediss:// if it "
            "speaks TLS, and only then?"
        ),
    ),
)


def _words(said: Iterable[str]) -> str:
    """Return what errors say, once: those that were made of another repeat it."""
    told: list[str] = []
    for words in said:
        if not any(words in other for other in told):
            told = [other for other in told if other not in words] + [words]
    return " ".join(told)


def _telling(causes: Sequence[BaseException]) -> Sequence[BaseException]:
    """Return the errors of the network and of Redis, where there is one; else all.

    Celery's say what it was about to do, and kombu's where its own lists were empty by then.
    """
    return [one for one in causes if isinstance(one, OSError | RedisError)] or causes


def _text(error: BaseException) -> str:
    """Return what an error says; of one of the system without its number, as Redis' repeat it."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _named(error: BaseException) -> str:
    return type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Return an error and what led to it, the last first."""
    step: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if step is None:
            return
        yield step
        step = step.__cause__ or step.__context__

"""What went wrong with a server of models, named, with a way out in words."""

import re

from ctiscraper.errors import FetchError, ModelError, ModelFault, Reason

MOST_TOLD = 300
RATE_LIMITED = 429
_PAID = frozenset({402, RATE_LIMITED})
_GONE = frozenset({404, 410})
_KEYS = frozenset({401, 403, 407})
_SERVER = range(500, 600)
_WAITED_IN_VAIN = frozenset({504, 524})
# What stands before a server says so of one that is not there (RFC 9110, 15.6.3 to 15.6.5), or
# that it cannot reach (https://developers.cloudflare.com/support/troubleshooting/http-status-codes/).
_GATEWAY = frozenset({502, 503, 521, 522, 523}) | _WAITED_IN_VAIN

# As our own client says it of an address that does not answer at all.
_NOT_CONNECTED = "connect"
_LOG = "see that it runs, and its log"
_SLOW = frozenset({Reason.TIMEOUT})
_ANSWERED = frozenset(
    {
        Reason.PROTOCOL,
        Reason.TOO_LARGE,
        Reason.ENCODING_REFUSED,
        Reason.ENCODING_BROKEN,
    }
)
_REFUSED = frozenset(
    {
        Reason.ADDRESS_REFUSED,
        Reason.PORT_REFUSED,
        Reason.URL_INVALID,
        Reason.URL_TOO_LONG,
        Reason.SCHEME_REFUSED,
        Reason.REDIRECT_REFUSED,
        Reason.TLS,
        Reason.TLS_EXPIRED,
        Reason.TLS_SELF_SIGNED,
        Reason.TLS_UNKNOWN_CA,
        Reason.TLS_VERSION,
        Reason.TLS_WRONG_HOST,
    }
)

# As Ollama, llama.cpp, vLLM and the services with OpenAI's routes say them.
_MEMORY = re.compile(
    r"more system memory|out of memory|outofmemory|insufficient memory|not enough memory"
    r"|memory layout cannot be allocated|unable to allocate|failed to allocate|signal: killed",
    re.IGNORECASE,
)
_LENGTH = re.compile(
    r"context[ _]length|context size|context window|maximum context|exceed_context"
    r"|prompt is too long|input is too long",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,250}?(?:not found|does not exist|not exist|no such)|model_not_found"
    r"|file does not exist|try pulling it",
    re.IGNORECASE | re.DOTALL,
)
_FULL = re.compile(r"server busy|maximum pending requests|overloaded|loading model", re.IGNORECASE)
_QUOTA = re.compile(r"quota|billing|credit", re.IGNORECASE)


def on_the_way(error: FetchError, server: str, seconds: float) -> ModelError:
    """Return what an exchange that failed means to who asked."""
    said = told(error.detail).rstrip(".")
    if error.reason is Reason.TRUNCATED:
        return ModelError(
            ModelFault.BROKE_OFF, f"{server} broke off before its answer was whole: {said}; {_LOG}"
        )
    if error.reason in _SLOW and error.detail != _NOT_CONNECTED:
        return ModelError(
            ModelFault.TIMEOUT,
            f"{server} gave no whole answer within {seconds:g} s; a smaller model, a shorter "
            "answer or a larger CTISCRAPER_MODEL_SECONDS helps",
        )
    if error.reason in _REFUSED:
        return ModelError(
            ModelFault.REFUSED,
            f"{server} may not be asked: {error.reason}, {said}; see CTISCRAPER_MODEL_URL",
        )
    if error.reason in _ANSWERED:
        return ModelError(
            ModelFault.BAD_ANSWER, f"{server} answered what cannot be read: {error.reason}, {said}"
        )
    return ModelError(
        ModelFault.AWAY,
        f"{server} cannot be reached: {error.reason}, {said}; see that it runs, and "
        "CTISCRAPER_MODEL_URL",
    )


def as_told(status: int, words: str, *, model: str, server: str, way_out: str) -> ModelError:
    """Return what a server's own words of an error mean; `way_out` is for a model it lacks."""
    said = told(words) or f"status {status}"
    if _MEMORY.search(said):
        return ModelError(
            ModelFault.OUT_OF_MEMORY,
            f"{server} has too little memory for {model!r}: {said}; take a smaller model, or a "
            "smaller CTISCRAPER_MODEL_CONTEXT",
        )
    if _LENGTH.search(said):
        return too_long(model, said)
    if status not in _KEYS and (_NO_MODEL.search(said) or (status in _GONE and model)):
        return ModelError(
            ModelFault.MODEL_MISSING,
            f"{server} has no model {model!r}: {said}; {way_out}",
        )
    return _by_status(status, said, server)


def _by_status(status: int, said: str, server: str) -> ModelError:
    if status in _KEYS:
        words = f"refuses the key ({status}): {said}; see CTISCRAPER_MODEL_KEY_FILE"
        return ModelError(ModelFault.REFUSED, f"{server} {words}")
    if status in _PAID and _QUOTA.search(said):
        return ModelError(ModelFault.REFUSED, f"{server} wants to be paid ({status}): {said}")
    if status == RATE_LIMITED or _FULL.search(said):
        return ModelError(ModelFault.BUSY, f"{server} has more to do than it can: {said}")
    if status in _GATEWAY:
        words = f"is not there, says what stands before it ({status}): {said}; see that it runs"
        gone = ModelError(ModelFault.AWAY, f"{server} {words}")
        gone.begun = status in _WAITED_IN_VAIN
        return gone
    if status in _SERVER:
        return ModelError(ModelFault.BROKE_OFF, f"{server} failed ({status}): {said}; {_LOG}")
    words = f"refuses what it was asked ({status}): {said}"
    return ModelError(ModelFault.REFUSED, f"{server} {words}", transient=False)


def too_long(model: str, said: str) -> ModelError:
    """Return the error of a text that is longer than the model can take in."""
    return ModelError(
        ModelFault.TOO_LONG,
        f"the text is longer than {model!r} can take in: {said}; a larger "
        "CTISCRAPER_MODEL_CONTEXT, or a model with more context, helps",
        transient=False,
    )


def unreadable(server: str, why: str, raw: str = "") -> ModelError:
    """Return the error of an answer that is not what was agreed on."""
    return ModelError(ModelFault.BAD_ANSWER, f"{server} answered {why}", raw=raw)


def told(words: str) -> str:
    """Return a stranger's words on one short line that steers no terminal."""
    line = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return line if len(line) <= MOST_TOLD else line[: MOST_TOLD - 1] + "…"

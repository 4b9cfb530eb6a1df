"""Values of settings as a variable of the environment, or a file that it names, writes them."""

import re
import ssl
from pathlib import Path
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from ctiscraper.types import Tier
from ctiscraper.weighing import PartName

MOST_DAYS = 36_500
MOST_WEIGHT = 100

_REDIS_DATABASE = re.compile(r"/?|/[0-9]{1,9}")


def password_in(file: Path) -> str:
    """Return the one line of a file. Raises OSError, and ValueError for any other content."""
    lines = file.read_text("utf-8").splitlines()
    if len(lines) != 1 or not lines[0].strip() or "\0" in lines[0]:
        raise ValueError(f"{file} should hold the password, on one line")
    return lines[0]


def fault_of_authority(file: Path) -> str | None:
    """Return what keeps a PEM file of certificate authorities from being used, None if nothing."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except OSError as error:
        return fault_of_pem(file, error)
    return None


def fault_of_pem(file: Path, error: OSError) -> str:
    """Return what an error says of a PEM file that certificates were to be read from."""
    if isinstance(error, ssl.SSLError):
        return f"{file} holds no certificate in PEM form"
    return f"{file} cannot be read: {error.strerror}"


def variables_of(prefix: str, name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return the variables that set a field of the settings, the preferred one first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices if str(choice).isupper())
    return (f"{prefix}{name.upper()}",)


def with_password(url: str, password: str) -> str:
    """Return a connection URL, or libpq's words, with this password instead of any other."""
    scheme, sign, rest = url.partition("://")
    if not sign:
        escaped = password.replace("\\", "\\\\").replace("'", "\\'")
        return f"{url} password='{escaped}'"
    end = re.search(r"[/?#]|$", rest)
    assert end is not None, "an end is always found"
    login, _, place = rest[: end.start()].rpartition("@")
    user = login.partition(":")[0]
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}{rest[end.start() :]}"


def to_parts(value: str) -> tuple[str, ...]:
    """Return what commas part, spaces aside."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def to_pairs(value: str, form: str, example: str) -> dict[str, str]:
    """Return what a text like premium=365,basic=90 gives each name."""
    pairs = [part.partition("=") for part in to_parts(value)]
    names = [name.strip() for name, _, _ in pairs]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise ValueError(f"{wrong[0]!r} should read {form}, such as {example}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} is given twice")
    return dict(zip(names, (given.strip() for _, _, given in pairs), strict=True))


def to_redis_url(value: str) -> str:
    """Return a URL of Redis that its clients understand alike. Raises ValueError.

    What stands behind a ? would win over what the clients are told beside the URL: with
    ssl_cert_reqs=none no certificate is checked any more.
    """
    if not value.startswith(("redis://", "rediss://")):
        raise ValueError("should read redis://… or, over TLS, rediss://…")
    if "?" in value or "#" in value:
        raise ValueError(
            "takes nothing behind ? or #: rediss:// alone asks for TLS, whose certificate is "
            "always checked, CTISCRAPER_REDIS_CA names the authority that signed it, a password "
            "stands before the host or in the file of REDIS_PASSWORD_FILE, and the number of the "
            "database is the path (in a password ? reads %3F and # reads %23)"
        )
    # To Celery's client it parts several servers.
    if ";" in value:
        raise ValueError("names one server only (in a password ; reads %3B)")
    parts = urlsplit(value)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("should have a port from 1 to 65535, or none for 6379") from None
    if not _REDIS_DATABASE.fullmatch(parts.path):
        raise ValueError("should end in the number of a database, such as /0, or in none")
    return value


def to_tier(name: str) -> Tier:
    """Return the tier of a name. Raises ValueError."""
    try:
        return Tier(name)
    except ValueError:
        raise ValueError(f"{name!r} is no tier: {', '.join(Tier)}") from None


def to_part(name: str) -> PartName:
    """Return the part of a score of a name. Raises ValueError."""
    try:
        return PartName(name)
    except ValueError:
        raise ValueError(f"{name!r} is no part of a score: {', '.join(PartName)}") from None


def to_weight(given: object) -> float:
    """Return a weight. Raises ValueError."""
    try:
        number = float(str(given))
    except ValueError:
        number = -1.0
    if not 0 <= number <= MOST_WEIGHT:
        raise ValueError(f"{given!r} is no weight: 0 to {MOST_WEIGHT}")
    return number


def to_days(days: object) -> int:
    """Return a number of days. Raises ValueError."""
    try:
        number = int(str(days))
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_DAYS:
        raise ValueError(f"{days!r} is no number of days: 0 for ever, else 1 to {MOST_DAYS}")
    return number

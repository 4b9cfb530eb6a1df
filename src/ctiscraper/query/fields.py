"""The fields of the language: what values each takes, and how they are said normally."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from ctiscraper.query.tree import FieldName
from ctiscraper.types import Tier, TriageState

SCORE_SIGNS = (">=", "<=", ">", "<")
_DATE_EXAMPLES = "a day such as 2026-11-01, or a time ago such as 7d, 2w, 3m or 1y"
_ATTACK = re.compile(r"t[0-9]{4}(?:\.[0-9]{3})?", re.IGNORECASE)
_CVE = re.compile(r"(?:cve-)?((?:19|20)[0-9]{2})-([0-9]{4,10})", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,3}")
_SHARE = re.compile(r"[01]?\.[0-9]{1,4}")
_AGO = re.compile(r"([0-9]{1,4})([hdwmy])", re.IGNORECASE)
_MONTH = re.compile(r"[0-9]{4}(?:-[0-9]{2})?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}", re.IGNORECASE)
_LAST_YEAR = 2200
# No further back than years are counted.
_MOST_YEARS_AGO = 1900
YES, NO = "yes", "no"
ME, NOBODY = "me", "nobody"
"""Whom `assignee:` means beside logins."""
UNREAD, READ, NEW = "unread", "read", "new"
"""What `is:` asks for."""
_STATES = {"in-review": "review", "reviewing": "review", "closed": "done"}
_HIGHEST = 100


class ValueRefusedError(Exception):
    """A value that a field does not take; the message says which it takes."""


def normal_value(name: FieldName, value: str) -> str:
    """Return a value as the tree has it. Raises ValueRefusedError."""
    value = " ".join(value.split())
    if not value:
        raise ValueRefusedError(f"expected a value after {name}")
    check = _CHECKS.get(name)
    return check(value) if check else value


def field_named(word: str) -> FieldName | None:
    """Return the field of a name, None when there is none."""
    return _NAMES.get(word)


_NAMES = {name.value: name for name in FieldName}


def nearest_field(word: str) -> str | None:
    """Return the field that a name was meant for: one sign off, or its beginning."""
    for name in FieldName:
        if _one_off(word, name.value) or _one_off(word, f"{name}s") or name.startswith(word):
            return name.value
    return _OTHERS.get(word)


_OTHERS = {
    "language": "lang", "technique": "attack", "mitre": "attack", "ttp": "attack",
    "since": "after", "until": "before", "from": "after", "to": "before", "group": "actor",
    "threat": "actor", "tool": "malware", "ransomware": "malware", "family": "malware",
    "indicator": "ioc", "domain": "ioc", "hash": "ioc", "url": "ioc", "file": "ioc",
    "vuln": "cve", "feed": "source", "site": "source", "label": "tag", "status": "state",
    "owner": "assignee", "assigned": "assignee", "star": "starred",
}  # fmt: skip


def _one_off(one: str, other: str) -> bool:
    """Return whether two words are one letter apart: changed, lost, added or exchanged."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) <= 1:
        return False
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    rest, more = one[start:], other[start:]
    return (
        rest[1:] == more[1:]
        or rest[1:] == more
        or rest == more[1:]
        or (rest[1::-1] == more[:2] and rest[2:] == more[2:])
    )


def _tier(value: str) -> str:
    if value.lower() not in {tier.value for tier in Tier}:
        raise ValueRefusedError(f"expected one of {', '.join(Tier)} after tier")
    return value.lower()


def _state(value: str) -> str:
    lowered = value.lower().replace(" ", "-")
    lowered = _STATES.get(lowered, lowered)
    if lowered not in {state.value for state in TriageState}:
        raise ValueRefusedError(f"expected one of {', '.join(TriageState)} after state")
    return lowered


def _starred(value: str) -> str:
    if value.lower() not in {YES, NO}:
        raise ValueRefusedError("expected yes or no after starred")
    return value.lower()


def _assignee(value: str) -> str:
    lowered = value.lower()
    return NOBODY if lowered == "none" else lowered


def _is(value: str) -> str:
    lowered = value.lower()
    if lowered not in {UNREAD, READ, NEW}:
        raise ValueRefusedError("expected unread, read or new after is")
    return lowered


def _language(value: str) -> str:
    if _LANGUAGE.fullmatch(value) is None:
        raise ValueRefusedError("expected a language such as en or pt-BR after lang")
    return value.lower() if "-" not in value else value


def _attack(value: str) -> str:
    return value.upper() if _ATTACK.fullmatch(value) else value


def _cve(value: str) -> str:
    found = _CVE.fullmatch(value)
    if found is None:
        raise ValueRefusedError("expected a number such as CVE-2026-12345 after cve")
    return f"CVE-{found[1]}-{found[2]}"


def _score(value: str) -> str:
    if _WHOLE.fullmatch(value) and int(value) <= _HIGHEST:
        return str(int(value))
    if _SHARE.fullmatch(value) and float(value) <= 1:
        return f"{float(value) * _HIGHEST:.2f}".rstrip("0").rstrip(".")
    if re.fullmatch(r"[0-9]{2}\.[0-9]{1,2}", value):
        return value.lstrip("0").rstrip("0").rstrip(".") or "0"
    raise ValueRefusedError("expected a number from 0 to 100, or from 0.0 to 1.0, after score")


def _moment(value: str) -> str:
    lowered = value.lower()
    if lowered in {"today", "yesterday"}:
        return lowered
    if ago := _AGO.fullmatch(lowered):
        if ago[2] == "y" and int(ago[1]) > _MOST_YEARS_AGO:
            raise ValueRefusedError(f"expected {_DATE_EXAMPLES}")
        return f"{int(ago[1])}{ago[2]}"
    try:
        if _MONTH.fullmatch(value):
            return _within(date.fromisoformat(f"{value}-01-01"[:10])).isoformat()
        if len(value) == len("2026-11-01"):
            return _within(date.fromisoformat(value)).isoformat()
        return _in_utc(datetime.fromisoformat(value))
    except (ValueError, OverflowError) as error:
        raise ValueRefusedError(f"expected {_DATE_EXAMPLES}") from error


def _within(day: date) -> date:
    if day.year < 1 or day.year > _LAST_YEAR:
        raise ValueError(day)
    return day


def _in_utc(at: datetime) -> str:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    _within(at.date())
    return at.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


_CHECKS: dict[FieldName, Callable[[str], str]] = {
    FieldName.TIER: _tier,
    FieldName.LANG: _language,
    FieldName.ATTACK: _attack,
    FieldName.CVE: _cve,
    FieldName.SCORE: _score,
    FieldName.AFTER: _moment,
    FieldName.BEFORE: _moment,
    FieldName.STATE: _state,
    FieldName.STARRED: _starred,
    FieldName.ASSIGNEE: _assignee,
    FieldName.IS: _is,
}

"""What each setting of a source may hold, and the way to and from plain mappings."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from typing import Any, Final

import ada_url
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from ctiscraper.collect.allow import pattern_fault
from ctiscraper.collect.lined_yaml import Place, Problem
from ctiscraper.errors import CatalogError
from ctiscraper.types import Discovery, RobotsPolicy, Selectors, SourceSettings, Tier, Tlp

MAX_URL_BYTES: Final = 4096
# RFC 1035 section 2.3.4, as it is written: a name that is longer resolves nowhere.
MAX_HOST: Final = 253
MAX_LIST: Final = 200

_MAX_SHOWN: Final = 60

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_NO_PAGE: Final = LexborHTMLParser("<html></html>")


class _WrongError(Exception):
    """A value that a setting may not hold; `place` is where inside the setting."""

    def __init__(self, text: str, place: Place = ()) -> None:
        super().__init__(text)
        self.text = text
        self.place = place


_Check = Callable[[object], object]


def settings_from_mapping(data: Mapping[str, object]) -> SourceSettings:
    """Return the settings that a plain mapping describes.

    Raises CatalogError with one line for each thing that is wrong.
    """
    settings, problems = read_settings(data)
    if settings is None:
        raise CatalogError([f"{label(data)}: {problem.text}" for problem in problems])
    return settings


def settings_to_mapping(settings: SourceSettings) -> dict[str, object]:
    """Return the mapping that `settings_from_mapping` reads, without the defaults."""
    mapping: dict[str, object] = _plain(settings)
    return mapping


def read_settings(
    data: Mapping[str, object],
) -> tuple[SourceSettings | None, list[Problem]]:
    """Return the settings, or None and every problem with its place in the mapping."""
    problems: list[Problem] = []
    values = _read(data, _CHECKS, problems)
    problems += [
        Problem((), f"'{name}' is missing; add it")
        for name in ("key", "name", "url")
        if name not in data
    ]
    if problems:
        return None, problems
    return SourceSettings(**values), []


def label(data: Mapping[str, object]) -> str:
    """How a problem names its source."""
    key = data.get("key")
    return f"source {key[:64]!r}" if isinstance(key, str) and key else "source without key"


def _read(
    data: Mapping[str, object], checks: Mapping[str, _Check], problems: list[Problem]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in data.items():
        check = checks.get(name)
        if check is None:
            problems.append(Problem((name,), _unknown(name, checks)))
            continue
        try:
            values[name] = check(value)
        except _WrongError as wrong:
            problems.append(Problem((name, *wrong.place), f"{name} {wrong.text}"))
    return values


def _unknown(name: str, known: Mapping[str, _Check]) -> str:
    close = difflib.get_close_matches(str(name)[:64], known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
    return f"unknown setting {str(name)[:64]!r}; {hint}"


def _plain(value: object) -> Any:  # noqa: ANN401 - a tree of plain values
    if isinstance(value, SourceSettings | RobotsPolicy | Selectors):
        return {
            f.name: _plain(getattr(value, f.name))
            for f in fields(value)
            if getattr(value, f.name) != f.default
        }
    if isinstance(value, StrEnum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    """Return a value as a problem quotes it."""
    if isinstance(value, bool):
        return "yes/no"
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 1]}…"


def _text(value: object, *, longest: int, empty: bool = False) -> str:
    if not isinstance(value, str):
        hint = "write it in quotes" if value is not None else "write one or remove the line"
        raise _WrongError(f"is {_shown(value)}, not text; {hint}")
    if not value.strip() and not empty:
        raise _WrongError("is empty; write one or remove the line")
    if len(value) > longest:
        raise _WrongError(f"is longer than {longest} characters; shorten it")
    if not all(c.isprintable() or c == "\n" for c in value):
        raise _WrongError("holds control characters; remove them")
    return value


def _text_check(longest: int, *, empty: bool = False) -> _Check:
    return lambda value: _text(value, longest=longest, empty=empty)


def _pattern_check(pattern: re.Pattern[str], hint: str) -> _Check:
    def check(value: object) -> str:
        text = _text(value, longest=64)
        if not pattern.fullmatch(text):
            raise _WrongError(f"is {text!r}; use {hint}")
        return text

    return check


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError(f"is {_shown(value)}; write true or false")
    return value


def _number_check(lowest: int, highest: int, unit: str, *, whole: bool = True) -> _Check:
    def check(value: object) -> int | float:
        allowed = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, allowed):
            kind = "whole number" if whole else "number"
            raise _WrongError(f"is {_shown(value)}, not a {kind}; write {unit} as a number")
        if not lowest <= value <= highest:
            raise _WrongError(f"is {value}; use {lowest} to {highest} {unit}")
        return value if whole else float(value)

    return check


def _choice_check(choices: type[StrEnum]) -> _Check:
    def check(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in {c.value for c in choices}:
            known = [c.value for c in choices]
            raise _WrongError(f"is {_shown(value)}; use {', '.join(known[:-1])} or {known[-1]}")
        return choices(value)

    return check


def _url(value: object) -> str:
    text = _text(value, longest=MAX_URL_BYTES)
    if len(text.encode()) > MAX_URL_BYTES:
        raise _WrongError(f"is longer than {MAX_URL_BYTES} bytes; shorten it")
    if any(c.isspace() for c in text):
        raise _WrongError("holds a space; remove it or write %20")
    try:
        url = ada_url.URL(text)
    except ValueError:
        raise _WrongError(f"{_shown(text)} is no URL; write https://host/path") from None
    if url.protocol not in {"http:", "https:"}:
        raise _WrongError(f"{_shown(text)} is not http or https; use a web address")
    if url.username or url.password:
        raise _WrongError("holds a user name or password; remove it")
    if not re.match(r"https?://[^/]", text, re.IGNORECASE):
        raise _WrongError(f"{_shown(text)} has no host; write https://host/path")
    if len(url.hostname.removesuffix(".")) > MAX_HOST:
        raise _WrongError(f"has a host name of more than {MAX_HOST} characters; correct it")
    return text


def _list_check(check: _Check) -> _Check:
    def check_all(value: object) -> tuple[object, ...]:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise _WrongError(f"is {_shown(value)}, not a list; write - before each value")
        if len(value) > MAX_LIST:
            raise _WrongError(f"has more than {MAX_LIST} values; shorten the list")
        return tuple(_item(check, i, item) for i, item in enumerate(value))

    return check_all


def _item(check: _Check, index: int, value: object) -> object:
    try:
        return check(value)
    except _WrongError as wrong:
        raise _WrongError(f"value {index + 1} {wrong.text}", (index, *wrong.place)) from None


def _allow(value: object) -> str:
    text = _text(value, longest=MAX_URL_BYTES)
    fault = pattern_fault(text)
    if fault is not None:
        raise _WrongError(f"{_shown(text)} {fault}")
    return text


def _selector(value: object) -> str:
    text = _text(value, longest=500)
    try:
        _NO_PAGE.css(text)
    except (SelectolaxError, ValueError):
        raise _WrongError(f"{_shown(text)} is no CSS selector; mend it") from None
    return text


def _mapping_check(checks: Mapping[str, _Check], make: Callable[..., object]) -> _Check:
    def check(value: object) -> object:
        if not isinstance(value, Mapping):
            raise _WrongError(f"is {_shown(value)}, not a mapping; write {', '.join(checks)} in it")
        problems: list[Problem] = []
        values = _read(value, checks, problems)
        if problems:
            first = problems[0]
            rest = "".join(f"; {p.text}" for p in problems[1:])
            raise _WrongError(f"is wrong: {first.text}{rest}", first.place)
        return make(**values)

    return check


def _robots(*, obey: bool = True, override_reason: str = "") -> RobotsPolicy:
    if not obey and not override_reason:
        raise _WrongError("are not obeyed without a reason; add override_reason")
    if obey and override_reason:
        raise _WrongError("have an override_reason but are obeyed; remove it or set obey: false")
    return RobotsPolicy(obey=obey, override_reason=override_reason)


_WORDS: Final = _list_check(_text_check(100))
_SELECTOR_CHECKS: Final[Mapping[str, _Check]] = {
    "listing": _selector,
    "title": _selector,
    "content": _selector,
    "author": _selector,
    "date": _selector,
    "remove": _list_check(_selector),
}
_ROBOTS_CHECKS: Final[Mapping[str, _Check]] = {
    "obey": _flag,
    "override_reason": _text_check(500),
}
_CHECKS: Final[Mapping[str, _Check]] = {
    "key": _pattern_check(_KEY, "a-z, 0-9, - and _, at most 64, starting with a letter or digit"),
    "name": _text_check(200),
    "url": _url,
    "feed_url": _url,
    "discovery": _choice_check(Discovery),
    "tier": _choice_check(Tier),
    "interval_minutes": _number_check(5, 1440, "minutes"),
    "robots": _mapping_check(_ROBOTS_CHECKS, _robots),
    "crawl_delay": _number_check(0, 60, "seconds", whole=False),
    "requests_per_minute": _number_check(1, 60, "requests"),
    "selectors": _mapping_check(_SELECTOR_CHECKS, Selectors),
    "allow": _list_check(_allow),
    "include_words": _WORDS,
    "exclude_words": _WORDS,
    "min_length": _number_check(0, 100_000, "characters"),
    "language": _pattern_check(_LANGUAGE, "a language tag such as en or pt-BR"),
    "tlp": _choice_check(Tlp),
    "active": _flag,
    "fetch_pages": _flag,
    "verified": _flag,
    "notes": _text_check(2000, empty=True),
}

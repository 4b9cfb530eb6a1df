"""What is known of many values at once, whatever spelling they are given in."""

import asyncio
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from ctiscraper.db.entities import LOOKUP_MOST, Entities
from ctiscraper.db.verdicts import Decision, Scope
from ctiscraper.enrich.domains import ascii_host
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables
from ctiscraper.entity_views import LookedUp, LookupReport
from ctiscraper.errors import InputError
from ctiscraper.intelligence import Name, Verdict

# Two, so that no defanged spelling reaches from one value into the next.
_BETWEEN = "\n\n"
_LONGEST_SHOWN = 200
_LONGEST_NAME = 100
# Spellings that can be one thing only: most of a long list needs no closer look.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN = re.compile(
    r"(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])"
    r"(?:(?P<md5>[0-9a-f]{32})|(?P<sha1>[0-9a-f]{40})|(?P<sha256>[0-9a-f]{64}))"
    rf"|(?P<ipv4>{_OCTET}(?:\.{_OCTET}){{3}})"
)
Asked = tuple[str, str, str]
"""What of a question named a thing, and its kind and value; no kind is a name, if anything."""


async def look_up_text(entities: Entities, text: str) -> LookupReport:
    """Return what is known of the things that a text names. Raises InputError."""
    return await _look_up(entities, await asyncio.to_thread(lambda: list(named_in(text))))


async def look_up_values(entities: Entities, values: Sequence[str]) -> LookupReport:
    """Return what is known of values; one that is no observable is taken for a name.

    Raises InputError.
    """
    return await _look_up(entities, await asyncio.to_thread(lambda: list(asked_of(values))))


def values_in(text: str) -> list[str]:
    """Return the values of a list, one a line; empty lines and comments are left out."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def named_in(text: str) -> Iterator[Asked]:
    """Yield the things that a text names, in their order and as often as it does."""
    for one in find_observables(text):
        yield _shown(text[one.start : one.end]), *_thing(one)


def understood(value: str) -> tuple[str, str] | None:
    """Return the kind and the normal form of a value, None when it is no single observable."""
    found = {(kind, normal) for _, kind, normal in named_in(value.strip())}
    return found.pop() if len(found) == 1 else None


def to_decision(
    value: str,
    verdict: Verdict,
    *,
    scope: Scope = Scope.VALUE,
    kind: str = "",
    source: str | None = None,
    reason: str = "",
) -> Decision:
    """Return a decision on a value in whatever spelling. Raises InputError."""
    if (scope is Scope.SOURCE) != (source is not None):
        raise InputError("a verdict for one source needs its scope 'source' and the source's key")
    found = understood(value)
    if scope is Scope.DOMAIN:
        host = ascii_host(found[1] if found and found[0] == "domain" else value.strip(". "))
        if host is None:
            raise InputError(f"{_shown(value)!r} is no domain: a verdict with children needs one")
        return Decision(scope=scope, kind="domain", value=host, verdict=verdict, reason=reason)
    if kind and (found is None or found[0] != kind):
        found = (kind, value.strip())
    if found is None:
        raise InputError(f"what {_shown(value)!r} is cannot be told: say its kind")
    return Decision(
        scope=scope,
        kind=found[0],
        value=found[1],
        verdict=verdict,
        reason=reason,
        source_key=source,
    )


def asked_of(values: Sequence[str]) -> Iterator[Asked]:
    """Yield what values name, in their order."""
    whole = [" ".join(value.split()) for value in values]
    plain = {n: found for n, line in enumerate(whole) if (found := _PLAIN.fullmatch(line))}
    lines = ["" if number in plain else line for number, line in enumerate(whole)]
    starts = [0, *accumulate(len(line) + len(_BETWEEN) for line in lines)]
    named: dict[int, list[Observable]] = {}
    for one in find_observables(_BETWEEN.join(lines)):
        named.setdefault(bisect_right(starts, one.start) - 1, []).append(one)
    for number, line in enumerate(lines):
        if number in plain:
            yield whole[number], str(plain[number].lastgroup), whole[number]
        elif number in named:
            yield from ((_shown(line), *_thing(one)) for one in named[number])
        elif line:
            yield _shown(line), "", line


def _thing(one: Observable) -> tuple[str, str]:
    """Return the kind and value that a thing is stored under."""
    kind = Name.TECHNIQUE.value if one.kind is Kind.ATTACK else one.kind.value
    return kind, one.value


async def _look_up(entities: Entities, asked: Iterable[Asked]) -> LookupReport:
    once: dict[tuple[str, str], str] = {}
    for given, kind, value in asked:
        once.setdefault((kind, value), given)
    pairs = list(once)
    if len(pairs) > LOOKUP_MOST:
        raise InputError(
            f"{len(pairs):,} different values were given, at most {LOOKUP_MOST:,} are looked up "
            "at once: give them in parts"
        )
    found = {(one.kind, one.value): one for one in await entities.lookup(
        [pair for pair in pairs if pair[0]]
    )}  # fmt: skip
    labels = {value: value[:_LONGEST_NAME].lower() for kind, value in pairs if not kind}
    names = await entities.named(list(labels.values())) if labels else {}
    answers = []
    for kind, value in pairs:
        given = once[kind, value]
        entity = found[kind, value].entity if kind else names.get(labels[value])
        state = found[kind, value].state if kind else "known" if entity else "unknown"
        answers.append(
            LookedUp(
                given=given,
                kind=entity.kind if entity else kind,
                value=value if kind or entity is None else entity.value,
                state=state,
                entity=entity,
            )
        )
    counts = {state: sum(one.state == state for one in answers) for state in _STATES}
    return LookupReport(answers=tuple(answers), **counts)


_STATES = ("known", "benign", "unknown")


def _shown(given: str) -> str:
    return given if len(given) <= _LONGEST_SHOWN else f"{given[: _LONGEST_SHOWN - 1]}\u2026"

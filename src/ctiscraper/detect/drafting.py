"""An article's command lines and indicators become drafts: the same article, the same drafts."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import msgspec

from ctiscraper.detect.commands import Made, from_command
from ctiscraper.detect.drafted import Draft, Event, Material, Quotation, Refused, Trace
from ctiscraper.detect.traces import (
    from_files,
    from_hashes,
    from_network,
    from_reg_add,
    from_registry,
)
from ctiscraper.detect.writing import rule_id, write_rule

MOST_DRAFTS = 60
"""How many drafts one article gives at most."""

_BESIDE = 240
_MOST_TAGS = 6
_MARKINGS = frozenset({"green", "amber", "amber+strict", "red"})


def drafts_of(material: Material) -> tuple[list[Draft], list[Refused]]:
    """Return the drafts of an article, and what gave none with the reason."""
    drafts: dict[str, Draft] = {}
    refused: list[Refused] = []
    for made in _made(material.traces):
        if isinstance(made, Refused):
            refused.append(made)
            continue
        draft = _draft(made, material)
        known = drafts.get(draft.rule_id)
        drafts[draft.rule_id] = draft if known is None else _joined(known, draft)
    listed = list(drafts.values())
    refused.extend(
        Refused(
            quote=draft.evidence[0].quote,
            start=draft.evidence[0].start,
            end=draft.evidence[0].end,
            reason=f"an article gives {MOST_DRAFTS} drafts at most",
        )
        for draft in listed[MOST_DRAFTS:]
    )
    return listed[:MOST_DRAFTS], _once(refused)


def events_of(material: Material) -> tuple[Event, ...]:
    """Return every event that an article shows, for rules that others wrote."""
    found = (made for made in _made(material.traces) if isinstance(made, Made))
    events = {msgspec.json.encode(event): event for made in found for event in made.events}
    return tuple(events.values())


def _made(traces: Sequence[Trace]) -> Iterator[Made | Refused]:
    for trace in _of(traces, "command_line"):
        yield from from_command(trace)
        yield from from_reg_add(trace)
    commands = [(trace.start, trace.end) for trace in _of(traces, "command_line")]
    # What stands within a command line is a part of that, and no trace of its own.
    alone = [
        trace
        for trace in traces
        if not any(start <= trace.start and trace.end <= end for start, end in commands)
    ]
    yield from from_registry(_of(alone, "registry_key"))
    yield from from_files(_of(alone, "file_path"))
    yield from from_hashes(traces)
    yield from from_network(traces)


def _of(traces: Iterable[Trace], kind: str) -> list[Trace]:
    return [trace for trace in traces if trace.kind == kind]


def _draft(made: Made, material: Material) -> Draft:
    tags = tags_of(made.places, material)
    parts = msgspec.structs.replace(made.parts, tags=tags)
    number = rule_id(material.url, parts.logsource, parts.detection)
    written = write_rule(
        parts, id=number, url=material.url, author=material.author, day=material.day
    )
    return Draft(
        rule_id=number,
        title=parts.title,
        yaml=written,
        evidence=tuple(_as_it_stands(one, material.text) for one in made.evidence),
        events=made.events,
    )


def _as_it_stands(one: Quotation, text: str) -> Quotation:
    """Return a quotation with the very words of the text: a value may be spelt otherwise there."""
    return replace(one, quote=text[one.start : one.end])


def _joined(one: Draft, other: Draft) -> Draft:
    """Return a draft that two places of an article give."""
    events = {msgspec.json.encode(event): event for event in (*one.events, *other.events)}
    evidence = dict.fromkeys((*one.evidence, *other.evidence))
    return replace(one, evidence=tuple(evidence), events=tuple(events.values()))


def tags_of(places: Iterable[tuple[int, int]], material: Material) -> tuple[str, ...]:
    """Return the techniques that a text speaks of at some places or beside, and its marking."""
    within: dict[str, int] = {}
    for start, end in places:
        first, last = _paragraph(material.text, start, end)
        for technique, at, until in material.techniques:
            if first <= at and until <= last:
                distance = 0 if start <= at < end else min(abs(at - end), abs(start - until))
                within[technique] = min(within.get(technique, distance), distance)
    nearest = sorted(within, key=lambda one: (within[one], one))[:_MOST_TAGS]
    marking = (f"tlp.{material.tlp}",) if material.tlp in _MARKINGS else ()
    return (*(f"attack.{one.lower()}" for one in sorted(nearest)), *marking)


def _paragraph(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where the words around a place begin and end that may speak of it."""
    first, last = max(0, start - _BESIDE), min(len(text), end + _BESIDE)
    before = [found.end() + first for found in re.finditer(r"\n\s*\n", text[first:start])]
    after = re.search(r"\n\s*\n", text[end:last])
    return (before[-1] if before else first), (end + after.start() if after else last)


def _once(refused: Iterable[Refused]) -> list[Refused]:
    return list(dict.fromkeys(refused))

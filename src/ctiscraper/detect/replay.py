"""A rule tried on events: those that it is for, and ordinary ones that it must leave alone."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import msgspec
from sigma.rule import SigmaRule

from ctiscraper.detect.drafted import Event, Hit, Replay
from ctiscraper.detect.matching import matcher_of
from ctiscraper.errors import InputError

_FALSE_HITS = 10
_LONGEST = 300


class _Benign(msgspec.Struct, frozen=True):
    """Ordinary events: lines of each field below what they are logged as."""

    windows: list[tuple[str, str]]
    linux: list[tuple[str, str]]
    scripts: list[str]
    registry: list[tuple[str, str]]
    files: list[str]
    linux_files: list[str]
    dns: list[str]
    connections: list[str]
    proxy: list[str]
    services: list[str]
    tasks: list[str]


@cache
def benign_events() -> tuple[Event, ...]:
    """Return events as they happen every day on machines that nobody has broken into."""
    data = (files("ctiscraper.detect") / "benign.json").read_bytes()
    known = msgspec.json.decode(data, type=_Benign)
    return (
        *(_process(image, line, "windows") for image, line in known.windows),
        *(_process(image, line, "linux") for image, line in known.linux),
        *(_event("ps_script", "windows", ScriptBlockText=line) for line in known.scripts),
        *(
            _event("registry_set", "windows", TargetObject=key, Details=data, EventType="SetValue")
            for key, data in known.registry
        ),
        *(_event("file_event", "windows", TargetFilename=path) for path in known.files),
        *(_event("file_event", "linux", TargetFilename=path) for path in known.linux_files),
        *(_event("dns_query", "windows", QueryName=name) for name in known.dns),
        *(
            _event("network_connection", "windows", DestinationIp=ip, Initiated="true")
            for ip in known.connections
        ),
        *(Event(fields={"c-uri": url}, category="proxy") for url in known.proxy),
        *(_logged("system", EventID="7045", ServiceName=name) for name in known.services),
        *(_logged("security", EventID="4698", TaskName=name) for name in known.tasks),
    )


def replay(rule: SigmaRule, positives: Sequence[Event]) -> Replay:
    """Return how a rule does on these events and on the ordinary ones."""
    try:
        matches = matcher_of(rule)
    except InputError as error:
        return Replay(failure=str(error))
    hits = tuple(
        Hit(
            words=event.quote or words_of(event),
            matched=is_logged_for(rule, event) and matches(event.fields),
            start=event.start,
            end=event.end,
        )
        for event in positives
    )
    ordinary = [event for event in benign_events() if is_logged_for(rule, event)]
    wrong = [words_of(event) for event in ordinary if matches(event.fields)]
    return Replay(
        positives=hits,
        matched=sum(hit.matched for hit in hits),
        benign=len(ordinary),
        benign_matched=len(wrong),
        false_hits=tuple(wrong[:_FALSE_HITS]),
    )


def is_logged_for(rule: SigmaRule, event: Event) -> bool:
    """Whether an event is of the log that a rule reads; what neither names is not asked."""
    source = rule.logsource
    if source.category and source.category != event.category:
        return False
    if source.service and source.service != event.service:
        return False
    if not (source.category or source.service) and not source.product:
        return False
    return not (source.product and event.product and source.product != event.product)


def words_of(event: Event) -> str:
    """Return the fields of an event in a line."""
    said = "; ".join(f"{name}: {value}" for name, value in event.fields.items())
    return said[:_LONGEST]


def _process(image: str, line: str, product: str) -> Event:
    return _event("process_creation", product, Image=image, CommandLine=line)


def _event(category: str, product: str, **fields: str) -> Event:
    return Event(fields=fields, category=category, product=product)


def _logged(service: str, **fields: str) -> Event:
    provider = {"Provider_Name": "Service Control Manager"} if service == "system" else {}
    return Event(fields={**fields, **provider}, product="windows", service=service)

"""Rules for what an article's command lines start, and the events that those would leave."""

import re
from collections.abc import Iterator

import msgspec

from ctiscraper.defang import refanged
from ctiscraper.detect.atoms import Picked, picked
from ctiscraper.detect.drafted import Event, Quotation, Refused, Trace
from ctiscraper.detect.programs import LINUX, WINDOWS, Command, commands_of
from ctiscraper.detect.writing import Parts, escaped

_SCRIPT, _PROCESS = "ps_script", "process_creation"
_SMART = str.maketrans({
    "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-",
    "\u00a0": " ",
})  # fmt: skip
_LONGEST_ITEM = 60
_ARTICLE = 160
# Names of services and tasks that `sc` and `schtasks` make.
_SERVICE = re.compile(
    r'\bsc(?:\.exe)?\s+(?:\\\\\S+\s+)?create\s+(?:"([^"]+)"|(\S+))', re.IGNORECASE
)
_TASK = re.compile(
    r'\bschtasks(?:\.exe)?\s.*?/create\b.*?/tn\s+(?:\\?"([^"\\]+(?:\\[^"\\]+)*)\\?"|(\S+))',
    re.IGNORECASE,
)
_VOLATILE_NAME = re.compile(r"\d{5,}|[<>*?%{}\[\]]|redacted|S-1-5", re.IGNORECASE)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A rule before it is written: its parts, what it rests on, and what it has to match."""

    parts: Parts
    evidence: tuple[Quotation, ...]
    events: tuple[Event, ...]
    places: tuple[tuple[int, int], ...]


def plain(line: str) -> str:
    """Return a command line as a machine would have it: addresses whole, quotes straight."""
    return " ".join(refanged(line).translate(_SMART).split())


def event_of(command: Command, trace: Trace) -> Event:
    """Return the event that a command leaves."""
    place = {"quote": trace.value, "start": trace.start, "end": trace.end}
    if command.is_script:
        fields = {"ScriptBlockText": command.line}
        return Event(fields=fields, category=_SCRIPT, product=WINDOWS, **place)  # type: ignore[arg-type]  # one dict for three fields
    fields = {"Image": command.image, "CommandLine": command.line}
    return Event(fields=fields, category=_PROCESS, product=command.product, **place)  # type: ignore[arg-type]  # as above


def from_command(trace: Trace) -> Iterator[Made | Refused]:
    """Return what the commands of a line give: rules, and those that give none with the reason."""
    line = plain(trace.value)
    for command in commands_of(line):
        found = picked(command)
        if found.lacking:
            yield Refused(quote=trace.value, start=trace.start, end=trace.end, reason=found.lacking)
        else:
            yield _process(command, found, trace)
    yield from _named(line, trace)


def _process(command: Command, found: Picked, trace: Trace) -> Made:
    values = [escaped(atom.value) for atom in found.atoms]
    selection: dict[str, object] = {}
    evidence = []
    if command.is_script:
        key = "ScriptBlockText|contains|all"
        values = [escaped(command.name), *values]
    else:
        stroke = "/" if command.product == LINUX else "\\"
        image = stroke + re.split(r"[\\/]", command.image)[-1]
        selection["Image|endswith"] = escaped(image)
        evidence.append(_quotation(f"Image ends with {image}", command.name, trace))
        key = "CommandLine|contains|all"
    if values:
        single = len(values) == 1
        selection[key.removesuffix("|all") if single else key] = values[0] if single else values
    evidence.extend(
        _quotation(
            f"{key.partition('|')[0]} contains {atom.value.strip()}", atom.value.strip(), trace
        )
        for atom in found.atoms
    )
    logsource = {
        "category": _SCRIPT if command.is_script else _PROCESS,
        "product": command.product,
    }
    return Made(
        parts=Parts(
            title=_title(command, found),
            description=f"Detects {command.name} run as the referenced report shows it",
            logsource=logsource,
            detection={"selection": selection, "condition": "selection"},
            tags=(),
            level=_level(command, found),
            falsepositives=(
                ("Administrators who run the same command",)
                if command.is_general or command.is_script
                else ("Software of the same name",)
            ),
        ),
        evidence=tuple(evidence),
        events=(event_of(command, trace),),
        places=((trace.start, trace.end),),
    )


def _title(command: Command, found: Picked) -> str:
    told = sorted(found.atoms, key=lambda atom: -atom.weight)[:2]
    said = " and ".join(atom.value.strip()[:_LONGEST_ITEM] for atom in told)
    verb = "PowerShell" if command.is_script else "Execution of"
    return f"{verb} {command.name} With {said}" if said else f"{verb} {command.name}"


def _level(command: Command, found: Picked) -> str:
    if found.has_own:
        return "high" if found.weight >= 4 else "medium"  # noqa: PLR2004 - two telling parts
    return "low" if command.is_general or command.is_script else "medium"


def _quotation(item: str, words: str, trace: Trace) -> Quotation:
    """Return the place of words within a trace, or the whole of it where they stand otherwise."""
    at = trace.value.lower().find(words.lower())
    if at < 0:
        return Quotation(item=item, quote=trace.value, start=trace.start, end=trace.end)
    start = trace.start + at
    return Quotation(
        item=item, quote=trace.value[at : at + len(words)], start=start, end=start + len(words)
    )


def _named(line: str, trace: Trace) -> Iterator[Made]:
    """Return rules for the services and the tasks that a line makes."""
    for pattern, kind in ((_SERVICE, "service"), (_TASK, "task")):
        found = pattern.search(line)
        name = (found[1] or found[2]).strip("\\\" '") if found else ""
        if name and not _VOLATILE_NAME.search(name) and len(name) > 3:  # noqa: PLR2004 - shorter is anyone's
            yield _service(name, trace) if kind == "service" else _task(name, trace)


def _service(name: str, trace: Trace) -> Made:
    fields = {"EventID": "7045", "Provider_Name": "Service Control Manager", "ServiceName": name}
    return _system(
        f"Service {name} Installed",
        "system",
        {
            "Provider_Name": "Service Control Manager",
            "EventID": 7045,
            "ServiceName": escaped(name),
        },
        Event(
            fields=fields,
            product=WINDOWS,
            service="system",
            quote=trace.value,
            start=trace.start,
            end=trace.end,
        ),
        (_quotation(f"ServiceName is {name}", name, trace), trace),
    )


def _task(name: str, trace: Trace) -> Made:
    fields = {"EventID": "4698", "TaskName": f"\\{name}"}
    return _system(
        f"Scheduled Task {name} Created",
        "security",
        {"EventID": 4698, "TaskName|endswith": escaped(f"\\{name}")},
        Event(
            fields=fields,
            product=WINDOWS,
            service="security",
            quote=trace.value,
            start=trace.start,
            end=trace.end,
        ),
        (_quotation(f"TaskName ends with {name}", name, trace), trace),
    )


def _system(
    title: str,
    service: str,
    selection: dict[str, object],
    event: Event,
    shown: tuple[Quotation, Trace],
) -> Made:
    quotation, trace = shown
    return Made(
        parts=Parts(
            title=title,
            description=f"Detects the {'service' if service == 'system' else 'scheduled task'} "
            "that the referenced report shows being made",
            logsource={"product": WINDOWS, "service": service},
            detection={"selection": selection, "condition": "selection"},
            tags=(),
            level="medium",
            falsepositives=("Software that uses the same name",),
        ),
        evidence=(quotation,),
        events=(event,),
        places=((trace.start, trace.end),),
    )

"""Rules for what else an article names: registry keys, files, hashes, hosts and addresses."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from ctiscraper.detect.commands import Made, plain
from ctiscraper.detect.drafted import Event, Quotation, Refused, Trace
from ctiscraper.detect.programs import LINUX, WINDOWS
from ctiscraper.detect.replay import benign_events
from ctiscraper.detect.tokens import stable_path
from ctiscraper.detect.writing import Parts, escaped

MOST_VALUES = 100
"""How many values one rule lists at most; the rest of an article's have no place in one."""

_ARMED = frozenset({"malicious", "suspicious"})
# Keys below which everything changes all day, and those that are no more than a hive.
_COMMON_ENDS = frozenset(
    """
    run runonce runonceex services software system sam security currentversion windows microsoft
    policies explorer classes uninstall environment winlogon parameters control currentcontrolset
    internet settings shell open command clsid ntds lsa enum
    """.split()  # noqa: SIM905 - read as words
)
_LEAST_DEPTH = 3
_SHORT_PATH = 5
_SYSTEM_FILE = re.compile(
    r"^[a-z]:\\windows\\(?:system32|syswow64)\\(?:windowspowershell\\v1\.0\\)?[\w-]{2,20}\.(?:exe|dll)$"
    r"|^/(?:usr/)?s?bin/\w+$|^/dev/|^/proc/|^/etc/(?:passwd|shadow|hosts|crontab)$",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_REG_ADD = re.compile(r'\breg(?:\.exe)?\s+add\s+(?:\\?"([^"]+?)\\?"|(\S+))(.*)', re.IGNORECASE)
_VALUE = re.compile(r'\s/v\s+(?:\\?"([^"]+?)\\?"|([^\s"/]\S*))', re.IGNORECASE)
_KIND = re.compile(r"\s/t\s+(REG_\w+)", re.IGNORECASE)
_DATA = re.compile(r'\s/d\s+\\?"?(0x[0-9a-f]+|\d+)\b', re.IGNORECASE)
_ORDINARY = "machines that nobody has broken into have it in their logs as well"
_HASH_NAMES = {"md5": "MD5", "sha1": "SHA1", "sha256": "SHA256"}


def _path(value: str) -> str:
    """Return a path whose strokes code has doubled as a machine has it; a server keeps its two."""
    line = plain(value)
    return line[:1] + re.sub(r"\\\\+", lambda _: "\\", line[1:])


def from_registry(traces: Iterable[Trace]) -> Iterator[Made | Refused]:
    """Return a rule for each key that tells something, and why the others have none."""
    for trace in traces:
        key = "\\" + _path(trace.value).partition("\\")[2].strip("\\")
        parts = key.strip("\\").split("\\")
        if len(parts) < _LEAST_DEPTH or parts[-1].lower() in _COMMON_ENDS:
            reason = "this key is written to all the time, or is only a place where others stand"
            yield Refused(quote=trace.value, start=trace.start, end=trace.end, reason=reason)
        elif not re.search(r"[*?<>\[\]{}%]|S-1-5", key):
            yield _registry(key, None, trace)


def from_reg_add(trace: Trace) -> Iterator[Made]:
    """Return a rule for the value that a command sets in the registry."""
    found = _REG_ADD.search(plain(trace.value))
    if found is None:
        return
    key = "\\" + (found[1] or found[2]).partition("\\")[2].strip("\\")
    value = _VALUE.search(found[3])
    if (
        value is None
        or key.count("\\") < _LEAST_DEPTH - 1
        or re.search(r"[*?<>\[\]{}%]", key + value[0])
    ):
        return
    data, kind = _DATA.search(found[3]), _KIND.search(found[3])
    details = None
    if data is not None and kind is not None and kind[1].upper() == "REG_DWORD":
        details = f"DWORD (0x{int(data[1], 0):08x})"
    yield _registry(f"{key}\\{value[1] or value[2]}", details, trace)


def _registry(key: str, details: str | None, trace: Trace) -> Made:
    name = key.rpartition("\\")[2]
    selection: dict[str, object] = {
        f"TargetObject|{'endswith' if details else 'contains'}": escaped(key)
    }
    fields = {"TargetObject": f"HKLM{key}", "Details": details or "data", "EventType": "SetValue"}
    evidence = [_whole(f"TargetObject has {key}", trace)]
    if details:
        selection["Details"] = details
        evidence.append(_whole(f"Details are {details}", trace))
    return Made(
        parts=Parts(
            title=f"Registry {name} Set{' to ' + details[7:-1] if details else ''}",
            description="Detects a change of the registry that the referenced report shows",
            logsource={"category": "registry_set", "product": WINDOWS},
            detection={"selection": selection, "condition": "selection"},
            tags=(),
            level="medium",
            falsepositives=("Administrators and software that change the same setting",),
        ),
        evidence=tuple(evidence),
        events=(_event("registry_set", fields, trace),),
        places=((trace.start, trace.end),),
    )


def from_files(traces: Sequence[Trace]) -> Iterator[Made | Refused]:
    """Return a rule for the files of each system that are the intruder's own."""
    by_product: dict[str, dict[str, Trace]] = {WINDOWS: {}, LINUX: {}}
    for trace in traces:
        path = _path(trace.value)
        stable = stable_path(path)
        if trace.verdict == "benign" or _SYSTEM_FILE.match(path) or not _EXTENSION.search(stable):
            continue
        if stable.count("\\") + stable.count("/") < 2:  # noqa: PLR2004 - a folder and a name
            reason = "the name of the file alone is not enough to tell it from others"
            yield Refused(quote=trace.value, start=trace.start, end=trace.end, reason=reason)
            continue
        by_product[WINDOWS if "\\" in stable else LINUX].setdefault(stable, trace)
    for product, named in by_product.items():
        found, refused = _unusual(named, "file_event", str.endswith)
        yield from refused
        if found:
            yield _listed(
                ("File of a Report Created", "the files that the referenced report names"),
                {"category": "file_event", "product": product},
                _Values(
                    "TargetFilename|endswith",
                    found,
                    lambda _, t: {"TargetFilename": _path(t.value)},
                ),
            )


def from_hashes(traces: Sequence[Trace]) -> Iterator[Made]:
    """Return a rule for the hashes of an article's files."""
    found = {
        f"{_HASH_NAMES[trace.kind]}={trace.value.upper()}": trace
        for trace in traces
        if trace.kind in _HASH_NAMES and trace.verdict in _ARMED
    }
    if found:
        yield _listed(
            (
                "Program With a Hash of a Report",
                "the start of programs that the referenced report names by hash",
            ),
            {"category": "process_creation", "product": WINDOWS},
            _Values(
                "Hashes|contains",
                found,
                lambda value, _: {"Hashes": value, "Image": "C:\\sample.exe"},
            ),
        )


def from_network(traces: Sequence[Trace]) -> Iterator[Made | Refused]:
    """Return rules for the hosts, addresses and URLs that are held to be bad.

    And why some have none: machines that nobody has broken into ask for them as well.
    """
    bad = [trace for trace in traces if trace.verdict in _ARMED]
    yield from _of_hosts({trace.value.lower(): trace for trace in bad if trace.kind == "domain"})
    yield from _of_addresses(
        {trace.value: trace for trace in bad if trace.kind in {"ipv4", "ipv6"}}
    )
    yield from _of_urls(
        {short: trace for trace in bad if trace.kind == "url" and (short := _short(trace.value))}
    )


def _of_hosts(named: dict[str, Trace]) -> Iterator[Made | Refused]:
    found, refused = _unusual(
        named, "dns_query", lambda asked, host: f".{asked}".endswith(f".{host}")
    )
    yield from refused
    if found:
        yield _domains(dict(list(found.items())[:MOST_VALUES]))


def _of_addresses(named: dict[str, Trace]) -> Iterator[Made | Refused]:
    found, refused = _unusual(named, "network_connection", str.__eq__)
    yield from refused
    if found:
        yield _listed(
            (
                "Connection to an Address of a Report",
                "connections to addresses that the referenced report names",
            ),
            {"category": "network_connection"},
            _Values(
                "DestinationIp",
                found,
                lambda value, _: {"DestinationIp": value, "Initiated": "true"},
            ),
        )


def _of_urls(named: dict[str, Trace]) -> Iterator[Made | Refused]:
    found, refused = _unusual(named, "proxy", str.__contains__)
    yield from refused
    if found:
        yield _listed(
            ("Request of a URL of a Report", "requests of URLs that the referenced report names"),
            {"category": "proxy"},
            _Values("c-uri|contains", found, lambda _, t: {"c-uri": plain(t.value)}),
        )


def _unusual(
    named: dict[str, Trace], category: str, meets: Callable[[str, str], bool]
) -> tuple[dict[str, Trace], list[Refused]]:
    """Return the values that nothing ordinary has, and why the others are left out of a rule.

    `meets` says whether what an ordinary event has is met by a value, both in small letters.
    """
    ordinary = [
        value.lower()
        for event in benign_events()
        if event.category == category
        for value in event.fields.values()
    ]
    met = {value for value in named if any(meets(one, value.lower()) for one in ordinary)}
    return (
        {value: trace for value, trace in named.items() if value not in met},
        [
            Refused(quote=trace.value, start=trace.start, end=trace.end, reason=_ORDINARY)
            for value, trace in named.items()
            if value in met
        ],
    )


def _short(url: str) -> str:
    """Return the host and the path of a URL, empty where it has no path that tells something."""
    try:
        parts = urlsplit(plain(url))
        host = parts.hostname or ""
    except ValueError:
        return ""
    value = f"{host}{parts.path}"
    return (
        value
        if len(parts.path) >= _SHORT_PATH
        and not re.search(r"[*?<>{}]", value)
        and value in url.lower()
        else ""
    )


def _domains(hosts: dict[str, Trace]) -> Made:
    names = list(hosts)
    made = _listed(
        ("DNS Query for a Host of a Report", "queries for hosts that the referenced report names"),
        {"category": "dns_query"},
        _Values("QueryName", hosts, lambda value, _: {"QueryName": value}),
    )
    detection: dict[str, object] = {
        "selection_host": {"QueryName": names},
        "selection_below": {"QueryName|endswith": [f".{name}" for name in names]},
        "condition": "1 of selection_*",
    }
    parts = made.parts
    changed = Parts(
        title=parts.title,
        description=parts.description,
        logsource=parts.logsource,
        detection=detection,
        tags=parts.tags,
        level=parts.level,
        falsepositives=parts.falsepositives,
    )
    return Made(parts=changed, evidence=made.evidence, events=made.events, places=made.places)


class _Values:
    """Values of one field with the trace of each, and what an event with one of them has."""

    def __init__(
        self, key: str, found: dict[str, Trace], fields: Callable[[str, Trace], dict[str, str]]
    ) -> None:
        self.key = key
        self.found = dict(list(found.items())[:MOST_VALUES])
        self.fields = fields


def _listed(said: tuple[str, str], logsource: dict[str, str], values: _Values) -> Made:
    title, about = said
    field, _, modifier = values.key.partition("|")
    verb = {"": "is", "contains": "contains", "endswith": "ends with"}[modifier]
    return Made(
        parts=Parts(
            title=title,
            description=f"Detects {about}",
            logsource=logsource,
            detection={
                "selection": {values.key: [escaped(value) for value in values.found]},
                "condition": "selection",
            },
            tags=(),
            level="high",
            falsepositives=("Values that the report names without being the intruder's",),
        ),
        evidence=tuple(
            _whole(f"{field} {verb} {value}", trace) for value, trace in values.found.items()
        ),
        events=tuple(
            _event(
                logsource["category"],
                values.fields(value, trace),
                trace,
                product=logsource.get("product", ""),
            )
            for value, trace in values.found.items()
        ),
        places=tuple((trace.start, trace.end) for trace in values.found.values()),
    )


def _whole(item: str, trace: Trace) -> Quotation:
    return Quotation(item=item, quote=trace.value, start=trace.start, end=trace.end)


def _event(category: str, fields: dict[str, str], trace: Trace, *, product: str = WINDOWS) -> Event:
    return Event(
        fields=fields,
        category=category,
        product=product,
        quote=trace.value,
        start=trace.start,
        end=trace.end,
    )

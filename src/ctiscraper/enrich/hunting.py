"""Huntability: how much of a text a hunter can look for, with the words that say so.

Linux, cloud and identity count as Windows does. The weights were set by hand: what intruders do
and where it shows counts for a text, what is said to customers and readers counts against it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.scan import Scan, pattern

# What an observable is worth: traces of behaviour more than values that change from day to day.
_WORTH = {
    Kind.SIGMA: 2.5, Kind.QUERY: 2.5, Kind.YARA: 2.0, Kind.SNORT: 2.0,
    Kind.COMMAND_LINE: 1.5, Kind.REGISTRY_KEY: 1.5, Kind.MUTEX: 1.2, Kind.FILE_PATH: 1.0,
    Kind.USER_AGENT: 1.0, Kind.FILE_NAME: 0.8, Kind.JA3: 0.8, Kind.JA4: 0.8, Kind.ATTACK: 0.5,
    Kind.URL: 0.4, Kind.DOMAIN: 0.4, Kind.IPV4: 0.4, Kind.SHA256: 0.3, Kind.SHA1: 0.3,
    Kind.MD5: 0.3,
}  # fmt: skip
_DEFANGED = 0.6
# What intruders do to a machine, an account or a cloud.
_ACTS = pattern(
    r"""
    \b(?:access\s+key|anydesk|assumerole|backdoor|base64|beacon(?:s|ed|ing)?|c2|cobalt\s+strike
    |com\s+hijack\w*|command[\s-]and[\s-]control|consent\s+grant|container\s+escape
    |credential\w*\s+(?:access|dump\w*|theft)|cron(?:tab|\s+job)?|decod(?:es|ed|ing)
    |decrypt(?:s|ed|ing)|device\s+code|download(?:s|ed|ing)?|drop(?:s|ped|ping)|dropper
    |dump(?:s|ed|ing)|enumerat(?:es|ed|ing|ion)|executes|executed|executing|exfiltrat\w+|hard-?coded
    |hollow(?:s|ed|ing)|iam|imds|implant|inject(?:s|ed|ing|ion)?|invok(?:es|ed|ing)|kerberoast\w*
    |keylog\w+|kubectl|lateral(?:ly)?\s+mov\w+|launch(?:es|ed|ing)|launchd?\s?(?:agent|daemon)
    |loader|lsass|masquerad\w+|metadata\s+service|mfa|mimikatz|ntds|oauth|obfuscat\w+
    |pass-the-(?:hash|ticket)|payload|persist(?:s|ed|ence)?|privilege\s+escalation|psexec|rclone
    |renam(?:es|ed|ing)|reverse\s+shell|scheduled\s+task|screenconnect|service\s+principal
    |shellcode|side-?load(?:s|ed|ing)?|spawn(?:s|ed|ing)?|stager|systemd
    |token\s+(?:theft|replay)|web\s?shell|wmi)\b
    """,
    ignore_case=True,
)
# Where it shows: what a hunter searches.
_SHOWS = pattern(
    r"""
    \b(?:appdata|audit\s+log|bash|binary|certutil|cloudtrail|cmd\.exe|command[\s-]line|detection
    |directory|dll|dns\s+quer\w+|domain|edr|event\s?id|eventcode|executable|file\s?name
    |hash(?:es)?|hunt(?:ing)?|ip\s+address|logs?|logged|mshta|mutex|named\s+pipe
    |(?:parent|child)\s+process|port\s+\d+|powershell|process\s+(?:tree|creation|id)|programdata
    |python|query|registry|regsvr32|rule|run\s+key|rundll32|sign-in\s+log|sysmon|telemetry
    |user[\s-]agent|wscript)\b
    """,
    ignore_case=True,
)
# What is said to customers and readers.
_TALK = pattern(
    r"""
    \b(?:acknowledge?ments?|advisory|announce\w*|appreciate[sd]?|appreciation|article|author|awareness
    |best\s+practices?|blog|businesses|compliance|contact\s+us|cookies?|copyright|customers?|cvss
    |demo|disclos\w+|emphasi[sz]\w+|free\s+trial|grateful|gratitude|highlights?|important|industry
    |learn\s+more|market|mitigat\w+|newsletter|organi[sz]ations?|our\s+team|partners?
    |patch(?:es|ed|ing)?|platform|press|privacy\s+policy|products?|read\s+more|risk|severity
    |should|sign\s+up|solutions?|statement|stay\s+tuned|subscrib\w+|thank(?:s|ful)?|timeline|today
    |training|updates?|upgrade|vendor|we\s+(?:recommend|encourage|urge|advise|will)|webinar)\b
    """,
    ignore_case=True,
)
# What each part weighs, by the logarithm of how much there is of it in 500 characters.
_WEIGHTS = {"traces": 1.3, "acts": 1.1, "shows": 0.9, "talk": -1.2}
_BIAS = -0.6
_UNIT = 500
_SHORTEST = 250
_MOST_EVIDENCE = 50


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: its points, and the words that gave them, each once and where first."""

    name: str
    points: float
    evidence: tuple[str, ...]
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Huntability:
    """The score, from 0 to 1, and its parts; at a half as much speaks for as against."""

    score: float
    parts: tuple[Part, ...]


def huntability(text: str, observables: Iterable[Observable] | None = None) -> Huntability:
    """Return how much of a text can be hunted for; its observables are found when not given."""
    found = find_observables(text) if observables is None else list(observables)
    scan = Scan(text)
    units = max(len(text), _SHORTEST) / _UNIT
    # A URL that a host is listed as would count the host twice.
    traces = [one for one in found if one.kind in _WORTH and not one.listed]
    worth = sum(_WORTH[one.kind] + _DEFANGED * one.defanged for one in traces)
    values: dict[str, tuple[int, int]] = {}
    for one in traces:
        values.setdefault(one.value, (one.start, one.end))
    parts = [_part("traces", worth / units, values)]
    for name, wanted in (("acts", _ACTS), ("shows", _SHOWS), ("talk", _TALK)):
        words: dict[str, tuple[int, int]] = {}
        for start, end in scan.find(wanted):
            words.setdefault(text[start:end].lower(), (start, end))
        parts.append(_part(name, len(words) / units, words))
    total = _BIAS + sum(part.points for part in parts)
    return Huntability(score=1 / (1 + math.exp(-total)), parts=tuple(parts))


def _part(name: str, amount: float, words: Mapping[str, tuple[int, int]]) -> Part:
    points = _WEIGHTS[name] * math.log1p(amount)
    return Part(
        name=name,
        points=round(points, 4),
        evidence=tuple(words)[:_MOST_EVIDENCE],
        places=tuple(words.values())[:_MOST_EVIDENCE],
    )

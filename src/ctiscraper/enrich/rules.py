"""Detection rules that a text prints whole: YARA, Sigma, Snort and Suricata, queries."""

import re
from collections.abc import Iterator
from itertools import pairwise

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.scan import Scan, pattern

_YARA = pattern(
    r"\b(?:(?:private|global)\s+)*rule\s+[A-Za-z_][A-Za-z0-9_]{0,127}\s*(?::[^{}]{1,200})?\{"
)
_SNORT = pattern(
    r"\b(?:alert|drop|reject|pass|log|rejectsrc|rejectdst|rejectboth)\s+(?:tcp|udp|icmp|ip|http|http1|http2|tls|ssl|dns|smb|ftp|ssh|smtp|tcp-pkt|tcp-stream|pkthdr|file|quic|ike|krb5|nfs|rdp|rfb|sip|snmp|tftp|dhcp|mqtt)\s"
    r"[^\n()]{3,300}\("
)
_SIGMA = pattern(r"\btitle:\s[^\n]{3,200}\n")
_QUERY = pattern(
    r"\b(?:Device(?:Process|Network|File|Registry|Logon|Image\w*|Events|Info)\w*|SecurityEvent|Sysmon|SigninLogs|AuditLogs|OfficeActivity|"
    r"CommonSecurityLog|Syslog|Event|IdentityLogonEvents|EmailEvents|CloudAppEvents|AzureActivity|DnsEvents|ImageLoadEvents)\s*\n?\s*\|\s*(?:where|extend|project|summarize|join|take|search)\b"
    r"|\bindex\s?=\s?[\w\x22*-]+\s[^\n|]{0,400}\|\s?(?:stats|table|eval|where|search|rex|tstats|fields)\b"
    r"|\|\s?tstats\s"
)
_CONDITION = re.compile(r"\bcondition\s*:")
_SIGMA_NEEDS = (
    re.compile(r"^\s*logsource\s*:", re.MULTILINE),
    re.compile(r"^\s*detection\s*:", re.MULTILINE),
)
_YAML_LINE = re.compile(r"(?:[ \t]*(?:- .*|[\w.|'\"*@ -]{1,80}:.*|#.*)|[ \t]+\S.*|---|\s*)(?:\n|$)")
# Where a query has ended without a blank line: a heading or a sentence on what comes next.
_SAID = re.compile(
    r"\n(?!(?:AND|BY|NOT|OR|WHERE)\b)"
    r"(?=[A-Z][\w-]*(?:[ \t][\w,-]+){2,}[.:]?[ \t]*(?:$|\n(?![ \t]*\|)))"
)
_LONGEST = 20_000


def find_rules(scan: Scan) -> Iterator[Observable]:
    """Return the places of whole detection rules in a text; `value` is the rule as it stands."""
    yield from _yara(scan)
    yield from _snort(scan)
    yield from _sigma(scan)
    yield from _queries(scan)


def _yara(scan: Scan) -> Iterator[Observable]:
    text = scan.text
    heads = list(scan.find(_YARA))
    for (start, begun), (after, _) in pairwise([*heads, (len(text), 0)]):
        # No rule stands in another: one that does not end before the next is none.
        end = _block_end(text, begun, min(after, start + _LONGEST))
        if end is not None and _CONDITION.search(text, begun, end):
            yield Observable(Kind.YARA, text[start:end], start, end)


def _block_end(text: str, start: int, limit: int) -> int | None:
    """Return where the block that is open at `start` ends; braces in strings do not count."""
    depth, place = 1, start
    while place < limit:
        char = text[place]
        if char == '"':
            place = _string_end(text, place, limit)
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1
    return None


def _string_end(text: str, place: int, limit: int) -> int:
    """Return the closing quote of a string on one line, or its opening one when there is none."""
    end = place + 1
    while end < limit and text[end] not in '"\n':
        end += 2 if text[end] == "\\" else 1
    return end if end < limit and text[end] == '"' else place


def _snort(scan: Scan) -> Iterator[Observable]:
    text = scan.text
    for start, begun in scan.find(_SNORT):
        closing = text.find(";)", begun, begun + _LONGEST)
        spaced = text.find("; )", begun, begun + _LONGEST)
        ends = [place + size for place, size in ((closing, 2), (spaced, 3)) if place > 0]
        if ends and "sid" in text[begun : min(ends)]:
            yield Observable(Kind.SNORT, text[start : min(ends)], start, min(ends))


def _sigma(scan: Scan) -> Iterator[Observable]:
    text = scan.text
    heads = [start for start, _ in scan.find(_SIGMA) if text[start - 1 : start] in {"", "\n"}]
    for start, after in pairwise([*heads, len(text)]):
        end, limit = start, min(after, start + _LONGEST)
        while end < limit and (line := _YAML_LINE.match(text, end, limit)) and line.end() > end:
            end = line.end()
        rule = text[start:end].rstrip()
        if all(need.search(rule) for need in _SIGMA_NEEDS):
            yield Observable(Kind.SIGMA, rule, start, start + len(rule))


def _queries(scan: Scan) -> Iterator[Observable]:
    text = scan.text
    last, blank = 0, -1
    for start, _ in scan.find(_QUERY):
        if start < last:
            continue
        if blank < start:
            blank = text.find("\n\n", start)
            blank = len(text) if blank < 0 else blank
        end = min(blank, start + _LONGEST)
        said = _SAID.search(text, start, end)
        raw = text[start : end if said is None else said.start()].rstrip()
        last = start + len(raw)
        yield Observable(Kind.QUERY, raw, start, last)

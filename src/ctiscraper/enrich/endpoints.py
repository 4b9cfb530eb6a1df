"""Hosts that stand for the URL of their root: in lists and columns that are told to hold such.

A list of command-and-control servers names what machines connect to, and publishers give its
entries as URLs, whether or not a path is written. The host stays what it is; the URL comes besides,
with the words that it rests on.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ctiscraper.enrich.kinds import NETWORK, Kind, Observable
from ctiscraper.enrich.outline import headings
from ctiscraper.enrich.scan import Scan, pattern

HOSTS = frozenset((Kind.DOMAIN, Kind.ONION, Kind.IPV4))
"""The kinds that a URL may have as its host, when nothing else of it is written."""

# Words for what is connected to or opened.
_WORDS = r"""
    \bur[il]s?\b|\bc2s?\b|\bc&c\b|\bcnc\b|\bcommand[\s-](?:and|&)[\s-]control\b|\bcontrol\sservers?\b
    |\b(?:delivery|distribution|download|exfiltration|payload|phishing|staging)\s(?:\w+\s)?
      (?:locations?|links?|pages?|servers?|sites?)\b
    """
_ANYWHERE = pattern(_WORDS, ignore_case=True)
_ENDPOINT = re.compile(_WORDS, re.IGNORECASE | re.VERBOSE)
# Words for names and addresses as such; beside one of them the others do not count.
_NAME = re.compile(
    r"\b(?:sub)?domains?\b|\bfqdns?\b|\bhost(?:name)?s?\b|\bip(?:v[46])?s?\b|\baddress(?:es)?\b"
    r"|\bdns\b|\be-?mails?\b|\bhash(?:es)?\b|\bsha\b|\bmd5\b|\bfiles?\b",
    re.IGNORECASE,
)
# What may stand around a host that has its line, or its cell, for itself.
_ITEM = r"[ \t]*(?:(?:[-*+\u2022\u25cf\u2023]+|\d{1,4}[.)])[ \t]+)?"
_OPENING = r"[`'\"*+<\[(]*"
_BEFORE = re.compile(_ITEM + _OPENING)
_LABELLED = re.compile(rf"{_ITEM}([^\s|:][^|:\n]{{0,39}}):[*_]{{0,2}}[ \t]+{_OPENING}")
_BEHIND = re.compile(r"(:\d{1,5})?[`'\"*+>\])/,;.]*[ \t]*")
_RULE_OF_TABLE = re.compile(r"[|=+:\-\s]*")
# A first cell that has a dot may be an address itself, and is no label.
_PLAIN = re.compile(r".*\..*")
_ENDS = frozenset(("", "\n", "|"))
_LONGEST_LINE = 400
_LONGEST_LEAD = 160
_LONGEST_TABLE = 20_000
_LONGEST_DETAIL = 60
_BLANK = "\n\n"


def endpoints(scan: Scan, html: str, found: Iterable[Observable]) -> Iterator[Observable]:
    """Return the URL of each host that a list or a table tells as one, in order.

    `found` stands in order of place; `html` is the markup of the same words, if there is any.
    """
    if next(scan.find(_ANYWHERE), None) is None:
        return
    told = _Told(scan, html)
    for one in found:
        if one.kind not in NETWORK or (entry := _entry(scan.text, one)) is None:
            continue
        words = told.by_list(entry) if entry.alone else _endpoint(entry.label)
        if one.kind in HOSTS and (words := words or told.by_column(entry, one.start)):
            value, end = f"http://{one.value}{entry.port}", one.end + len(entry.port)
            yield Observable(Kind.URL, value, one.start, end, one.defanged, words)


def root_urls(found: Sequence[Observable]) -> Iterator[Observable]:
    """Return a URL for each host that is not told as one yet, wherever it stands."""
    told = {one.start for one in found if one.listed}
    for one in found:
        if one.kind in HOSTS and one.start not in told:
            yield Observable(Kind.URL, f"http://{one.value}", one.start, one.end, one.defanged)


class _Entry(NamedTuple):
    """The line of an address, its port, and what is written before it: nothing where it is alone.

    `label` is what a row begins with, or what ends with a colon (`C2: evil.com`).
    """

    first: int
    last: int
    port: str
    alone: bool
    label: str


def _entry(text: str, one: Observable) -> _Entry | None:
    """Return where an address is listed, None where its line or cell has more than it."""
    least, most = max(0, one.start - _LONGEST_LINE), one.end + _LONGEST_LINE
    behind = _BEHIND.match(text, one.end, most)
    if behind is None or text[behind.end() : behind.end() + 1] not in _ENDS:
        return None
    first = text.rfind("\n", least, one.start) + 1 or least
    bar = text.rfind("|", first, one.start)
    label = _PLAIN.sub("", text[first:bar].strip(" |").partition("|")[0]) if bar >= 0 else ""
    if _BEFORE.fullmatch(text, bar + 1 or first, one.start) is None:
        found = _LABELLED.fullmatch(text, bar + 1 or first, one.start)
        if found is None:
            return None
        label = found[1]
    last = text.find("\n", behind.end(), most)
    last = last if last >= 0 else min(len(text), most)
    alone = not label and bar < 0 and text[behind.end() : behind.end() + 1] != "|"
    return _Entry(first, last, behind[1] or "", alone, label)


class _Told:
    """What the lists and tables of a text are told to hold, asked from its start to its end."""

    def __init__(self, scan: Scan, html: str) -> None:
        self._scan = scan
        self._text = scan.text
        self._html = html
        self._starts: list[int] | None = None
        self._words: list[str] = []
        # Where the last list ends, and what it is told to hold.
        self._list = (-1, "")
        # Where the last table begins and ends, and its columns.
        self._table: tuple[int, int, tuple[str, ...]] = (0, 0, ())

    def by_list(self, entry: _Entry) -> str:
        """Return the words that tell the list of a line to hold endpoints, empty where none do."""
        end, words = self._list
        if end < 0 or self._text[end : entry.first].strip("\n"):
            words = self._lead(entry.first)
        self._list = entry.last, words
        return words

    def by_column(self, entry: _Entry, place: int) -> str:
        """Return the name of the column of a place that holds endpoints, empty for any other."""
        text, first = self._text, entry.first
        if entry.alone or "|" not in text[first : entry.last]:
            return ""
        number = text.count("|", first, place)
        begin, end, columns = self._table
        if not begin <= place < end:
            least = max(0, place - _LONGEST_TABLE)
            begin = text.rfind(_BLANK, least, place) + len(_BLANK)
            begin = begin if begin > 1 else least
            end = text.find(_BLANK, place, place + _LONGEST_TABLE)
            end = end if end >= 0 else place + _LONGEST_TABLE
            columns = _columns(text[begin : min(first, begin + 2 * _LONGEST_LINE)])
            self._table = begin, end, columns
        return _endpoint(columns[number]) if number < len(columns) else ""

    def _lead(self, first: int) -> str:
        """Return the words before a list, or those of the headings over it."""
        least = max(0, first - _LONGEST_LEAD)
        lead = self._text[least:first].rstrip("\n")
        lead = lead[lead.rfind("\n") + 1 :].strip()
        if _NAME.search(lead):
            return ""
        return _endpoint(lead) or self._heading(first)

    def _heading(self, place: int) -> str:
        if self._starts is None:
            self._starts = []
            stack: list[tuple[int, str]] = [(0, "")]
            for start, level, title in headings(self._scan, self._html):
                while len(stack) > 1 and stack[-1][0] >= level:
                    stack.pop()
                # The first of all is the title of the text, and says nothing of one list.
                titled = level == 1 and not self._starts
                words = "" if titled or _NAME.search(title) else _endpoint(title) or stack[-1][1]
                stack.append((level, words))
                self._starts.append(start)
                self._words.append(words)
        number = bisect_right(self._starts, place) - 1
        return self._words[number] if number >= 0 else ""


def _endpoint(words: str) -> str:
    """Return words that speak of endpoints alone, shortened; empty for any others."""
    if _NAME.search(words) or not _ENDPOINT.search(words):
        return ""
    return words.strip(" \t=#*_:|`").strip()[:_LONGEST_DETAIL]


def _columns(head: str) -> tuple[str, ...]:
    """Return the names of columns, of the first line that is more than a rule."""
    for line in head.split("\n"):
        if not _RULE_OF_TABLE.fullmatch(line):
            return tuple(line.split("|")) if "|" in line else ()
    return ()

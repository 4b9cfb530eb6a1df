"""What stands around a place of a text, told as reasons: table, list, code, link, sentence."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from html import unescape

from ctiscraper.enrich.context import lines_of, sentence_at
from ctiscraper.enrich.kinds import HASHES, NETWORK, Kind, Observable
from ctiscraper.enrich.listed import host_in
from ctiscraper.enrich.outline import Outline
from ctiscraper.enrich.scan import Pattern, Scan, pattern

# What intruders do with addresses and files. A sentence that has it tells of an attack.
_ATTACK = pattern(
    r"""
    \b(?:attacker\S*|backdoor\w*|beacon\w*|botnet|c2s?|c&c|callback|command[\s-](?:and|&)[\s-]control
    |compromised|connect(?:s|ed)\sto|contact(?:s|ed)|communicat(?:es|ed|ing|ion)|credential\sharvest\w*
    |delivers|delivered|deploys|deployed|download(?:s|ed|er|ing)|drops|dropped|dropper|dropping
    |exfiltrat\w+|fake|fetch(?:es|ed|ing)|host(?:ed|ing)|impersonat\w+|implant\w*|install(?:s|ed)
    |lookalike|loader|lure\w*|malicious\w*|malware|payloads?|phish\w*|ransom\w*|redirect(?:s|ed|ing)
    |registered|resolv(?:es|ed|ing)|retrieve[ds]?|retrieving|rogue|scam\w*|spoof\w*|stagers?|staging
    |(?:first|second|third|next|final)[\s-]stage|stole\w*|stealer
    |threat\sactors?\w*|trojan\w*|typosquat\w*|victims?|web\s?shells?)\b
    """,
    ignore_case=True,
)
# How reports point at what to read, and at what a maker offers.
_CITED = pattern(
    r"""
    \b(?:according\sto|advisor(?:y|ies)|as\sreported|article|available\s(?:at|from|here|in|on)
    |blog|bulletin|documentation|documented|download\s(?:it|page|the\s(?:fix|patch|update|latest))
    |for\smore\s(?:details|information)|found\sat|further\sdetails|github\srepository|guide
    |homepage|learn\smore|more\sinformation|official\s(?:site|website|page)|open[\s-]source
    |press\srelease|published|read\smore|refer(?:enced?|\sto)|reported\sby
    |(?:a|full|his|its|our|the|their|this)\sreport|see|sources?:|visit|vendor|white\s?paper|write-?up
    |wrote)\b
    """,
    ignore_case=True,
)
_RELEASE = pattern(
    r"""
    \b(?:versions?|firmware|released?|update|upgrade|build|prior\sto|patched|affected|vulnerable
    |earlier|fixed\sin)\b
    """,
    ignore_case=True,
)
_COMMIT = pattern(r"\b(?:commits?|revision|changeset|git)\b", ignore_case=True)
# Names of columns whose values are indicators.
_COLUMN = re.compile(
    r"\b(?:indicators?|iocs?|sha-?\s?(?:1|256|512)|md5|hash(?:es)?|domains?|ips?|ip\saddress(?:es)?"
    r"|urls?|c2|c&c|hosts?|filenames?|file\snames?|network|e-?mails?)\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[ \t]*(?:[-*\u2022\u25cf]|\d{1,4}[.)])[ \t]")
_TAG = re.compile(r"<(/?)(a|code|pre)\b([^<>]*)>")
_ANY_TAG = re.compile(r"<[^<>]*>")
_HREF = re.compile(r'\bhref="([^"]*)"')
_BLANK = "\n\n"
_BEFORE, _AFTER = 220, 160
_LONGEST_LINE = 400
# So many of a sort, each so near to the one before it, are a run; in the next line it is near too.
_RUN, _NEAR, _NEXT_LINE = 4, 50, 160
# So many of a text's addresses have to be defanged before one that is not is left so on purpose.
_HABIT = 3
# The numbers of a version are small.
_MOST_NUMBER = 60
_LONGEST_WORD = 40
_LONGEST_HEAD = 300
_LONGEST_TABLE = 20_000


class Surroundings:
    """A text and its markup, ready to say what stands around each of its observables."""

    def __init__(self, text: str, html: str, observables: Iterable[Observable]) -> None:
        """Look once for all that is asked of every place."""
        scan = Scan(text)
        observables = list(observables)
        # A URL that a host is listed as is no second one beside it.
        single = [one for one in observables if not one.listed]
        live = [one for one in single if one.kind in NETWORK]
        self._text = text
        self._outline = Outline(scan, html)
        self._attack = _Words(scan, _ATTACK, live)
        self._cited = _Words(scan, _CITED, live)
        self._markup = _Markup(text, html)
        self._runs = set(_in_runs(text, single))
        small = any(map(_is_small, live))
        self._releases = _Words(scan, _RELEASE, live) if small else None
        hashed = any(one.kind is Kind.SHA1 for one in observables)
        self._commits = _Words(scan, _COMMIT, live) if hashed else None
        self._habit = sum(one.defanged for one in live) >= _HABIT
        self._table = (0, 0, "")
        self._sentence = (0, 0)

    def reasons(self, one: Observable) -> list[str]:
        """Return the features of one place, as reasons."""
        found = ["defanged"] if one.defanged else []
        if one.listed:
            found.append(f"as_url:{one.listed}")
        if topic := self._outline.at(one.start):
            found.append(topic)
        found += self._block(one)
        if one.start in self._runs:
            found.append("run")
        if word := self._word(self._attack, one):
            found.append(f"attack:{word}")
        if one.kind in NETWORK and not one.defanged:
            found += self._live(one)
        if one.kind is Kind.SHA1 and self._word(self._commits, one):
            found.append("commit")
        return found

    def _live(self, one: Observable) -> Iterator[str]:
        """Return what speaks for a reader being meant to go there."""
        if self._habit:
            yield "left_live"
        if self._markup.is_linked(one, self._text[one.start : one.end]):
            yield "linked"
        if word := self._word(self._cited, one):
            yield f"cited:{word}"
        if _is_small(one) and self._word(self._releases, one):
            yield "release"

    def _block(self, one: Observable) -> Iterator[str]:
        """Return whether a place is of a table, a list or code."""
        text = self._text
        least = max(0, one.start - _LONGEST_LINE)
        line = text.rfind("\n", least, one.start) + 1
        end = text.find("\n", one.end, one.end + _LONGEST_LINE)
        end = end if end >= 0 else min(len(text), one.end + _LONGEST_LINE)
        if self._markup.has_tables and (
            text.find("|", line or least, one.start) >= 0 or text.find("|", one.end, end) >= 0
        ):
            head = self._head(one.start)
            yield f"header:{head}" if head else "table"
        elif self._markup.has_lists and (line or not least) and _ITEM.match(text, line):
            yield "list"
        if one.kind in NETWORK | HASHES and self._markup.is_code(one, text):
            yield "code"

    def _head(self, place: int) -> str:
        """Return the names of a table's columns, empty where none is that of indicators."""
        begin, end, head = self._table
        if not begin <= place < end:
            text = self._text
            begin = text.rfind(_BLANK, max(0, place - _LONGEST_TABLE), place)
            begin = begin + len(_BLANK) if begin >= 0 else max(0, place - _LONGEST_TABLE)
            end = text.find(_BLANK, place, place + _LONGEST_TABLE)
            end = end if end >= 0 else place + _LONGEST_TABLE
            first = text[begin : begin + _LONGEST_HEAD].partition("\n")[0]
            told = "|" in first and begin + len(first) < place and _COLUMN.search(first)
            head = " ".join(first.replace("|", " ").split())[:_LONGEST_WORD] if told else ""
            self._table = begin, end, head
        return head

    def _word(self, words: "_Words | None", one: Observable) -> str:
        """Return a word of a kind that stands in the sentence of a place, outside of it."""
        near = () if words is None else words.between(one.start - _BEFORE, one.end + _AFTER)
        if not near:
            return ""
        first, last = self._bounds(one)
        for start, end in near:
            if first <= start and end <= last and (end <= one.start or start >= one.end):
                return self._text[start:end].lower()[:_LONGEST_WORD]
        return ""

    def _bounds(self, one: Observable) -> tuple[int, int]:
        first, last = self._sentence
        if not (first <= one.start and one.end <= last):
            self._sentence = first, last = sentence_at(self._text, one.start, one.end)
        return first, last


def _is_small(one: Observable) -> bool:
    """Whether four numbers might as well be those of a version."""
    if one.kind is not Kind.IPV4:
        return False
    return all(int(part) <= _MOST_NUMBER for part in one.value.split("."))


def _in_runs(text: str, observables: Iterable[Observable]) -> Iterator[int]:
    """Return where those start that stand among others of their sort."""
    rows: dict[bool, list[Observable]] = {True: [], False: []}
    for one in observables:
        if one.kind not in NETWORK and one.kind not in HASHES:
            continue
        row = rows[one.kind in HASHES]
        if row and not _is_near(text, row[-1].end, one.start):
            yield from _run(row)
            row.clear()
        row.append(one)
    for row in rows.values():
        yield from _run(row)


def _is_near(text: str, end: int, start: int) -> bool:
    gap = start - end
    return gap <= _NEAR or (gap <= _NEXT_LINE and text.find("\n", end, start) >= 0)


def _run(row: list[Observable]) -> Iterator[int]:
    if len(row) >= _RUN:
        yield from (one.start for one in row)


class _Words:
    """The places of some words in a text, those left out that are part of an address."""

    def __init__(self, scan: Scan, wanted: Pattern, addresses: list[Observable]) -> None:
        self._places: list[tuple[int, int]] = []
        number = 0
        for place in scan.find(wanted):
            while number < len(addresses) and addresses[number].end <= place[0]:
                number += 1
            if number == len(addresses) or addresses[number].start >= place[1]:
                self._places.append(place)
        self._starts = [start for start, _ in self._places]

    def between(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return those that begin in a part of the text."""
        return self._places[bisect_left(self._starts, start) : bisect_right(self._starts, end)]


class _Markup:
    """What the markup of a text says of its words: where code is, and what is linked."""

    def __init__(self, text: str, html: str) -> None:
        self.has_tables = not html or "<table" in html
        self.has_lists = not html or "<li" in html
        self._plain = not html
        self._code: set[str] = set()
        self._blocks: list[tuple[int, int]] = []
        self._targets: set[str] = set()
        self._hosts: set[str] = set()
        self._read(text, html)

    def is_code(self, one: Observable, text: str) -> bool:
        """Whether a place is code, or all of a piece of it."""
        if self._plain:
            return "`" in text[max(0, one.start - 4) : one.start]
        number = bisect_right(self._blocks, (one.start, len(text))) - 1
        inside = number >= 0 and one.start < self._blocks[number][1]
        return inside or text[one.start : one.end] in self._code

    def is_linked(self, one: Observable, words: str) -> bool:
        """Whether the words of a place, or its value, are a link that works."""
        if words in self._targets or one.value.rstrip("/") in self._targets:
            return True
        if one.kind is Kind.EMAIL:
            return f"mailto:{one.value}" in self._targets
        return one.kind is Kind.DOMAIN and one.value in self._hosts

    def _read(self, text: str, html: str) -> None:
        lines: dict[str, list[int]] | None = None
        opened: dict[str, tuple[int, str]] = {}
        at = 0
        for tag in _TAG.finditer(html):
            closing, name, attributes = tag.groups()
            if not closing:
                opened.setdefault(name, (tag.end(), attributes))
                continue
            begin, attributes = opened.pop(name, (-1, ""))
            if begin < 0:
                continue
            words = unescape(_ANY_TAG.sub("", html[begin : tag.start()]))
            if name == "a":
                self._link(words, attributes)
            elif name == "code":
                self._code.add(words.strip())
            elif words:
                lines = lines_of(text) if lines is None else lines
                at = self._block(words, lines, at)

    def _link(self, words: str, attributes: str) -> None:
        found = _HREF.search(attributes)
        if found is None:
            return
        target = unescape(found[1])
        self._targets.add(target.rstrip("/"))
        if (shown := words.strip()) and shown.lower() in target.lower():
            self._targets.add(shown)
        if host := host_in(Kind.URL, target.lower()):
            self._hosts.add(host)

    def _block(self, words: str, lines: dict[str, list[int]], at: int) -> int:
        """Keep where a block of code stands in the text, from a place on."""
        words = words.strip("\n")
        places = lines.get(words.partition("\n")[0], ())
        number = bisect_left(places, at)
        if number == len(places):
            return at
        end = places[number] + len(words)
        self._blocks.append((places[number], end))
        return end

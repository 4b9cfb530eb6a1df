"""Places of a text marked in the markup that has the same words."""

import heapq
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape

from markupsafe import Markup

MOST_MARKS = 5_000
"""How many places of one article are marked; more make a page that browsers are slow with."""

MOST_DEEP = 4
"""How many marks lie in each other at most."""

# The sanitiser quotes every value of an attribute, and nothing else has a `<`.
_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?:[^">]++|"[^"]*+")*+)>')
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")
_CHARACTER = re.compile(rf"{_REFERENCE.pattern}|\S")
_START = re.compile(r' start="([0-9]{1,4})"')
_INLINE = frozenset(
    {
        "a", "abbr", "b", "br", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s",
        "samp", "small", "span", "strong", "sub", "sup", "u", "var", "wbr",
    }
)  # fmt: skip
# How far ahead the words of a block are looked for where the text has something else before them.
_AHEAD, _SHORT_AHEAD, _SHORT = 10_000, 64, 8
_MOST_MISSED = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a text, and the number of the thing that its words name."""

    start: int
    end: int
    number: int


@dataclass(frozen=True, slots=True)
class Highlighted:
    """Markup with marks; `unmarked` counts the places that have none.

    `anchored` are the numbers of the anchors that stand in it.
    """

    markup: Markup
    unmarked: int
    anchored: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Node:
    """Words between two tags: their place in the markup, and in the text without its spaces."""

    start: int
    end: int
    words: str
    linked: bool
    at: int = -1


@dataclass(slots=True)
class _Run:
    """The words of one block, with what the text may have before them: bars and a list's mark."""

    nodes: list[_Node]
    bars: int
    marker: str

    def words(self) -> str:
        return "".join(node.words for node in self.nodes)


def highlight(
    markup: str,
    text: str,
    places: Iterable[Place],
    attributes: Mapping[int, str],
    anchors: Iterable[Place] = (),
) -> Highlighted:
    """Return sanitised markup with a `mark` around the words of each place.

    `attributes` are those of each number's marks, written as markup. Marks stand within words
    alone, so that no element is broken; the first of a number has the id `p-` and the number.
    `anchors` have numbers of their own and the id `s-`: links lead there, and no more.
    """
    asked = sorted(set(places), key=lambda place: (place.start, -place.end, place.number))
    # Below zero they are told from places, and stand around what has the same words.
    led_to = [Place(one.start, one.end, -one.number) for one in anchors]
    wanted, squeezed = _squeezed(text, [*asked[:MOST_MARKS], *led_to])
    nodes = _aligned(markup, squeezed)
    pieces, found = _pieces(nodes, wanted)
    writer = _Writer(markup, attributes)
    for number, inside in sorted(pieces.items()):
        writer.write(nodes[number], inside)
    return Highlighted(
        Markup(writer.markup()),  # noqa: S704 - only marks added
        len(asked) - sum(place.number > 0 for place in found),
        frozenset(-number for number in writer.named if number < 0),
    )


def highlight_words(
    markup: str, text: str, places: Iterable[Place], titles: Mapping[int, str]
) -> Markup:
    """Return sanitised markup with a `mark` of the class `n` around words that people chose.

    The first of a number has the id `h-` and the number; its title says whose it is.
    """
    wanted, squeezed = _squeezed(text, sorted(places, key=lambda p: (p.start, -p.end, p.number)))
    nodes = _aligned(markup, squeezed)
    pieces, _ = _pieces(nodes, wanted)
    writer = _ChosenWriter(markup, {n: f'title="{escape(words)}"' for n, words in titles.items()})
    for number, inside in sorted(pieces.items()):
        writer.write(nodes[number], inside)
    return Markup(writer.markup())  # noqa: S704 - only marks added


def highlight_quotes(markup: str, text: str, places: Iterable[Place]) -> Highlighted:
    """Return sanitised markup with a `mark` of the class `q` around words that were quoted.

    The first of a number has the id `q-` and the number: links lead there.
    """
    asked = sorted(set(places), key=lambda p: (p.start, -p.end, p.number))[:MOST_MARKS]
    wanted, squeezed = _squeezed(text, asked)
    nodes = _aligned(markup, squeezed)
    pieces, found = _pieces(nodes, wanted)
    writer = _QuoteWriter(markup, {})
    for number, inside in sorted(pieces.items()):
        writer.write(nodes[number], inside)
    return Highlighted(
        Markup(writer.markup()),  # noqa: S704 - only marks added
        len(asked) - len(found),
        frozenset(writer.named),
    )


def _squeezed(text: str, places: list[Place]) -> tuple[list[Place], str]:
    """Return the text without its spaces, and the places in it."""
    offsets: dict[int, int] = {}
    parts: list[str] = []
    at = size = 0
    for offset in sorted(
        {min(max(edge, 0), len(text)) for p in places for edge in (p.start, p.end)}
    ):
        part = "".join(text[at:offset].split())
        parts.append(part)
        size += len(part)
        offsets[offset] = size
        at = offset
    parts.append("".join(text[at:].split()))
    found = (
        Place(offsets[start], offsets[end], place.number)
        for place in places
        for start, end in [(min(max(place.start, 0), len(text)), min(max(place.end, 0), len(text)))]
    )
    return [place for place in found if place.start < place.end], "".join(parts)


def _aligned(markup: str, text: str) -> list[_Node]:
    """Return the nodes of the markup that the text has, each with its place there."""
    nodes: list[_Node] = []
    at = missed = 0
    for run in _runs(markup):
        words = run.words()
        place = _place_of(run, words, text, at, look=missed < _MOST_MISSED)
        if place < 0:
            missed += 1
            continue
        at = place
        for node in run.nodes:
            node.at = at
            at += len(node.words)
        nodes += run.nodes
    return nodes


def _place_of(run: _Run, words: str, text: str, at: int, *, look: bool) -> int:
    """Return where the words of a block stand in the text, below zero where they do not.

    Behind a list's mark the words may begin with what looks like one: the expected comes first.
    """
    bars = "|" * run.bars
    for lead in dict.fromkeys((bars + run.marker, bars, run.marker, "")):
        if text.startswith(lead + words, at):
            return at + len(lead)
    if not look:
        return -1
    ahead = _AHEAD if len(words) >= _SHORT else _SHORT_AHEAD
    return text.find(words, at, at + ahead + len(words))


class _Blocks:
    """What the tags that were passed say of the words that follow."""

    def __init__(self) -> None:
        self.bars = 0
        self.marker = ""
        self.linked = False
        self._cells = 0
        self._lists: list[int | None] = []

    def pass_tag(self, closing: bool, name: str, rest: str) -> None:
        if name == "a":
            self.linked = not closing and ' href="' in rest
        elif name in ("ul", "ol"):
            self._pass_list(closing, name, rest)
        elif name == "li":
            self.marker = "" if closing else self._marker()
        elif name == "tr" and not closing:
            self._cells = 0
        elif name in ("td", "th") and not closing:
            self.bars += self._cells > 0
            self._cells += 1
            self.marker = ""

    def _pass_list(self, closing: bool, name: str, rest: str) -> None:
        if not closing:
            start = _START.search(rest)
            self._lists.append(int(start[1]) if start else 1 if name == "ol" else None)
        elif self._lists:
            self._lists.pop()

    def _marker(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "-"
        self._lists[-1] = number + 1
        return f"{number}."


def _runs(markup: str) -> Iterator[_Run]:
    """Return the words of each block, in order; what is inside its line does not part them."""
    blocks = _Blocks()
    nodes: list[_Node] = []
    at = 0
    for tag in _TAG.finditer(markup):
        nodes += _node(markup, at, tag.start(), linked=blocks.linked)
        at = tag.end()
        if tag[2] not in _INLINE and nodes:
            yield _run(blocks, nodes)
            nodes = []
        blocks.pass_tag(bool(tag[1]), tag[2], tag[3])
    nodes += _node(markup, at, len(markup), linked=False)
    if nodes:
        yield _run(blocks, nodes)


def _run(blocks: _Blocks, nodes: list[_Node]) -> _Run:
    run = _Run(nodes, blocks.bars, blocks.marker)
    blocks.bars, blocks.marker = 0, ""
    return run


def _node(markup: str, start: int, end: int, *, linked: bool) -> list[_Node]:
    words = markup[start:end]
    if "&" in words:
        words = _REFERENCE.sub(lambda found: unescape(found[0]), words)
    words = "".join(words.split())
    return [_Node(start, end, words, linked)] if words else []


Piece = tuple[int, int, int, bool]
"""A part of a place within one node: its characters there, its number, whether it is the first."""


def _pieces(nodes: list[_Node], places: list[Place]) -> tuple[dict[int, list[Piece]], list[Place]]:
    """Return what to mark in each node, by the node's number, and of which places that is."""
    starts = [node.at for node in nodes]
    pieces: dict[int, list[Piece]] = {}
    found = []
    for place in places:
        first = max(bisect_right(starts, place.start) - 1, 0)
        is_first = True
        for number in range(first, bisect_left(starts, place.end)):
            node = nodes[number]
            start = max(place.start - node.at, 0)
            end = min(place.end - node.at, len(node.words))
            if start < end:
                pieces.setdefault(number, []).append((start, end, place.number, is_first))
                is_first = False
        if not is_first:
            found.append(place)
    return pieces, found


class _Writer:
    """Writes markup anew with marks in it, from left to right."""

    def __init__(self, markup: str, attributes: Mapping[int, str]) -> None:
        self._markup = markup
        self._attributes = attributes
        self._parts: list[str] = []
        self._at = 0
        self.named: set[int] = set()

    def markup(self) -> str:
        return "".join(self._parts) + self._markup[self._at :]

    def write(self, node: _Node, pieces: list[Piece]) -> None:
        """Mark the pieces of a node; those that cross are cut where the other ends."""
        edges = _edges(self._markup, node)
        # By their start, the longer first: what begins later lies within, or is cut.
        waiting = [(start, -end, number, first) for start, end, number, first in pieces]
        heapq.heapify(waiting)
        open_ends: list[int] = []
        while waiting:
            start, minus_end, number, first = heapq.heappop(waiting)
            end = -minus_end
            self._close(open_ends, edges, start)
            if len(open_ends) >= MOST_DEEP:
                continue
            if open_ends and end > open_ends[-1]:
                heapq.heappush(waiting, (open_ends[-1], minus_end, number, False))
                end = open_ends[-1]
            self._copy(edges[start][0])
            self._parts.append(self._opening(number, first=first, linked=node.linked))
            open_ends.append(end)
        self._close(open_ends, edges, len(edges))

    def _close(self, open_ends: list[int], edges: list[tuple[int, int]], until: int) -> None:
        while open_ends and open_ends[-1] <= until:
            self._copy(edges[open_ends.pop() - 1][1])
            self._parts.append("</mark>")

    def _copy(self, until: int) -> None:
        self._parts.append(self._markup[self._at : until])
        self._at = until

    def _opening(self, number: int, *, first: bool, linked: bool) -> str:
        """Return the tag of a mark: a link has the focus already, and a second part needs none."""
        letter = "p" if number > 0 else "s"
        name = f' id="{letter}-{abs(number)}"' if number not in self.named else ""
        self.named.add(number)
        if number < 0:
            return f'<mark class="e"{name}>'
        focus = ' tabindex="0"' if first and not linked else ""
        return f'<mark class="m"{name}{focus} {self._attributes[number]}>'


class _ChosenWriter(_Writer):
    """Writes the marks of people."""

    def _opening(self, number: int, *, first: bool, linked: bool) -> str:
        del first, linked
        name = f' id="h-{number}"' if number not in self.named else ""
        self.named.add(number)
        return f'<mark class="n"{name} {self._attributes[number]}>'


class _QuoteWriter(_Writer):
    """Writes the places that quotations lead to."""

    def _opening(self, number: int, *, first: bool, linked: bool) -> str:
        del first, linked
        name = f' id="q-{number}"' if number not in self.named else ""
        self.named.add(number)
        return f'<mark class="q"{name}>'


def _edges(markup: str, node: _Node) -> list[tuple[int, int]]:
    """Return where each character of a node's words begins and ends in the markup."""
    edges: list[tuple[int, int]] = []
    for found in _CHARACTER.finditer(markup, node.start, node.end):
        words = found[0] if len(found[0]) == 1 else "".join(unescape(found[0]).split())
        edges += [found.span()] * len(words)
    return edges

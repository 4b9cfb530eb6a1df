"""How much running text each part of a page holds, from one pass over the tree."""

from typing import cast

from lxml import etree

from ctiscraper.extract.dom import Element
from ctiscraper.extract.names import FURNITURE, NOTHING, sign_of
from ctiscraper.extract.render import INLINE

_LINK_LIMIT = 0.35
_GOOD_RUN = 60
_SHELLS = frozenset({"html", "body", "main", "article"})
_LIGHT = frozenset({"footer", "header", "aside", "figcaption", "h1", "h2", "h3", "h4", "address"})
_MOST = 0.5
# As bytes, which lxml need not encode for each element.
_CLASS, _ID = b"class", b"id"


def run_weight(tag: str, size: int, link: int) -> float:
    """The weight of one run of inline text: sentences count, labels and links do not."""
    if tag == "pre":
        return float(size)
    if size < _GOOD_RUN or link > size * _LINK_LIMIT:
        return 0.0
    if tag in {"li", "td"}:
        return size * 0.5
    return size * 0.2 if tag in _LIGHT else float(size)


def _signs(elements: list[Element]) -> list[int]:
    """What class and id of each element say."""
    signs = []
    for element in elements:
        name, key = element.get(_CLASS), element.get(_ID)
        said = f"{name} {key}" if name and key else name or key
        signs.append(sign_of(said.lower()) if said else NOTHING)
    return signs


def _sizes(texts: list[str | None]) -> list[int]:
    """The characters of each text; a blank one has none."""
    return [len(t) if t and not t.isspace() else 0 for t in texts]


def _length(texts: list[str | None]) -> int:
    return sum(map(len, filter(None, texts)))


class Outline:
    """A tree read into lists, one entry for each element in document order.

    Every look into the tree costs more than the sums themselves, and the tree is
    weighed twice: as a page and as an article. It must not change in between.
    """

    def __init__(self, root: Element) -> None:
        """Read `root` and every element below it."""
        self.elements = elements = list(root.iter(etree.Element))
        self.index = index = {e: i for i, e in enumerate(elements)}
        self.tags = [e.tag for e in elements]
        self.texts = [e.text for e in elements]
        self.tails = [e.tail for e in elements]
        self.signs = _signs(elements)
        self.parents = [0, *[index[cast("Element", e.getparent())] for e in elements[1:]]]
        self.ends = self._ends()

    def _ends(self) -> list[int]:
        """For each element the place after the last one inside it."""
        ends, parents = list(range(1, len(self.elements) + 1)), self.parents
        for i in range(len(ends) - 1, 0, -1):
            # Backwards, the last child is the first to tell.
            if ends[parents[i]] == parents[i] + 1:
                ends[parents[i]] = ends[i]
        return ends


class Weights:
    """Sizes by element: `total` and `links` in characters, `good` in weighted running text.

    `sign` is what the element's own names say (names.sign_of), `ends` the place after the
    last element inside.
    """

    def __init__(self, outline: Outline, start: int = 0) -> None:
        """Weigh the element at a place of the outline and every element below it."""
        part = slice(start, outline.ends[start])
        texts, tails = outline.texts[part], outline.tails[part]
        tails[0] = None
        self._index, self._start = outline.index, start
        self.elements, self.tags = outline.elements[part], outline.tags[part]
        self.ends = [e - start for e in outline.ends[part]]
        self.total = _sizes(texts)
        self.links = [0] * len(texts)
        self.good = [0.0] * len(texts)
        self.sign = outline.signs[part]
        self._most = _MOST * (_length(texts) + _length(tails))
        self._weigh([p - start for p in outline.parents[part]], _sizes(tails))

    def place(self, element: Element) -> int | None:
        """Where an element stands in the lists; None for one that was not weighed."""
        i = self._index.get(element)
        return None if i is None else i - self._start

    def children(self, i: int) -> list[int]:
        """The places of an element's children."""
        found, place = [], i + 1
        while place < self.ends[i]:
            found.append(place)
            place = self.ends[place]
        return found

    def _weigh(self, parents: list[int], after: list[int]) -> None:
        tags, total, links, good, sign = self.tags, self.total, self.links, self.good, self.sign
        own, own_links = total.copy(), links.copy()
        for i in range(len(tags) - 1, -1, -1):
            tag, size = tags[i], total[i]
            if tag == "a":
                links[i] = size
                own_links[i] = own[i]
            plain_inline = not good[i] and tag in INLINE
            if own[i] and not plain_inline:
                good[i] += run_weight(tag, own[i], own_links[i])
            if sign[i] < 0:
                self._name(i)
            if i == 0:
                return
            j = parents[i]
            if size:
                total[j] += size
                links[j] += links[i]
                good[j] += good[i]
                if plain_inline:
                    own[j] += own[i]
                    own_links[j] += own_links[i]
            if tail := after[i]:
                total[j] += tail
                own[j] += tail

    def _name(self, i: int) -> None:
        """Let the names of an element tell against it, unless it holds most of the page."""
        if self.tags[i] in _SHELLS or self.total[i] > self._most:
            self.sign[i] = NOTHING
        else:
            self.good[i] *= 0.1 if self.sign[i] == FURNITURE else 0.5

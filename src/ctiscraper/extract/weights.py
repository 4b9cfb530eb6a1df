"""How much running text each part of a page holds, from one pass over the tree."""

from typing import cast

from lxml import etree

from ctiscraper.extract.dom import Element, classes, raw_text
from ctiscraper.extract.names import FURNITURE, sign_of
from ctiscraper.extract.render import INLINE

_LINK_LIMIT = 0.35
_GOOD_RUN = 60
_SHELLS = frozenset({"html", "body", "main", "article"})
_LIGHT = frozenset({"footer", "header", "aside", "figcaption", "h1", "h2", "h3", "h4", "address"})
_MOST = 0.5


def run_weight(tag: str, size: int, link: int) -> float:
    """The weight of one run of inline text: sentences count, labels and links do not."""
    if tag == "pre":
        return float(size)
    if size < _GOOD_RUN or link > size * _LINK_LIMIT:
        return 0.0
    if tag in {"li", "td"}:
        return size * 0.5
    return size * 0.2 if tag in _LIGHT else float(size)


class Weights:
    """Sizes by element: `total` and `links` in characters, `good` in weighted running text.

    `sign` is what the element's own names say (names.sign_of).
    """

    def __init__(self, root: Element) -> None:
        """Weigh `root` and every element below it."""
        self.elements = list(root.iter(etree.Element))
        self.index = {e: i for i, e in enumerate(self.elements)}
        count = len(self.elements)
        self.total = [0] * count
        self.links = [0] * count
        self.good = [0.0] * count
        self.sign = [0] * count
        self._weigh(len(raw_text(root)) * _MOST)

    def _weigh(self, most: float) -> None:
        own, own_links = [0] * len(self.elements), [0] * len(self.elements)
        total, links, good, index = self.total, self.links, self.good, self.index
        for i in range(len(self.elements) - 1, -1, -1):
            element = self.elements[i]
            tag = element.tag
            text = element.text
            if text and not text.isspace():
                own[i] += len(text)
                total[i] += len(text)
            if tag == "a":
                links[i] = total[i]
                own_links[i] = own[i]
            plain_inline = tag in INLINE and not good[i]
            if not plain_inline:
                good[i] += run_weight(tag, own[i], own_links[i])
            if name := classes(element):
                self._name(i, name, most)
            if i == 0:
                return
            j = index[cast("Element", element.getparent())]
            tail = element.tail
            after = len(tail) if tail and not tail.isspace() else 0
            total[j] += total[i] + after
            links[j] += links[i]
            good[j] += good[i]
            own[j] += after
            if plain_inline:
                own[j] += own[i]
                own_links[j] += own_links[i]

    def _name(self, i: int, name: str, most: float) -> None:
        """Let the names of an element tell, unless it holds most of the page."""
        sign = sign_of(name)
        if sign < 0:
            if self.elements[i].tag in _SHELLS or self.total[i] > most:
                return
            self.good[i] *= 0.1 if sign == FURNITURE else 0.5
        self.sign[i] = sign

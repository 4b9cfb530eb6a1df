"""Where on a page the article is."""

from lxml import etree

from ctiscraper.extract.dom import Element
from ctiscraper.extract.prune import drop_repeated_captions, prune
from ctiscraper.extract.tables import is_data_table, table_rows
from ctiscraper.extract.weights import Outline, Weights

_LEAVES = frozenset(
    {"p", "pre", "ul", "ol", "table", "blockquote", "dl", "figure", "details", "h1", "h2"}
)
_DOMINANT = 0.7
_FEW_LINKS = 0.2
_GOOD_LEAF = 80.0
_FURNITURE_TAGS = frozenset({"header", "footer", "aside"})
_MIN_CANDIDATE = 250.0
_RIVAL = 2.0
_SHARE = 0.15


def find_main(weights: Weights) -> int | None:
    """The place of the smallest element that still holds nearly all of the article's text."""
    body = weights.elements[0].find("body")
    node = weights.place(body) if body is not None else 0
    if node is None or not weights.good[node]:
        return None
    return _descend(weights, _start(weights, node))


def _start(weights: Weights, body: int) -> int:
    """The part that calls itself the article, where one clearly outweighs its rivals."""
    ranked: list[tuple[float, int]] = []
    passed = 0
    for i, good in enumerate(weights.good):
        if i < passed:
            continue
        if weights.sign[i] < 0:
            passed = weights.ends[i]
        elif good >= _MIN_CANDIDATE and _is_named(weights, i):
            ranked.append((good, i))
            passed = weights.ends[i]
    if not ranked:
        return body
    ranked.sort(reverse=True)
    best, place = ranked[0]
    rival = ranked[1][0] if len(ranked) > 1 else 0.0
    return place if best >= _SHARE * weights.good[body] and best >= _RIVAL * rival else body


def _is_named(weights: Weights, i: int) -> bool:
    """True for a part of the page that calls itself the article."""
    tag = weights.tags[i]
    if tag in {"html", "body"}:
        return False
    if weights.sign[i] > 0 or tag == "article":
        return True
    return weights.elements[i].get("itemprop") == "articleBody"


def _descend(weights: Weights, node: int) -> int:
    while True:
        children = weights.children(node)
        best = max(children, key=weights.good.__getitem__, default=node)
        if best == node or weights.good[best] < _DOMINANT * weights.good[node]:
            return node
        if not weights.good[best] or _is_leaf(weights.elements[best]):
            return node
        if any(_belongs(weights, child, best) for child in children if child != best):
            return node
        node = best


def _is_leaf(element: Element) -> bool:
    """True for a block that is content itself; a table that lays out the page is none."""
    if element.tag == "table":
        return is_data_table(element, table_rows(element))
    return element.tag in _LEAVES


def _belongs(weights: Weights, i: int, best: int) -> bool:
    """True for a part beside the best one that continues it: of the same make, or with data."""
    if weights.sign[i] < 0 or not weights.good[i]:
        return False
    child, other = weights.elements[i], weights.elements[best]
    if weights.links[i] > _FEW_LINKS * weights.total[i] or child.tag in _FURNITURE_TAGS:
        return False
    if child.tag in _LEAVES:
        return weights.good[i] >= _GOOD_LEAF
    if child.tag == other.tag and child.get("class") and child.get("class") == other.get("class"):
        return True
    return weights.sign[best] == 0 and _holds_data(child)


def _holds_data(element: Element) -> bool:
    return next(element.iter("pre", "th"), None) is not None


def find_content(root: Element) -> list[Element]:
    """The elements that make up the article, furniture taken out; empty when there are none."""
    # The head has been read, and its many elements are not worth weighing.
    for head in root.iterchildren("head"):
        etree.strip_elements(head, "meta", "link", with_tail=False)
    outline = Outline(root)
    place = find_main(Weights(outline))
    if place is None:
        return []
    main = outline.elements[place]
    prune(Weights(outline, place))
    drop_repeated_captions(main)
    return [main]

"""Where on a page the article is."""

from ctiscraper.extract.dom import Element
from ctiscraper.extract.prune import drop_repeated_captions, prune
from ctiscraper.extract.tables import is_data_table, table_rows
from ctiscraper.extract.weights import Weights

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


def find_main(root: Element) -> Element | None:
    """The smallest element that still holds nearly all running text of the article."""
    weights = Weights(root)
    body = root.find("body")
    node = body if body is not None else root
    if not weights.good[weights.index[node]]:
        return None
    return _descend(weights, _start(weights, node))


def _start(weights: Weights, body: Element) -> Element:
    """The part that calls itself the article, where one clearly outweighs its rivals."""
    ranked: list[tuple[float, int]] = []
    taken: set[Element] = set()
    for i, element in enumerate(weights.elements):
        if element in taken:
            continue
        if weights.sign[i] < 0:
            taken.update(element.iter())
            continue
        named = (
            weights.sign[i] > 0
            or element.tag == "article"
            or element.get("itemprop") == "articleBody"
        )
        if named and weights.good[i] >= _MIN_CANDIDATE and element.tag not in ("html", "body"):
            ranked.append((weights.good[i], i))
            taken.update(element.iter())
    if not ranked:
        return body
    ranked.sort(reverse=True)
    best, place = ranked[0]
    rival = ranked[1][0] if len(ranked) > 1 else 0.0
    held = weights.good[weights.index[body]]
    if best >= _SHARE * held and best >= _RIVAL * rival:
        return weights.elements[place]
    return body


def _descend(weights: Weights, node: Element) -> Element:
    while True:
        best, best_weight = None, 0.0
        for child in node:
            i = weights.index.get(child)
            if i is not None and weights.good[i] > best_weight:
                best, best_weight = child, weights.good[i]
        held = weights.good[weights.index[node]]
        if best is None or best_weight < _DOMINANT * held or _is_leaf(best):
            return node
        if any(_belongs(weights, child, best) for child in node if child is not best):
            return node
        node = best


def _is_leaf(element: Element) -> bool:
    """True for a block that is content itself; a table that lays out the page is none."""
    if element.tag == "table":
        return is_data_table(element, table_rows(element))
    return element.tag in _LEAVES


def _belongs(weights: Weights, child: Element, best: Element) -> bool:
    """True for a part beside the best one that continues it: of the same make, or with data."""
    i = weights.index.get(child)
    if i is None or weights.sign[i] < 0 or not weights.good[i]:
        return False
    if weights.links[i] > _FEW_LINKS * weights.total[i] or child.tag in _FURNITURE_TAGS:
        return False
    if child.tag in _LEAVES:
        return weights.good[i] >= _GOOD_LEAF
    if child.tag == best.tag and child.get("class") and child.get("class") == best.get("class"):
        return True
    return weights.sign[weights.index[best]] == 0 and _holds_data(child)


def _holds_data(element: Element) -> bool:
    return next(element.iter("pre", "th"), None) is not None


def find_content(root: Element) -> list[Element]:
    """The elements that make up the article, furniture taken out; empty when there are none."""
    main = find_main(root)
    if main is None:
        return []
    prune(main)
    drop_repeated_captions(main)
    return [main]

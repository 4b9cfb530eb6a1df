"""Per-source CSS selectors, compiled once; a wrong one is a note, never a failure."""

from functools import lru_cache

from cssselect import SelectorError
from lxml.cssselect import CSSSelector
from lxml.etree import XPathEvalError

from ctiscraper.extract.dom import Element, find_all


@lru_cache(maxsize=1024)
def _compile(selector: str) -> CSSSelector | None:
    try:
        return CSSSelector(selector, translator="html")
    except (SelectorError, ValueError):
        # The latter for a control character, which no XPath may have.
        return None


def select(root: Element, selector: str, notes: list[str]) -> list[Element]:
    """The elements a selector names, outermost only, in document order."""
    if not selector:
        return []
    found = _found(root, selector)
    if found is None:
        notes.append(f"selector is not valid CSS: {selector[:120]}")
        return []
    inside = set(found)
    return [e for e in found if not any(a in inside for a in e.iterancestors())]


def _found(root: Element, selector: str) -> list[Element] | None:
    compiled = _compile(selector)
    if compiled is None:
        return None
    try:
        return find_all(compiled, root)
    except XPathEvalError:
        # Of a namespace, which no page of HTML declares: known only where an element is compared.
        return None

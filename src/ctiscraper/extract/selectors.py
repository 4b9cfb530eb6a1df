"""Per-source CSS selectors, compiled once; a wrong one is a note, never a failure."""

from functools import lru_cache

from cssselect import SelectorError
from lxml.cssselect import CSSSelector

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
    compiled = _compile(selector)
    if compiled is None:
        notes.append(f"selector is not valid CSS: {selector[:120]}")
        return []
    found = find_all(compiled, root)
    inside = set(found)
    return [e for e in found if not any(a in inside for a in e.iterancestors())]

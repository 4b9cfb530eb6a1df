"""Text to tree: one parse, what is never content taken out, hidden text counted."""

import re
from typing import TYPE_CHECKING, cast

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

Element = etree._Element  # noqa: SLF001 - the only public name of the type is in the stubs

DROPPED = (
    "style", "template", "iframe", "object", "embed", "applet", "svg", "canvas", "audio",
    "video", "map", "frame", "frameset", "button", "input", "select", "textarea", "datalist",
    "dialog", "nav", "menu", "math",
)  # fmt: skip

# By attribute and back: a condition asked of every element costs three times as much.
_HIDDEN = etree.XPath(
    "descendant-or-self::*/@hidden/.. | descendant-or-self::*/@aria-hidden[.='true']/.."
    " | descendant-or-self::*/@style[contains(.,'display:none') or contains(.,'display: none')"
    " or contains(.,'visibility:hidden') or contains(.,'visibility: hidden')]/.."
)
_VISIBLE_SHELLS = frozenset({"html", "body", "main", "article"})
_FOLDED = re.compile(
    r"accordion|collaps|tab-?(?:pane|panel|content)|toggle|expand|spoiler|\bfaq|foldable"
)


_CONTROLS = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
_TOO_DEEP = "Excessive depth"


def parse_html(markup: str, notes: list[str] | None = None) -> Element | None:
    """The root of the tree, or None when nothing could be parsed.

    A tree cut off because of its depth (libxml2 stops silently) is None too, with a note.
    """
    parser = etree.HTMLParser(
        encoding="utf-8",
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,
        no_network=True,
        collect_ids=False,  # nothing asks the table of ids, and it costs a twentieth of the parse
    )
    try:
        data = markup.encode("utf-8", "replace").translate(None, _CONTROLS)
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, etree.ParserError):
        return None
    last = parser.error_log.last_error
    if last is not None and _TOO_DEEP in last.message:
        if notes is not None:
            notes.append("nested too deep for the first extractor")
        return None
    return root


def raw_text(element: Element) -> str:
    """All text inside, as it stands."""
    return "".join(cast("Iterator[str]", element.itertext()))


def text_of(element: Element) -> str:
    """All text inside, white space collapsed."""
    return " ".join(raw_text(element).split())


def find_all(path: etree.XPath, root: Element) -> list[Element]:
    """The elements an XPath names."""
    return cast("list[Element]", path(root))


def classes(element: Element) -> str:
    """Class and id in one lower-case string."""
    name, key = element.get("class"), element.get("id")
    if name is None:
        return key.lower() if key else ""
    return f"{name} {key}".lower() if key else name.lower()


def drop(element: Element) -> None:
    """Take the element out and leave the text after it."""
    parent = element.getparent()
    if parent is None:
        return
    if tail := element.tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + tail
        else:
            before.tail = (before.tail or "") + tail
    parent.remove(element)


def _is_folded(element: Element) -> bool:
    """True for what a click unfolds: accordions, tabs, and anything that holds a table or code."""
    if element.get("role") in {"tabpanel", "region"} or _FOLDED.search(classes(element)):
        return True
    parent = element.getparent()
    if parent is not None and _FOLDED.search(classes(parent)):
        return True
    return next(element.iter("table", "pre", "details"), None) is not None


def drop_hidden(root: Element) -> int:
    """Take out what a reader cannot see or unfold; how many characters of text went."""
    lost = 0
    for element in find_all(_HIDDEN, root):
        if element.tag in _VISIBLE_SHELLS or element.getparent() is None or _is_folded(element):
            continue
        lost += len(text_of(element))
        drop(element)
    return lost

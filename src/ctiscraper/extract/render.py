"""Content tree to the canonical text and to plain markup of the same words."""

import re
from html import escape

from ctiscraper.extract.code import code_language, code_text
from ctiscraper.extract.dom import Element, raw_text, text_of
from ctiscraper.extract.tables import is_data_table, spans_of, table_rows
from ctiscraper.extract.urls import absolute_url

_LONG_NUMBER = 5
_PERMALINK = re.compile(r"\s*(?:#|\u00b6|\u00a7|\U0001f517)$")
_SPACE = re.compile(r"[ \t\r\n\f\v\xa0]+")
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_INLINE_KEPT = {
    "b": "b", "strong": "strong", "i": "i", "em": "em", "code": "code", "kbd": "kbd",
    "samp": "samp", "sub": "sub", "sup": "sup", "del": "del", "s": "s", "ins": "ins",
    "mark": "mark", "q": "q", "cite": "cite", "tt": "code", "var": "var", "small": "small",
    "abbr": "abbr", "dfn": "em", "u": "u", "strike": "s",
}  # fmt: skip
_OTHER_INLINE = """
a span font time br wbr img label big acronym bdi bdo data ruby rb rt rp nobr blink picture
source amp-img noscript meta link
"""
INLINE = frozenset(_INLINE_KEPT) | frozenset(_OTHER_INLINE.split())
_MAX_DEPTH = 150
MAX_TEXT = 1_000_000


class Renderer:
    """One walk over a content tree that writes text and markup side by side."""

    def __init__(self, base: str) -> None:
        """Links are made absolute against `base`."""
        self.base = base
        self.blocks: list[str] = []
        self.html: list[str] = []
        self.size = 0
        self._text: list[str] = []
        self._markup: list[str] = []
        self._indent = ""
        self._marker = ""
        self._compact = 0
        self._joined = False

    def _say(self, text: str | None) -> None:
        if not text or self.size > MAX_TEXT:
            return
        self.size += len(text)
        text = text[:MAX_TEXT]
        # Every space but the plain one is unprintable: most runs need no substitution.
        if "  " in text or not text.isprintable():
            text = _SPACE.sub(" ", text)
        self._text.append(text)
        self._markup.append(
            escape(text, quote=False) if "<" in text or "&" in text or ">" in text else text
        )

    def _flush(self, tag: str = "p") -> None:
        """End the current run as one block of the given tag."""
        if not self._text:
            self._markup.clear()
            return
        if text := _tidy("".join(self._text)):
            self._block(text)
            inner = "".join(self._markup).strip()
            self.html.append(f"<{tag}>{inner}</{tag}>" if tag else inner)
        self._text.clear()
        self._markup.clear()

    def _block(self, text: str) -> None:
        if self._marker or self._indent:
            lead = self._indent + self._marker
            pad = "\n" + " " * len(lead)
            text = lead + text.replace("\n", pad)
            if self._marker:
                self._indent += " " * len(self._marker)
                self._marker = ""
        if self._compact and self.blocks and self._joined:
            self.blocks[-1] += "\n" + text
        else:
            self.blocks.append(text)
        self._joined = self._compact > 0

    def _inline(self, element: Element, depth: int) -> None:
        tag = element.tag
        if tag == "br":
            self._text.append("\n")
            self._markup.append("<br>")
        elif tag == "a":
            self._link(element, depth)
        elif kept := _INLINE_KEPT.get(tag):
            self._markup.append(f"<{kept}>")
            self._children(element, depth)
            self._markup.append(f"</{kept}>")
        else:
            self._children(element, depth)

    def _link(self, element: Element, depth: int) -> None:
        if secret := element.get("data-cfemail"):
            self._say(decode_cfemail(secret))
            return
        href = element.get("href")
        target = absolute_url(self.base, href) if href else None
        if target is None:
            self._children(element, depth)
            return
        self._markup.append(f'<a href="{escape(target)}">')
        self._children(element, depth)
        self._markup.append("</a>")

    def walk(self, element: Element, depth: int = 0) -> None:
        """Write the element's content; its own tag and tail are not considered."""
        self._children(element, depth)
        self._flush()

    def _children(self, element: Element, depth: int) -> None:
        self._say(element.text)
        if depth > _MAX_DEPTH:
            self._say(raw_text(element))
            return
        for child in element:
            tag = child.tag
            if tag in INLINE:
                self._inline(child, depth + 1)
            elif isinstance(tag, str):
                self._flush()
                _BLOCKS.get(tag, Renderer._container)(self, child, depth + 1)
                self._flush()
            self._say(child.tail)

    def one(self, element: Element) -> None:
        """Write one element of the content as what it is."""
        tag = element.tag
        if tag in INLINE:
            self._inline(element, 0)
        else:
            _BLOCKS.get(tag, Renderer._container)(self, element, 0)
        self._flush()

    def _container(self, element: Element, depth: int) -> None:
        self._children(element, depth)

    def _heading(self, element: Element, _depth: int) -> None:
        text = _PERMALINK.sub("", text_of(element))
        if text:
            self._joined = False
            self._text.append(text)
            self._markup.append(escape(text, quote=False))
            self._flush(element.tag)

    def _pre(self, element: Element, _depth: int) -> None:
        code = code_text(element)[:MAX_TEXT]
        if not code.strip() or self.size > MAX_TEXT:
            return
        self.size += len(code)
        self._verbatim(code)
        language = code_language(element)
        opening = f'<code class="language-{escape(language)}">' if language else "<code>"
        self.html.append(f"<pre>{opening}{escape(code, quote=False)}</code></pre>")

    def _verbatim(self, text: str) -> None:
        """A block of its own lines, not indented by the list it stands in."""
        indent, self._indent, self._marker = self._indent, "", ""
        self._joined = False
        self._block(text)
        self._indent = indent
        self._joined = False

    def _list(self, element: Element, depth: int) -> None:
        if depth > _MAX_DEPTH:
            self._children(element, depth)
            return
        ordered = element.tag == "ol"
        start = element.get("start", "")
        number = int(start) if ordered and start.isdecimal() and len(start) < _LONG_NUMBER else 1
        self.html.append(f'<ol start="{number}">' if number != 1 else f"<{element.tag}>")
        outer, self._joined = self._indent, self._joined and self._compact > 0
        self._compact += 1
        for child in element:
            self._indent = outer
            self._item(child, f"{number}. " if ordered else "- ", depth + 1)
            number += child.tag == "li"
        self._compact -= 1
        self._indent = outer
        self._joined = self._joined and self._compact > 0
        self.html.append(f"</{element.tag}>")

    def _item(self, child: Element, marker: str, depth: int) -> None:
        self.html.append("<li>")
        if child.tag == "li":
            self._marker = marker
            self._children(child, depth)
        elif child.tag in INLINE:
            self._inline(child, depth)
        elif isinstance(child.tag, str):
            _BLOCKS.get(child.tag, Renderer._container)(self, child, depth)
        self._flush("")
        self._marker = ""
        self.html.append("</li>")

    def _wrapped(self, element: Element, depth: int) -> None:
        tag = element.tag
        place = len(self.html)
        folded = tag == "details" and "open" in element.attrib
        self.html.append("<details open>" if folded else f"<{tag}>")
        self._joined = False
        self._children(element, depth)
        self._flush()
        self._joined = False
        if len(self.html) == place + 1:
            self.html.pop()
        else:
            self.html.append(f"</{tag}>")

    def _run(self, element: Element, depth: int) -> None:
        """A block whose own content is a run: p, summary, figcaption, dt, dd."""
        self._children(element, depth)
        self._flush(element.tag)

    def _rule(self, _element: Element, _depth: int) -> None:
        self._joined = False

    def _table(self, element: Element, depth: int) -> None:
        rows = table_rows(element)
        if not is_data_table(element, rows):
            self._children(element, depth)
            return
        markup = ["<table>"]
        caption = element.find("caption")
        if caption is not None and (text := text_of(caption)):
            self._verbatim(text)
            markup.append(f"<caption>{escape(text, quote=False)}</caption>")
        lines = []
        for row in rows:
            texts, cells = self._cells(row, depth)
            if any(texts):
                lines.append(" | ".join(texts))
                markup.append(f"<tr>{''.join(cells)}</tr>")
        if lines:
            self._verbatim("\n".join(lines))
            self.html.append("".join(markup) + "</table>")

    def _cells(self, row: list[Element], depth: int) -> tuple[list[str], list[str]]:
        texts, cells = [], []
        for cell in row:
            inner = Renderer(self.base)
            inner.size = self.size
            inner.walk(cell, depth + 1)
            self.size = inner.size
            texts.append(" ".join(" ".join(inner.blocks).split()))
            markup = "".join(inner.html)
            if len(inner.html) == 1 and markup.startswith("<p>"):
                markup = markup[3:-4]
            cells.append(f"<{cell.tag}{spans_of(cell)}>{markup}</{cell.tag}>")
        return texts, cells


_SPACE_LINES = re.compile(r" *\n *")
_DOUBLE = re.compile(r"  +")


def _tidy(text: str) -> str:
    """The text of a block without spaces that mean nothing."""
    if "\n" in text:
        text = _SPACE_LINES.sub("\n", text)
    text = text.strip()
    return _DOUBLE.sub(" ", text) if "  " in text else text


_BLOCKS = {
    **dict.fromkeys(_HEADINGS, Renderer._heading),  # noqa: SLF001 - the table of its own methods
    **dict.fromkeys(("pre", "listing", "xmp"), Renderer._pre),  # noqa: SLF001
    **dict.fromkeys(("ul", "ol"), Renderer._list),  # noqa: SLF001
    **dict.fromkeys(("blockquote", "details", "figure", "dl"), Renderer._wrapped),  # noqa: SLF001
    **dict.fromkeys(("p", "summary", "figcaption", "dt", "dd"), Renderer._run),  # noqa: SLF001
    "table": Renderer._table,  # noqa: SLF001
    "hr": Renderer._rule,  # noqa: SLF001
}


def decode_cfemail(secret: str) -> str:
    """The address Cloudflare's e-mail protection hides: each byte XOR the first."""
    try:
        raw = bytes.fromhex(secret)
    except ValueError:
        return ""
    return bytes(b ^ raw[0] for b in raw[1:]).decode("utf-8", "replace") if raw else ""


def render(content: list[Element], base: str) -> tuple[str, str]:
    """The canonical text (blocks apart by a blank line) and unsanitised plain markup."""
    renderer = Renderer(base)
    for element in content:
        renderer.one(element)
    return "\n\n".join(renderer.blocks), "\n".join(renderer.html)


def html_of_blocks(blocks: list[str]) -> str:
    """Plain markup of blocks of plain text."""
    return "\n".join(f"<p>{escape(b, quote=False).replace(chr(10), '<br>')}</p>" for b in blocks)

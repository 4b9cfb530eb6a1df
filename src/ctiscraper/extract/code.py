"""Code as pages show it: verbatim text out of highlighters, gutters and line tables."""

import re

from lxml import etree

from ctiscraper.extract.dom import Element, classes, drop, raw_text

_LANGUAGE = re.compile(r"(?:^|\s)(?:lang(?:uage)?-|brush:\s*)([a-z0-9+#._-]{1,32})", re.IGNORECASE)
_GUTTER = re.compile(
    r"(?:^|[\s_-])(?:gutter|line-?numbers?(?:-rows)?|line-?nos?|linenos?|linenodiv|lnt|blob-num"
    r"|ln-numbers?|crayon-nums?|code-?copy|copy-?(?:button|btn|code))(?=$|[\s_-])"
)
_CODE_CELL = re.compile(
    r"(?:^|[\s_-])(?:code|blob-code|rouge-code|ln-code|crayon-code|lntd|js-file-line)(?=$|[\s_-])"
)
_LINE = re.compile(r"(?:^|[\s_-])(?:line|crayon-line|code-line|view-line|hljs-ln-line)(?=$|[\s_-])")
_LINE_TAGS = frozenset({"div", "p", "li", "tr"})


def _is_gutter(element: Element) -> bool:
    """True for what is named after line numbers and holds no more, or copies the code."""
    name = classes(element)
    if not name or not _GUTTER.search(name):
        return False
    words = raw_text(element).split()
    return all(w.isdecimal() for w in words) or words[0].lower() in {"copy", "copied"}


def code_text(element: Element) -> str:
    """The code verbatim, line numbers left out; an element for a line ends it with a break."""
    parts: list[str] = []
    spans = _lines_are_spans(element)
    skipped: Element | None = None
    for event, part in etree.iterwalk(element, events=("start", "end")):
        if skipped is not None:
            if event == "end" and part is skipped:
                skipped = None
                parts.append(part.tail or "")
            continue
        if event == "start":
            if part is not element and _is_gutter(part):
                skipped = part
                continue
            parts.append("\n" if part.tag == "br" else part.text or "")
            continue
        if part is element:
            break
        if part.tag in _LINE_TAGS or (part.tag == "span" and part in spans):
            _end_line(parts)
        parts.append(part.tail or "")
    return _tidy("".join(parts))


def _lines_are_spans(element: Element) -> set[Element]:
    """The spans that stand for lines, where no line break does."""
    lines = [s for s in element.iter("span") if _LINE.search(classes(s)) or "data-line" in s.attrib]
    if len(lines) < 2 or any("\n" in (s.tail or "") for s in lines):  # noqa: PLR2004 - one is no list
        return set()
    return set(lines)


def _end_line(parts: list[str]) -> None:
    last = next((p for p in reversed(parts) if p), "")
    if not last.endswith("\n"):
        parts.append("\n")


def _tidy(code: str) -> str:
    code = code.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    lines = [line.rstrip() for line in code.split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def code_language(element: Element) -> str:
    """The language a code block names in its class, or empty."""
    for place in (element, *element.findall("code"), element.getparent()):
        if place is not None and (match := _LANGUAGE.search(place.get("class") or "")):
            return match[1].lower()
    return ""


def _code_cells(table: Element) -> list[Element]:
    """The cells that hold code beside a gutter of line numbers; empty for other tables."""
    cells = list(table.iterdescendants("td"))
    gutters = [c for c in cells if _is_gutter(c) or _holds_numbers(c)]
    if not gutters:
        return []
    beside = set(gutters)
    return [c for c in cells if c not in beside and (_CODE_CELL.search(classes(c)) or _has_pre(c))]


def _has_pre(cell: Element) -> bool:
    return next(cell.iterdescendants("pre"), None) is not None


def _holds_numbers(cell: Element) -> bool:
    """True for a cell whose pre holds nothing but line numbers."""
    pre = next(cell.iterdescendants("pre"), None)
    words = raw_text(pre).split() if pre is not None else []
    return bool(words) and all(w.isdecimal() for w in words)


def _replace(element: Element, code: str, language: str) -> None:
    parent = element.getparent()
    if parent is None:
        return
    pre = etree.Element("pre")
    inner = etree.SubElement(pre, "code")
    inner.text = code
    if language:
        inner.set("class", f"language-{language}")
    pre.tail, element.tail = element.tail, None
    parent.replace(element, pre)


def normalise_code(root: Element) -> None:
    """Turn line-numbered tables into plain code blocks and drop gutters beside code."""
    for table in list(root.iter("table")):
        if cells := _code_cells(table):
            code = "\n".join(code_text(c) for c in cells)
            language = next((n for p in table.iter("pre") if (n := code_language(p))), "")
            _replace(table, code, language)
    for pre in list(root.iter("pre")):
        if _is_gutter(pre) and raw_text(pre).strip():
            drop(pre)

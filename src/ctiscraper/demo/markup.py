"""The sample articles' light markup, turned into HTML."""

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

_INLINE: Final = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])"), r"<em>\1</em>"),
    (re.compile(r"\[([^\[\]]+)\]\((https?://[^)\s]+)\)"), r'<a href="\2">\1</a>'),
)
_FENCE: Final = "```"
_FOLD: Final = ":::"


def to_html(text: str) -> str:
    """Return the HTML of headings, paragraphs, lists, tables, code, quotes and folded parts.

    A folded part stands between a line `::: summary` and a line `:::`.
    """
    return "\n".join(_blocks(iter(text.splitlines())))


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    kept: list[str] = []
    for line in lines:
        if line.startswith((_FENCE, _FOLD)):
            yield from _block(kept)
            kept = []
            yield _code(line, lines) if line.startswith(_FENCE) else _folded(line, lines)
        elif line.strip():
            kept.append(line)
        else:
            yield from _block(kept)
            kept = []
    yield from _block(kept)


def _block(lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    for sign, make in _MAKERS.items():
        if lines[0].startswith(sign):
            yield make(lines)
            return
    yield f"<p>{_inline(' '.join(lines))}</p>"


def _until(lines: Iterator[str], end: str) -> list[str]:
    part = []
    for line in lines:
        if line == end:
            break
        part.append(line)
    return part


def _code(first: str, lines: Iterator[str]) -> str:
    language = first.removeprefix(_FENCE).strip() or "text"
    body = escape("\n".join(_until(lines, _FENCE)))
    return f'<pre><code class="language-{language}">{body}</code></pre>'


def _folded(first: str, lines: Iterator[str]) -> str:
    summary = _inline(first.removeprefix(_FOLD).strip())
    body = "\n".join(_blocks(iter(_until(lines, _FOLD))))
    return f"<details><summary>{summary}</summary>\n{body}\n</details>"


def _heading(lines: list[str]) -> str:
    marks, _, words = " ".join(lines).partition(" ")
    return f"<h{len(marks)}>{_inline(words)}</h{len(marks)}>"


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        if line.startswith("- "):
            items.append(line.removeprefix("- "))
        else:
            items[-1] += f" {line.strip()}"
    return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"


def _table(lines: list[str]) -> str:
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    top = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _quote(lines: list[str]) -> str:
    words = " ".join(line.removeprefix(">").strip() for line in lines)
    return f"<blockquote><p>{_inline(words)}</p></blockquote>"


def _inline(text: str) -> str:
    result = escape(text, quote=False)
    for pattern, replacement in _INLINE:
        result = pattern.sub(replacement, result)
    return result


_MAKERS: Final[dict[str, Callable[[list[str]], str]]] = {
    "#": _heading,
    "- ": _list,
    "|": _table,
    ">": _quote,
}

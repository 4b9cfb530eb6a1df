"""Plain markup as Markdown: headings, lists, quotes, tables and code, with the words as they are.

The markup is that which the sanitiser leaves: no script, no style, no image, closed tags.
"""

import re
from html.parser import HTMLParser

_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_BLOCKS = frozenset(
    ("p", "div", "figure", "figcaption", "caption", "summary", "details", "dt", "dd", "dl")
)
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "del": "~~", "s": "~~"}
_CODE = frozenset(("code", "kbd", "samp", "var"))
_SPACE = re.compile(r"[ \t\r\n\f\v\xa0]+")
# What would be read as markup where it stands in a line, and where it begins one.
_INLINE = re.compile(r"([\\`*_\[\]<>~|])")
_LEADING = re.compile(r"^(\s*)([#+-]|\d{1,9}[.)])(?=\s|$)")
_LANGUAGE = re.compile(r"language-(\S+)")
_TICKS = re.compile(r"`+")


def to_markdown(markup: str) -> str:
    """Return sanitised markup as Markdown (CommonMark with the tables of GitHub)."""
    writer = _Writer()
    writer.feed(markup)
    writer.close()
    return writer.written()


def escaped(text: str) -> str:
    """Return words so that Markdown shows them as they are."""
    return _LEADING.sub(r"\1\\\2", _INLINE.sub(r"\\\1", text))


def fenced(code: str, language: str = "") -> str:
    """Return lines of code between fences longer than any in them."""
    longest = max((len(ticks) for ticks in _TICKS.findall(code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code.strip(chr(10))}\n{fence}"


class _Writer(HTMLParser):
    """One walk over markup that writes blocks, each with what stands before its lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[str] = []
        self._run: list[str] = []
        # What begins each line of a block: a quote's sign, or a list's room.
        self._prefix: list[str] = []
        self._marker = ""
        self._lists: list[int | None] = []
        self._links: list[str] = []
        self._pre: list[str] | None = None
        self._language = ""
        self._code: list[str] | None = None
        self._heading = ""
        self._table: list[list[str]] | None = None
        self._cell: list[str] | None = None

    def written(self) -> str:
        """Return all that was written."""
        self._flush()
        return "\n\n".join(self._blocks).strip() + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin what a tag begins."""
        given = {name: value or "" for name, value in attrs}
        if self._pre is not None:
            found = _LANGUAGE.search(given.get("class", ""))
            self._language = found[1] if found else self._language
        elif tag in _MARKS:
            self._say(_MARKS[tag])
        elif tag in _CODE:
            self._code = []
        elif tag == "a":
            self._links.append(given.get("href", ""))
            self._say("[" if self._links[-1] else "")
        elif tag == "br":
            self._say(" " if self._cell is not None else "\\\n")
        else:
            self._begin(tag, given)

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        if self._table is not None:
            self._begin_cell(tag)
            return
        if tag in _HEADINGS or tag in _BLOCKS:
            self._flush()
            self._heading = _HEADINGS.get(tag, "")
        elif tag == "pre":
            self._flush()
            self._pre, self._language = [], ""
        elif tag in {"ul", "ol"}:
            self._flush()
            start = given.get("start", "")
            number = int(start) if start.isdecimal() else 1
            self._lists.append(number if tag == "ol" else None)
        elif tag == "li":
            self._flush()
            self._marker = self._next_marker()
            self._prefix.append(" " * len(self._marker))
        elif tag == "blockquote":
            self._flush()
            self._prefix.append("> ")
        elif tag == "table":
            self._flush()
            self._table = []
        elif tag == "hr":
            self._flush()
            self._block("---")

    def _begin_cell(self, tag: str) -> None:
        assert self._table is not None, "it is asked before"
        if tag == "tr":
            self._table.append([])
        elif tag in {"td", "th"}:
            self._cell = []
        elif tag in _BLOCKS or tag in {"li", "tr"}:
            self._say(" ")

    def handle_endtag(self, tag: str) -> None:
        """End what a tag ends."""
        if tag == "pre" and self._pre is not None:
            code, self._pre = "".join(self._pre), None
            self._block(fenced(code, self._language))
        elif self._pre is not None:
            return
        elif tag in _MARKS:
            self._say(_MARKS[tag])
        elif tag in _CODE and self._code is not None:
            said, self._code = "".join(self._code), None
            self._say(_quoted(said, in_table=self._cell is not None))
        elif tag == "a" and self._links:
            href = self._links.pop()
            self._say(f"](<{href.replace('<', '%3C').replace('>', '%3E')}>)" if href else "")
        else:
            self._end(tag)

    def _end(self, tag: str) -> None:
        if self._table is not None:
            self._end_cell(tag)
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._flush()
        elif tag in {"ul", "ol"} and self._lists:
            self._flush()
            self._lists.pop()
        elif tag in {"li", "blockquote"} and self._prefix:
            self._flush()
            self._prefix.pop()
            self._marker = ""

    def _end_cell(self, tag: str) -> None:
        assert self._table is not None, "it is asked before"
        if tag in {"td", "th"} and self._cell is not None:
            said, self._cell = "".join(self._cell), None
            if self._table:
                self._table[-1].append(" ".join(said.split()))
        elif tag == "table":
            rows, self._table = [row for row in self._table if row], None
            if rows:
                self._block(_table(rows))

    def handle_data(self, data: str) -> None:
        """Write words."""
        if self._pre is not None:
            self._pre.append(data)
        elif self._code is not None:
            self._code.append(_SPACE.sub(" ", data))
        elif self._cell is not None or self._table is None:
            self._say(_INLINE.sub(r"\\\1", _SPACE.sub(" ", data)))

    def _say(self, words: str) -> None:
        (self._run if self._cell is None else self._cell).append(words)

    def _next_marker(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number}. "

    def _flush(self) -> None:
        """End the run of words as one block."""
        said = "".join(self._run).strip()
        self._run.clear()
        heading, self._heading = self._heading, ""
        if said and said != "\\":
            self._block(
                heading + (" ".join(said.split()) if heading else _LEADING.sub(r"\1\\\2", said))
            )

    def _block(self, text: str) -> None:
        room = "".join(self._prefix)
        first = room
        if self._marker:
            first = "".join(self._prefix[:-1]) + self._marker
            self._marker = ""
        lines = text.split("\n")
        written = "\n".join([first + lines[0], *(f"{room}{line}".rstrip() for line in lines[1:])])
        self._blocks.append(written)


def _quoted(code: str, *, in_table: bool) -> str:
    if not code.strip():
        return code
    longest = max((len(ticks) for ticks in _TICKS.findall(code)), default=0)
    ticks = "`" * (longest + 1)
    space = " " if code.startswith("`") or code.endswith("`") else ""
    # A bar ends a cell even inside code.
    said = code.replace("|", "\\|") if in_table else code
    return f"{ticks}{space}{said}{space}{ticks}"


def _table(rows: list[list[str]]) -> str:
    columns = max(len(row) for row in rows)
    full = [row + [""] * (columns - len(row)) for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in full]
    return "\n".join([lines[0], "|" + " --- |" * columns, *lines[1:]])

"""The piece of each text that a search matched best, with the matched words marked."""

import re
from collections.abc import Iterator, Sequence

from ctiscraper.db.search import CONFIG
from ctiscraper.db.session import Conn
from ctiscraper.views import Snippet

LONGEST = 280
# What PostgreSQL marks words with: no text that is kept has them.
_START, _END = "\x01", "\x02"
_LEXEME = re.compile(r"'((?:[^']|'')+)'(:[*A-D]+)?")
_SPACE = re.compile(r"\s+")
_LONGEST_LOOKED_AT = 200_000
_MOST_PLACES = 400
_MOST_LEXEMES = 64
# What a stem may have lost or changed at its end.
_SHORTEST_STEM = 4


async def snippets_of(conn: Conn, words: str, ids: Sequence[int]) -> dict[int, Snippet]:
    """Return a piece of each article's text that has some of the words; none where it has none."""
    looked_for = _pattern(words)
    if looked_for is None or not ids:
        return {}
    cursor = await conn.execute(
        "SELECT id, left(text, %s) FROM article WHERE id = ANY(%s)",
        (_LONGEST_LOOKED_AT, list(ids)),
    )
    pieces = {
        row[0]: piece for row in await cursor.fetchall() if (piece := _piece(row[1], looked_for))
    }
    if not pieces:
        return {}
    cursor = await conn.execute(
        """
        SELECT p.id, ts_headline(%(config)s::regconfig, p.piece, %(words)s::tsquery, %(how)s)
        FROM unnest(%(ids)s::bigint[], %(pieces)s::text[]) AS p (id, piece)
        """,
        {
            "config": CONFIG,
            "words": words,
            "how": f"HighlightAll=true, StartSel={_START}, StopSel={_END}",
            "ids": list(pieces),
            "pieces": list(pieces.values()),
        },
    )
    marked = {row[0]: _to_snippet(row[1]) for row in await cursor.fetchall()}
    return {number: snippet for number, snippet in marked.items() if snippet.marks}


def _pattern(words: str) -> re.Pattern[str] | None:
    """Return what finds the places where the words may stand, by the beginnings of their stems."""
    stems = {
        stem
        for found in _LEXEME.finditer(words)
        if (stem := _stem(found[1].replace("''", "'").replace("\\\\", "\\")))
    }
    if not stems:
        return None
    chosen = sorted(stems, key=lambda stem: (-len(stem), stem))[:_MOST_LEXEMES]
    either = "|".join(re.escape(stem) for stem in chosen)
    return re.compile(rf"(?<![^\W_])(?:{either})", re.IGNORECASE)


def _stem(lexeme: str) -> str:
    """Return what the words of a stem begin with: happi is of happy, and evil.example of evil."""
    first = re.match(r"\W*([^\W_]+)", lexeme)
    if first is None:
        return ""
    stem = first[1]
    return stem[:-1] if len(stem) > _SHORTEST_STEM and stem.endswith("i") else stem


def _piece(text: str, looked_for: re.Pattern[str]) -> str | None:
    """Return the piece of a text where the most different words stand, on one line."""
    places = list(_places(text, looked_for))
    if not places:
        return None
    best, most = 0, 0
    first = 0
    for last in range(len(places)):
        while places[last][0] - places[first][0] > LONGEST * 2 // 3:
            first += 1
        different = len({word for _, word in places[first : last + 1]})
        if different > most:
            best, most = first, different
    start = _word_start(text, max(0, places[best][0] - LONGEST // 4))
    end = _word_end(text, min(len(text), start + LONGEST))
    piece = _SPACE.sub(" ", text[start:end].replace(_START, " ").replace(_END, " ")).strip()
    before = "\u2026 " if start else ""
    behind = " \u2026" if end < len(text) else ""
    return f"{before}{piece}{behind}"


def _places(text: str, looked_for: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    for number, found in enumerate(looked_for.finditer(text)):
        if number >= _MOST_PLACES:
            return
        yield found.start(), found[0].lower()


def _word_start(text: str, at: int) -> int:
    """Return the beginning of the next word from a place on, the place itself if none is near."""
    if at == 0:
        return 0
    space = re.compile(r"\s").search(text, at, at + 30)
    return space.end() if space else at


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    space = max(text.rfind(" ", at - 30, at), text.rfind("\n", at - 30, at))
    return space if space > 0 else at


def _to_snippet(marked: str) -> Snippet:
    pieces: list[str] = []
    marks: list[tuple[int, int]] = []
    length = 0
    for number, piece in enumerate(re.split(f"[{_START}{_END}]", marked)):
        if number % 2 and piece:
            marks.append((length, length + len(piece)))
        pieces.append(piece)
        length += len(piece)
    return Snippet(text="".join(pieces), marks=tuple(marks))

"""The piece of each text that a search matched best, with the matched words marked."""

import re
from collections.abc import Iterator, Sequence

from ctiscraper.db.search import CONFIG
from ctiscraper.db.session import Conn
from ctiscraper.views import Snippet

LONGEST = 280
_LEXEME = re.compile(r"'((?:[^']|'')+)'(:[*A-D]+)?")
_WORD = re.compile(r"[^\W_]+")
_SPACE = re.compile(r"\s+")
_LONGEST_LOOKED_AT = 200_000
_MOST_PLACES = 400
_MOST_LEXEMES = 64
_LONGEST_ENDING = 60
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
    said = {found[0].lower() for piece in pieces.values() for found in looked_for.finditer(piece)}
    matched = await _matched(conn, words, sorted(said))
    snippets = {
        number: Snippet(text=piece, marks=tuple(_marks(piece, looked_for, matched)))
        for number, piece in pieces.items()
    }
    return {number: snippet for number, snippet in snippets.items() if snippet.marks}


async def _matched(conn: Conn, words: str, said: Sequence[str]) -> set[str]:
    """Return the words of texts that are what was looked for, in whatever form."""
    lexemes = {found[0] for found in _LEXEME.finditer(words)}
    cursor = await conn.execute(
        """
        SELECT w.word FROM unnest(%(said)s::text[]) AS w (word)
        WHERE to_tsvector(%(config)s::regconfig, w.word) @@ %(any)s::tsquery
        """,
        {"said": list(said), "config": CONFIG, "any": " | ".join(sorted(lexemes))},
    )
    matched = {row[0] for row in await cursor.fetchall()}
    # The words of an address or a path, which is one lexeme.
    return matched | {part.lower() for one in lexemes for part in _WORD.findall(one)}


def _marks(piece: str, looked_for: re.Pattern[str], matched: set[str]) -> Iterator[tuple[int, int]]:
    return (found.span() for found in looked_for.finditer(piece) if found[0].lower() in matched)


def _pattern(words: str) -> re.Pattern[str] | None:
    """Return what finds the words that begin as one of the stems that are looked for."""
    stems = {
        stem
        for found in _LEXEME.finditer(words)
        for part in _WORD.findall(found[1])
        if (stem := _stem(part))
    }
    if not stems:
        return None
    chosen = sorted(stems, key=lambda stem: (-len(stem), stem))[:_MOST_LEXEMES]
    either = "|".join(re.escape(stem) for stem in chosen)
    return re.compile(rf"(?<![^\W_])(?:{either})[^\W_]{{0,{_LONGEST_ENDING}}}", re.IGNORECASE)


def _stem(word: str) -> str:
    """Return what the forms of a stem begin with: happi is of happy."""
    return word[:-1] if len(word) > _SHORTEST_STEM and word.endswith("i") else word


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
    piece = _SPACE.sub(" ", text[start:end]).strip()
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

"""The words that articles are written in, with about how many have each."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctiscraper.db.session import Conn, Database

SHORTEST, LONGEST = 4, 30
BATCH = 200
# What is older than so many articles is written in no other words.
REACH = 20_000
MOST_KEPT = 60_000
# What one article alone has may be misspelt itself.
LEAST = 2
MOST_NEAR = 300
# Hashes, numbers and keys are no words; each is had once.
_WORD = re.compile(r"(?<![^\W_])[^\W\d_][^\W_]{3,29}(?![^\W_])")
_DIGITS = re.compile(r"\d")
_MOST_DIGITS = 2
_LONGEST_TEXT = 200_000
_LOCK_KEY = 0x776F7264
_LETTER_BITS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a batch came to: how many articles it counted, and whether there are no more."""

    articles: int
    over: bool


class KnownWords:
    """The words of articles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_next(self) -> Counted:
        """Count the words of the next articles that were not counted, the oldest of them first."""
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
            cursor = await conn.execute(
                """
                SELECT a.id, a.title || E'\n' || left(a.text, %(longest)s) FROM article a
                WHERE a.id > greatest(
                    (SELECT last_article FROM known_word_progress),
                    (SELECT max(id) FROM article) - %(reach)s)
                ORDER BY a.id LIMIT %(batch)s
                """,
                {"longest": _LONGEST_TEXT, "reach": REACH, "batch": BATCH},
            )
            rows = await cursor.fetchall()
            if rows:
                counts = await asyncio.to_thread(_counts, [row[1] for row in rows])
                await _add(conn, counts)
                await _move(conn, last=rows[-1][0], articles=len(rows))
        return Counted(articles=len(rows), over=len(rows) < BATCH)

    async def drop_rarest(self) -> int:
        """Forget the rarest words where there are too many; return how many went."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                """
                DELETE FROM known_word WHERE articles <= (
                    SELECT articles FROM known_word ORDER BY articles DESC
                    OFFSET %(most)s LIMIT 1)
                """,
                {"most": MOST_KEPT},
            )
        return cursor.rowcount


async def articles_with(conn: Conn, words: Iterable[str]) -> dict[str, int]:
    """Return the known ones of these words, in lower case, with about how many articles each."""
    cursor = await conn.execute(
        "SELECT word, articles FROM known_word WHERE word = ANY(%s)", (list(words),)
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def spelt_nearly(conn: Conn, word: str, most: int) -> Sequence[str]:
    """Return the words that may differ in so many letters at most, the most frequent first.

    Each letter that is wrong, missing or too many changes at most two of those that a word has.
    """
    cursor = await conn.execute(
        """
        SELECT word FROM known_word
        WHERE bit_count((letters # %(letters)s)::bit(32)) <= 2 * %(most)s
            AND length(word) BETWEEN %(length)s - %(most)s AND %(length)s + %(most)s
            AND articles >= %(least)s AND word <> %(word)s
        ORDER BY articles DESC, word LIMIT %(limit)s
        """,
        {
            "letters": letters_of(word),
            "most": most,
            "length": len(word),
            "least": LEAST,
            "word": word,
            "limit": MOST_NEAR,
        },
    )
    return [row[0] for row in await cursor.fetchall()]


def words_of(text: str) -> set[str]:
    """Return the words of a text in lower case, without what is no word of a language."""
    found = set(_WORD.findall(text.lower()))
    return {word for word in found if len(_DIGITS.findall(word)) <= _MOST_DIGITS}


def letters_of(word: str) -> int:
    """Return a bit for each letter that a word has."""
    bits = 0
    for letter in set(word):
        bits |= 1 << (ord(letter) % _LETTER_BITS)
    return bits


def _counts(texts: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words_of(text))
    return counts


async def _add(conn: Conn, counts: Counter[str]) -> None:
    # In one order, so that two who write the same words do not wait for each other.
    words = sorted(counts)
    await conn.execute(
        """
        INSERT INTO known_word (word, letters, articles)
        SELECT * FROM unnest(%s::text[], %s::integer[], %s::integer[])
        ON CONFLICT (word) DO UPDATE SET articles = known_word.articles + excluded.articles
        """,
        (words, [letters_of(word) for word in words], [counts[word] for word in words]),
    )


async def _move(conn: Conn, *, last: int, articles: int) -> None:
    await conn.execute(
        """
        INSERT INTO known_word_progress (last_article, articles) VALUES (%(last)s, %(articles)s)
        ON CONFLICT (single) DO UPDATE SET last_article = excluded.last_article,
            articles = known_word_progress.articles + excluded.articles
        """,
        {"last": last, "articles": articles},
    )

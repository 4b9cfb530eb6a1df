"""Articles that have to do with one: they name the same rare things, in the same rare words."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from psycopg import sql

from ctiscraper.db.article_filters import articles_by_ids
from ctiscraper.db.entity_rows import COLUMNS, to_entity
from ctiscraper.db.known_words import articles_with, words_of
from ctiscraper.db.search import CONFIG
from ctiscraper.db.session import Conn, Database
from ctiscraper.entity_views import EntitySummary, SimilarArticle
from ctiscraper.errors import NotFoundError

MOST = 8
_LONGEST_TEXT = 100_000
_MOST_THINGS = 40
_MOST_WORDS = 8
_MOST_REASONS = 5
# What a larger part of all articles have says nothing of what an article is about.
_RARE = 0.02
# A word says less than a thing that was recognised.
_WORD_WEIGHT = 0.4

_ABOUT = """
SELECT a.title || E'\n' || left(a.text, %(longest)s), coalesce(a.duplicate_of, a.id),
    (SELECT x.story_id FROM story_article x WHERE x.article_id = a.id),
    greatest((SELECT reltuples FROM pg_class WHERE oid = 'article'::regclass), 2),
    coalesce((SELECT p.articles FROM known_word_progress p), 0)
FROM article a WHERE a.id = %(article)s
"""
_THINGS = """
SELECT e.id, e.articles FROM mention m JOIN entity e ON e.id = m.entity_id
WHERE m.article_id = %(article)s AND coalesce(e.team, m.verdict, '') <> 'benign'
    AND e.articles BETWEEN 2 AND greatest(%(rare)s * %(corpus)s, 50)
ORDER BY e.articles, e.id LIMIT %(most)s
"""
_STEMS = """
WITH stems AS (
    SELECT w.word, tsvector_to_array(to_tsvector(%(config)s::regconfig, w.word)) AS stem
    FROM unnest(%(words)s::text[]) AS w (word)),
-- Whose other forms are frequent is as frequent.
frequent AS (
    SELECT most_common_elems::text::text[] AS stems FROM pg_stats
    WHERE schemaname = current_schema() AND tablename = 'article' AND attname = 'search')
SELECT word, stem[1] FROM stems
WHERE cardinality(stem) = 1 AND NOT stem[1] = ANY(coalesce((SELECT stems FROM frequent), '{}'))
"""
# The newest of each thing, and some with two of the words, which the index knows without a look at
# any article; of them those that share most. One word alone says nothing.
_CANDIDATES = """
SELECT c.id, array_remove(array_agg(c.stem) || array_agg(c.other), NULL)
FROM (
    SELECT o.article_id AS id, t.weight, NULL AS stem, NULL AS other
    FROM unnest(%(things)s::bigint[], %(thing_weights)s::float8[]) AS t (thing, weight)
    CROSS JOIN LATERAL (
        SELECT m.article_id FROM mention m WHERE m.entity_id = t.thing
        ORDER BY m.seen_at DESC, m.article_id DESC LIMIT 200) o
    UNION ALL
    SELECT o.id, t.weight, t.stem, t.other
    FROM unnest(%(stems)s::text[], %(others)s::text[], %(pair_weights)s::float8[])
        AS t (stem, other, weight)
    CROSS JOIN LATERAL (
        SELECT a.id FROM article a
        WHERE a.search @@ (quote_literal(t.stem) || ' & ' || quote_literal(t.other))::tsquery
        LIMIT 60) o
) c
WHERE c.id <> %(article)s
    AND c.id NOT IN (SELECT x.article_id FROM story_article x WHERE x.story_id = %(story)s)
GROUP BY c.id ORDER BY sum(c.weight) DESC, c.id DESC LIMIT 32
"""
_SHARED = """
SELECT a.id,
    ARRAY(SELECT m.entity_id FROM mention m
        WHERE m.article_id = a.id AND m.entity_id = ANY(%(things)s))
FROM article a
WHERE a.id = ANY(%(ids)s) AND a.duplicate_of IS NULL AND a.id <> %(root)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What an article has that few others have; the higher a weight the fewer."""

    root: int
    story: int | None
    things: Mapping[int, float]
    words: Mapping[str, str]
    stems: Mapping[str, float]

    def weight(self, things: Sequence[int], stems: Sequence[str]) -> float:
        """Return how much these say together."""
        words = _WORD_WEIGHT * sum(self.stems[one] for one in stems)
        return sum(self.things[one] for one in things) + words


class Similar:
    """What has to do with what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to_article(self, article_id: int, *, limit: int = MOST) -> tuple[SimilarArticle, ...]:
        """Return the articles that share most with one, with what they share, rarest first.

        Near-duplicates of it, and those of its own story, are none of them. Raises NotFoundError.
        """
        async with self._database.transaction() as conn:
            about = await _about(conn, article_id)
            shared = await _shared(conn, article_id, about)
            found = sorted(
                shared, key=lambda one: (-about.weight(shared[one][0], shared[one][1]), -one)
            )[:limit]
            articles = {one.id: one for one in await articles_by_ids(conn, found)}
            things = await _things(conn, [thing for one in found for thing in shared[one][0]])
        return tuple(
            SimilarArticle(
                article=articles[number],
                things=tuple(
                    things[one] for one in shared[number][0][:_MOST_REASONS] if one in things
                ),
                words=tuple(about.words[one] for one in shared[number][1][:_MOST_REASONS]),
            )
            for number in found
            if number in articles
        )


async def _about(conn: Conn, article_id: int) -> _About:
    cursor = await conn.execute(_ABOUT, {"article": article_id, "longest": _LONGEST_TEXT})
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no article number {article_id}")
    text, root, story, corpus, counted = row
    cursor = await conn.execute(
        _THINGS, {"article": article_id, "rare": _RARE, "corpus": corpus, "most": _MOST_THINGS}
    )
    things = {one: _rarity(articles, corpus) for one, articles in await cursor.fetchall()}
    rare = await _rare_words(conn, text, counted)
    cursor = await conn.execute(_STEMS, {"words": list(rare), "config": CONFIG})
    words = {stem: word for word, stem in await cursor.fetchall()}
    stems = {stem: _rarity(rare[word], counted) for stem, word in words.items()}
    return _About(root=root, story=story, things=things, words=words, stems=stems)


def _rarity(articles: int, corpus: float) -> float:
    """Return how much it says that an article has what so many of all have."""
    return math.log(1 + corpus / articles)


async def _rare_words(conn: Conn, text: str, counted: int) -> dict[str, int]:
    """Return the words of a text that few articles have, but more than one."""
    words = await asyncio.to_thread(words_of, text)
    known = await articles_with(conn, words)
    most = max(2, _RARE * counted)
    rare = sorted((count, word) for word, count in known.items() if 2 <= count <= most)  # noqa: PLR2004 - more than one
    return {word: count for count, word in rare[:_MOST_WORDS]}


async def _shared(
    conn: Conn, article_id: int, about: _About
) -> dict[int, tuple[list[int], list[str]]]:
    """Return the articles that share enough, each with the things and stems, rarest first."""
    # Each word is looked up in its index: the planner takes a limit for a reason to read the table.
    await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
    pairs = list(combinations(about.stems, 2))
    values = {
        "article": article_id,
        "story": about.story,
        "things": list(about.things),
        "thing_weights": list(about.things.values()),
        "stems": [one for one, _ in pairs],
        "others": [other for _, other in pairs],
        "pair_weights": [about.weight((), pair) for pair in pairs],
    }
    cursor = await conn.execute(_CANDIDATES, values, prepare=False)
    stems = {row[0]: set(row[1]) for row in await cursor.fetchall()}
    known = {"ids": list(stems), "root": about.root, "things": list(about.things)}
    cursor = await conn.execute(_SHARED, known, prepare=False)
    return {
        number: (
            sorted(things, key=lambda one: (-about.things[one], one)),
            sorted(stems[number], key=lambda one: (-about.stems[one], one)),
        )
        for number, things in await cursor.fetchall()
    }


async def _things(conn: Conn, ids: Sequence[int]) -> dict[int, EntitySummary]:
    statement = sql.SQL("SELECT {} FROM entity e WHERE e.id = ANY(%s)").format(COLUMNS)
    cursor = await conn.execute(statement, (list(ids),))
    return {row[0]: to_entity(row) for row in await cursor.fetchall()}

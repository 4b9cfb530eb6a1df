"""The articles that a new one has to be compared with, found by indexes alone and bounded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import TupleRow

from ctiscraper.db.session import Conn
from ctiscraper.story_facts import (
    ArticleFacts,
    Candidate,
    EntityFacts,
    Neighbourhood,
    Seeds,
    StoryFacts,
    StoryJudge,
)
from ctiscraper.types import Fingerprint

WINDOW = "60 days"
MOST_OF_ENTITY = 50
MOST_BY_ENTITIES = 30
MOST_BY_TEXT = 12
MOST_COPIES = 8
MOST_STORIES = 6
MOST_MEMBERS = 5

_FACTS = """
a.id, a.source_id, a.sort_at, coalesce(a.duplicate_of, a.id), a.title, a.language,
f.version, a.text_sha256, f.signature, f.bands, f.shingles
"""
_FROM = "FROM article a LEFT JOIN article_fingerprint f ON f.article_id = a.id"

_ENTITIES = """
SELECT DISTINCT ON (m.article_id, e.id) m.article_id, e.id, e.kind, e.value, e.name, e.host,
    e.articles, e.sources, e.first_seen, e.last_seen, coalesce(e.team, m.verdict)
FROM mention m JOIN entity e ON e.id = m.entity_id
WHERE m.article_id = ANY(%s) AND coalesce(e.team, m.verdict, '') <> 'benign'
"""

# Each entity's walk along its own index ends after a few rows, however often it is named.
SHARED = f"""
SELECT it.article_id, mine.entity_id
FROM unnest(%(entities)s::bigint[]) AS mine (entity_id) CROSS JOIN LATERAL (
    SELECT m.article_id FROM mention m
    WHERE m.entity_id = mine.entity_id
        AND m.seen_at >= %(at)s::timestamptz - interval '{WINDOW}'
        AND m.seen_at <= %(at)s::timestamptz + interval '{WINDOW}'
    ORDER BY m.seen_at DESC, m.article_id DESC LIMIT {MOST_OF_ENTITY}) it
WHERE it.article_id <> %(article)s
"""  # noqa: S608 - constants of this module

# The inverted index answers at any size; the planner would rather walk along the primary key.
TEXT_PLAN = """
SELECT (SELECT coalesce(max(id), 1) FROM article),
    set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),
    set_config('gin_fuzzy_search_limit', '5000', true)
"""
USUAL_PLAN = """
SELECT set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'on', true),
    set_config('gin_fuzzy_search_limit', '0', true)
"""
ALIKE = f"""
SELECT me.article_id, it.article_id
FROM article_fingerprint me CROSS JOIN LATERAL (
    SELECT f.article_id FROM article_fingerprint f
    WHERE f.bands && me.bands AND f.version = me.version AND f.article_id + 0 <> me.article_id
    ORDER BY f.article_id + 0 DESC LIMIT {MOST_BY_TEXT}) it
WHERE me.article_id = ANY(%s)
"""  # noqa: S608 - a constant of this module

# Beside those that were found, some of each story: an article must fit the story, not one of it.
_MEMBERS = f"""
WITH copies AS (
    SELECT id FROM article WHERE duplicate_of = %(root)s AND id <> %(article)s
    ORDER BY id DESC LIMIT {MOST_COPIES}),
given AS (
    SELECT unnest(%(found)s::bigint[]) AS id UNION SELECT id FROM copies
    UNION SELECT %(root)s WHERE %(root)s <> %(article)s),
told AS (
    SELECT x.story_id, count(*) AS hits FROM story_article x JOIN given ON given.id = x.article_id
    WHERE x.story_id IS NOT NULL GROUP BY x.story_id ORDER BY hits DESC, x.story_id
    LIMIT {MOST_STORIES})
SELECT 0, story_id FROM story_article WHERE article_id = %(article)s
UNION ALL SELECT id, NULL FROM given
UNION ALL SELECT m.article_id, NULL FROM told CROSS JOIN LATERAL (
    SELECT x.article_id FROM story_article x
    WHERE x.story_id = told.story_id AND x.article_id <> %(article)s
    ORDER BY x.article_id DESC LIMIT {MOST_MEMBERS}) m
"""  # noqa: S608 - constants of this module

# Who was not judged yet is left out: it will find this article when its turn comes.
_CANDIDATES = f"""
SELECT {_FACTS}, x.story_id, x.roundup, x.breadth, s.articles, s.first_at, s.last_at
{_FROM}
JOIN story_article x ON x.article_id = a.id LEFT JOIN story s ON s.id = x.story_id
WHERE a.id = ANY(%s)
"""

_BOTH = """
SELECT article_id, entity_id, bool_or(verdict IN ('malicious', 'suspicious')) FROM mention
WHERE article_id = ANY(%(articles)s) AND entity_id = ANY(%(entities)s) GROUP BY 1, 2
"""

_APART = """
SELECT one, other FROM story_decision
WHERE undone_at IS NULL AND articles && %(ids)s::bigint[] AND one <> '{}'
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known of all articles of a batch.

    `corpus` is about how many articles there are, `alike` the newest whose text has something of
    each, `parted` the sets that were parted by hand.
    """

    articles: Mapping[int, ArticleFacts]
    alike: Mapping[int, Sequence[int]]
    corpus: int
    parted: Sequence[tuple[frozenset[int], frozenset[int]]]


async def read_batch(conn: Conn, ids: Sequence[int]) -> Batch:
    """Return what has to be known of articles before each is judged."""
    articles = await _articles(conn, ids)
    corpus, alike = await _alike_in_text(conn, ids)
    cursor = await conn.execute(_APART, {"ids": list(ids)})
    parted = [(frozenset(row[0]), frozenset(row[1])) for row in await cursor.fetchall()]
    return Batch(articles, alike, corpus, parted)


async def _articles(conn: Conn, ids: Sequence[int]) -> dict[int, ArticleFacts]:
    cursor = await conn.execute(_ENTITIES, (list(ids),))
    entities: dict[int, list[EntityFacts]] = defaultdict(list)
    for row in await cursor.fetchall():
        entities[row[0]].append(_entity(row[1:]))
    cursor = await conn.execute(f"SELECT {_FACTS} {_FROM} WHERE a.id = ANY(%s)", (list(ids),))
    return {row[0]: _article(row, entities[row[0]]) for row in await cursor.fetchall()}


async def _alike_in_text(conn: Conn, ids: Sequence[int]) -> tuple[int, dict[int, list[int]]]:
    cursor = await conn.execute(TEXT_PLAN)
    row = await cursor.fetchone()
    assert row is not None, "a row without FROM"
    cursor = await conn.execute(ALIKE, (list(ids),))
    found: dict[int, list[int]] = defaultdict(list)
    for one, other in await cursor.fetchall():
        found[one].append(other)
    await conn.execute(USUAL_PLAN)
    return int(row[0]), found


async def neighbourhood(
    conn: Conn, batch: Batch, article: ArticleFacts, judge: StoryJudge
) -> Neighbourhood:
    """Return all that one article has to be compared with."""
    seeds = judge.seeds(article)
    found = [*await _by_entities(conn, article, seeds), *batch.alike.get(article.id, ())]
    cursor = await conn.execute(
        _MEMBERS, {"found": found, "root": article.root_id, "article": article.id}
    )
    rows = await cursor.fetchall()
    ids = sorted({row[0] for row in rows if row[0]})
    candidates, stories = await _candidates(conn, ids, seeds)
    apart = frozenset(
        number
        for one, other in batch.parted
        for mine, theirs in ((one, other), (other, one))
        if article.id in mine
        for number in theirs
    )
    return Neighbourhood(
        article=article,
        candidates=candidates,
        stories=stories,
        corpus=batch.corpus,
        present=next((row[1] for row in rows if not row[0]), None),
        apart_articles=apart,
        apart_stories=await _stories_of(conn, apart),
    )


async def _candidates(
    conn: Conn, ids: Sequence[int], seeds: Seeds
) -> tuple[tuple[Candidate, ...], dict[int, StoryFacts]]:
    """Return the candidates of these numbers, and their stories."""
    if not ids:
        return (), {}
    shared = await _shared(conn, ids, seeds)
    cursor = await conn.execute(_CANDIDATES, (list(ids),))
    stories: dict[int, StoryFacts] = {}
    candidates = []
    for row in await cursor.fetchall():
        if row[11] is not None:
            stories[row[11]] = StoryFacts(
                id=row[11], articles=row[14], first_at=row[15], last_at=row[16]
            )
        candidates.append(
            Candidate(
                article=_article(row),
                shared=frozenset(shared[row[0]]),
                flagged=frozenset(one for one, bad in shared[row[0]].items() if bad),
                story_id=row[11],
                roundup=row[12],
                breadth=row[13],
            )
        )
    return tuple(sorted(candidates, key=lambda one: one.article.id)), stories


async def _stories_of(conn: Conn, articles: frozenset[int]) -> frozenset[int]:
    if not articles:
        return frozenset()
    cursor = await conn.execute(
        """
        SELECT DISTINCT story_id FROM story_article
        WHERE article_id = ANY(%s) AND story_id IS NOT NULL
        """,
        (list(articles),),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def _by_entities(conn: Conn, article: ArticleFacts, seeds: Seeds) -> list[int]:
    """Return the articles that name the same rare things, those with the rarest first."""
    if not seeds.rare:
        return []
    weights = {one.id: 1 / max(one.articles, 1) for one in article.entities}
    values = {"entities": list(seeds.rare), "at": article.at, "article": article.id}
    cursor = await conn.execute(SHARED, values)
    scores: dict[int, float] = defaultdict(float)
    for other, entity in await cursor.fetchall():
        scores[other] += weights[entity]
    return sorted(scores, key=lambda one: (-scores[one], one))[:MOST_BY_ENTITIES]


async def _shared(conn: Conn, ids: Sequence[int], seeds: Seeds) -> dict[int, dict[int, bool]]:
    """Return for each article which of the entities it names, and whether as something bad."""
    shared: dict[int, dict[int, bool]] = defaultdict(dict)
    entities = [*seeds.rare, *seeds.common]
    if entities:
        cursor = await conn.execute(_BOTH, {"articles": list(ids), "entities": entities})
        for article, entity, flagged in await cursor.fetchall():
            shared[article][entity] = bool(flagged)
    return shared


def _article(row: TupleRow, entities: Iterable[EntityFacts] = ()) -> ArticleFacts:
    mark = None
    if row[6] is not None:
        mark = Fingerprint(
            version=row[6],
            text_sha256=bytes(row[7]),
            signature=bytes(row[8]),
            bands=tuple(row[9]),
            shingles=row[10],
        )
    return ArticleFacts(
        id=row[0],
        source_id=row[1],
        at=row[2],
        root_id=row[3],
        title=row[4],
        language=row[5],
        mark=mark,
        entities=tuple(entities),
    )


def _entity(row: TupleRow) -> EntityFacts:
    return EntityFacts(
        id=row[0],
        kind=row[1],
        value=row[2],
        name=row[3],
        host=row[4],
        articles=row[5],
        sources=row[6],
        first_seen=row[7],
        last_seen=row[8],
        verdict=row[9],
    )

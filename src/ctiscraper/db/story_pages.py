"""Stories as they are read: lists by keyset, one with its timeline and what each article added."""

from collections.abc import Sequence

import msgspec
from psycopg.rows import TupleRow

from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.story_decisions import survivor_of
from ctiscraper.errors import NotFoundError
from ctiscraper.story_views import (
    EntityRef,
    RoundupRef,
    StoriesOfArticle,
    StoryArticle,
    StoryDecision,
    StoryDetail,
    StoryPage,
    StorySummary,
    StoryWhy,
)
from ctiscraper.views import SourceRef

LIMIT_MOST = 200
MOST_TOLD = 500
MOST_ADDED = 20
MOST_KEY = 30
MOST_DECISIONS = 50
MOST_SOURCES = 30

# The first article of each source, in their order: who told it first, and when the next did.
_SUMMARY = f"""
SELECT s.id, a.title, s.first_at, s.last_at, s.articles, told.keys, told.names, told.next_hours
FROM {{}} s JOIN article a ON a.id = s.first_article CROSS JOIN LATERAL (
    SELECT array_agg(o.key ORDER BY t.at, t.id) AS keys,
        array_agg(o.name ORDER BY t.at, t.id) AS names,
        extract(epoch FROM (array_agg(t.at ORDER BY t.at, t.id))[2] - min(t.at))::float8 / 3600
            AS next_hours
    FROM (SELECT * FROM (SELECT DISTINCT ON (i.source_id) i.source_id, i.id, i.sort_at AS at
            FROM story_article x JOIN article i ON i.id = x.article_id
            WHERE x.story_id = s.id ORDER BY i.source_id, i.sort_at, i.id) first
        ORDER BY at, id LIMIT {MOST_SOURCES}) t
    JOIN source o ON o.id = t.source_id) told
"""  # noqa: S608 - a constant of this module
_PAGE = """
(SELECT * FROM story WHERE articles > 1 AND merged_into IS NULL
    AND (%(at)s::timestamptz IS NULL OR (last_at, id) < (%(at)s, %(id)s))
    ORDER BY last_at DESC, id DESC LIMIT %(limit)s)
"""
_ORDER = "ORDER BY s.last_at DESC, s.id DESC"

_TIMELINE = """
SELECT a.id, a.title, a.url, o.key, o.name, a.language, a.sort_at, a.duplicate_of, x.by_hand,
    x.why::text
FROM story_article x JOIN article a ON a.id = x.article_id JOIN source o ON o.id = a.source_id
WHERE x.story_id = %(story)s ORDER BY a.sort_at, a.id LIMIT %(most)s
"""
# Each thing once, with the first article of the story that names it and how many of them do.
_NAMED = """
SELECT f.article_id, f.told, e.id, e.kind, e.value, e.name, e.articles
FROM (
    SELECT DISTINCT ON (m.entity_id) m.entity_id, m.article_id,
        count(*) OVER (PARTITION BY m.entity_id) AS told
    FROM (SELECT DISTINCT i.article_id, i.entity_id, t.place
        FROM unnest(%(articles)s::bigint[]) WITH ORDINALITY AS t (id, place)
        JOIN mention i ON i.article_id = t.id
        WHERE i.verdict IS DISTINCT FROM 'benign') m
    ORDER BY m.entity_id, m.place) f
JOIN entity e ON e.id = f.entity_id
WHERE e.team IS DISTINCT FROM 'benign'
ORDER BY e.articles, e.id
"""


class _Why(msgspec.Struct, frozen=True):
    article: int | None = None
    score: float = 0.0
    reasons: tuple[StoryWhy, ...] = ()


_why = msgspec.json.Decoder(_Why)


class StoryPages:
    """The stories of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, cursor: str | None = None, limit: int = 50) -> StoryPage:
        """Return stories of more than one article, newest first. Raises CursorError."""
        after = None if cursor is None else from_cursor(cursor)
        limit = max(1, min(limit, LIMIT_MOST))
        values: dict[str, object] = {
            "at": after.at if after else None,
            "id": after.id if after else None,
            "limit": limit + 1,
        }
        async with self._database.connection() as conn:
            stories = await _summaries(conn, _PAGE, values)
        last = stories[limit - 1] if len(stories) > limit else None
        return StoryPage(
            stories=tuple(stories[:limit]),
            next=to_cursor(Position(last.last_at, last.id)) if last else None,
        )

    async def story(self, number: int) -> StoryDetail:
        """Return one story in full, by any number that ever led to it. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            story = await survivor_of(conn, number)
            found = await _summaries(
                conn, "(SELECT * FROM story WHERE id = %(story)s)", {"story": story}
            )
            if not found or not found[0].articles:
                raise NotFoundError(f"story {number} has no article any more")
            return await _detail(conn, found[0])

    async def stories_of(self, article: int) -> StoriesOfArticle:
        """Return the story of an article, and those that it touches as a round-up."""
        async with self._database.connection() as conn:
            own = await _summaries(
                conn,
                """(SELECT s.* FROM story s JOIN story_article x ON x.story_id = s.id
                WHERE x.article_id = %(article)s)""",
                {"article": article},
            )
            also = await _summaries(
                conn,
                """(SELECT s.* FROM story s JOIN story_also x ON x.story_id = s.id
                WHERE x.article_id = %(article)s AND s.articles > 0 LIMIT 100)""",
                {"article": article},
            )
        return StoriesOfArticle(story=own[0] if own else None, also=tuple(also))


async def _summaries(conn: Conn, stories: str, values: dict[str, object]) -> list[StorySummary]:
    cursor = await conn.execute(_SUMMARY.format(stories) + _ORDER, values)
    return [
        StorySummary(
            id=row[0],
            title=row[1],
            first_at=row[2],
            last_at=row[3],
            articles=row[4],
            sources=_sources(row[5], row[6]),
            next_hours=row[7],
        )
        for row in await cursor.fetchall()
    ]


def _sources(keys: Sequence[str] | None, names: Sequence[str] | None) -> tuple[SourceRef, ...]:
    return tuple(
        SourceRef(key=key, name=name) for key, name in zip(keys or (), names or (), strict=True)
    )


async def _detail(conn: Conn, story: StorySummary) -> StoryDetail:
    cursor = await conn.execute(_TIMELINE, {"story": story.id, "most": MOST_TOLD})
    rows = await cursor.fetchall()
    added, key = await _named(conn, [row[0] for row in rows])
    return StoryDetail(
        id=story.id,
        title=story.title,
        first_at=story.first_at,
        last_at=story.last_at,
        articles=story.articles,
        sources=story.sources,
        next_hours=story.next_hours,
        timeline=tuple(_told(row, rows[0], added.get(row[0], [])) for row in rows),
        entities=tuple(key[:MOST_KEY]),
        also=await _also(conn, story.id),
        decisions=await _decisions(conn, story.id),
    )


def _told(row: TupleRow, first: TupleRow, added: Sequence[EntityRef]) -> StoryArticle:
    why = _why.decode(row[9])
    return StoryArticle(
        id=row[0],
        title=row[1],
        url=row[2],
        source=SourceRef(key=row[3], name=row[4]),
        language=row[5],
        listed_at=row[6],
        hours=round((row[6] - first[6]).total_seconds() / 3600, 2),
        duplicate_of=row[7],
        added=tuple(added[:MOST_ADDED]),
        added_count=len(added),
        like=why.article,
        score=why.score,
        reasons=why.reasons,
        by_hand=row[8],
    )


async def _named(
    conn: Conn, articles: Sequence[int]
) -> tuple[dict[int, list[EntityRef]], list[EntityRef]]:
    """Return what each article was the first to name, and what at least two of them share."""
    cursor = await conn.execute(_NAMED, {"articles": list(articles)})
    added: dict[int, list[EntityRef]] = {}
    shared: list[tuple[int, EntityRef]] = []
    for row in await cursor.fetchall():
        entity = EntityRef(id=row[2], kind=row[3], value=row[4], name=row[5], articles=row[6])
        added.setdefault(row[0], []).append(entity)
        if row[1] > 1 or len(articles) == 1:
            shared.append((row[1], entity))
    # A thing that the story alone has says most of it; what everybody names says little.
    shared.sort(key=lambda each: (-each[0] / each[1].articles, -each[0], each[1].id))
    return added, [entity for _, entity in shared]


async def _also(conn: Conn, story: int) -> tuple[RoundupRef, ...]:
    cursor = await conn.execute(
        """
        SELECT a.id, a.title, o.key, o.name, a.sort_at
        FROM story_also x JOIN article a ON a.id = x.article_id JOIN source o ON o.id = a.source_id
        WHERE x.story_id = %s ORDER BY a.sort_at DESC, a.id DESC LIMIT 100
        """,
        (story,),
    )
    return tuple(
        RoundupRef(
            id=row[0],
            title=row[1],
            source=SourceRef(key=row[2], name=row[3]),
            listed_at=row[4],
        )
        for row in await cursor.fetchall()
    )


async def _decisions(conn: Conn, story: int) -> tuple[StoryDecision, ...]:
    cursor = await conn.execute(
        """
        SELECT id, action, story_id, other_story, articles, actor, reason, made_at, undone_at,
            undone_by
        FROM story_decision WHERE story_id = %(story)s OR other_story = %(story)s
        ORDER BY id DESC LIMIT %(most)s
        """,
        {"story": story, "most": MOST_DECISIONS},
    )
    return tuple(
        StoryDecision(
            id=row[0],
            action=row[1],
            story=row[2],
            other_story=row[3],
            articles=tuple(row[4]),
            actor=row[5],
            reason=row[6],
            made_at=row[7],
            undone_at=row[8],
            undone_by=row[9],
        )
        for row in await cursor.fetchall()
    )

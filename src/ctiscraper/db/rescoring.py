"""Which articles are to be scored anew, since something that their scores rest on changed."""

from collections.abc import Sequence
from datetime import datetime

from ctiscraper.db.session import Conn

# Each along the index of its mentions, the newest first; as many things as have about so many
# articles together, since a domain has any number of things below it and a thing of articles.
_NEXT = """
    WITH waiting AS (
        SELECT entity_id, seen_at, article_id FROM entity_rescore
        ORDER BY entity_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ),
    counted AS (
        SELECT w.*, coalesce(sum(e.articles) OVER (
            ORDER BY w.entity_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM waiting w JOIN entity e ON e.id = w.entity_id
    )
    SELECT c.entity_id, m.article_id, m.seen_at
    FROM counted c LEFT JOIN LATERAL (
        SELECT o.article_id, o.seen_at FROM mention o
        WHERE o.entity_id = c.entity_id
            AND (c.seen_at IS NULL OR (o.seen_at, o.article_id) < (c.seen_at, c.article_id))
        ORDER BY o.seen_at DESC, o.article_id DESC LIMIT %(limit)s) m ON true
    WHERE c.before < %(limit)s
"""


async def touch(conn: Conn, article_ids: Sequence[int]) -> None:
    """Let articles be scored anew."""
    if article_ids:
        await conn.execute(
            """
            UPDATE article_score SET stale_at = now() WHERE article_id IN (
                SELECT article_id FROM article_score WHERE article_id = ANY(%s)
                ORDER BY article_id DESC FOR UPDATE)
            """,
            (list(article_ids),),
        )


async def touch_namers(conn: Conn, entity_ids: Sequence[int]) -> None:
    """Let the articles that name these things be scored anew, however many, in the background."""
    if entity_ids:
        await conn.execute(
            """
            INSERT INTO entity_rescore (entity_id)
            SELECT id FROM unnest(%s::bigint[]) AS id ORDER BY id
            ON CONFLICT (entity_id) DO UPDATE SET seen_at = NULL, article_id = NULL
            """,
            (list(entity_ids),),
        )


async def touch_next(conn: Conn, limit: int) -> int:
    """Touch the next articles of things that wait for it; return how many steps that were.

    It is done when it returns 0, or others are at the rest.
    """
    cursor = await conn.execute(_NEXT, {"limit": limit})
    found: dict[int, list[tuple[datetime, int]]] = {}
    for entity, article, seen_at in await cursor.fetchall():
        places = found.setdefault(entity, [])
        if article is not None:
            places.append((seen_at, article))
    await touch(conn, sorted({article for places in found.values() for _, article in places}))
    await _go_on(conn, {one: min(places) for one, places in found.items() if len(places) >= limit})
    done = [one for one, places in found.items() if len(places) < limit]
    await conn.execute("DELETE FROM entity_rescore WHERE entity_id = ANY(%s)", (done,))
    return len(found)


async def _go_on(conn: Conn, last: dict[int, tuple[datetime, int]]) -> None:
    """Keep how far the articles of things are gone through."""
    await conn.execute(
        """
        UPDATE entity_rescore r SET seen_at = v.seen_at, article_id = v.article_id
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[])
            AS v (entity_id, seen_at, article_id)
        WHERE r.entity_id = v.entity_id
        """,
        (list(last), [at for at, _ in last.values()], [number for _, number in last.values()]),
    )

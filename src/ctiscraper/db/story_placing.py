"""Where articles stand: written to their stories, which keep their numbers for ever."""

from collections.abc import Sequence

import msgspec

from ctiscraper.db.session import Conn
from ctiscraper.errors import NotFoundError
from ctiscraper.story_facts import Placement, StoryReason

_FRESH = """
UPDATE story s SET articles = now.articles,
    first_article = coalesce(now.first_article, s.first_article),
    first_at = coalesce(now.first_at, s.first_at), last_at = coalesce(now.last_at, s.last_at)
FROM (
    SELECT v.id, count(a.id)::int AS articles, min(a.sort_at) AS first_at,
        max(a.sort_at) AS last_at, (array_agg(a.id ORDER BY a.sort_at, a.id))[1] AS first_article
    FROM unnest(%s::bigint[]) AS v (id)
    LEFT JOIN story_article x ON x.story_id = v.id LEFT JOIN article a ON a.id = x.article_id
    GROUP BY v.id) now
WHERE s.id = now.id AND (s.articles, s.first_at, s.last_at, s.first_article) IS DISTINCT FROM
    (now.articles, coalesce(now.first_at, s.first_at), coalesce(now.last_at, s.last_at),
    coalesce(now.first_article, s.first_article))
"""

_STAND = """
WITH gone AS (
    DELETE FROM story_also WHERE article_id = %(article)s AND story_id <> ALL(%(also)s::bigint[]))
INSERT INTO story_article AS x (article_id, story_id, why, roundup, breadth)
VALUES (%(article)s, %(story)s, %(why)s::jsonb, %(roundup)s, %(breadth)s)
ON CONFLICT (article_id) DO UPDATE SET story_id = excluded.story_id, why = excluded.why,
    roundup = excluded.roundup, breadth = excluded.breadth,
    joined_at = CASE WHEN x.story_id IS DISTINCT FROM excluded.story_id
        THEN now() ELSE x.joined_at END
WHERE (x.story_id, x.why, x.roundup, x.breadth) IS DISTINCT FROM
    (excluded.story_id, excluded.why, excluded.roundup, excluded.breadth)
"""


async def place(conn: Conn, article: int, present: int | None, placement: Placement) -> None:
    """Write where an article stands, and bring the stories that it touches up to date."""
    story = await _story_for(conn, present, placement)
    also = [one for one in placement.also if one != story]
    values = {
        "article": article,
        "story": story,
        "also": also,
        "why": _why(placement),
        "roundup": placement.roundup,
        "breadth": placement.breadth,
    }
    await conn.execute(_STAND, values)
    if placement.lone:
        await conn.execute(
            "UPDATE story_article SET story_id = %s, joined_at = now() WHERE article_id = ANY(%s)",
            (story, list(placement.lone)),
        )
    touched = {one for one in (story, present) if one is not None}
    await refresh(conn, sorted(touched))
    if present is not None and story != present:
        await _follow_emptied(conn, present, story)
    pairs = [(one, article) for one in also]
    if story is not None:
        pairs += [(story, one) for one in placement.touched_by]
    await _touch(conn, pairs)


async def new_story(conn: Conn, article: int) -> int:
    """Return the number of a new story that begins with an article."""
    cursor = await conn.execute(
        """
        INSERT INTO story (first_article, first_at, last_at, articles)
        SELECT id, sort_at, sort_at, 0 FROM article WHERE id = %s RETURNING id
        """,
        (article,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no article number {article}")
    return int(row[0])


async def refresh(conn: Conn, stories: Sequence[int]) -> None:
    """Bring the figures of stories up to date with their articles."""
    if stories:
        await conn.execute(_FRESH, (list(stories),))


async def absorb(conn: Conn, survivor: int, others: Sequence[int], *, by_hand: bool) -> None:
    """Move all articles of other stories into one; their numbers lead to it from now on."""
    values = {"story": survivor, "others": list(others), "by_hand": by_hand}
    await conn.execute(
        """
        UPDATE story_article SET story_id = %(story)s, by_hand = by_hand OR %(by_hand)s
        WHERE story_id = ANY(%(others)s)
        """,
        values,
    )
    await conn.execute(
        "UPDATE story SET merged_into = %(story)s WHERE id = ANY(%(others)s)", values
    )
    await conn.execute(
        """
        WITH gone AS (DELETE FROM story_also WHERE story_id = ANY(%(others)s) RETURNING article_id)
        INSERT INTO story_also (story_id, article_id)
        SELECT DISTINCT %(story)s::bigint, article_id FROM gone ON CONFLICT DO NOTHING
        """,
        values,
    )
    await refresh(conn, [survivor, *others])


async def _story_for(conn: Conn, present: int | None, placement: Placement) -> int | None:
    """Return the story that an article comes into, made where there is none yet."""
    if placement.stories:
        survivor, *others = placement.stories
        if others:
            await absorb(conn, survivor, others, by_hand=False)
        return survivor
    # Of a story that this article is all of, the number stays with it.
    if present is not None and await _is_alone(conn, present):
        return present
    return await new_story(conn, placement.lone[0]) if placement.lone else None


async def _is_alone(conn: Conn, story: int) -> bool:
    cursor = await conn.execute("SELECT articles <= 1 FROM story WHERE id = %s", (story,))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _follow_emptied(conn: Conn, story: int, successor: int | None) -> None:
    """Let the number of a story that its last article left lead to where that one went."""
    await conn.execute(
        """
        UPDATE story SET merged_into = %(successor)s
        WHERE id = %(story)s AND articles = 0 AND merged_into IS NULL
        """,
        {"story": story, "successor": successor},
    )


async def _touch(conn: Conn, pairs: Sequence[tuple[int, int]]) -> None:
    """Write down which stories which round-ups touch."""
    if pairs:
        await conn.execute(
            """
            INSERT INTO story_also (story_id, article_id)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[]) ON CONFLICT DO NOTHING
            """,
            ([pair[0] for pair in pairs], [pair[1] for pair in pairs]),
        )


def _why(placement: Placement) -> str:
    if placement.near is None:
        return "{}"
    reasons = [
        StoryReason(name=one.name, weight=round(one.weight, 3), detail=one.detail[:200])
        for one in placement.reasons[:12]
    ]
    found = {"article": placement.near, "score": round(placement.score, 3), "reasons": reasons}
    return msgspec.json.encode(found).decode()

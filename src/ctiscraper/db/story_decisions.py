"""What people decide of stories: written down with who and why, and taken back by its number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ctiscraper.db.session import Conn
from ctiscraper.db.story_placing import absorb, new_story, refresh
from ctiscraper.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True)
class Because:
    """Who decides, and why."""

    actor: str
    reason: str = ""


class _Standing(msgspec.Struct, frozen=True):
    """Where an article stood before a decision."""

    story: int | None
    by_hand: bool


Before = Mapping[str, _Standing]


async def split(conn: Conn, articles: Sequence[int], because: Because) -> int:
    """Return the new story of these articles, parted from the others of their story."""
    chosen = sorted(set(articles))
    if not chosen:
        raise ConflictError("name the articles that get a story of their own")
    before = await _standing(conn, chosen)
    stories = {one.story for one in before.values()}
    if len(stories) > 1 or None in stories:
        raise ConflictError("the articles to split off must all be in one and the same story")
    [story] = stories
    assert story is not None, "said so above"
    rest = sorted(set(await _members(conn, story)) - set(chosen))
    if not rest:
        raise ConflictError(f"story {story} has no other article: there is nothing to split")
    made = await new_story(conn, chosen[0])
    await _stand_by_hand(conn, chosen, made)
    await refresh(conn, [story, made])
    await _record(
        conn, _Decided("split", story, made, [*chosen, *rest], chosen, rest), before, because
    )
    return made


async def merge(conn: Conn, one: int, other: int, because: Because) -> int:
    """Return the story that two become."""
    survivor, second = await survivor_of(conn, one), await survivor_of(conn, other)
    if survivor == second:
        raise ConflictError(f"{one} and {other} are one story already")
    members = await _members(conn, survivor)
    moved = await _members(conn, second)
    before = await _standing(conn, [*members, *moved])
    await absorb(conn, survivor, [second], by_hand=True)
    await _stand_by_hand(conn, members, survivor)
    decided = _Decided("merge", survivor, second, sorted(before_numbers(before)), [], [])
    await _record(conn, decided, before, because)
    return survivor


async def move(conn: Conn, article: int, story: int, because: Because) -> int:
    """Return the story that an article was put into, parted from those it was with."""
    target = await survivor_of(conn, story)
    before = await _standing(conn, [article])
    source = before[str(article)].story
    if source == target:
        raise ConflictError(f"article {article} is in story {target} already")
    left = [] if source is None else [n for n in await _members(conn, source) if n != article]
    await _stand_by_hand(conn, [article], target)
    await refresh(conn, [target, *([source] if source is not None else [])])
    if source is not None and not left:
        await conn.execute("UPDATE story SET merged_into = %s WHERE id = %s", (target, source))
    parted = [article] if left else []
    decided = _Decided("move", target, source, [article, *left], parted, left)
    await _record(conn, decided, before, because)
    return target


async def undo(conn: Conn, decision: int, actor: str) -> None:
    """Put the articles of a decision back where they stood."""
    cursor = await conn.execute(
        """
        SELECT before::text, undone_at IS NOT NULL, story_id, other_story,
            (SELECT min(l.id) FROM story_decision l
            WHERE l.id > d.id AND l.undone_at IS NULL AND l.articles && d.articles)
        FROM story_decision d WHERE id = %s
        """,
        (decision,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no decision number {decision}")
    if row[1]:
        raise ConflictError(f"decision {decision} is undone already")
    if row[4] is not None:
        raise ConflictError(
            f"decision {row[4]} concerns the same articles and came later: undo that one first"
        )
    before = msgspec.json.decode(row[0], type=dict[str, _Standing])
    stories = {one.story for one in before.values() if one.story is not None}
    # A story that others lead into again is its own once more.
    await conn.execute(
        "UPDATE story SET merged_into = NULL WHERE id = ANY(%s) AND merged_into = ANY(%s)",
        (list(stories), [row[2], row[3]]),
    )
    await conn.execute(
        """
        UPDATE story_article x SET story_id = v.story, by_hand = v.by_hand, joined_at = now()
        FROM unnest(%s::bigint[], %s::bigint[], %s::boolean[]) AS v (article, story, by_hand)
        WHERE x.article_id = v.article
        """,
        (
            before_numbers(before),
            [one.story for one in before.values()],
            [one.by_hand for one in before.values()],
        ),
    )
    await refresh(conn, sorted(stories | {n for n in row[2:4] if n is not None}))
    await _lead_on(conn, row[3] if row[3] not in stories else row[2], sorted(stories))
    await conn.execute(
        "UPDATE story_decision SET undone_at = now(), undone_by = %s WHERE id = %s",
        (actor, decision),
    )


async def survivor_of(conn: Conn, story: int) -> int:
    """Return the story that a number leads to today. Raises NotFoundError."""
    cursor = await conn.execute(
        """
        WITH RECURSIVE led AS (
            SELECT id, merged_into FROM story WHERE id = %s
            UNION SELECT s.id, s.merged_into FROM story s JOIN led ON s.id = led.merged_into)
        SELECT id FROM led WHERE merged_into IS NULL
        """,
        (story,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no story number {story}")
    return int(row[0])


async def parted_among(conn: Conn, articles: Sequence[int]) -> list[tuple[set[int], set[int]]]:
    """Return the sets of articles that were parted from each other by hand, among these."""
    cursor = await conn.execute(
        """
        SELECT one, other FROM story_decision
        WHERE undone_at IS NULL AND articles && %s::bigint[] AND one <> '{}'
        """,
        (list(articles),),
    )
    return [(set(row[0]), set(row[1])) for row in await cursor.fetchall()]


def before_numbers(before: Before) -> list[int]:
    """Return the numbers of the articles that a decision moved."""
    return [int(number) for number in before]


@dataclass(frozen=True, slots=True)
class _Decided:
    action: str
    story: int
    other_story: int | None
    articles: Sequence[int]
    one: Sequence[int]
    other: Sequence[int]


async def _record(conn: Conn, decided: _Decided, before: Before, because: Because) -> None:
    await conn.execute(
        """
        INSERT INTO story_decision (action, story_id, other_story, articles, one, other, before,
            actor, reason)
        VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s)
        """,
        (
            decided.action,
            decided.story,
            decided.other_story,
            list(decided.articles),
            list(decided.one),
            list(decided.other),
            msgspec.json.encode(before).decode(),
            because.actor,
            because.reason,
        ),
    )


async def _standing(conn: Conn, articles: Sequence[int]) -> dict[str, _Standing]:
    """Return where articles stand, their rows held. Raises NotFoundError."""
    await conn.execute(
        """
        INSERT INTO story_article (article_id)
        SELECT id FROM article WHERE id = ANY(%s) ON CONFLICT DO NOTHING
        """,
        (list(articles),),
    )
    cursor = await conn.execute(
        """
        SELECT article_id, story_id, by_hand FROM story_article WHERE article_id = ANY(%s)
        ORDER BY article_id FOR UPDATE
        """,
        (list(articles),),
    )
    found = {str(row[0]): _Standing(row[1], row[2]) for row in await cursor.fetchall()}
    missing = sorted({str(number) for number in articles} - found.keys())
    if missing:
        raise NotFoundError(f"there is no article number {missing[0]}")
    return found


async def _members(conn: Conn, story: int) -> list[int]:
    cursor = await conn.execute(
        "SELECT article_id FROM story_article WHERE story_id = %s ORDER BY article_id", (story,)
    )
    return [row[0] for row in await cursor.fetchall()]


async def _stand_by_hand(conn: Conn, articles: Sequence[int], story: int) -> None:
    await conn.execute(
        """
        UPDATE story_article SET joined_at = CASE WHEN story_id IS DISTINCT FROM %(story)s
                THEN now() ELSE joined_at END,
            story_id = %(story)s, by_hand = true
        WHERE article_id = ANY(%(articles)s)
        """,
        {"story": story, "articles": list(articles)},
    )


async def _lead_on(conn: Conn, story: int | None, successors: Sequence[int]) -> None:
    """Let a story that was emptied lead to one that took its articles back."""
    if successors:
        await conn.execute(
            """
            UPDATE story SET merged_into = %(next)s
            WHERE id = %(story)s AND articles = 0 AND merged_into IS NULL AND id <> %(next)s
            """,
            {"story": story, "next": successors[0]},
        )

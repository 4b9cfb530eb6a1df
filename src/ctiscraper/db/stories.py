"""The stage that puts articles into stories, fed by the outbox, and what people decide of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

from ctiscraper.db import story_decisions as decisions
from ctiscraper.db.outbox import Resting, Turns
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.story_neighbours import neighbourhood, read_batch
from ctiscraper.db.story_placing import place
from ctiscraper.story_facts import Placement, StoryJudge

TOPIC = "story"
# One at a time puts articles into stories: two that arrive at once still see each other.
LOCK_KEY = 0x73746F72


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An article to be judged; `by_hand` when a person said where it belongs."""

    outbox_id: int
    article_id: int
    by_hand: bool


class Stories:
    """Where articles become stories."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = Turns(database, TOPIC)

    async def assign_next(self, judge: StoryJudge, *, limit: int = 50) -> int:
        """Put up to `limit` articles into the stories that they belong to; return how many.

        The effect and the end of the outbox row are one transaction. An article that comes again
        is judged again, but stays where a person put it. One that the database fails at goes
        behind the others.
        """
        return await self._turns.take(partial(self._assign, judge), limit=limit)

    async def _assign(self, judge: StoryJudge, *, limit: int = 1, only: int | None = None) -> int:
        async with self._database.transaction() as conn:
            cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK_KEY,))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return 0
            waiting = await _waiting(conn, limit, only, self._turns.resting)
            if waiting:
                await _assign(conn, judge, waiting)
        return len(waiting)

    async def waiting(self) -> int:
        """Return how many articles are still to be put into stories."""
        async with self._database.connection() as conn:
            cursor = await conn.execute("SELECT count(*) FROM outbox WHERE topic = %s", (TOPIC,))
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def split(self, articles: Sequence[int], *, actor: str, reason: str = "") -> int:
        """Return the number of the new story that these articles of one story are put into.

        No later run joins them with the others again. Raises NotFoundError and ConflictError.
        """
        async with self._database.transaction() as conn:
            await _lock(conn)
            return await decisions.split(conn, articles, decisions.Because(actor, reason))

    async def merge(self, one: int, other: int, *, actor: str, reason: str = "") -> int:
        """Return the number of the story that two become: that of `one`, to which both now lead.

        Raises NotFoundError and ConflictError.
        """
        async with self._database.transaction() as conn:
            await _lock(conn)
            return await decisions.merge(conn, one, other, decisions.Because(actor, reason))

    async def move(self, article: int, story: int, *, actor: str, reason: str = "") -> int:
        """Return the number of the story that an article was put into.

        No later run moves it. Raises NotFoundError and ConflictError.
        """
        async with self._database.transaction() as conn:
            await _lock(conn)
            return await decisions.move(conn, article, story, decisions.Because(actor, reason))

    async def undo(self, decision: int, *, actor: str) -> None:
        """Take back what was decided: articles go where they were before.

        Raises NotFoundError, and ConflictError when a later decision rests on this one.
        """
        async with self._database.transaction() as conn:
            await _lock(conn)
            await decisions.undo(conn, decision, actor)


async def _lock(conn: Conn) -> None:
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))


async def _waiting(conn: Conn, limit: int, only: int | None, resting: Resting) -> list[_Waiting]:
    cursor = await conn.execute(
        """
        SELECT o.id, o.article_id, coalesce(x.by_hand, false)
        FROM outbox o LEFT JOIN story_article x USING (article_id)
        WHERE o.topic = %(topic)s AND (%(only)s::bigint IS NULL OR o.id = %(only)s)
            AND o.article_id <> ALL(%(resting)s)
        ORDER BY o.id LIMIT %(limit)s FOR UPDATE OF o SKIP LOCKED
        """,
        {"topic": TOPIC, "limit": limit, "only": only, "resting": resting.now()},
    )
    return [_Waiting(*row) for row in await cursor.fetchall()]


async def _assign(conn: Conn, judge: StoryJudge, waiting: Sequence[_Waiting]) -> None:
    free = list(dict.fromkeys(one.article_id for one in waiting if not one.by_hand))
    batch = await read_batch(conn, free)
    for number in free:
        asked = await neighbourhood(conn, batch, batch.articles[number], judge)
        placement = await _without_clashes(conn, judge.place(asked))
        await place(conn, number, asked.present, placement)
    await conn.execute(
        "DELETE FROM outbox WHERE id = ANY(%s)", ([one.outbox_id for one in waiting],)
    )


async def _without_clashes(conn: Conn, placement: Placement) -> Placement:
    """Return a placement that brings nothing together which was parted by hand."""
    if len(placement.stories) + len(placement.lone) < 2:  # noqa: PLR2004 - two are a pair
        return placement
    cursor = await conn.execute(
        """
        SELECT coalesce(story_id, -article_id), array_agg(article_id) FROM story_article
        WHERE story_id = ANY(%s) OR article_id = ANY(%s) GROUP BY 1
        """,
        (list(placement.stories), list(placement.lone)),
    )
    groups = [set(row[1]) for row in await cursor.fetchall()]
    parted = await decisions.parted_among(conn, sorted(set().union(*groups)))
    if any(
        one & first and other & second
        for first, second in permutations(groups, 2)
        for one, other in parted
    ):
        # What is most like the article comes first; the rest is left where it is.
        nearest = placement.near
        if nearest in placement.lone:
            return replace(placement, stories=(), lone=(nearest,))
        home = await _story_of(conn, nearest)
        return replace(placement, stories=() if home is None else (home,), lone=())
    return placement


async def _story_of(conn: Conn, article: int | None) -> int | None:
    cursor = await conn.execute(
        "SELECT story_id FROM story_article WHERE article_id = %s", (article,)
    )
    row = await cursor.fetchone()
    return row[0] if row else None

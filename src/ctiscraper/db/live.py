"""What goes on while pages are open: new articles, work that waits, and sessions that ended."""

from collections.abc import Collection
from dataclasses import dataclass

from ctiscraper.access.tokens import TokenKey
from ctiscraper.db.principals import SESSION_HOLDS, TOKEN_HOLDS
from ctiscraper.db.session import Database

COUNTED_MOST = 200_000
"""No more is counted of what waits."""

_ADDED_MOST = 10_000
_PATIENCE_SECONDS = 60.0

_NEWEST = "SELECT coalesce(max(id), 0) FROM article"
# Lists fold away what repeats another article, which is known a moment after it was stored: until
# then it and those behind it are left for the next time, but nothing waits for long.
_ADDED = """
    SELECT count(*) FILTER (WHERE duplicate_of IS NULL), coalesce(max(id), %(after)s)
    FROM (SELECT id, duplicate_of FROM article
        WHERE id > %(after)s AND id <= %(until)s AND id < coalesce((
            SELECT article_id FROM outbox
            WHERE topic = 'article' AND article_id > %(after)s
                AND created_at > now() - %(patience)s * interval '1 second'
            ORDER BY article_id LIMIT 1), %(until)s + 1)
        ORDER BY id LIMIT %(most)s) a
"""
# Items whose time has not come are nobody's work yet.
_WAITING = """
    SELECT
        (SELECT count(*) FROM (SELECT 1 FROM source s JOIN source_state t ON t.source_id = s.id
            WHERE t.health = 'new' AND s.active AND s.removed_at IS NULL LIMIT %(most)s) i),
        (SELECT count(*) FROM (SELECT 1 FROM fetch_job
            WHERE state = 'pending' AND run_after <= now() LIMIT %(most)s) p)
            + (SELECT count(*) FROM fetch_job WHERE state = 'leased'),
        (SELECT count(*) FROM (SELECT 1 FROM enrichment_job LIMIT %(most)s) e)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much of each work waits: sources never checked, items due, texts to look through."""

    sources: int
    items: int
    texts: int


class LiveReader:
    """A few short questions, each answered along an index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> int:
        """Return the number of the article stored last, 0 when there is none."""
        async with self._database.connection() as conn:
            row = await (await conn.execute(_NEWEST)).fetchone()
        assert row is not None, "an aggregate has one row"
        return int(row[0])

    async def added(self, after: int, *, until: int = 2**62) -> tuple[int, int]:
        """Return how many articles lists have behind one, and the last of the 10,000 looked at."""
        values = {
            "after": after,
            "until": until,
            "most": _ADDED_MOST,
            "patience": _PATIENCE_SECONDS,
        }
        async with self._database.connection() as conn:
            row = await (await conn.execute(_ADDED, values)).fetchone()
        assert row is not None, "an aggregate has one row"
        return int(row[0]), int(row[1])

    async def waiting(self) -> Waiting:
        """Return how much waits."""
        async with self._database.connection() as conn:
            row = await (await conn.execute(_WAITING, {"most": COUNTED_MOST})).fetchone()
        assert row is not None, "a query without FROM has one row"
        return Waiting(sources=row[0], items=row[1], texts=row[2])

    async def still_there(self, keys: Collection[bytes | TokenKey]) -> set[bytes | TokenKey]:
        """Return those of these sessions and tokens that still let somebody in.

        A page that is open is nobody at work: no session is kept alive by this.
        """
        sessions = [key for key in keys if isinstance(key, bytes)]
        tokens = {key.id: key for key in keys if isinstance(key, TokenKey)}
        found: set[bytes | TokenKey] = set()
        async with self._database.connection() as conn:
            if sessions:
                cursor = await conn.execute(
                    f"SELECT s.id FROM user_session s JOIN app_user u ON u.id = s.user_id "  # noqa: S608 - constants
                    f"WHERE s.id = ANY(%s) AND {SESSION_HOLDS}",
                    (sessions,),
                )
                found |= {bytes(row[0]) for row in await cursor.fetchall()}
            if tokens:
                cursor = await conn.execute(
                    f"SELECT t.id FROM api_token t LEFT JOIN app_user u ON u.id = t.user_id "  # noqa: S608 - constants
                    f"WHERE t.id = ANY(%s) AND {TOKEN_HOLDS}",
                    (list(tokens),),
                )
                found |= {tokens[row[0]] for row in await cursor.fetchall()}
        return found

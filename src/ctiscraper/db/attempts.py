"""How often somebody tried, so that nobody can try for ever."""

from dataclasses import dataclass
from hashlib import sha256

from ctiscraper.db.session import Database

# Forgotten after that: no limit looks back further.
_WINDOW = "5 minutes"

# One statement counts and notes, so that those who come at once are counted one after the other.
_TRY = f"""
    INSERT INTO attempt AS a (key, hits, last_at) VALUES (%(key)s, ARRAY[now()], now())
    ON CONFLICT (key) DO UPDATE SET last_at = now(), hits = now() || ARRAY(
        SELECT hit FROM unnest(a.hits) AS hit WHERE hit > now() - interval '{_WINDOW}'
    )
    WHERE %(most)s > (
        SELECT count(*) FROM unnest(a.hits) AS hit WHERE hit > now() - interval '{_WINDOW}'
    )
    RETURNING true
"""  # noqa: S608 - constants
_WAIT = f"""
    SELECT ceil(extract(epoch FROM min(hit) + interval '{_WINDOW}' - now()))::int
    FROM attempt, unnest(hits) AS hit
    WHERE key = %(key)s AND hit > now() - interval '{_WINDOW}'
"""  # noqa: S608 - constants
_FORGET = f"DELETE FROM attempt WHERE last_at < now() - interval '{_WINDOW}'"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Limit:
    """That something may be tried so often in five minutes by, or for, one subject."""

    name: str
    most: int

    def key(self, subject: str) -> bytes:
        """Return what attempts are counted under: people type passwords in the wrong field."""
        return sha256(f"{self.name} {subject}".encode()).digest()


class Attempts:
    """What was tried in the last five minutes, by all processes together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def wait(self, limit: Limit, subject: str = "") -> int | None:
        """Return None where one more attempt may be made, and note it; else seconds to wait."""
        values = {"key": limit.key(subject), "most": limit.most}
        async with self._database.connection() as conn:
            if await (await conn.execute(_TRY, values)).fetchone() is not None:
                await conn.execute(_FORGET)
                return None
            row = await (await conn.execute(_WAIT, values)).fetchone()
        return max(1, int(row[0])) if row is not None and row[0] is not None else 1

    async def forgive(self, limit: Limit, subject: str = "") -> None:
        """Take back one attempt of a subject: it went well."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE attempt SET hits = hits[2:] WHERE key = %s", (limit.key(subject),)
            )

    async def forget(self, limit: Limit, subject: str) -> None:
        """Begin to count anew for one subject."""
        async with self._database.connection() as conn:
            await conn.execute("DELETE FROM attempt WHERE key = %s", (limit.key(subject),))

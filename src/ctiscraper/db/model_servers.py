"""What is known of servers of models: what each has, and whether it is left alone for a while."""

from collections.abc import Sequence

from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ModelFault

# A server that failed so often in a row is left alone, ever longer, and then asked one thing.
BREAKS_AFTER = 5
LONGEST_REST = 900.0
FIRST_REST = 30.0


class ModelServers:
    """Servers as the workers that ask them find them, for those who do not ask them themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, name: str, *, version: str, models: Sequence[str], remote: bool) -> None:
        """Keep what a server says it is and has.

        One that was away and answers is left alone no longer: it is tried with one text.
        """
        async with self._database.connection() as conn:
            await conn.execute(
                _NOTE,
                {
                    "name": name,
                    "version": version[:200],
                    "models": [one[:200] for one in models][:500],
                    "remote": remote,
                    "away": ModelFault.AWAY.value,
                },
            )


async def rests(conn: Conn, server: str) -> bool:
    """Return whether a server is left alone, or is tried with one text just now."""
    cursor = await conn.execute(_RESTS, (BREAKS_AFTER, server))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def is_tried(conn: Conn, server: str) -> bool:
    """Return whether the next thing that a server is asked tells whether it is well again."""
    cursor = await conn.execute(
        "SELECT failures >= %s FROM model_server WHERE name = %s", (BREAKS_AFTER, server)
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def succeeded(conn: Conn, server: str) -> None:
    """Keep that a server answered."""
    await conn.execute(_SUCCEEDED, (server,))


async def failed(conn: Conn, server: str, fault: ModelFault, detail: str) -> None:
    """Keep that a server did not answer: after several in a row it is left alone."""
    await conn.execute(
        _FAILED,
        {
            "name": server,
            "fault": fault.value,
            "detail": detail[:2000].replace("\0", ""),
            "breaks": BREAKS_AFTER,
            "longest": LONGEST_REST,
            "first": FIRST_REST,
        },
    )


_NOTE = """
INSERT INTO model_server AS s (name, version, models, remote, seen_at)
VALUES (%(name)s, %(version)s, %(models)s, %(remote)s, now())
ON CONFLICT (name) DO UPDATE SET version = excluded.version,
    models = excluded.models, remote = excluded.remote, seen_at = now(),
    rest_until = CASE WHEN s.fault IS DISTINCT FROM %(away)s THEN s.rest_until END
"""
_RESTS = """
SELECT rest_until > now() OR (failures >= %s AND EXISTS
    (SELECT 1 FROM model_analysis WHERE state = 'running'))
FROM model_server WHERE name = %s
"""
_SUCCEEDED = """
UPDATE model_server SET failures = 0, rest_until = NULL, fault = NULL, detail = ''
WHERE name = %s AND (failures > 0 OR fault IS NOT NULL)
"""
_FAILED = """
INSERT INTO model_server AS s (name, failures, fault, detail)
VALUES (%(name)s, 1, %(fault)s, %(detail)s)
ON CONFLICT (name) DO UPDATE SET failures = least(s.failures + 1, 1000), fault = excluded.fault,
    detail = excluded.detail,
    rest_until = CASE WHEN s.failures + 1 >= %(breaks)s THEN now() + make_interval(secs =>
        least(%(longest)s, %(first)s * 2 ^ least(s.failures + 1 - %(breaks)s, 20))) END
"""

"""What is known of servers of models: what each has, and whether it is left alone for a while."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ModelError, ModelFault

# A server that failed so often in a row is left alone, ever longer, and then asked one thing.
BREAKS_AFTER = 5
LONGEST_REST = 900.0
FIRST_REST = 30.0
# What is so for every text once it is so for two of them.
OF_ALL_TEXTS = frozenset({ModelFault.REFUSED})


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a server is left alone or tried again just now, and why.

    `lacks` has what it says of the models that it does not have.
    """

    rests: bool = False
    fault: ModelFault | None = None
    detail: str = ""
    lacks: Mapping[str, str] = field(default_factory=dict)

    def of(self, model: str) -> "Standing":
        """Return how the server stands with those who name a model."""
        if self.rests or model not in self.lacks:
            return self
        missing = ModelFault.MODEL_MISSING
        return replace(self, rests=True, fault=missing, detail=self.lacks[model])


class ModelServers:
    """Servers as the workers that ask them find them, for those who do not ask them themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, name: str, *, version: str, models: Sequence[str], remote: bool, missing: str
    ) -> None:
        """Keep what a server says of itself; `missing` is the model that it is asked for in vain.

        One that was away is left alone no longer, and tried with one text; one that refused its
        key, and does not any more, is asked as before. A model that it has is waited for no
        longer, nor is one that texts are not given to any more.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                _NOTE,
                {
                    "name": name,
                    "version": version[:200],
                    "models": [one[:200] for one in models][:500],
                    "remote": remote,
                    "away": ModelFault.AWAY.value,
                    "mended": [ModelFault.REFUSED.value, ModelFault.MODEL_MISSING.value],
                    "almost": BREAKS_AFTER - 1,
                },
            )
            await conn.execute(
                "DELETE FROM model_missing WHERE server = %s AND model <> %s", (name, missing)
            )

    async def note_fault(self, name: str, error: ModelError) -> None:
        """Keep why a server does not say what it has.

        One that was never seen and refuses is left alone; of one that was, texts tell the truth:
        a key may be good for them and not for lists.
        """
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                "SELECT 1 FROM model_server WHERE name = %s AND seen_at IS NOT NULL", (name,)
            )
            is_new = await cursor.fetchone() is None
            if is_new and error.transient and error.fault in OF_ALL_TEXTS:
                await failed(conn, name, error.fault, error.detail)
            else:
                values = {"name": name, "fault": error.fault.value, "detail": told(error.detail)}
                await conn.execute(_NOTE_FAULT, values)


def told(detail: str) -> str:
    """Return words as they are stored."""
    return detail[:2000].replace("\0", "")


async def standing(conn: Conn, server: str) -> Standing:
    """Return how a server stands with those who wait for it."""
    cursor = await conn.execute(_STANDING, (BREAKS_AFTER, server))
    row = await cursor.fetchone()
    if row is None:
        return Standing()
    cursor = await conn.execute(
        "SELECT model, detail FROM model_missing WHERE server = %s", (server,)
    )
    missing = {str(one[0]): str(one[1]) for one in await cursor.fetchall()}
    return Standing(bool(row[0]), ModelFault(row[1]) if row[1] else None, row[2], missing)


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


async def try_with(conn: Conn, server: str, lease: UUID) -> None:
    """Keep with which text a server is tried: until it ends, nobody else asks that server."""
    await conn.execute("UPDATE model_server SET tried_by = %s WHERE name = %s", (lease, server))


async def lacked(conn: Conn, server: str) -> list[str]:
    """Return the models that a server is not asked for now: it lacks them, or is being tried."""
    cursor = await conn.execute(_LACKED, (server,))
    return [str(row[0]) for row in await cursor.fetchall()]


async def lacks(conn: Conn, server: str, model: str, detail: str) -> None:
    """Keep that a server, which is there, does not have a model: it is waited for, ever longer."""
    await conn.execute(_IS_THERE, (server,))
    await conn.execute(
        _LACKS,
        {
            "server": server,
            "model": model,
            "detail": told(detail),
            "longest": LONGEST_REST,
            "first": FIRST_REST,
        },
    )


async def has(conn: Conn, server: str, model: str) -> None:
    """Keep that a server has a model, or that nobody asks for it any more."""
    await conn.execute(
        "DELETE FROM model_missing WHERE server = %s AND model = %s", (server, model)
    )


async def was_well(conn: Conn, server: str) -> bool:
    """Return whether a server answered last, or was seen to be there since it was left alone."""
    cursor = await conn.execute(_WAS_WELL, (BREAKS_AFTER, server))
    row = await cursor.fetchone()
    return row is None or bool(row[0])


async def succeeded(conn: Conn, server: str) -> None:
    """Keep that a server answered."""
    await conn.execute(_SUCCEEDED, (server,))


async def failed(conn: Conn, server: str, fault: ModelFault, detail: str) -> None:
    """Keep that a server did not answer: after several in a row it is left alone.

    What is so for all texts is not tried so often.
    """
    least = BREAKS_AFTER if fault in OF_ALL_TEXTS else 1
    await _failed(conn, server, fault, detail, least=least)


async def refused(
    conn: Conn, server: str, fault: ModelFault, detail: str, *, was_well: bool, again: bool
) -> None:
    """Keep that a server refused a text: it is left alone once it refuses a second one in a row.

    That it refuses one `again` which it refused before tells nothing more of it.
    """
    if was_well:
        await _failed(conn, server, fault, detail, least=1)
    elif again:
        await _failed(conn, server, fault, detail, least=1, since=BREAKS_AFTER - 1)
    else:
        await _failed(conn, server, fault, detail, least=BREAKS_AFTER)


async def _failed(
    conn: Conn, server: str, fault: ModelFault, detail: str, *, least: int, since: int = 0
) -> None:
    """Count one failure more, or so many at `least`, of a server that has had some `since`."""
    await conn.execute(
        _FAILED,
        {
            "name": server,
            "fault": fault.value,
            "detail": told(detail),
            "least": least,
            "since": since,
            "breaks": BREAKS_AFTER,
            "longest": LONGEST_REST,
            "first": FIRST_REST,
        },
    )


# What a look found is over with the next one; what texts met is over when one is answered. A list
# may be had without the key that texts need: the next text that is refused tells that.
_NOTE = """
INSERT INTO model_server AS s (name, version, models, remote, seen_at)
VALUES (%(name)s, %(version)s, %(models)s, %(remote)s, now())
ON CONFLICT (name) DO UPDATE SET version = excluded.version,
    models = excluded.models, remote = excluded.remote, seen_at = now(),
    rest_until = CASE WHEN s.fault = %(away)s OR s.fault = ANY(%(mended)s) THEN NULL
        ELSE s.rest_until END,
    failures = CASE WHEN s.fault = ANY(%(mended)s) THEN least(s.failures, %(almost)s)
        ELSE s.failures END,
    fault = CASE WHEN s.failures > 0 AND s.fault <> ALL(%(mended)s) THEN s.fault END,
    detail = CASE WHEN s.failures > 0 AND s.fault <> ALL(%(mended)s) THEN s.detail ELSE '' END
"""
_NOTE_FAULT = """
INSERT INTO model_server AS s (name, fault, detail) VALUES (%(name)s, %(fault)s, %(detail)s)
ON CONFLICT (name) DO UPDATE SET fault = excluded.fault, detail = excluded.detail
WHERE s.failures = 0 AND (s.seen_at IS NULL OR s.seen_at < now() - interval '5 minutes')
"""
_STANDING = """
SELECT coalesce(rest_until > now(), false) OR failures >= %s, fault, detail
FROM model_server WHERE name = %s
"""
_RESTS = """
SELECT s.rest_until > now() OR (s.failures >= %s AND EXISTS
    (SELECT 1 FROM model_analysis m WHERE m.state = 'running' AND m.lease = s.tried_by))
FROM model_server s WHERE s.name = %s
"""
# Of two who fail at the same moment one finds that the other has.
_WAS_WELL = """
SELECT failures = 0 OR (failures >= %s AND rest_until IS NULL) FROM model_server
WHERE name = %s FOR UPDATE
"""
_SUCCEEDED = """
UPDATE model_server SET failures = 0, rest_until = NULL, fault = NULL, detail = '',
    seen_at = now()
WHERE name = %s AND (failures > 0 OR fault IS NOT NULL)
"""
# Those who had asked before it was left alone find nothing new.
_FAILED = """
INSERT INTO model_server AS s (name, failures, fault, detail, rest_until)
VALUES (%(name)s, %(least)s, %(fault)s, %(detail)s,
    CASE WHEN %(least)s >= %(breaks)s THEN now() + make_interval(secs => %(first)s) END)
ON CONFLICT (name) DO UPDATE SET fault = excluded.fault, detail = excluded.detail,
    failures = least(greatest(s.failures + 1, %(least)s), 1000),
    rest_until = CASE WHEN greatest(s.failures + 1, %(least)s) >= %(breaks)s
        THEN now() + make_interval(secs => least(%(longest)s, %(first)s
            * 2 ^ least(greatest(s.failures + 1, %(least)s) - %(breaks)s, 20))) END
WHERE s.failures >= %(since)s AND (s.rest_until IS NULL OR s.rest_until <= now())
"""
_LACKED = """
SELECT x.model FROM model_missing x WHERE x.server = %s AND (x.rest_until > now() OR EXISTS
    (SELECT 1 FROM model_analysis m WHERE m.state = 'running' AND m.model = x.model))
"""
_LACKS = """
INSERT INTO model_missing AS x (server, model, detail, rest_until)
VALUES (%(server)s, %(model)s, %(detail)s, now() + make_interval(secs => %(first)s))
ON CONFLICT (server, model) DO UPDATE SET detail = excluded.detail,
    tries = least(x.tries + 1, 1000),
    rest_until = now() + make_interval(secs => least(%(longest)s,
        %(first)s * 2 ^ least(x.tries, 20)))
WHERE x.rest_until <= now()
"""
_IS_THERE = """
INSERT INTO model_server (name, seen_at) VALUES (%s, now())
ON CONFLICT (name) DO UPDATE SET failures = 0, rest_until = NULL, fault = NULL, detail = '',
    seen_at = now()
"""

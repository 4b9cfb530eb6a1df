"""The old database of a move: its writers held for a moment, and closed once all is elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from psycopg import Error, sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from ctiscraper.db.fence import FENCE, words_of_move
from ctiscraper.db.move.links import Link
from ctiscraper.errors import Reason, StorageError

LOCK_WAIT = "3s"
# Between two tries whoever waited behind the last has its turn.
PAUSE = 1.0
PATIENCE = 120.0

_CLOSE = """
CREATE OR REPLACE FUNCTION {0}() RETURNS trigger LANGUAGE plpgsql AS {1}
"""
_BODY = """
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction', MESSAGE = %s;
END
"""
_HOLDERS = """
SELECT string_agg(DISTINCT format('process %s (%s)', a.pid,
    coalesce(nullif(a.application_name, ''), a.usename::text)), ', ')
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
WHERE l.granted AND l.mode = 'RowExclusiveLock' AND a.datname = current_database()
    AND a.pid <> pg_backend_pid()
"""


@asynccontextmanager
async def writers_held(
    guard: Link, tables: Sequence[str], told: Callable[[str], None]
) -> AsyncIterator[float]:
    """Yield, while nobody can write, the moment from which on writers wait.

    They wait for locks: when this process ends, whatever way, they go on at once. Readers are not
    kept waiting. Raises StorageError when others do not let go.
    """
    since = await _lock_in_time(guard, tables, told)
    try:
        yield since
    except BaseException:
        # A connection that is gone has let go by itself.
        with suppress(Error):
            await guard.rollback()
        raise
    await guard.commit()


async def _lock_in_time(guard: Link, tables: Sequence[str], told: Callable[[str], None]) -> float:
    """Return since when nobody can write; the transaction that holds the locks is open."""
    deadline = time.monotonic() + PATIENCE
    while True:
        since = time.monotonic()
        try:
            await _lock(guard, tables)
        except (LockNotAvailable, DeadlockDetected) as error:
            await guard.rollback()
            row = await (await guard.execute(_HOLDERS)).fetchone()
            words = f"{row[0] if row and row[0] else 'another process'} is in the midst of writing"
            if time.monotonic() + PAUSE > deadline:
                raise StorageError(
                    Reason.DATABASE,
                    f"{words} for {PATIENCE:.0f} s: end that, then start the move again",
                ) from error
            told(f"{words}; trying again")
        except BaseException:
            with suppress(Error):
                await guard.rollback()
            raise
        else:
            return since
        await asyncio.sleep(PAUSE)


async def _lock(guard: Link, tables: Sequence[str]) -> None:
    await guard.execute("BEGIN")
    await guard.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_WAIT)))
    names = sql.SQL(", ").join(map(sql.Identifier, tables))
    await guard.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))


async def close(guard: Link, tables: Sequence[str], words: str) -> None:
    """Let every write fail with these words from the end of this transaction on."""
    body = sql.SQL(_BODY.replace("%s", "{}")).format(sql.Literal(words)).as_string(guard)
    await guard.execute(sql.SQL(_CLOSE).format(sql.Identifier(FENCE), sql.Literal(body)))
    # Told by what reads alone as well: a process that is asked whether it is ready, `doctor`.
    await guard.execute(
        sql.SQL("COMMENT ON FUNCTION {}() IS {}").format(sql.Identifier(FENCE), sql.Literal(words))
    )
    for table in tables:
        await guard.execute(
            sql.SQL(
                "CREATE OR REPLACE TRIGGER {0} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE "
                "ON {1} FOR EACH STATEMENT EXECUTE FUNCTION {0}()"
            ).format(sql.Identifier(FENCE), sql.Identifier(table))
        )


async def is_closed(link: Link) -> bool:
    """Return whether a move has closed this database."""
    return await words_of_move(link) is not None


async def reopen(link: Link) -> None:
    """Let a database that was closed be written again."""
    await link.execute(
        sql.SQL("DROP FUNCTION IF EXISTS {}() CASCADE").format(sql.Identifier(FENCE))
    )

"""Connections of a move: one that holds its locks, and one that reads or writes, on each side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from psycopg import AsyncConnection, Error
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from ctiscraper.db.contents import TEXT_OPTIONS
from ctiscraper.db.server import describe_place
from ctiscraper.errors import ConflictError, Reason, StorageError

Link = AsyncConnection[TupleRow]

APPLICATION = "ctiscraper move"
# "move"; of a session, so that a move that was killed holds nothing.
LOCK_KEY = 0x6D6F7665
_OPTIONS = f"{TEXT_OPTIONS} -c work_mem=64MB -c client_min_messages=warning"
# Without a word from the other side for half a minute a move is given up.
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A database of a move: `guard` holds locks, `link` reads or writes."""

    conninfo: str = field(repr=False)
    guard: Link
    link: Link

    @property
    def place(self) -> str:
        """Where it is, without its secrets."""
        return describe_place(self.conninfo)


@asynccontextmanager
async def open_side(conninfo: str) -> AsyncIterator[Side]:
    """Yield a database that no other move works on. Raises ConflictError and StorageError."""
    try:
        async with await _connect(conninfo) as guard, await _connect(conninfo) as link:
            cursor = await guard.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,))
            if await cursor.fetchone() != (True,):
                raise ConflictError(
                    f"a move from or into {describe_place(conninfo)} is under way, or both names "
                    "are of this one database: wait for it, or name another target"
                )
            yield Side(conninfo=conninfo, guard=guard, link=link)
    except Error as error:
        words = str(error).strip().partition("\n")[0] or type(error).__name__
        raise StorageError(Reason.DATABASE, f"{describe_place(conninfo)}: {words}") from error


async def _connect(conninfo: str) -> Link:
    place = make_conninfo(conninfo, options=_OPTIONS, application_name=APPLICATION, **_PATIENCE)
    return await AsyncConnection.connect(place, autocommit=True)

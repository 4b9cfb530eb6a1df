"""The database as the other rooms see it: short transactions over a small pool."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from psycopg import AsyncConnection, AsyncCursor, InterfaceError, InternalError, OperationalError
from psycopg.abc import Params, Query
from psycopg.conninfo import make_conninfo
from psycopg.errors import (
    InsufficientPrivilege,
    ProgramLimitExceeded,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
)
from psycopg.pq.abc import PGconn
from psycopg.rows import AsyncRowFactory, TupleRow, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from ctiscraper.db.clock import ServerClock
from ctiscraper.db.server import describe_place, read_server
from ctiscraper.errors import Reason, StorageError
from ctiscraper.loop import to_its_end
from ctiscraper.setting_texts import password_in

# libpq keeps buffers as large as the largest message that a connection has carried.
LARGE = 1 << 20


class Conn(AsyncConnection[TupleRow]):
    """A connection that is given up, and its buffers with it, once it carried something large."""

    def __init__(self, pgconn: PGconn, row_factory: AsyncRowFactory[TupleRow] = tuple_row) -> None:
        """Note what statements carry."""
        super().__init__(pgconn, row_factory)
        self.cursor_factory = _Cursor

    def carried(self, size: int) -> None:
        """Note a message of about `size` bytes; the parameters of statements are noted anyway."""
        if size > LARGE:
            # The pool replaces what has expired when it comes back, without a warning.
            self._expire_at = 0.0


class _Cursor(AsyncCursor[TupleRow]):
    """A cursor that notes how much it sends."""

    async def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """Send a statement and wait for its answer."""
        if params:
            values = params.values() if isinstance(params, Mapping) else params
            sent = sum(len(value) for value in values if isinstance(value, str | bytes))
            if sent > LARGE:
                assert isinstance(self.connection, Conn), "only these have this cursor"
                self.connection.carried(sent)
        return await super().execute(  # type: ignore[misc]  # its overloads, taken together
            query,  # type: ignore[arg-type]
            params,
            prepare=prepare,
            binary=binary,
        )


# PostgreSQL says "word is too long to be indexed" for each long token of an article.
_OPTIONS = (
    "-c client_min_messages=warning -c timezone=UTC -c idle_in_transaction_session_timeout=60s"
)

# A server that vanished without a word (a failover) is noticed in half a minute.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# How often a connection sends a statement before the server keeps it ready: what comes twice comes
# often, and what a connection does at its beginning is dear.
_PREPARE_AFTER = 1

# A pool tries to connect ever more seldom while the server is away, and would come back long after
# it; so each series of tries is this short, and the next begins at once.
_RECONNECT_SECONDS = 2.0

# Each connection is replaced this often: with it go what the server keeps ready for it and the
# buffers of both sides, and the server's clock is read anew.
_LIFETIME_SECONDS = 600.0

# The server is away, full, read-only, restarting, or its account was narrowed: never the fault of
# a statement, and so of no item.
_OURS = (OperationalError, InternalError, InterfaceError, PoolTimeout, InsufficientPrivilege)
# A migration that is still to come, or one that a later program made.
_OTHER_SCHEMA = (UndefinedTable, UndefinedColumn, UndefinedFunction)


class NoConnectionError(StorageError):
    """That the pool gave none in time: all are in use, or none can be made."""


# What a server says that goes down, or does not take connections yet.
_GOING_DOWN = frozenset({"57P01", "57P02", "57P03"})


def was_cut_off(error: StorageError) -> bool:
    """Return whether the connection was lost, or there was none: no statement's own doing."""
    cause = error.__cause__
    if not isinstance(cause, OperationalError):
        return isinstance(cause, InterfaceError)
    state = cause.sqlstate
    return state is None or state[:2] == "08" or state in _GOING_DOWN


class Database:
    """A pool of connections to one PostgreSQL, made inside a running event loop.

    With `password_file` each new connection shows what that file holds then, so that a password
    can be renewed while the process goes on.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        size: int = 8,
        statement_seconds: float = 30.0,
        password_file: Path | None = None,
    ) -> None:
        self.conninfo = conninfo
        self._password_file = password_file
        self.clock = ServerClock()
        self._pool: AsyncConnectionPool[Conn] = AsyncConnectionPool(
            self._conninfo_now,
            min_size=min(2, size),
            max_size=size,
            timeout=10.0,
            max_lifetime=_LIFETIME_SECONDS,
            open=False,
            reconnect_timeout=_RECONNECT_SECONDS,
            reconnect_failed=AsyncConnectionPool.check,
            configure=self._tell_time,
            connection_class=Conn,
            kwargs={
                "autocommit": True,
                "prepare_threshold": _PREPARE_AFTER,
                **_PATIENCE,
                "options": f"{_OPTIONS} -c statement_timeout={int(statement_seconds * 1000)}",
            },
        )

    def _conninfo_now(self) -> str:
        """Return how a connection is made now."""
        if self._password_file is None:
            return self.conninfo
        try:
            return make_conninfo(self.conninfo, password=password_in(self._password_file))
        except (OSError, ValueError):
            # Whoever renews it may be about to write it: what was known may still do.
            return self.conninfo

    async def open(self) -> Self:
        """Return the database once its first connections stand.

        Raises StorageError and SettingsError.
        """
        try:
            await self._pool.open(wait=True, timeout=30.0)
        except asyncio.CancelledError:
            # It would go on trying to connect, and nobody could close it any more.
            await self.close()
            raise
        except PoolTimeout as error:
            await self.close()
            # The pool does not say why; who asks by himself is told.
            by_file = self._password_file is not None
            await read_server(self._conninfo_now(), password_in_file=by_file)
            raise StorageError(
                Reason.DATABASE,
                f"PostgreSQL at {describe_place(self.conninfo)} does not give the "
                f"{self._pool.min_size} connections that a process begins with: raise "
                "max_connections there, or run less here (CTISCRAPER_WORKERS)",
            ) from error
        return self

    async def _tell_time(self, conn: Conn) -> None:
        """Read the server's clock on every new connection, and so every ten minutes."""
        cursor = await conn.execute("SELECT clock_timestamp()")
        row = await cursor.fetchone()
        assert row is not None, "a query without FROM has one row"
        self.clock.set(row[0])

    async def close(self) -> None:
        """Give every connection back to the server, whoever is cancelled meanwhile."""
        await to_its_end(self._pool.close())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self, patience: float | None = None) -> AsyncIterator[Conn]:
        """Yield a connection where each statement is its own transaction.

        Raises StorageError when the server cannot be reached, or has another schema, and of these
        NoConnectionError when none was free for `patience`, in seconds.
        """
        try:
            conn = await self._pool.getconn(patience)
            try:
                async with conn:
                    yield conn
            finally:
                # Cut off while it waits for the pool's lock, it would be lost and still counted.
                await asyncio.shield(self._pool.putconn(conn))
        except ProgramLimitExceeded:
            # What was sent is too large to be kept: trying again would not help.
            raise
        except _OTHER_SCHEMA as error:
            raise StorageError(
                Reason.DATABASE,
                f"the schema of the database is not this program's ({_first_line(error)}): "
                "run 'ctiscraper migrate', or update the program",
            ) from error
        except PoolTimeout as error:
            raise NoConnectionError(Reason.DATABASE, str(error).strip()) from error
        except _OURS as error:
            raise StorageError(Reason.DATABASE, str(error).strip()) from error

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Conn]:
        """Yield a connection that is none of the pool's, for what is held long.

        Raises as `connection`.
        """
        conninfo = make_conninfo(self._conninfo_now(), options=_OPTIONS, **_PATIENCE)
        try:
            async with await Conn.connect(conninfo, autocommit=True) as conn:
                yield conn
        except _OURS as error:
            raise StorageError(Reason.DATABASE, str(error).strip()) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Conn]:
        """Yield a connection inside one transaction: all of it is kept, or nothing."""
        async with self.connection() as conn, conn.transaction():
            yield conn


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

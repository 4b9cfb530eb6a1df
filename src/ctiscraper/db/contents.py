"""What a database holds at one moment: rows and their hashes, and whether its accounts balance."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection, Error, sql

from ctiscraper.db.session import Conn
from ctiscraper.errors import Reason, StorageError

FETCHED = 1000

# Rows are hashed as text: what it looks like must not hang on anybody's settings. The snapshot
# stands as long as the dump takes.
TEXT_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "timezone": "UTC",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "jit": "off",
    }.items()
)
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""
_RELATIONS = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND c.relkind IN ('r', 'p', 'v', 'm')
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1 LIMIT 5
"""
# The order of rows does not count: a dump may bring them back in another.
_CONTENT = """
SELECT count(*), coalesce(sum(('x' || encode(substr(sha256(convert_to(t::text, 'UTF8')), 1, 8),
    'hex'))::bit(64)::bigint::numeric), 0)::text
FROM {} t
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContent:
    """How many rows a table has, and the sum of their hashes."""

    rows: int
    hash: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of a database, for as long as its connection is open."""

    conn: Conn
    snapshot: str
    now: datetime

    async def tables(self) -> dict[str, TableContent]:
        """Return the content of every table."""
        names = [str(row[0]) for row in await (await self.conn.execute(_TABLES)).fetchall()]
        return {name: await self._content(name) for name in names}

    async def unbalanced(self) -> list[str]:
        """Return the keys of the sources whose sum of items does not hold."""
        cursor = await self.conn.execute(
            """
            SELECT key FROM accounting
            WHERE discovered <> stored + duplicate + filtered + failed + dead + pending ORDER BY key
            """
        )
        return [str(row[0]) for row in await cursor.fetchall()]

    async def raw_hashes(self) -> AsyncIterator[list[bytes]]:
        """Yield the hashes of the bodies that the database refers to, some at a time."""
        async with self.conn.cursor("raw_hashes") as cursor:
            await cursor.execute("SELECT DISTINCT sha256 FROM snapshot ORDER BY sha256")
            while rows := await cursor.fetchmany(FETCHED):
                yield [bytes(row[0]) for row in rows]

    async def _content(self, table: str) -> TableContent:
        cursor = await self.conn.execute(sql.SQL(_CONTENT).format(sql.Identifier(table)))
        row = await cursor.fetchone()
        assert row is not None, "an aggregate has one row"
        return TableContent(rows=row[0], hash=row[1])


@asynccontextmanager
async def open_moment(conninfo: str) -> AsyncIterator[Moment]:
    """Yield the database as it is now, whatever is written meanwhile. Raises StorageError."""
    try:
        async with await Conn.connect(
            conninfo, options=TEXT_OPTIONS, application_name="ctiscraper archive"
        ) as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = await (await conn.execute("SELECT pg_export_snapshot(), now()")).fetchone()
            assert row is not None, "a query without FROM has one row"
            yield Moment(conn, row[0], row[1])
    except Error as error:
        raise StorageError(Reason.DATABASE, str(error).strip()) from error


async def first_relations(conninfo: str) -> list[str]:
    """Return names of what a database holds, none when it is empty. Raises StorageError."""
    async with open_moment(conninfo) as moment:
        return [str(row[0]) for row in await (await moment.conn.execute(_RELATIONS)).fetchall()]


async def analyze(conninfo: str) -> None:
    """Let the server learn what its tables hold. Raises StorageError."""
    try:
        async with await AsyncConnection.connect(conninfo, autocommit=True) as conn:
            await conn.execute("SET statement_timeout = 0")
            await conn.execute("VACUUM (ANALYZE)")
    except Error as error:
        raise StorageError(Reason.DATABASE, str(error).strip()) from error

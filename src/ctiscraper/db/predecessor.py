"""The database of the program that this one follows, read and never written."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg import AsyncConnection, Error, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from ctiscraper.db.server import CONNECT_SECONDS, describe_place
from ctiscraper.errors import InputError, Reason, StorageError

BATCH = 50
SOURCES, ARTICLES = "sources", "articles"
# Each version of it has other columns; these are what a row cannot be read without.
_NEEDED = {
    SOURCES: ("id", "identifier", "name", "url"),
    ARTICLES: ("id", "source_id", "canonical_url", "title", "content"),
}
# Large, and nothing that is not found anew from the text.
_LEFT = ["embedding", "article_metadata", "simhash", "simhash_bucket", "content_hash"]
_OPTIONS = (
    "-c default_transaction_read_only=on -c timezone=UTC -c datestyle=ISO "
    "-c statement_timeout=10min"
)

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Predecessor:
    """A database with the tables `sources` and `articles`."""

    conn: AsyncConnection[TupleRow]

    async def sources(self) -> list[Row]:
        """Return every source with all its columns, as JSON has them."""
        cursor = await self.conn.execute("SELECT to_jsonb(s) FROM sources s ORDER BY id")
        return [row[0] for row in await cursor.fetchall()]

    async def articles(self) -> AsyncIterator[list[Row]]:
        """Yield the articles, some at a time, in the order of their numbers."""
        after = 0
        while True:
            cursor = await self.conn.execute(
                "SELECT id, to_jsonb(a) - %s::text[] FROM articles a "
                "WHERE id > %s ORDER BY id LIMIT %s",
                (_LEFT, after, BATCH),
            )
            rows = await cursor.fetchall()
            if not rows:
                return
            after = int(rows[-1][0])
            yield [row[1] for row in rows]

    async def count(self) -> int:
        """Return how many articles there are."""
        return await _count(self.conn, ARTICLES)

    async def other_tables(self) -> dict[str, int]:
        """Return the tables that hold something else, with how many rows they have."""
        cursor = await self.conn.execute(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() "
            "AND tablename <> ALL(%s) ORDER BY 1",
            ([SOURCES, ARTICLES],),
        )
        names = [str(row[0]) for row in await cursor.fetchall()]
        counts = {name: await _count(self.conn, name) for name in names}
        return {name: rows for name, rows in counts.items() if rows}


@asynccontextmanager
async def open_predecessor(conninfo: str) -> AsyncIterator[Predecessor]:
    """Yield the other program's database. Raises InputError for another one, StorageError."""
    place = describe_place(conninfo)
    try:
        whole = make_conninfo(conninfo, options=_OPTIONS, connect_timeout=CONNECT_SECONDS)
        async with await AsyncConnection.connect(whole, autocommit=True) as conn:
            for table, columns in _NEEDED.items():
                await _refuse_other(conn, place, table, columns)
            yield Predecessor(conn)
    except Error as error:
        words = str(error).strip().partition("\n")[0] or type(error).__name__
        raise StorageError(Reason.DATABASE, f"{place}: {words}") from error


async def _refuse_other(
    conn: AsyncConnection[TupleRow], place: str, table: str, columns: tuple[str, ...]
) -> None:
    cursor = await conn.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0",
        (table,),
    )
    found = {str(row[0]) for row in await cursor.fetchall()}
    missing = [name for name in columns if name not in found]
    if missing:
        raise InputError(
            f"{place} is not the predecessor's database: its table {table} "
            f"{'is not there' if not found else 'has no ' + ', '.join(missing)}"
        )


async def _count(conn: AsyncConnection[TupleRow], table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = await (await conn.execute(query)).fetchone()
    assert row is not None, "a count is one row"
    return int(row[0])

"""Two PostgreSQL servers of a test's own: one that is in use, and one where nobody is superuser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from archive.conftest import FILL
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.migrate import upgrade
from servers import OwnServer, own_server

# As the master user of RDS, less: it owns its database and may do nothing else.
PASSWORD = "s3cret word"
OWNER = f"CREATE ROLE rds LOGIN PASSWORD '{PASSWORD}' NOSUPERUSER NOCREATEROLE NOCREATEDB"


@dataclass
class Servers:
    """The server to move from, and the one to move to."""

    old: OwnServer
    new: OwnServer
    filled: bool = False

    @property
    def source(self) -> str:
        return self.old.conninfo("cti", user="cti")

    @property
    def target(self) -> str:
        return self.new.conninfo("cti", user="rds")

    def fresh(self, rows: int) -> None:
        """Fill a new source, and empty the target."""
        if not self.filled:
            self.old.run("CREATE DATABASE filled OWNER cti")
            place = self.old.conninfo("filled", user="cti")
            upgrade(place)
            with psycopg.connect(place) as conn, psycopg.ClientCursor(conn) as cursor:
                cursor.execute(FILL.replace("%(rows)s", str(rows)).encode())
            self.filled = True
        gone = "DROP DATABASE IF EXISTS cti WITH (FORCE)"
        self.old.run(gone, "CREATE DATABASE cti OWNER cti TEMPLATE filled")
        self.new.run(gone, "CREATE DATABASE cti OWNER rds")

    def rows(self, place: str, table: str) -> int:
        with psycopg.connect(place) as conn:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            row = conn.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def every_row(self, place: str) -> dict[str, list[tuple[str]]]:
        """All rows of all tables as text, in order."""
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        with psycopg.connect(place, options="-c timezone=UTC") as conn:
            return {
                name: conn.execute(
                    sql.SQL('SELECT t::text COLLATE "C" FROM {} t ORDER BY 1').format(
                        sql.Identifier(name)
                    )
                ).fetchall()
                for (name,) in conn.execute(names).fetchall()
            }

    def structure(self, place: str) -> list[tuple[object, ...]]:
        """Keys, indexes and triggers of a database, and whether they act."""
        query = """
            SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text
            FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'u', 'p', 'c')
            UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes
            WHERE schemaname = 'public'
            UNION ALL SELECT tgrelid::regclass::text, tgname, tgenabled::text, ''
            FROM pg_trigger WHERE NOT tgisinternal AND tgname <> 'ctiscraper_moved'
            ORDER BY 1, 2, 3
        """
        with psycopg.connect(place) as conn:
            return list(conn.execute(query).fetchall())


@asynccontextmanager
async def two_servers(folder: Path, old: PgBinaries, new: PgBinaries) -> AsyncIterator[Servers]:
    """Both servers, whose owners are no superusers."""
    async with own_server(folder / "old", old) as source, own_server(folder / "new", new) as target:
        source.run("CREATE ROLE cti LOGIN NOSUPERUSER")
        target.run(OWNER)
        yield Servers(source, target)

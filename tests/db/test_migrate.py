import threading
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

import make
from ctiscraper.db import migrate
from ctiscraper.db.session import Database
from ctiscraper.errors import SettingsError, StorageError
from db.stage import Stage


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    """The connection string of a database without any schema."""
    name = sql.Identifier(f"empty_{uuid4().hex[:12]}")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield make_conninfo(postgres, dbname=name.as_string(connection).strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def tables(conninfo: str) -> set[str]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    return {row[0] for row in rows}


def test_a_schema_is_made_brought_down_and_made_again(empty: str) -> None:
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    made = tables(empty)
    assert migrate.current(empty) == migrate.newest()
    assert {"article", "fetch_job", "source"} <= made
    migrate.downgrade(empty)
    assert migrate.current(empty) is None
    assert tables(empty) == {"alembic_version"}
    migrate.upgrade(empty)
    assert tables(empty) == made


def columns(conninfo: str, table: str) -> set[str]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
        ).fetchall()
    return {row[0] for row in rows}


async def test_items_from_before_traces_stay_as_they_are(empty: str) -> None:
    migrate.upgrade(empty, "20261122_1800")
    before = columns(empty, "fetch_job")
    async with Database(empty) as opened:
        stage = Stage(opened)
        await stage.run(
            "INSERT INTO source (key, settings) "
            """VALUES ('acme', '{"name": "Acme", "tier": "basic", "active": true}')"""
        )
        await stage.run(
            "INSERT INTO fetch_job (url_hash, url, host, source_id, entry) "
            "SELECT 'x', 'https://acme.example/1', 'acme.example', id, "
            """'{"guid": "1", "url": "https://acme.example/1"}' FROM source"""
        )
        migrate.upgrade(empty, "20261126_0710")
        assert columns(empty, "fetch_job") - before == {"trace"}
        migrate.upgrade(empty)
        job = await stage.claim()
        assert (job.trace, job.busy_turns) == (None, 0)
    migrate.downgrade(empty, "20261122_1800")
    assert columns(empty, "fetch_job") == before


def test_processes_that_start_at_once_migrate_once(empty: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate.upgrade(empty)
        except BaseException as error:  # noqa: BLE001 - a thread has no other way to tell
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert migrate.current(empty) == migrate.newest()


def test_a_migration_that_the_server_refuses_tells_why_and_changes_nothing(empty: str) -> None:
    """The server's own errors, raised as the first table is made."""
    for code, kind, said in (
        ("disk_full", StorageError, "run 'ctiscraper migrate' again"),
        ("insufficient_privilege", SettingsError, "GRANT CREATE ON SCHEMA public"),
    ):
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute(
                f"""
                CREATE OR REPLACE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'it said so' USING ERRCODE = '{code}'; END $$
                """.encode()
            )
            connection.execute("DROP EVENT TRIGGER IF EXISTS refusing")
            connection.execute(
                "CREATE EVENT TRIGGER refusing ON ddl_command_start WHEN TAG IN ('CREATE VIEW')"
                " EXECUTE FUNCTION refuse()"
            )
        with pytest.raises(kind, match=f"nothing was changed: it said so; .*{said}"):
            migrate.upgrade(empty)
        assert tables(empty) == set()
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("DROP EVENT TRIGGER refusing")
    migrate.upgrade(empty)


def test_a_migration_without_a_server_is_told() -> None:
    with pytest.raises(StorageError, match="nothing was changed"):
        migrate.upgrade("host=127.0.0.1 port=1 user=me dbname=mine")


def test_a_migrated_database_is_left_as_it_is(empty: str) -> None:
    migrate.upgrade(empty)
    stamp = (
        "SELECT sum(xmin::text::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(empty) as connection:
        before = connection.execute(stamp).fetchone()
    migrate.upgrade(empty)
    with psycopg.connect(empty) as connection:
        assert connection.execute(stamp).fetchone() == before


async def test_upgrading_a_database_in_use_keeps_its_rows_and_waits_for_no_reader(
    database: str,
) -> None:
    """A reader holds every table meanwhile: an exclusive lock would be waited for in vain."""
    async with Database(database) as opened:
        stage = Stage(opened)
        url = "https://acme.example/a/1"
        await stage.announce([make.announced(url)])
        await stage.keep(await stage.claim(), make.content(url))
        with psycopg.connect(database) as reader:
            reader.execute("SELECT count(*) FROM article, fetch_job, source").fetchone()
            upgraded = threading.Thread(target=migrate.upgrade, args=(database,), daemon=True)
            upgraded.start()
            upgraded.join(20)
            assert not upgraded.is_alive()
        assert await stage.value("SELECT count(*) FROM article") == 1
        assert (await stage.accounting()).balanced


async def test_counters_come_to_a_database_with_work_under_way(database: str) -> None:
    """What an older program has leased is counted when it ends; the program's own SQL is old."""
    migrate.downgrade(database, "20261122_1800")
    async with Database(database) as opened:
        stage = Stage(opened)
        await stage.run(
            """
            INSERT INTO source (key, settings) VALUES ('acme', '{"name": "", "tier": "basic",
                "active": true}');
            INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry)
            SELECT sha256(n::text::bytea), '', '', 1, 'leased', '{}' FROM generate_series(1, 3) n
            """
        )
        migrate.upgrade(database)
        await stage.run("UPDATE fetch_job SET state = 'stored' WHERE id < 3")
        assert await stage.value("SELECT sum(stored)::int FROM work_count") == 2
        migrate.downgrade(database, "20261122_1800")
        await stage.run("UPDATE fetch_job SET state = 'stored'")
        assert await stage.value("SELECT count(*) FROM fetch_job") == 3


async def test_sources_are_read_whole_once_what_they_wait_for_is_kept(database: str) -> None:
    async with Database(database) as opened:
        stage = Stage(opened)
        await stage.sources.add(make.settings(), actor="test")
        migrate.downgrade(database, "20261128_1200")
        await stage.run("UPDATE source_state SET etag = 'held', last_modified = 'held'")
        migrate.upgrade(database)
        assert await stage.value("SELECT coalesce(etag, last_modified) FROM source_state") is None

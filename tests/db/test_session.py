import asyncio
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ctiscraper.db.session import LARGE, Database
from ctiscraper.errors import Reason, SettingsError, StorageError
from db.stage import Stage


async def test_a_transaction_is_kept_whole_or_not_at_all(stage: Stage) -> None:
    await stage.run("CREATE TABLE it (n int)")

    async def half() -> None:
        async with stage.database.transaction() as conn:
            await conn.execute("INSERT INTO it VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await half()
    assert await stage.value("SELECT count(*) FROM it") == 0
    async with stage.database.transaction() as conn:
        await conn.execute("INSERT INTO it VALUES (1), (2)")
    assert await stage.value("SELECT count(*) FROM it") == 2


async def test_a_lost_connection_is_our_fault_and_the_next_one_works(stage: Stage) -> None:
    with pytest.raises(StorageError) as caught:
        async with stage.database.connection() as conn:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert caught.value.reason is Reason.DATABASE
    assert await stage.value("SELECT 1") == 1


async def test_idle_connections_that_a_restart_broke_cost_no_more_than_one_error_each(
    stage: Stage,
) -> None:
    await asyncio.gather(*(stage.value("SELECT pg_sleep(0.01)") for _ in range(8)))
    others = "FROM pg_stat_activity WHERE datname = current_database()"
    with psycopg.connect(stage.database.conninfo) as killer:
        killer.execute(f"SELECT pg_terminate_backend(pid) {others} AND pid <> pg_backend_pid()")
    failures = 0
    for _ in range(9):
        try:
            await stage.value("SELECT 1")
        except StorageError:
            failures += 1
    assert failures <= 8
    assert await stage.value("SELECT 1") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'disk_full'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'too_many_connections'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'out_of_memory'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'insufficient_privilege'; END $$",
        "BEGIN READ ONLY; CREATE TABLE it (n int); COMMIT",
        "BEGIN; SET LOCAL statement_timeout = 10; SELECT pg_sleep(60); COMMIT",
    ],
)
async def test_what_the_server_cannot_do_now_is_our_fault(stage: Stage, statement: str) -> None:
    with pytest.raises(StorageError):
        await stage.run(statement)


async def test_a_statement_that_is_wrong_is_not_passed_off_as_an_outage(stage: Stage) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await stage.run("SELECT 1/0")
    with pytest.raises(psycopg.errors.SyntaxError):
        await stage.run("SELECT WHERE FROM")


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("SELECT * FROM a_later_table", 'relation "a_later_table" does not exist'),
        ("SELECT a_later_column FROM article", 'column "a_later_column" does not exist'),
        ("SELECT a_later_function()", "function a_later_function() does not exist"),
    ],
)
async def test_another_schema_is_told_with_the_way_out(
    stage: Stage, statement: str, missing: str
) -> None:
    with pytest.raises(StorageError) as told:
        await stage.run(statement)
    assert told.value.detail == (
        f"the schema of the database is not this program's ({missing}): "
        "run 'ctiscraper migrate', or update the program"
    )


def soon_open(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The same with less patience."""
    opened = database._pool.open

    async def soon(*, wait: bool, timeout: float) -> None:  # noqa: ASYNC109 - the pool's own signature
        assert timeout > 0.2
        await opened(wait=wait, timeout=0.2)

    monkeypatch.setattr(database._pool, "open", soon)
    return database


async def test_a_database_that_is_not_there_is_told_when_the_pool_gives_up(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = soon_open(Database(make_conninfo(database, dbname="never_made")), monkeypatch)
    with pytest.raises(SettingsError, match=r'"never_made" does not exist.*DATABASE_URL'):
        await away.open()


async def test_a_server_that_gives_too_few_connections_is_told(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"narrow_{uuid4().hex[:12]}"
    role = sql.Identifier(name)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 1").format(role))
        admin.execute(sql.SQL("GRANT SELECT ON alembic_version TO {}").format(role))
        try:
            narrow = soon_open(Database(make_conninfo(database, user=name)), monkeypatch)
            with pytest.raises(StorageError, match=r"max_connections.*CTISCRAPER_WORKERS"):
                await narrow.open()
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


async def test_statements_have_a_limit_and_times_are_utc(database: str) -> None:
    async with Database(database, statement_seconds=7.0) as opened, opened.connection() as conn:
        cursor = await conn.execute(
            "SELECT current_setting('statement_timeout'), current_setting('timezone')"
        )
        assert await cursor.fetchone() == ("7s", "UTC")


async def test_what_carried_something_large_is_given_up_with_its_buffers(database: str) -> None:
    async with Database(database, size=1) as opened:

        async def backend(words: str = "", read: int = 0) -> object:
            async with opened.connection() as conn:
                cursor = await conn.execute("SELECT pg_backend_pid(), length(%s)", (words,))
                row = await cursor.fetchone()
                conn.carried(read)
            assert row is not None
            assert row[1] == len(words)
            return row[0]

        first = await backend()
        assert await backend("a" * LARGE) == first
        assert await backend(read=LARGE) == first
        assert await backend("a" * (LARGE + 1)) == first
        second = await backend(read=LARGE + 1)
        assert second != first
        assert await backend() != second


async def test_a_pool_that_nobody_waits_for_any_more_tries_no_longer() -> None:
    database = Database("host=127.0.0.1 port=1 connect_timeout=1")
    opening = asyncio.create_task(database.open())
    while not database._pool.get_stats().get("connections_errors"):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    assert opening.cancelled()
    assert database._pool.closed


async def test_a_connection_is_not_lost_when_its_user_is_cut_off_while_he_gives_it_back(
    database: str,
) -> None:
    async with Database(database, size=1) as opened:
        has, leaves = asyncio.Event(), asyncio.Event()

        async def use() -> None:
            async with opened.connection():
                has.set()
                await leaves.wait()

        using = asyncio.create_task(use())
        await has.wait()
        pool = opened._pool
        async with pool._lock:
            leaves.set()
            while not pool._lock._waiters:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
            using.cancel()
            await asyncio.gather(using, return_exceptions=True)
        async with asyncio.timeout(5), opened.connection() as conn:
            await conn.execute("SELECT 1")

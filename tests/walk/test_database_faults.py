"""Faults of our own database at work: nothing is lost, doubled or blamed on an item."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.testing import capture_logs

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.overview import Overview
from ctiscraper.errors import StorageError
from internet.world import FakeInternet
from walk.fault_proxy import fault_proxy
from walk.walker import Walk, walking

HASTE = {"fsync": "off", "shared_buffers": "16MB", "log_min_messages": "error"}
LEASE = 2.0


async def until(happened: Callable[[], Awaitable[bool] | bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = happened()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.005)


async def all_once(walk: Walk, items: int, *, stages: int = 1) -> None:
    """Assert that every item is stored, once, by each stage, and that none was blamed."""
    accounting = await walk.accounting()
    assert accounting.balanced
    assert (accounting.discovered, accounting.stored) == (items, items)
    assert await walk.value("SELECT count(*) - count(DISTINCT url) FROM article") == 0
    once = "SELECT count(*), count(DISTINCT (article_id, revision, stage)) FROM analysis"
    assert await walk.rows(once) == [(items * stages, items * stages)]
    assert await walk.value("SELECT count(*) FROM outbox") == 0


async def test_immediate_restarts_of_the_server_lose_and_double_nothing(
    place: Path, binaries: PgBinaries, tmp_path: Path
) -> None:
    async with (
        EmbeddedPostgres(place / "data", binaries, options=HASTE) as server,
        FakeInternet(hosts=4, items=8, latency=0.02) as net,
    ):
        await asyncio.to_thread(upgrade, server.conninfo)
        changes: dict[str, object] = {"lease_seconds": LEASE, "enrich": True}
        async with walking(server.conninfo, net, tmp_path, **changes) as walk:
            await walk.add(*net.sources())
            collecting = asyncio.create_task(walk.collect())
            for seen in (10, 25):
                await until(lambda seen=seen: len(net.requests) >= seen)  # type: ignore[misc]  # a default
                killed = server.pid
                assert killed is not None
                os.kill(killed, signal.SIGQUIT)
                await until(lambda killed=killed: server.pid != killed)  # type: ignore[misc]  # a default
            await asyncio.wait_for(collecting, 90)
            # What a worker held when the server went is due again when its lease is over.
            await walk.all_due()
            await asyncio.wait_for(walk.collect(), 60)
            await all_once(walk, 32, stages=2)
            await none_paid(walk)


@pytest.mark.parametrize(
    "word",
    [
        "COMMIT",
        "INSERT INTO article (",
        "UPDATE fetch_job j SET state = 'leased'",
        "UPDATE host SET lease_owner = gen_random_uuid()",
        "INSERT INTO analysis",
    ],
)
async def test_a_reply_that_is_lost_is_made_good_without_a_second_row(
    database: str, tmp_path: Path, word: str
) -> None:
    async with (
        FakeInternet(hosts=2, items=2) as net,
        fault_proxy(database) as proxy,
        walking(proxy.conninfo, net, tmp_path, lease_seconds=LEASE) as walk,
    ):
        await walk.add(*net.sources())
        proxy.lose_replies(word)
        await asyncio.wait_for(walk.collect(), 60)
        await walk.all_due()
        await asyncio.wait_for(walk.collect(), 60)
        assert proxy.lost == 1
        await all_once(walk, 4)
        await none_paid(walk)
        assert await walk.value("SELECT count(*) FROM fetch_job WHERE state <> 'stored'") == 0


FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device'
        USING ERRCODE = 'disk_full'; END $$
"""


async def test_a_full_disk_burns_no_attempt_and_all_is_stored_once_there_is_room(
    database: str, tmp_path: Path
) -> None:
    """The server's own error for a full tablespace, raised by a trigger: quotas need root."""
    async with (
        FakeInternet(hosts=8, items=1) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        await walk.run(FULL)
        await walk.run(
            "CREATE TRIGGER full_disk BEFORE INSERT ON article EXECUTE FUNCTION full_disk()"
        )
        for _ in range(6):
            await walk.collect()
            assert await walk.rows("SELECT DISTINCT state, attempts FROM fetch_job") == [
                ("pending", 0)
            ]
            assert await walk.value("SELECT bool_or(reason = 'database') FROM fetch_job")
            assert (await walk.accounting()).pending == 8
            trouble = await Overview(walk.database).storage_trouble()
            assert trouble is not None
            assert trouble.items == 8
            assert trouble.detail.startswith("could not extend file: No space left on device")
            await walk.run("UPDATE fetch_job SET run_after = now()")
            await walk.run("UPDATE host SET work_at = now(), open_until = NULL")
        assert await walk.value("SELECT sum(failures) FROM host") == 0
        await walk.run("DROP TRIGGER full_disk ON article")
        await walk.collect()
        assert await Overview(walk.database).storage_trouble() is None
        await all_once(walk, 8)


async def test_a_schema_that_is_not_ours_burns_no_attempt(database: str, tmp_path: Path) -> None:
    async with (
        FakeInternet(hosts=4, items=2) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        await walk.run("ALTER TABLE article RENAME COLUMN method TO of_another_version")
        for _ in range(6):
            await walk.collect()
            assert await walk.rows("SELECT DISTINCT state, attempts FROM fetch_job") == [
                ("pending", 0)
            ]
            await walk.run("UPDATE fetch_job SET run_after = now()")
            await walk.run("UPDATE host SET work_at = now(), open_until = NULL")
        trouble = await Overview(walk.database).storage_trouble()
        assert trouble is not None
        assert "run 'ctiscraper migrate', or update the program" in trouble.detail
        await walk.run("ALTER TABLE article RENAME COLUMN of_another_version TO method")
        await walk.collect()
        await all_once(walk, 8)


async def test_a_database_that_is_read_only_for_a_while_is_waited_for(
    database: str, tmp_path: Path
) -> None:
    async with (
        FakeInternet(hosts=3, items=6, latency=0.02) as net,
        walking(database, net, tmp_path, lease_seconds=LEASE) as walk,
    ):
        await walk.add(*net.sources())
        collecting = asyncio.create_task(walk.collect())
        await until(lambda: len(net.requests) >= 10)
        with capture_logs() as logs:
            _read_only(database, read_only=True)
            await until(lambda: any(entry["event"] == "database_unreachable" for entry in logs))
            # Longer than their leases, so that whoever came first could take what is in hand.
            await until(lambda: _leases_are_over(walk))
            assert not collecting.done()
            held = await walk.value("SELECT count(*) FROM fetch_job WHERE state = 'leased'")
            assert held != 0
            _read_only(database, read_only=False)
            await asyncio.wait_for(collecting, 60)
        paid = "SELECT coalesce(max(attempts), 0) FROM fetch_job WHERE state = 'pending'"
        assert await walk.value(paid) == 0
        await walk.all_due()
        await asyncio.wait_for(walk.collect(), 60)
        await all_once(walk, 18)
        await none_paid(walk)


async def none_paid(walk: Walk) -> None:
    """Assert that no item had to be tried twice because of us."""
    assert await walk.value("SELECT max(attempts) FROM fetch_job") == 1
    assert await walk.value("SELECT coalesce(sum(burnt), 0) FROM work_count") == 0


async def _leases_are_over(walk: Walk) -> bool:
    query = f"""
        SELECT bool_and(lease_until < now() - interval '{LEASE} seconds') FROM fetch_job
        WHERE state = 'leased'
    """
    try:
        return await walk.value(query) is True
    except StorageError:
        # A connection that was ended; the next one is whole.
        return False


def _read_only(conninfo: str, *, read_only: bool) -> None:
    """Turn a database read-only or back, for those that are connected as well."""
    name = conninfo_to_dict(conninfo)["dbname"]
    with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                sql.Identifier(str(name)), sql.Literal("on" if read_only else "off")
            )
        )
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )


async def test_a_dump_restored_elsewhere_is_whole_and_goes_on(
    database: str, binaries: PgBinaries, tmp_path: Path
) -> None:
    programs = binaries.bin_dir
    if not (programs / "pg_dump").exists():
        pytest.skip(f"there is no pg_dump in {programs}")
    with psycopg.connect(database) as connection:
        if connection.info.server_version // 10_000 != binaries.major:
            pytest.skip("the server is of another version than our pg_restore writes for")
    counts = """
        SELECT (SELECT count(*) FROM article), (SELECT count(*) FROM fetch_job),
            (SELECT count(*) FROM sighting), (SELECT count(*) FROM analysis)
    """
    async with FakeInternet(hosts=2, items=3) as net:
        async with walking(database, net, tmp_path) as walk:
            await walk.add(*net.sources())
            await walk.collect()
            before = await walk.rows(counts)
        copy = _restored(database, programs, tmp_path / "dump")
        try:
            net.requests.clear()
            async with walking(copy, net, tmp_path) as walk:
                assert await walk.rows(counts) == before
                assert (await walk.accounting()).balanced
                await walk.all_due()
                await walk.collect()
                assert [request.path for request in net.requests] == ["/feed.xml"] * 2
                net.sites[0].bump()
                await walk.all_due()
                await walk.collect()
                assert (await walk.accounting()).stored == 7
        finally:
            _drop(copy)


def _restored(conninfo: str, programs: Path, dump: Path) -> str:
    name = f"restored_{uuid4().hex[:12]}"
    copy = make_conninfo(conninfo, dbname=name)
    with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    commands: tuple[list[str | Path], ...] = (
        [programs / "pg_dump", "--format=custom", f"--file={dump}", f"--dbname={conninfo}"],
        [programs / "pg_restore", "--exit-on-error", f"--dbname={copy}", dump],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return copy


def _drop(conninfo: str) -> None:
    name = str(conninfo_to_dict(conninfo)["dbname"])
    with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

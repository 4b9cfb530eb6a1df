"""Outages of PostgreSQL under several worker processes: they wait, and go on by themselves."""

import asyncio
import contextlib
import errno
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.migrate import upgrade
from ctiscraper.errors import StorageError
from ctiscraper.tasks.run import write_order
from internet.world import FakeInternet
from servers import HASTE, OwnServer, own_server
from walk.crew import Crew, crew_of
from walk.walker import Walk, settings_for, walking

WORKERS, HOSTS, ITEMS, LEASE = 3, 6, 15, 2.0
# The short form of a failover, which takes a minute: longer than a lease all the same, and such
# that a pool left to itself would be away for as long again.
AWAY = 17.0
BACK_WITHIN = 10.0
TRIES = 8

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted by root")


STANDING = (
    "SELECT 'items', state, reason, count(*), max(run_after - now()) FROM fetch_job GROUP BY 2, 3",
    "SELECT host, work_at - now(), lease_until - now(), open_until - now() FROM host",
    "SELECT 'source', source_id, next_check_at - now(), reason FROM source_state",
    "SELECT pid, seen_at - now() FROM worker_heartbeat",
)


async def until(
    happened: Callable[[], Awaitable[bool]], crew: Crew | None = None, seconds: float = 60.0
) -> None:
    async with asyncio.timeout(seconds):
        while not await happened():
            if crew is not None:
                crew.fill()
            await asyncio.sleep(0.02)


async def has(walk: Walk, number: int, crew: Crew, log: Path) -> None:
    """Return once so many are stored; tell how all stands when that takes too long.

    What was put back need not wait the half minute that it would.
    """

    async def happened() -> bool:
        await _soon(walk)
        return await stored(walk) >= number

    try:
        await until(happened, crew)
    except TimeoutError:
        rows = [row for query in STANDING for row in await walk.rows(query)]
        told = "\n".join(" ".join(map(str, row)) for row in rows)
        said = await asyncio.to_thread(log.read_text, "utf-8", "replace")
        told = f"{await stored(walk)} of {number} stored\n{told}\n{said[-4000:]}"
        raise AssertionError(told) from None


async def stored(walk: Walk) -> int:
    """How many articles there are; connections that broke cost a try each."""
    for _ in range(TRIES):
        try:
            return int(str(await walk.value("SELECT count(*) FROM article")))
        except StorageError:
            continue
    raise AssertionError("the database is back, but no connection is")


async def all_once(walk: Walk, items: int) -> None:
    """Assert that every item is stored once, and none was blamed."""
    accounting = await walk.accounting()
    assert accounting.balanced
    assert (accounting.discovered, accounting.stored) == (items, items)
    assert await walk.value("SELECT count(*) - count(DISTINCT url) FROM article") == 0
    assert await walk.value("SELECT max(attempts) FROM fetch_job") == 1
    assert await walk.value("SELECT coalesce(sum(burnt), 0) FROM work_count") == 0
    assert await walk.value("SELECT coalesce(sum(failures), 0) FROM source_state") == 0


async def test_workers_go_on_by_themselves_after_restarts_and_a_failover(
    place: Path, binaries: PgBinaries, tmp_path: Path
) -> None:
    async with (
        own_server(place / "pg", binaries) as server,
        FakeInternet(hosts=HOSTS, items=ITEMS, latency=0.1) as net,
    ):
        server.run("CREATE DATABASE it")
        conninfo = server.conninfo("it")
        await asyncio.to_thread(upgrade, conninfo)
        settings = settings_for(net, tmp_path, lease_seconds=LEASE, concurrency=3)
        async with walking(conninfo, net, tmp_path) as walk:
            await walk.add(*net.sources())
            log = tmp_path / "crew.log"
            with crew_of(write_order(conninfo, settings), WORKERS, log=log) as crew:
                # Who only starts while the server is away says so and ends.
                await until(lambda: _are_at_work(walk), crew)
                for seen in (5, 20):
                    await has(walk, seen, crew, log)
                    await server.stop()
                    await server.start()
                await has(walk, 35, crew, log)
                await _fail_over(server, walk, crew)
                await has(walk, HOSTS * ITEMS, crew, log)
                assert crew.ended == 0
            await all_once(walk, HOSTS * ITEMS)


async def _are_at_work(walk: Walk) -> bool:
    return await walk.value("SELECT count(*) FROM worker_heartbeat") == WORKERS


async def _soon(walk: Walk) -> None:
    """Make due what was put back; connections that broke are left to the next look."""
    with contextlib.suppress(StorageError):
        await walk.run(
            "UPDATE fetch_job SET run_after = now() WHERE state = 'pending' AND run_after > now()"
        )
        await walk.run("UPDATE host SET work_at = now() WHERE work_at BETWEEN now() AND 'tomorrow'")


async def _fail_over(server: OwnServer, walk: Walk, crew: Crew) -> None:
    """Take the server away for a while; work must go on soon after it is back."""
    await server.stop()
    await asyncio.sleep(AWAY)
    await server.start()
    back, before = time.monotonic(), await stored(walk)
    await until(lambda: _has_more(walk, before), crew, seconds=BACK_WITHIN)
    assert time.monotonic() - back <= BACK_WITHIN


async def _has_more(walk: Walk, before: int) -> bool:
    return await stored(walk) > before


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"this system mounts nothing: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Take all but the last bytes of a disk."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        while True:
            free = os.statvfs(disk)
            try:
                wanted = max(1, free.f_bavail * free.f_frsize - leave)
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, wanted)
            except OSError as error:
                # Whoever wrote meanwhile has a part of what was free.
                if error.errno != errno.ENOSPC:
                    raise
                if os.statvfs(disk).f_bavail * free.f_frsize <= leave:
                    return filler
            else:
                return filler


@needs_mount
async def test_a_disk_that_is_full_for_a_while_burns_nothing(
    place: Path, binaries: PgBinaries, tmp_path: Path
) -> None:
    with small_disk(place / "disk", "48M") as disk:
        async with (
            own_server(place / "pg", binaries) as server,
            FakeInternet(hosts=3, items=12, latency=0.02) as net,
        ):
            server.give(disk)
            server.run(f"CREATE TABLESPACE small LOCATION '{disk}'")
            server.run("CREATE DATABASE it TABLESPACE small")
            conninfo = server.conninfo("it")
            await asyncio.to_thread(upgrade, conninfo)
            async with walking(conninfo, net, tmp_path, lease_seconds=LEASE) as walk:
                await _through_a_full_disk(walk, disk)
                await all_once(walk, 36)


async def _through_a_full_disk(walk: Walk, disk: Path) -> None:
    await walk.add(*walk.net.sources())
    with capture_logs() as logs:
        filler = fill(disk, leave=0)
        for _ in range(6):
            await asyncio.wait_for(walk.collect(), 60)
            await walk.all_due()
        said = [str(e.get("detail")) for e in logs if e["event"] == "storage_failed"]
    assert any("No space left on device" in detail for detail in said)
    assert await walk.value("SELECT coalesce(max(attempts), 0) FROM fetch_job") == 0
    assert await walk.value("SELECT count(*) FROM fetch_job WHERE state = 'dead'") == 0
    filler.unlink()
    await asyncio.wait_for(walk.collect(), 60)
    await asyncio.sleep(LEASE)
    await walk.all_due()
    await asyncio.wait_for(walk.collect(), 60)


@needs_mount
async def test_an_embedded_server_without_any_room_comes_back_with_the_room(
    place: Path, binaries: PgBinaries, tmp_path: Path
) -> None:
    """Its write-ahead log cannot grow, so the server itself ends, again and again."""
    with small_disk(place / "disk", "160M") as disk:
        disk.chmod(0o711)
        async with (
            EmbeddedPostgres(disk / "data", binaries, options=HASTE) as server,
            FakeInternet(hosts=3, items=12, latency=0.02) as net,
        ):
            await asyncio.to_thread(upgrade, server.conninfo)
            async with walking(server.conninfo, net, tmp_path, lease_seconds=LEASE) as walk:
                await walk.add(*net.sources())
                filler = fill(disk, leave=0)
                with pytest.raises(StorageError):
                    await walk.run(
                        "CREATE TABLE much AS"
                        " SELECT repeat('x', 1000) FROM generate_series(1, 40000)"
                    )
                filler.unlink()
                await until(lambda: _has_more(walk, -1))
                await asyncio.wait_for(walk.collect(), 60)
                await walk.all_due()
                await asyncio.wait_for(walk.collect(), 60)
                await all_once(walk, 36)

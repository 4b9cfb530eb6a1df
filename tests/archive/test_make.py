"""An archive is of one moment, whole or not there."""

import asyncio
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from archive.conftest import ROWS, Installation, SlowStore, is_cut_off
from ctiscraper.archive.make import Original, make_archive
from ctiscraper.archive.manifest import read_manifest
from ctiscraper.archive.restore import verify_archive
from ctiscraper.db.migrate import downgrade
from ctiscraper.db.server import read_server, schema_wanted
from ctiscraper.errors import ConflictError, SettingsError, StorageError


class Writer(threading.Thread):
    """Adds items and articles, one transaction each, until it is told to stop."""

    def __init__(self, conninfo: str) -> None:
        super().__init__()
        self.conninfo = conninfo
        self.enough = threading.Event()
        self.stopping = threading.Event()
        self.written = 0

    def run(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            while not self.stopping.is_set():
                connection.execute(
                    """
                    WITH job AS (
                        INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry)
                        SELECT sha256(gen_random_uuid()::text::bytea), 'u', 'h', min(id), 'failed',
                            '{}' FROM source
                        RETURNING id, source_id, url_hash)
                    INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first)
                    SELECT source_id, url_hash, id, url_hash, true FROM job
                    """
                )
                self.written += 1
                if self.written > 20:
                    self.enough.set()


def wait_for_dump(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as watcher:
        query = (
            "SELECT 1 FROM pg_stat_activity"
            " WHERE application_name = 'pg_dump' AND datname = current_database()"
        )
        while not watcher.execute(query).fetchone():
            pass


async def test_an_archive_made_while_rows_are_written_is_of_one_moment(
    installation: Installation, tmp_path: Path
) -> None:
    writer = Writer(installation.conninfo)
    writer.start()
    try:
        await asyncio.to_thread(writer.enough.wait)
        place, manifest = await installation.archive(tmp_path / "archive")
    finally:
        writer.stopping.set()
        writer.join()
    jobs = manifest.tables["fetch_job"].rows
    assert ROWS + 20 < jobs < installation.count("fetch_job")
    assert manifest.tables["sighting"].rows == jobs
    assert manifest.tables["article"].rows == ROWS * 9 // 10
    assert manifest.schema == schema_wanted()
    assert len(manifest.raw) == 3
    assert await verify_archive(place) == manifest == read_manifest(place)


async def test_an_existing_folder_gets_the_archive_under_its_date(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "archives").mkdir()
    place, manifest = await installation.archive(tmp_path / "archives")
    assert place.parent == tmp_path / "archives"
    assert place.name.startswith(f"ctiscraper-{manifest.made_at[:10].replace('-', '')}-")
    assert sorted(path.name for path in place.iterdir()) == [
        "database.dump",
        "manifest.json",
        "raw",
    ]
    assert place.stat().st_mode & 0o077 == 0


async def test_an_archive_is_never_overwritten(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("mine")
    with pytest.raises(ConflictError, match="is there already"):
        await installation.archive(tmp_path / "archive")
    assert (tmp_path / "archive").read_text() == "mine"


async def test_a_backup_that_fails_leaves_nothing_that_looks_whole(
    installation: Installation, tmp_path: Path
) -> None:
    with psycopg.connect(installation.conninfo) as other:
        other.execute("LOCK TABLE article")
        other.execute("SET idle_in_transaction_session_timeout = '60s'")
        made = asyncio.create_task(installation.archive(tmp_path / "archives" / "one"))
        await asyncio.to_thread(wait_for_dump, installation.conninfo)
        made.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made
    assert list((tmp_path / "archives").iterdir()) == []


async def test_a_backup_that_is_stopped_writes_nothing_more(
    installation: Installation, tmp_path: Path
) -> None:
    installation.raw = slow = SlowStore(tmp_path / "raw")
    await is_cut_off(installation.archive(tmp_path / "archives" / "one"), slow)
    assert list((tmp_path / "archives").iterdir()) == []


async def test_what_a_living_backup_writes_is_left_alone(
    installation: Installation, tmp_path: Path
) -> None:
    """Of what is dead in the folder nothing stays, and of other folders all."""
    archives = tmp_path / "archives"
    dead, other = archives / ".ctiscraper-20260101-030000.part", archives / ".data.part"
    for folder, file in ((dead, "raw/ab/page.zst"), (dead, "database.dump"), (other, "cluster/1")):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    quick, installation.raw = installation.raw, SlowStore(tmp_path / "raw")
    made = asyncio.create_task(installation.archive(archives / "one"))
    await asyncio.to_thread(installation.raw.begun.wait)
    try:
        assert not dead.exists()
        beside = replace(installation, raw=quick)
        second, _ = await beside.archive(archives / "two")
        with pytest.raises(ConflictError, match="another backup makes"):
            await beside.archive(archives / "one")
    finally:
        installation.raw.gate.set()
    first, manifest = await made
    assert await verify_archive(first) == manifest
    assert set(archives.iterdir()) == {first, second, other}


async def test_pages_that_the_raw_store_lost_are_named(
    installation: Installation, tmp_path: Path
) -> None:
    digest = installation.keep_page(b"to be lost")
    (tmp_path / "raw" / digest.hex()[:2] / f"{digest.hex()[2:]}.zst").unlink()
    place, manifest = await installation.archive(tmp_path / "archive")
    assert manifest.raw_missing == (digest.hex(),)
    assert await verify_archive(place) == manifest


async def test_a_database_without_a_schema_is_not_backed_up(
    installation: Installation, tmp_path: Path
) -> None:
    downgrade(installation.conninfo)
    with pytest.raises(SettingsError, match="no schema"):
        await installation.archive(tmp_path / "archive")


async def test_a_place_that_cannot_be_written_is_named(
    installation: Installation, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write the archive .*file/archive"):
        await installation.archive(tmp_path / "file" / "archive")


async def test_programs_that_are_too_old_or_missing_are_said(
    installation: Installation, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "bin", ignore_errors=True)
    original = Original(
        conninfo=installation.conninfo,
        facts=await read_server(installation.conninfo),
        raw=installation.raw,
        pg_bin=tmp_path / "bin",
    )
    with pytest.raises(SettingsError, match=r"CTISCRAPER_PG_BIN .* has none"):
        await make_archive(original, tmp_path / "archive", print)

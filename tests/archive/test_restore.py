"""An archive comes back whole into an empty place or not at all, and says what is wrong."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from archive.conftest import ROWS, Installation, SlowStore, is_cut_off
from ctiscraper.archive.manifest import Manifest, read_manifest
from ctiscraper.archive.restore import (
    restore_into_database,
    restore_into_folder,
    verify_archive,
)
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.contents import open_moment
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.entities import Entities, EntityQuery
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.session import Database
from ctiscraper.errors import ArchiveError, ConflictError, Reason, SettingsError, StorageError


@pytest.fixture
async def archive(installation: Installation, tmp_path: Path) -> Path:
    place, _ = await installation.archive(tmp_path / "archive")
    return place


def _manifest(archive: Path) -> Manifest:
    return read_manifest(archive)


async def test_ten_thousand_rows_come_back_into_a_database(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    """Behaviours 23 and 18: counts and hashes are equal, the sum holds."""
    target, raw = empty_database(), FolderStore(tmp_path / "elsewhere")
    manifest = await restore_into_database(archive, target, raw)
    assert manifest.tables["fetch_job"].rows == ROWS
    async with open_moment(target) as moment:
        assert await moment.tables() == manifest.tables
        assert await moment.unbalanced() == []
    assert tuple(digest.hex() for digest in raw.hashes()) == manifest.raw
    with psycopg.connect(target) as connection:
        connection.execute("INSERT INTO source_change (source_key, actor, action) VALUES (1, 1, 1)")


async def test_a_restore_that_is_stopped_brings_nothing_more(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    slow = SlowStore(tmp_path / "elsewhere")
    await is_cut_off(restore_into_database(archive, empty_database(), slow), slow)
    assert len(list(slow.hashes())) == 1


class ClosedStore(FolderStore):
    """A store that takes nothing, as a bucket whose rights are missing."""

    def put(self, body: bytes) -> bytes:
        del body
        raise StorageError(Reason.STORAGE, "AccessDenied")


async def test_pages_that_a_bucket_does_not_take_are_no_restored_ones(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    target, outbox = empty_database(), tmp_path / "outbox"
    away = OutboxStore(ClosedStore(tmp_path / "away"), outbox, limit=1 << 30)
    with pytest.raises(StorageError, match="AccessDenied"):
        await restore_into_database(archive, target, away)
    assert away.waiting().items == 0
    there = FolderStore(tmp_path / "there")
    manifest = await restore_into_database(
        archive, target, OutboxStore(there, outbox, limit=1 << 30)
    )
    assert tuple(digest.hex() for digest in there.hashes()) == manifest.raw


async def test_what_articles_name_comes_back_and_is_found(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    target = empty_database()
    manifest = await restore_into_database(archive, target, FolderStore(tmp_path / "elsewhere"))
    assert {name: manifest.tables[name].rows for name in ("entity", "mention", "verdict")} == {
        "entity": 100,
        "mention": ROWS // 10,
        "verdict": 1,
    }
    assert manifest.tables["entity_source"].rows == 100
    async with Database(target, size=2) as database:
        entities = Entities(database)
        [thing, *_] = (await entities.page(EntityQuery(q="h17."))).entities
        found = await entities.sightings(thing.id, limit=5)
    assert len(found.sightings) == 5


async def test_a_lost_mention_is_noticed(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    target = empty_database()
    manifest = await restore_into_database(archive, target, FolderStore(tmp_path / "elsewhere"))
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute("UPDATE mention SET count = 3 WHERE article_id = 9")
    async with open_moment(target) as moment:
        found = await moment.tables()
    assert [name for name, content in found.items() if content != manifest.tables[name]] == [
        "mention"
    ]


async def test_a_data_folder_is_made_that_a_server_starts_from(
    archive: Path, tmp_path: Path
) -> None:
    manifest = await restore_into_folder(archive, tmp_path / "data")
    assert tuple(it.hex() for it in FolderStore(tmp_path / "data" / "raw").hashes()) == manifest.raw
    async with (
        EmbeddedPostgres(tmp_path / "data", find_binaries()) as server,
        open_moment(server.conninfo) as moment,
    ):
        assert await moment.tables() == manifest.tables
    assert not (tmp_path / ".data.part").exists()
    with pytest.raises(ConflictError, match="is not empty"):
        await restore_into_folder(archive, tmp_path / "data")


async def test_a_database_that_holds_anything_is_refused(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    target = empty_database()
    with psycopg.connect(target) as connection:
        connection.execute("CREATE TABLE mine (n int)")
    with pytest.raises(ConflictError, match=r"is not empty, it holds public\.mine"):
        await restore_into_database(archive, target, FolderStore(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("part", [0.001, 0.5, 0.99])
async def test_a_truncated_dump_names_file_and_tables(archive: Path, part: float) -> None:
    dump = archive / "database.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ArchiveError) as raised:
        await verify_archive(archive)
    assert f"it has {int(len(whole) * part)} of {len(whole)} bytes" in str(raised.value)
    assert "database.dump is damaged" in str(raised.value)
    assert "the rows of " in str(raised.value)
    assert "source" in str(raised.value)


async def test_a_flipped_byte_names_the_table_it_is_in(archive: Path) -> None:
    dump = archive / "database.dump"
    whole = bytearray(dump.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    dump.write_bytes(whole)
    with pytest.raises(ArchiveError, match="its hash is not that of the manifest"):
        await verify_archive(archive)


async def test_a_raw_page_that_is_cut_or_missing_is_named(archive: Path) -> None:
    first, second = sorted((archive / "raw").rglob("*.zst"))[:2]
    first.write_bytes(first.read_bytes()[:-3])
    with pytest.raises(ArchiveError, match=rf"{first} is missing or damaged.* snapshot \(1 of 3"):
        await verify_archive(archive)
    second.unlink()
    with pytest.raises(ArchiveError, match=r"\(2 of 3 are\)"):
        await verify_archive(archive)


async def test_a_manifest_that_is_none_is_said(archive: Path) -> None:
    text = (archive / "manifest.json").read_bytes()
    (archive / "manifest.json").write_bytes(text[:-20])
    with pytest.raises(ArchiveError, match=r"manifest\.json is damaged"):
        await verify_archive(archive)
    (archive / "manifest.json").unlink()
    with pytest.raises(ArchiveError, match="is no archive"):
        await verify_archive(archive)


async def test_an_archive_of_another_version_is_refused(archive: Path) -> None:
    text = (archive / "manifest.json").read_text()
    (archive / "manifest.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(SettingsError, match="is of format 2, this program reads 1"):
        await verify_archive(archive)


async def test_an_archive_of_a_newer_schema_or_server_is_refused(
    archive: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    text = (archive / "manifest.json").read_text()
    server = _manifest(archive).postgresql
    newer = text.replace(f'"postgresql": {server}', '"postgresql": 99')
    (archive / "manifest.json").write_text(newer)
    with pytest.raises(SettingsError, match="older than the 99 of the archive"):
        await restore_into_database(archive, empty_database(), FolderStore(tmp_path / "elsewhere"))
    with pytest.raises(SettingsError, match="the archive is of PostgreSQL 99"):
        await verify_archive(archive)
    newer = text.replace(_manifest(archive).schema, "29990101_0000")
    (archive / "manifest.json").write_text(newer)
    with pytest.raises(SettingsError, match="update the program"):
        await verify_archive(archive)


async def test_rows_that_are_not_those_of_the_manifest_are_named(archive: Path) -> None:
    text = (archive / "manifest.json").read_text()
    content = _manifest(archive).tables["article"]
    (archive / "manifest.json").write_text(text.replace(content.hash, "1"))
    with pytest.raises(ArchiveError, match="the rows of article are not those that were dumped"):
        await verify_archive(archive)
    rows = text.replace(f'"rows": {content.rows}', f'"rows": {content.rows + 1}')
    (archive / "manifest.json").write_text(rows)
    with pytest.raises(ArchiveError, match=f"article has {content.rows} rows instead of"):
        await verify_archive(archive)


async def test_accounts_that_did_not_balance_are_said(
    installation: Installation, tmp_path: Path
) -> None:
    installation.run("DELETE FROM sighting WHERE job_id = (SELECT min(id) FROM fetch_job)")
    place, _ = await installation.archive(tmp_path / "archive")
    with pytest.raises(ArchiveError, match="the accounts of acme do not balance"):
        await verify_archive(place)

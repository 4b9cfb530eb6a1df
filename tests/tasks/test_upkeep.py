"""Retention as it runs: bodies and rows together, by several at once, beside collection."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

import make
from ctiscraper.bootstrap import open_services
from ctiscraper.config import load_settings
from ctiscraper.db import retention
from ctiscraper.db.raw import PART_SECONDS, UNTOUCHED_SECONDS, FolderStore
from ctiscraper.db.session import Database
from ctiscraper.db.store import SnapshotRecord
from ctiscraper.errors import Reason, StorageError
from ctiscraper.tasks import upkeep
from ctiscraper.tasks.upkeep import apply_retention, count_outlived, remove_outlived
from ctiscraper.types import Keep, Tier
from db.stage import Stage

MONTH = dict.fromkeys(Tier, 30)
KEEP = Keep(raw=MONTH, revisions=MONTH, checks=MONTH)


@pytest_asyncio.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    async with Database(database) as opened:
        stage = Stage(opened)
        yield stage
        assert (await stage.accounting()).balanced


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


def bodies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "raw").rglob("*.zst"))


def rest(tmp_path: Path) -> None:
    """Let two days pass for every body."""
    for path in bodies(tmp_path):
        moment = path.stat().st_mtime - 2 * 86_400
        os.utime(path, (moment, moment))


async def kept(stage: Stage, raw: FolderStore, number: int) -> bytes:
    """Keep an article with its page; return the page's hash."""
    url, body = f"https://acme.example/a/{number}", b"page %d" % number
    await stage.announce([make.announced(url)])
    record = SnapshotRecord(
        sha256=raw.put(body), url=url, status=200, content_type="text/html", size=len(body)
    )
    assert await stage.keep(await stage.claim(), make.content(url), record)
    return record.sha256


async def test_pages_past_their_time_go_with_their_bodies_and_articles_stay(
    stage: Stage, raw: FolderStore, tmp_path: Path
) -> None:
    hashes = [await kept(stage, raw, n) for n in range(4)]
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days' WHERE id <= 2")
    rest(tmp_path)
    assert (await count_outlived(stage.database, raw, KEEP))[0].snapshots == 2
    removed = await remove_outlived(stage.database, raw, KEEP)
    assert (removed.snapshots, removed.bodies, removed.done) == (2, 2, True)
    assert list(raw.hashes()) == sorted(hashes[2:])
    assert await stage.value("SELECT count(*) FROM snapshot") == 2
    assert await stage.value("SELECT count(*) FROM article") == 4
    assert (await remove_outlived(stage.database, raw, KEEP)).bodies == 0


async def test_bodies_that_were_never_written_down_go_after_a_day(
    stage: Stage, raw: FolderStore, tmp_path: Path
) -> None:
    mine = await kept(stage, raw, 1)
    raw.put(b"of a worker that died")
    assert (await count_outlived(stage.database, raw, KEEP))[1] == 1
    assert (await remove_outlived(stage.database, raw, KEEP)).bodies == 0
    rest(tmp_path)
    assert (await remove_outlived(stage.database, raw, KEEP)).bodies == 1
    assert list(raw.hashes()) == [mine]


async def test_what_killed_writes_left_half_written_goes_once_nobody_can_write_it(
    stage: Stage, raw: FolderStore, tmp_path: Path
) -> None:
    mine = await kept(stage, raw, 1)
    [body] = bodies(tmp_path)
    old, fresh = (body.with_name(f".{digit * 32}") for digit in "ab")
    for part in (old, fresh):
        part.write_bytes(b"half")
    moment = time.time() - PART_SECONDS - 60
    os.utime(old, (moment, moment))
    with capture_logs() as logs:
        await remove_outlived(stage.database, raw, KEEP)
    assert {path.name for path in body.parent.iterdir()} == {body.name, fresh.name}
    assert list(raw.hashes()) == [mine]
    assert [entry["parts"] for entry in logs if entry["event"] == "parts_removed"] == [1]


async def test_a_body_that_is_put_again_just_then_stays_for_its_new_page(
    stage: Stage, raw: FolderStore, tmp_path: Path
) -> None:
    """A worker has put the bytes of an old page again, and not yet written down that it did."""
    digest = await kept(stage, raw, 1)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    rest(tmp_path)
    raw.put(b"page 1")
    removed = await remove_outlived(stage.database, raw, KEEP)
    assert (removed.snapshots, removed.bodies) == (1, 0)
    assert raw.get(digest) == b"page 1"


async def test_what_a_crash_left_between_body_and_row_is_done_again(
    stage: Stage, raw: FolderStore, tmp_path: Path
) -> None:
    digest = await kept(stage, raw, 1)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    rest(tmp_path)
    assert raw.delete(digest)
    assert (await remove_outlived(stage.database, raw, KEEP)).snapshots == 1


async def test_several_runs_at_once_remove_everything_once(
    stage: Stage, raw: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    monkeypatch.setattr(upkeep, "BATCH", 4)
    for n in range(30):
        await kept(stage, raw, n)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    rest(tmp_path)
    beside = asyncio.create_task(kept(stage, raw, 30))
    runs = await asyncio.gather(
        *(remove_outlived(stage.database, raw, KEEP) for _ in range(3)),
    )
    await beside
    assert sum(run.snapshots for run in runs) == 30
    assert await stage.value("SELECT count(*) FROM snapshot") == 1
    assert len(bodies(tmp_path)) == 1


async def test_a_run_ends_in_time_and_the_next_goes_on(
    stage: Stage, raw: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    for n in range(3):
        await kept(stage, raw, n)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    rest(tmp_path)
    first = await remove_outlived(stage.database, raw, KEEP, seconds=0)
    assert (first.snapshots, first.done) == (1, False)
    assert (await remove_outlived(stage.database, raw, KEEP)).snapshots == 2


async def test_a_raw_store_that_is_away_costs_no_row(
    stage: Stage, raw: FolderStore, tmp_path: Path
) -> None:
    await kept(stage, raw, 1)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        await remove_outlived(stage.database, FolderStore(tmp_path / "file"), KEEP)
    assert await stage.value("SELECT count(*) FROM snapshot") == 1


class Locked(FolderStore):
    """A folder that does not let some bodies go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.locked: set[bytes] = set()
        self.asked: list[bytes] = []

    def delete(self, sha256: bytes, *, untouched: float = UNTOUCHED_SECONDS) -> bool:
        self.asked.append(sha256)
        if sha256 in self.locked:
            raise StorageError(Reason.STORAGE, "locked", transient=False)
        return super().delete(sha256, untouched=untouched)


async def locked_store(
    stage: Stage, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Locked, list[bytes]]:
    """A store with pages past their time, and the hashes of these in their order."""
    monkeypatch.setattr(retention, "BATCH", 4)
    monkeypatch.setattr(upkeep, "BATCH", 4)
    store = Locked(tmp_path / "raw")
    hashes = [await kept(stage, store, n) for n in range(count)]
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    await stage.run(
        "INSERT INTO worker_heartbeat (worker, pid, done, seen_at)"
        " VALUES (gen_random_uuid(), 1, 0, now() - interval '9 days')"
    )
    return store, hashes


async def test_a_body_that_cannot_be_deleted_keeps_its_page_and_stops_nothing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, hashes = await locked_store(stage, tmp_path, 6, monkeypatch)
    orphans = sorted(store.put(b"orphan %d" % number) for number in range(6))
    rest(tmp_path)
    store.locked = {hashes[2], orphans[1]}
    with capture_logs() as logs:
        removed = await remove_outlived(stage.database, store, KEEP)
    assert (removed.snapshots, removed.bodies, removed.workers) == (5, 10, 1)
    assert (removed.undeleted, removed.done) == (2, True)
    assert [entry["bodies"] for entry in logs if entry["event"] == "bodies_undeleted"] == [2]
    assert await stage.rows("SELECT sha256 FROM snapshot") == [(hashes[2],)]
    store.locked = set()
    removed = await remove_outlived(stage.database, store, KEEP)
    assert (removed.snapshots, removed.bodies, removed.undeleted) == (1, 2, 0)


async def test_a_store_that_lets_none_go_is_asked_a_few_times_and_costs_no_row(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MOST_FAILURES", 3)
    store, hashes = await locked_store(stage, tmp_path, 12, monkeypatch)
    orphans = sorted(store.put(b"orphan %d" % number) for number in range(8))
    rest(tmp_path)
    store.locked = {*hashes, *orphans}
    with pytest.raises(StorageError, match="their pages stay: locked"):
        await remove_outlived(stage.database, store, KEEP)
    assert store.asked == [*hashes[:3], *orphans[:3]]
    assert await stage.value("SELECT count(*) FROM snapshot") == 12
    assert await stage.value("SELECT count(*) FROM worker_heartbeat") == 0
    # What is locked for good does not keep the rest from its turn.
    store.locked = {*hashes[:4], *orphans[:4]}
    removed = await remove_outlived(stage.database, store, KEEP)
    assert (removed.snapshots, removed.bodies, removed.undeleted) == (8, 12, 2)
    assert set(store.hashes()) == store.locked
    assert await stage.value("SELECT count(*) FROM snapshot") == 4


async def test_the_settings_say_what_goes(stage: Stage, database: str, tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path, keep_raw_days="standard=10", keep_checks_days="standard=0"
    )
    raw = FolderStore(settings.raw_dir)
    await kept(stage, raw, 1)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '11 days'")
    rest(tmp_path)
    async with open_services(settings, database, warm=False) as services:
        removed = await apply_retention(services)
    assert (removed.snapshots, removed.bodies) == (1, 1)

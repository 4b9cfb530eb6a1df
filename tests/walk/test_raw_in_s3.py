"""The main job with its raw bytes in S3, which goes away and comes back meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ctiscraper.db.raw_outbox import OutboxStore, Waiting
from internet.world import FakeInternet
from s3_server import REGION, S3Server, s3_server
from walk.walker import Walk, walking


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time to send what waits at the end."""
    monkeypatch.setattr("ctiscraper.db.raw_outbox.STOP_SECONDS", 60.0)


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def in_bucket(server: S3Server) -> dict[str, object]:
    return {
        "raw_store": f"s3://{server.bucket}/raw",
        "s3_endpoint": server.url,
        "s3_region": REGION,
    }


def outbox_of(walk: Walk) -> OutboxStore:
    raw = walk.services.pipeline.raw
    assert isinstance(raw, OutboxStore)
    return raw


async def snapshots(walk: Walk) -> list[str]:
    rows = await walk.rows("SELECT DISTINCT encode(sha256, 'hex') FROM snapshot ORDER BY 1")
    return [str(row[0]) for row in rows]


async def read_again(walk: Walk, net: FakeInternet) -> None:
    """Read every article again from its kept bytes, and see that no site was asked."""
    asked = len(net.requests)
    assert await walk.queue.reprocess(source_key=None, article_ids=None) == 12
    await walk.collect()
    accounting = await walk.accounting()
    assert (accounting.discovered, accounting.stored) == (12, 12)
    assert len(net.requests) == asked


async def test_pages_are_kept_in_s3_and_read_again_from_there(
    database: str, tmp_path: Path, server: S3Server
) -> None:
    async with FakeInternet(hosts=3, items=4) as net:
        async with walking(database, net, tmp_path / "one", **in_bucket(server)) as walk:
            await walk.add(*net.sources())
            await walk.collect()
            assert (await walk.accounting()).stored == 12
            kept = [key.removeprefix("raw/").replace("/", "")[:64] for key in server.versions()]
            assert sorted(kept) == await snapshots(walk)
        # Another machine has nothing but the database and the bucket.
        async with walking(database, net, tmp_path / "other", **in_bucket(server)) as walk:
            await read_again(walk, net)
    assert not (tmp_path / "one" / "raw").exists()


async def test_a_start_without_s3_loses_nothing(
    database: str, tmp_path: Path, server: S3Server
) -> None:
    server.stop()
    async with FakeInternet(hosts=3, items=4) as net:
        async with walking(database, net, tmp_path, **in_bucket(server)) as walk:
            await walk.add(*net.sources())
            await walk.collect()
            assert (await walk.accounting()).stored == 12
            assert outbox_of(walk).waiting().items == 12
            assert outbox_of(walk).last_error is not None
            await read_again(walk, net)
        server.start()
        async with walking(database, net, tmp_path, **in_bucket(server)) as walk:
            expected = await snapshots(walk)
        # The end of the services sent what waited.
        kept = [key.removeprefix("raw/").replace("/", "")[:64] for key in server.versions()]
        assert sorted(kept) == expected
        async with walking(database, net, tmp_path / "other", **in_bucket(server)) as walk:
            assert outbox_of(walk).waiting() == Waiting()
            await read_again(walk, net)


async def test_bytes_that_cannot_be_had_for_a_moment_cost_no_item_its_end(
    database: str, tmp_path: Path, server: S3Server
) -> None:
    async with FakeInternet(hosts=1, items=1) as net:
        async with walking(database, net, tmp_path, **in_bucket(server)) as walk:
            await walk.add(*net.sources())
            await walk.collect()
            server.stop()
            await walk.queue.reprocess(source_key=None, article_ids=None)
            await walk.collect()
            assert await walk.reasons() == {"storage": 1}
            attempts = "SELECT max(attempts) FROM fetch_job"
            assert await walk.value(attempts) == 0
            server.start()
        async with walking(database, net, tmp_path, **in_bucket(server)) as walk:
            await walk.all_due()
            await walk.collect()
            assert (await walk.accounting()).stored == 1


async def test_a_full_outbox_refunds_items_until_there_is_room(
    database: str, tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    async with FakeInternet(hosts=2, items=1) as net:
        monkeypatch.setattr("ctiscraper.bootstrap.OUTBOX_BYTES", 1)
        async with walking(database, net, tmp_path, **in_bucket(server)) as walk:
            await walk.add(*net.sources())
            await walk.collect()
            accounting = await walk.accounting()
            assert (accounting.discovered, accounting.pending) == (2, 2)
            assert await walk.value("SELECT max(attempts) FROM fetch_job") == 0
            detail = "SELECT detail FROM fetch_job WHERE reason = 'storage' LIMIT 1"
            assert "outbox" in str(await walk.value(detail))
        monkeypatch.undo()
        server.start()
        async with walking(database, net, tmp_path, **in_bucket(server)) as walk:
            await walk.all_due()
            await walk.collect()
            assert (await walk.accounting()).stored == 2
            assert outbox_of(walk).waiting() == Waiting()

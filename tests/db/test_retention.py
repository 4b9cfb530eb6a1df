"""Rows past their time go in batches; the last ones of each stay, and so does every account."""

import asyncio

import pytest

import make
from ctiscraper.db import retention
from ctiscraper.db.retention import Retention
from ctiscraper.types import Keep, Tier
from db.stage import Stage

FOREVER = {Tier.PREMIUM: 0, Tier.STANDARD: 0, Tier.BASIC: 0}
MONTH = {**FOREVER, Tier.STANDARD: 30}
URL = "https://acme.example/a/1"


async def checked(stage: Stage, key: str, times: int, *, tier: str = "standard") -> None:
    """Add a source with so many checks, a day apart, the last one today."""
    host = f"{key}.example"
    await stage.sources.add(make.settings(key, host=host, tier=Tier(tier)), actor="test")
    await stage.run(
        f"""
        INSERT INTO source_check (source_id, checked_at)
        SELECT (SELECT id FROM source WHERE key = '{key}'), now() - n * interval '1 day'
        FROM generate_series({times} - 1, 0, -1) AS n
        """
    )


async def checks_of(stage: Stage, key: str) -> object:
    return await stage.value(
        f"SELECT count(*) FROM source_check c JOIN source s ON s.id = c.source_id "
        f"WHERE s.key = '{key}'"
    )


async def drained(stage: Stage) -> int:
    removed = 0
    while True:
        batch = await Retention(stage.database).drop_checks(MONTH)
        removed += batch.removed
        if batch.over:
            return removed


async def test_checks_past_their_time_go_by_tier(stage: Stage) -> None:
    await checked(stage, "one", 100)
    await checked(stage, "two", 100, tier="premium")
    assert (await Retention(stage.database).outlived(keep())).checks == 70
    assert await drained(stage) == 70
    assert await checks_of(stage, "one") == 30
    assert await checks_of(stage, "two") == 100


def keep() -> Keep:
    return Keep(raw=MONTH, revisions=MONTH, checks=MONTH)


async def test_the_last_checks_of_a_source_stay_whatever_their_age(stage: Stage) -> None:
    await checked(stage, "one", 60)
    await stage.run("UPDATE source_check SET checked_at = checked_at - interval '1 year'")
    assert await drained(stage) == 40
    assert await checks_of(stage, "one") == retention.NEWEST_CHECKS


async def test_a_batch_is_small_and_two_runs_share_the_work(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    for n in range(3):
        await checked(stage, f"s{n}", 100)
    assert (await Retention(stage.database).drop_checks(MONTH)).removed == 10
    both = await asyncio.gather(*(drained(stage) for _ in range(4)))
    assert sum(both) == 200
    assert [await checks_of(stage, f"s{n}") for n in range(3)] == [30] * 3


async def revised(stage: Stage, times: int) -> int:
    """Give an article so many earlier texts; return its number."""
    kept = None
    for n in range(times + 1):
        await stage.announce([make.announced(URL, entry_hash=make.sha(f"{n}"))])
        kept = await stage.keep(await stage.claim(), make.content(URL, f"Text {n} of it."))
    assert kept is not None
    return kept.article_id


async def test_the_last_texts_before_the_present_one_stay(stage: Stage) -> None:
    article = await revised(stage, 8)
    rows = Retention(stage.database)
    assert (await rows.drop_revisions(MONTH)).removed == 0
    await stage.run("UPDATE article_revision SET replaced_at = replaced_at - interval '31 days'")
    assert (await rows.drop_revisions(FOREVER)).removed == 0
    assert (await rows.outlived(keep())).revisions == 3
    batch = await rows.drop_revisions(MONTH)
    assert (batch.removed, batch.over) == (3, True)
    left = await stage.rows("SELECT number FROM article_revision ORDER BY 1")
    assert [row[0] for row in left] == [4, 5, 6, 7, 8]
    assert await stage.value(f"SELECT revision FROM article WHERE id = {article}") == 9


async def test_a_pass_over_the_texts_goes_on_where_the_last_run_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await revised(stage, 9)
    await stage.run("UPDATE article_revision SET replaced_at = replaced_at - interval '31 days'")
    monkeypatch.setattr(retention, "BATCH", 3)
    batches = [await Retention(stage.database).drop_revisions(MONTH) for _ in range(4)]
    assert [(batch.removed, batch.over) for batch in batches] == [
        (3, False),
        (1, False),
        (0, False),
        (0, True),
    ]
    assert await stage.value("SELECT after FROM retention_position WHERE part = 'revisions'") == ""


async def test_a_page_is_forgotten_by_its_item_but_not_while_somebody_needs_it(
    stage: Stage,
) -> None:
    rows = Retention(stage.database)
    await stage.announce([make.announced(URL)])
    await stage.keep(await stage.claim(), make.content(URL), stage.snapshot("a page"))
    assert (await rows.old_snapshots(MONTH)).ids == []
    await stage.run("UPDATE snapshot SET fetched_at = fetched_at - interval '31 days'")
    await stage.queue.reprocess(source_key=None, article_ids=None)
    assert (await rows.old_snapshots(MONTH)).ids == []
    await stage.keep(await stage.claim(), make.content(URL))
    old = await rows.old_snapshots(MONTH)
    assert list(old.hashes) == [make.sha("a page")]
    assert (await rows.outlived(keep())).snapshots == 1
    await stage.queue.reprocess(source_key=None, article_ids=None)
    assert await rows.drop_snapshots(old) == 0
    await stage.keep(await stage.claim(), make.content(URL))
    assert await rows.drop_snapshots(old) == 1
    assert await stage.value("SELECT snapshot_id FROM fetch_job") is None
    assert await stage.queue.reprocess(source_key=None, article_ids=None) == 0
    assert await stage.queue.without_page(source_key=None, article_ids=None) == 1


async def test_bytes_that_a_younger_page_has_too_are_not_named(stage: Stage) -> None:
    await stage.announce([make.announced(URL), make.announced(f"{URL}0")])
    for url in (URL, f"{URL}0"):
        await stage.keep(await stage.claim(), make.content(url), stage.snapshot("one page"))
    rows = Retention(stage.database)
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days' WHERE id = 1")
    old = await rows.old_snapshots(MONTH)
    assert (len(old.ids), list(old.hashes)) == (1, [])
    await stage.run("UPDATE snapshot SET fetched_at = now() - interval '31 days'")
    old = await rows.old_snapshots(MONTH)
    assert (len(old.ids), list(old.hashes)) == (2, [make.sha("one page")])
    assert await rows.unreferenced([make.sha("one page"), make.sha("x")]) == [make.sha("x")]


async def test_dead_workers_are_forgotten(stage: Stage) -> None:
    await stage.run(
        """
        INSERT INTO worker_heartbeat (worker, pid, seen_at) VALUES
            (gen_random_uuid(), 1, now()), (gen_random_uuid(), 2, now() - interval '2 days')
        """
    )
    rows = Retention(stage.database)
    assert (await rows.outlived(keep())).workers == 1
    assert (await rows.drop_workers()).removed == 1
    assert await stage.value("SELECT pid FROM worker_heartbeat") == 1

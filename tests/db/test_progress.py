"""Counts for the progress display."""

from ctiscraper.db.progress import ProgressBoard
from db.stage import Stage
from make import announced, content

URLS = [f"https://acme.example/{number}" for number in range(4)]


async def test_the_counts_are_those_of_the_accounting(stage: Stage) -> None:
    board = ProgressBoard(stage.database)
    since = await board.now()
    await stage.announce([*map(announced, URLS), announced("x", state="failed", reason="no_url")])
    for _ in range(2):
        job = await stage.claim()
        await stage.keep(job, content(job.url, text=job.url))
    await stage.queue.finish(await stage.claim(), "filtered", "too_short", "", None)
    progress = await board.read(since)
    account = await stage.accounting()
    names = ("stored", "duplicate", "filtered", "failed", "dead", "pending")
    assert {name: getattr(progress, name) for name in names} == {
        name: getattr(account, name) for name in names
    }
    assert (progress.sources, progress.checked, progress.ok) == (1, 1, 1)
    assert progress.ended == account.discovered - account.pending


async def test_only_checks_since_then_count(stage: Stage) -> None:
    board = ProgressBoard(stage.database)
    await stage.announce([announced(URLS[0])])
    since = await board.now()
    assert (await board.read(since)).checked == 0
    assert await board.failed_since(since) == ()


async def test_what_failed_is_named(stage: Stage) -> None:
    board = ProgressBoard(stage.database)
    since = await board.now()
    await stage.announce([])
    await stage.run("UPDATE source_state SET health = 'blocked', reason = 'forbidden'")
    [failed] = await board.failed_since(since)
    assert (failed.key, failed.health, failed.reason) == ("acme", "blocked", "forbidden")
    assert await board.failed_since(since, key="other") == ()
    assert (await board.read(since)).failing == 1

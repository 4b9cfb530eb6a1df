"""The past of a source, page by page."""

import pytest

from ctiscraper.db.source_past import SourcePast
from ctiscraper.errors import CursorError, NotFoundError
from db.stage import Stage
from make import announced, content, settings, sha


async def test_lists_are_paged_to_their_end(stage: Stage) -> None:
    past = SourcePast(stage.database)
    await stage.announce([announced(f"https://acme.example/{n}") for n in range(7)])
    for number in range(1, 5):
        await stage.announce([])
        await stage.sources.update("acme", settings(min_length=number), actor="me", reason="r")
    seen: list[str] = []
    cursor = None
    while True:
        page = await past.requests("acme", cursor=cursor, limit=3)
        seen += [row.url for row in page.requests]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [f"https://acme.example/{n}" for n in reversed(range(7))]
    checks = await past.checks("acme", limit=2)
    more = await past.checks("acme", cursor=checks.next, limit=10)
    assert (len(checks.checks), len(more.checks), more.next) == (2, 3, None)
    changes = await past.changes("acme", limit=2)
    assert [change.fields[0].after for change in changes.changes] == ["4", "3"]
    rest = await past.changes("acme", cursor=changes.next)
    assert [change.action for change in rest.changes] == ["update", "update", "add"]


async def test_what_changed_after_a_version(stage: Stage) -> None:
    past = SourcePast(stage.database)
    await stage.sources.add(settings(), actor="a")
    seen = await stage.sources.version("acme")
    assert await past.changes_since("acme", seen) == ()
    await stage.sources.update("acme", settings(name="New"), actor="b", reason="why")
    [change] = await past.changes_since("acme", seen)
    assert (change.actor, change.reason, change.fields[0].field) == ("b", "why", "name")


async def test_the_newest_items_come_with_their_pages(stage: Stage) -> None:
    past = SourcePast(stage.database)
    urls = [f"https://acme.example/{n}" for n in range(3)]
    await stage.announce([announced(url) for url in urls])
    job = await stage.claim()
    await stage.keep(job, content(job.url), stage.snapshot("bytes"))
    [item] = await past.recent("acme", 10)
    assert (item.url, item.state, item.entry.url) == (job.url, "stored", job.url)
    assert item.page is not None
    assert item.page.sha256 == sha("bytes")
    [row] = [row for row in (await past.requests("acme")).requests if row.article_id]
    assert (row.status, row.bytes, row.state) == (200, 5, "stored")


async def test_who_has_addresses_already(stage: Stage) -> None:
    past = SourcePast(stage.database)
    urls = [f"https://acme.example/{n}" for n in range(3)]
    await stage.announce([announced(url) for url in urls])
    bolt = settings("bolt", "bolt.example")
    await stage.announce([announced(urls[0], "bolt.example")], bolt)
    assert await past.collected([sha(url) for url in urls]) == {"acme": 3, "bolt": 1}
    assert await past.collected([]) == {}


async def test_hosts_and_robots_that_nobody_asked(stage: Stage) -> None:
    past = SourcePast(stage.database)
    assert (await past.host("nobody.example")).requests == 0
    assert await past.robots("https://nobody.example") is None
    await stage.hosts.reserve("acme.example", 1.0, 3600)
    assert (await past.host("acme.example")).requests == 1


async def test_what_is_no_source_or_no_cursor(stage: Stage) -> None:
    past = SourcePast(stage.database)
    for ask in (past.checks, past.changes, past.requests):
        with pytest.raises(NotFoundError):
            await ask("nothing")
    await stage.sources.add(settings(), actor="a")
    with pytest.raises(CursorError):
        await past.checks("acme", cursor="strange")


async def test_the_index_serves_the_newest_items(stage: Stage) -> None:
    bolt = settings("bolt", "bolt.example")
    await stage.announce([announced(f"https://bolt.example/{n}") for n in range(5)], bolt)
    await stage.announce([announced(f"https://acme.example/{n}") for n in range(400)])
    await stage.run("ANALYZE fetch_job")
    async with stage.database.transaction() as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        await conn.execute("SET LOCAL enable_sort = off")
        cursor = await conn.execute(
            "EXPLAIN SELECT id FROM fetch_job WHERE source_id = 1 ORDER BY id DESC LIMIT 5"
        )
        plan = "\n".join(str(row[0]) for row in await cursor.fetchall())
    assert "fetch_job_newest" in plan

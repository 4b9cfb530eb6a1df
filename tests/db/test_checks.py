"""Checks: validators stand beside the items they brought, and one bad item costs only itself."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import psycopg

import make
from ctiscraper.db.checks import SourceLease
from ctiscraper.db.queue import SUSPECT_AFTER
from ctiscraper.errors import Reason
from ctiscraper.types import FeedEntry, Health, Validators
from db.stage import Stage
from patience import SECONDS

URL = "https://acme.example/a/"


async def test_items_are_discovered_once(stage: Stage) -> None:
    items = [make.announced(f"{URL}{n}") for n in range(3)]
    assert await stage.announce(items) == (3, 0)
    assert await stage.announce(items) == (0, 0)
    assert (await stage.accounting()).discovered == 3


async def test_one_address_in_two_feeds_is_one_item_with_two_sightings(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    other = make.settings("other", "other.example")
    assert await stage.announce([make.announced(URL)], other) == (0, 0)
    assert await stage.value("SELECT count(*) FROM fetch_job") == 1
    assert await stage.value("SELECT count(*) FROM sighting") == 2


async def test_twins_in_one_feed_are_one_item(stage: Stage) -> None:
    twin = make.announced(URL, guid_hash=make.sha("another guid"))
    assert await stage.announce([make.announced(URL), twin, twin]) == (1, 0)
    assert (await stage.accounting()).discovered == 1


async def test_an_edit_does_not_wait_for_who_announces_the_item_as_well(
    stage: Stage, database: str
) -> None:
    await stage.announce([make.announced(URL)])
    edited = make.announced(URL, entry_hash=make.sha("edited"))
    with psycopg.connect(database) as other:
        # What refers to an item locks it so.
        other.execute("SELECT 1 FROM fetch_job FOR KEY SHARE")
        assert await asyncio.wait_for(stage.announce([edited]), SECONDS) == (0, 1)


async def test_one_guid_for_two_addresses_is_two_items(stage: Stage) -> None:
    guid = make.sha("same")
    items = [make.announced(f"{URL}{n}", guid_hash=guid) for n in range(2)]
    assert await stage.announce(items) == (2, 0)


async def test_one_item_the_database_refuses_costs_only_itself(stage: Stage) -> None:
    items = [make.announced(f"{URL}{n}") for n in range(500)]
    bad = FeedEntry(guid="x", url=f"{URL}250", title="nul \x00 inside")
    items[250] = make.announced(f"{URL}250", entry=bad)
    assert await stage.announce(items) == (500, 0)
    rows = await stage.rows("SELECT state, count(*) FROM fetch_job GROUP BY state ORDER BY state")
    assert rows == [("failed", 1), ("pending", 499)]


async def test_a_host_name_that_no_index_takes_costs_only_its_item(stage: Stage) -> None:
    items = [make.announced(f"{URL}{n}") for n in range(2)]
    # What compresses well would fit.
    host = ".".join(make.sha(str(n)).hex() for n in range(60))
    await stage.announce([*items, make.announced(f"https://{host}/a", host)])
    rows = await stage.rows("SELECT state, reason, host FROM fetch_job ORDER BY id")
    waiting = ("pending", None, "acme.example")
    assert rows == [waiting, waiting, ("failed", Reason.PARSER_ERROR, "")]


async def test_an_edit_is_followed_at_once(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    await stage.keep(await stage.claim(), make.content(URL))
    edited = make.announced(URL, entry_hash=make.sha("edited"))
    assert await stage.announce([edited]) == (0, 1)
    assert (await stage.claim()).article_id is not None
    assert await stage.announce([edited]) == (0, 0)


async def test_an_edit_of_an_item_that_a_worker_holds_is_found_at_the_next_look(
    stage: Stage,
) -> None:
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    edited = make.announced(URL, entry_hash=make.sha("edited"))
    assert await stage.announce([edited]) == (0, 0)
    assert (await stage.sources.get("acme")).validators == Validators(), "asked in full again"
    await stage.keep(job, make.content(URL))
    assert await stage.announce([edited]) == (0, 1)


async def test_an_edit_does_not_open_a_gate(stage: Stage) -> None:
    closed = make.announced(URL, state="filtered", reason="url_not_allowed")
    await stage.announce([closed])
    edited = replace(closed, entry_hash=make.sha("edited"))
    await stage.announce([edited])
    assert await stage.value("SELECT state FROM fetch_job") == "filtered"


async def test_an_item_that_may_not_be_followed_is_a_row_with_its_reason(stage: Stage) -> None:
    item = make.announced("", host="", state="failed", reason="no_url", detail="no link")
    await stage.announce([item])
    assert await stage.rows("SELECT state, reason, detail FROM fetch_job") == [
        ("failed", "no_url", "no link")
    ]


async def test_validators_and_items_are_kept_together_or_not_at_all(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    lease = await stage.checks.claim("acme.example", seconds=60)
    assert lease is not None
    await stage.run("UPDATE source_state SET lease_owner = gen_random_uuid()")
    lost = await stage.checks.record(lease, make.summary(), make.standing(), [make.announced(URL)])
    assert lost is None
    assert (await stage.sources.get("acme")).validators == Validators()
    assert await stage.value("SELECT count(*) FROM fetch_job") == 0


async def test_a_check_records_where_the_source_stands(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    source = await stage.sources.get("acme")
    assert (source.health, source.validators.etag) == (Health.OK, '"1"')
    assert source.last_success_at is not None
    assert await stage.rows("SELECT status, announced, discovered FROM source_check") == [
        (200, 0, 1)
    ]


async def test_a_check_tells_what_came_of_it_however_the_source_stands(stage: Stage) -> None:
    """A host that had no turn for it says nothing of the source, and was not read either."""
    await stage.sources.add(make.settings(), actor="test")
    lease = await stage.checks.claim("acme.example", seconds=60)
    assert lease is not None
    busy = replace(make.summary(), reason=Reason.HOST_BUSY, detail="its turn is in 200 s")
    await stage.checks.record(lease, busy, make.standing(detail="2 entries stand twice"))
    assert await stage.rows("SELECT reason, detail FROM source_check") == [
        ("host_busy", "its turn is in 200 s")
    ]
    source = await stage.sources.get("acme")
    assert (source.reason, source.detail) == (None, "2 entries stand twice")


async def test_a_source_is_checked_by_one_worker_and_falls_due_again_when_it_is_lost(
    stage: Stage,
) -> None:
    await stage.sources.add(make.settings(), actor="test")
    assert await stage.checks.claim("acme.example", seconds=60) is not None
    assert await stage.checks.claim("acme.example", seconds=60) is None
    await stage.run("UPDATE source_state SET next_check_at = now()")
    assert await stage.checks.claim("acme.example", seconds=60) is not None


async def test_a_check_that_ends_its_worker_each_time_is_told_and_comes_ever_more_seldom(
    stage: Stage,
) -> None:
    await stage.sources.add(make.settings(), actor="test")

    async def lost(*, suspects: bool = True) -> SourceLease | None:
        await stage.run("UPDATE source_state SET next_check_at = now()")
        return await stage.checks.claim("acme.example", seconds=60, suspects=suspects)

    waits = []
    for turn in range(7):
        assert (await lost(suspects=False) is None) is (turn >= SUSPECT_AFTER)
        if turn >= SUSPECT_AFTER:
            assert await lost() is not None
        wait = "SELECT round(extract(epoch FROM next_check_at - now()) / 60)::int FROM source_state"
        waits.append(await stage.value(wait))
    assert waits == [1, 1, 1, 1, 5, 10, 20]
    source = await stage.sources.get("acme")
    assert (source.health, source.failures) == (Health.FAILING, 5)
    assert await stage.rows("SELECT reason, detail FROM source_check ORDER BY id") == [
        ("worker_lost", f"the worker ended while it checked this source, {n} times in a row")
        for n in (2, 3, 4, 5, 6)
    ]
    lease = await lost()
    assert lease is not None
    assert (lease.source.reason, lease.source.failures) == (Reason.WORKER_LOST, 6)
    await stage.checks.record(lease, make.summary(), make.standing())
    assert await lost(suspects=False) is not None
    assert (await stage.sources.get("acme")).health is Health.OK


async def test_a_check_that_is_given_back_is_not_counted_and_made_soon(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    await stage.run("UPDATE source_state SET tries = 4")
    lease = await stage.checks.claim("acme.example", seconds=60)
    assert lease is not None
    await stage.run("UPDATE host SET work_at = 'infinity'")
    await stage.checks.give_back(replace(lease, owner=uuid4()), seconds=60)
    assert await stage.value("SELECT tries FROM source_state") == 5, "it is another's"
    await stage.checks.give_back(lease, seconds=60)
    soon = "SELECT tries, lease_owner, next_check_at <= now() + interval '60 s' FROM source_state"
    assert await stage.rows(soon) == [(4, None, True)]
    assert await stage.value(
        "SELECT work_at = next_check_at FROM host JOIN source_state USING (host)"
    )


async def test_settings_changed_during_a_check_win(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")
    lease = await stage.checks.claim("acme.example", seconds=60)
    assert lease is not None
    await stage.sources.update("acme", make.settings(active=False), actor="test")
    assert await stage.checks.record(lease, make.summary(), make.standing()) is None
    assert (await stage.sources.get("acme")).health is Health.PAUSED


async def test_an_answer_of_304_saves_what_the_last_full_one_weighed(stage: Stage) -> None:
    await stage.sources.add(make.settings(), actor="test")

    async def check(status: int | None, wire_bytes: int, *, unchanged: bool = False) -> None:
        await stage.run("UPDATE source_state SET next_check_at = now()")
        lease = await stage.checks.claim("acme.example", seconds=60)
        assert lease is not None
        summary = replace(make.summary(), status=status, wire_bytes=wire_bytes, unchanged=unchanged)
        assert await stage.checks.record(lease, summary, make.standing()) is not None

    await check(304, 0, unchanged=True)
    await check(200, 5000)
    await check(304, 20, unchanged=True)
    await check(None, 0)
    await check(200, 6000, unchanged=True)
    await check(304, 0, unchanged=True)
    rows = await stage.rows("SELECT saved_bytes FROM source_check ORDER BY id")
    assert rows == [(0,), (0,), (4980,), (0,), (0,), (6000,)]

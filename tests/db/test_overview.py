"""Sources with their past, the accounts, and the items that ended without an article."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db.items import Items
from ctiscraper.db.overview import Overview
from ctiscraper.db.session import Database
from ctiscraper.errors import NotFoundError
from ctiscraper.types import Health, RobotsPolicy, Selectors, Tier
from web.shelf import START, Shelf


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=2) as pool:
        yield pool


@pytest.fixture
def overview(opened: Database) -> Overview:
    return Overview(opened)


@pytest.fixture
def items(opened: Database) -> Items:
    return Items(opened)


async def test_sources_are_ordered_by_tier_then_name(shelf: Shelf, overview: Overview) -> None:
    shelf.source("zeta", tier=Tier.PREMIUM)
    shelf.source("beta", tier=Tier.BASIC)
    shelf.source("alpha")
    shelf.source("gone", tier=Tier.PREMIUM)
    shelf.run("UPDATE source SET removed_at = now() WHERE key = 'gone'")
    assert [s.key for s in await overview.sources()] == ["zeta", "alpha", "beta"]


async def test_source_tells_its_settings_state_and_past(shelf: Shelf, overview: Overview) -> None:
    settings = {
        "robots": RobotsPolicy(obey=False, override_reason="they agreed"),
        "selectors": Selectors(content="main"),
    }
    shelf.source("acme", health="failing", reason="timeout", failures=3, **settings)
    shelf.check("acme", status=200, announced=5)
    shelf.check("acme", reason="timeout", detail="slow")
    shelf.run("INSERT INTO host (host, open_until) VALUES ('acme.example', now() + '1 h')")
    shelf.run(
        "INSERT INTO robots (origin, status, body, fetched_at) VALUES (%s, 200, 'x', %s)",
        ("https://acme.example", START),
    )
    shelf.run(
        """
        INSERT INTO source_change (source_key, actor, action, before, after)
        VALUES ('acme', 'operator', 'update', '{"tier": "basic", "min_length": 1}',
            '{"tier": "standard", "min_length": 1}')
        """
    )
    found = await overview.source("acme")
    assert found.overview.health is Health.FAILING
    assert found.overview.paused_until is not None
    assert found.settings.selectors.content == "main"
    assert [c.reason for c in found.checks] == ["timeout", None]
    assert [(f.field, f.before, f.after) for f in found.changes[0].fields] == [
        ("tier", "basic", "standard")
    ]
    assert found.robots is not None
    assert found.robots.has_rules


async def test_unknown_source_is_named(overview: Overview) -> None:
    with pytest.raises(NotFoundError, match="'nobody'"):
        await overview.source("nobody")


async def test_accounts_balance_in_all_and_for_each_source(
    shelf: Shelf, overview: Overview
) -> None:
    first = shelf.article("one", "acme")
    shelf.article("copy", "bolt", duplicate_of=first)
    for number, state in enumerate(("dead", "failed", "filtered", "duplicate", "pending")):
        shelf.job("acme", f"https://acme.example/{number}", state)
    report = await overview.accounting()
    assert report.total.balanced
    total = report.total
    assert (total.discovered, total.stored, total.duplicate) == (7, 1, 2)
    assert (total.filtered, total.failed, total.dead, total.pending) == (1, 1, 1, 1)
    assert [entry.source.key for entry in report.sources] == ["acme", "bolt"]
    assert all(entry.accounting.balanced for entry in report.sources)


async def test_a_lost_article_shows_as_an_imbalance(shelf: Shelf, overview: Overview) -> None:
    shelf.article("one")
    shelf.run("DELETE FROM article")
    assert not (await overview.accounting()).total.balanced


async def test_pulse_counts_trouble_and_waiting_work(shelf: Shelf, overview: Overview) -> None:
    empty = await overview.pulse()
    assert (empty.sources, empty.pending, empty.articles) == (0, False, False)
    shelf.source("acme", health="failing")
    shelf.source("bolt", health="offline")
    shelf.job("acme", "https://acme.example/1", "dead")
    shelf.job("acme", "https://acme.example/2", "leased")
    pulse = await overview.pulse()
    assert (pulse.sources, pulse.troubled, pulse.offline) == (2, 1, 1)
    assert (pulse.dead, pulse.pending, pulse.articles) == (1, True, False)


async def test_ended_items_are_paged_newest_first(shelf: Shelf, items: Items) -> None:
    for number in range(5):
        shelf.job("acme", f"https://acme.example/{number}", "dead", title=f"n{number}")
    first = await items.page("dead", limit=3)
    assert [i.title for i in first.items] == ["n4", "n3", "n2"]
    rest = await items.page("dead", cursor=first.next, limit=3)
    assert ([i.title for i in rest.items], rest.next) == (["n1", "n0"], None)


async def test_ended_items_tell_cause_and_sample(shelf: Shelf, items: Items) -> None:
    shelf.job(
        "acme",
        "https://acme.example/1",
        "filtered",
        reason="too_short",
        detail="20 of 400",
        summary="It said",
        snapshot_id=3,
    )
    shelf.job("bolt", "https://bolt.example/1", "filtered", reason="discarded")
    (item,) = (await items.page("filtered", source="acme")).items
    assert (item.reason, item.detail, item.sample) == ("too_short", "20 of 400", "It said")
    assert item.has_snapshot
    (other,) = (await items.page("filtered", reason="discarded")).items
    assert other.source.key == "bolt"
    assert not (await items.page("dead")).items


async def test_causes_are_counted(shelf: Shelf, items: Items) -> None:
    for number, reason in enumerate(("timeout", "timeout", "dns")):
        shelf.job("acme", f"https://acme.example/{number}", "dead", reason=reason)
    counted = await items.reasons("dead")
    assert [(c.reason, c.count) for c in counted] == [("timeout", 2), ("dns", 1)]

"""The watchlist's entries, and who may change them while scores are written."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db.session import Database
from ctiscraper.db.watchlist import Watchlist
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.weighing import watch_given


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=4) as it:
        yield it


async def test_entries_come_and_go_and_stay_on_record(opened: Database) -> None:
    watchlist = Watchlist(opened)
    made = await watchlist.add(watch_given("vendor", "Fortinet", 0.8, "ours"), actor="ann")
    assert await watchlist.entries() == (made,)
    assert (made.kind, made.term, made.weight, made.note, made.actor) == (
        "vendor",
        "Fortinet",
        0.8,
        "ours",
        "ann",
    )
    await watchlist.remove(made.id, actor="bob")
    assert await watchlist.entries() == ()
    async with opened.connection() as conn:
        cursor = await conn.execute("SELECT term, removed_by FROM watchlist_entry")
        assert await cursor.fetchall() == [("Fortinet", "bob")]
    again = await watchlist.add(watch_given("vendor", "Fortinet"), actor="ann")
    assert again.id != made.id


async def test_a_term_stands_once_for_a_kind(opened: Database) -> None:
    watchlist = Watchlist(opened)
    await watchlist.add(watch_given("vendor", "Fortinet"), actor="ann")
    await watchlist.add(watch_given("keyword", "Fortinet"), actor="ann")
    with pytest.raises(ConflictError, match="remove it first"):
        await watchlist.add(watch_given("vendor", "FORTINET"), actor="ann")


async def test_what_is_not_there_is_told(opened: Database) -> None:
    watchlist = Watchlist(opened)
    with pytest.raises(NotFoundError):
        await watchlist.get(7)
    with pytest.raises(NotFoundError):
        await watchlist.remove(7, actor="ann")


async def test_an_entry_waits_for_those_who_write_scores(opened: Database) -> None:
    watchlist = Watchlist(opened)
    async with opened.transaction() as conn:
        assert await watchlist.terms(conn) == ()
        adding = asyncio.create_task(watchlist.add(watch_given("vendor", "Fortinet"), actor="ann"))
        async with opened.connection() as other:
            waiting = 0
            while not waiting:
                cursor = await other.execute(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                )
                [waiting] = await cursor.fetchone() or (0,)
        assert not adding.done()
    made = await adding
    async with opened.transaction() as conn:
        assert [one.id for one in await watchlist.terms(conn)] == [made.id]


async def test_two_who_hold_entries_against_articles_take_different_ones(
    opened: Database,
) -> None:
    watchlist = Watchlist(opened)
    first = await watchlist.add(watch_given("vendor", "Fortinet"), actor="ann")
    async with opened.transaction() as one, opened.transaction() as other:
        taken, in_use = await watchlist.unsettled(one)
        assert ([entry.id for entry in taken], in_use) == ([first.id], True)
        assert await watchlist.unsettled(other) == ((), False)

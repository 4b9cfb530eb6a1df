"""Read and starred, each reader's own; the mark of everything; visits; and the way back."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from ctiscraper.db.reading import Reading
from ctiscraper.db.session import Database
from ctiscraper.db.triage import Triage
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.identity import Principal
from db.readers import reader
from web.shelf import Shelf


@pytest.fixture
def shelf(database: str) -> Shelf:
    shelf = Shelf(database)
    for number in range(5):
        shelf.article(f"n{number}")
    return shelf


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=2) as given:
        yield given


async def unread(
    opened: Database, who: Principal, ids: Sequence[int] = (1, 2, 3, 4, 5)
) -> set[int]:
    found = await Triage(opened).standings(who.user_id, ids)
    return {number for number, one in found.items() if not one.read}


async def rows(opened: Database) -> list[tuple[object, ...]]:
    async with opened.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT user_id, article_id, read, read_at, starred_at FROM article_reader
            ORDER BY user_id, article_id
            """
        )
        return [tuple(row) for row in await cursor.fetchall()]


async def test_each_reader_has_his_own(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada, bob = await reader(opened, "ada"), await reader(opened, "bob")
    reading = Reading(opened)
    change = await reading.mark(ada, [1, 2, 2, 99], read=True)
    assert (change.articles, change.field, change.value) == (2, "read", "true")
    starred = await reading.star(bob, [1], starred=True)
    assert starred.articles == 1
    assert await unread(opened, ada) == {3, 4, 5}
    assert await unread(opened, bob) == {1, 2, 3, 4, 5}
    found = await Triage(opened).standings(bob.user_id, [1])
    assert found[1].starred_at is not None
    assert (await Triage(opened).standings(ada.user_id, [1]))[1].starred_at is None
    assert (await reading.mark(ada, [1], read=True)).articles == 0


async def test_an_undo_restores_exactly_what_was(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada = await reader(opened, "ada")
    reading = Reading(opened)
    await reading.star(ada, [1, 2], starred=True)
    await reading.mark(ada, [2], read=True)
    await reading.mark(ada, [3], read=True)
    await reading.mark(ada, [3], read=False)
    before = await rows(opened)
    for change in (
        await reading.mark(ada, [1, 2, 3, 4], read=True),
        await reading.star(ada, [1, 4, 5], starred=True),
        await reading.star(ada, [1, 2], starred=False),
        await reading.mark(ada, [1, 2, 3, 4], read=False),
    )[::-1]:
        undone = await reading.undo(ada, change.id)
        assert (undone.restored, undone.left) == (change.articles, 0)
        with pytest.raises(ConflictError, match="undone before"):
            await reading.undo(ada, change.id)
    assert await rows(opened) == before


async def test_an_undo_leaves_what_came_after_it(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada = await reader(opened, "ada")
    reading = Reading(opened)
    change = await reading.mark(ada, [1], read=True)
    await reading.star(ada, [1], starred=True)
    await reading.undo(ada, change.id)
    found = (await Triage(opened).standings(ada.user_id, [1]))[1]
    assert (found.read, found.starred_at is not None) == (False, True)


async def test_only_its_maker_undoes_a_change_and_for_half_an_hour(
    opened: Database, shelf: Shelf
) -> None:
    ada, bob = await reader(opened, "ada"), await reader(opened, "bob")
    reading = Reading(opened)
    change = await reading.mark(ada, [1], read=True)
    with pytest.raises(NotFoundError):
        await reading.undo(bob, change.id)
    with pytest.raises(NotFoundError):
        await Triage(opened).undo(ada, change.id)
    shelf.run("UPDATE triage_change SET made_at = now() - interval '31 minutes'")
    with pytest.raises(ConflictError, match="half an hour"):
        await reading.undo(ada, change.id)
    shelf.run("UPDATE triage_change SET made_at = now() - interval '2 hours'")
    await reading.mark(ada, [2], read=True)
    assert shelf.run("SELECT count(*) FROM triage_change") == (1,)


async def test_everything_is_read_by_one_mark(opened: Database, shelf: Shelf) -> None:
    ada = await reader(opened, "ada")
    reading = Reading(opened)
    await reading.mark(ada, [2], read=True)
    await reading.mark(ada, [2], read=False)
    change = await reading.read_everything(ada)
    assert await unread(opened, ada) == set()
    assert shelf.run("SELECT count(*) FROM article_reader") == (1,)
    new = shelf.article("late")
    assert await unread(opened, ada, [1, new]) == {new}
    await reading.mark(ada, [1], read=False)
    assert await unread(opened, ada, [1, 2, new]) == {1, new}
    await reading.undo(ada, change.id)
    assert await unread(opened, ada, [1, 2, 3, new]) == {1, 2, 3, new}
    again = await reading.read_everything(ada)
    assert await unread(opened, ada, [1, 2, 3, new]) == set()
    await reading.undo(ada, again.id)
    assert shelf.run("SELECT read FROM article_reader WHERE article_id = 2") == (False,)


async def test_what_is_opened_is_read(opened: Database, shelf: Shelf) -> None:
    ada = await reader(opened, "ada")
    assert ada.user_id is not None
    reading = Reading(opened)
    assert await reading.opened(ada.user_id, 1)
    assert not await reading.opened(ada.user_id, 1)
    await reading.mark(ada, [1], read=False)
    assert await reading.opened(ada.user_id, 1)
    await reading.star(ada, [2], starred=True)
    assert await reading.opened(ada.user_id, 2)
    await reading.read_everything(ada)
    assert not await reading.opened(ada.user_id, 3)
    assert shelf.run("SELECT count(*) FROM article_reader WHERE article_id = 3") == (0,)
    assert await unread(opened, ada) == set()


async def test_a_visit_begins_anew_after_half_an_hour(opened: Database, shelf: Shelf) -> None:
    ada = await reader(opened, "ada")
    assert ada.user_id is not None
    reading = Reading(opened)
    first = await reading.visit(ada.user_id)
    assert (first.since, first.new) == (None, 0)
    late = shelf.article("late")
    shelf.run("UPDATE reader SET seen_at = now() - interval '20 minutes'")
    assert await reading.visit(ada.user_id) == first.__class__(since=None, new=1)
    later = shelf.article("later")
    copied = shelf.article("copied", duplicate_of=late)
    shelf.run("UPDATE reader SET seen_at = now() - interval '40 minutes'")
    second = await reading.visit(ada.user_id)
    assert (second.since is not None, second.new) == (True, 1)
    assert await reading.visit(ada.user_id) == second
    found = await Triage(opened).standings(ada.user_id, [late, later, copied])
    assert [one.new for one in found.values()] == [False, True, True]
    assert await reading.present(ada.user_id) == second

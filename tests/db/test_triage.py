"""What the team makes of articles: states, assignees and tags, many at once, and the way back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db.changing import Changes
from ctiscraper.db.session import Database
from ctiscraper.db.triage import TAGS_MOST, Triage, normal_tag
from ctiscraper.errors import InputError, NotFoundError
from ctiscraper.identity import Role
from ctiscraper.triage_views import UNTOUCHED
from ctiscraper.types import TriageState
from db.readers import reader
from web.shelf import Shelf

TAGS = (
    ("APT 28", "apt-28"),
    ("  Ransom_ware ", "ransom-ware"),
    ("\uff26\uff35\uff2c\uff2c", "full"),
    ("T1059.001", "t1059.001"),
    ("<script>alert(1)</script>", "scriptalert1/script"),
    ("日本", "日本"),
)


@pytest.fixture
def shelf(database: str) -> Shelf:
    shelf = Shelf(database)
    for number in range(4):
        shelf.article(f"n{number}")
    return shelf


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=4) as given:
        yield given


@pytest.mark.parametrize(("given", "kept"), TAGS)
def test_tags_are_kept_in_one_form(given: str, kept: str) -> None:
    assert normal_tag(given) == kept
    assert normal_tag(kept) == kept


@pytest.mark.parametrize("given", ["", "  ", "!!!", "x" * 51])
def test_what_is_no_tag_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="1 to 50"):
        normal_tag(given)


async def test_a_state_is_set_and_undone(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada, bob = await reader(opened, "ada"), await reader(opened, "bob")
    triage = Triage(opened)
    await triage.set_state(bob, [1], TriageState.REVIEW)
    change = await triage.set_state(ada, [1, 2, 3, 99], TriageState.DONE)
    assert change.articles == 3
    assert (await triage.set_state(ada, [1, 2], TriageState.DONE)).articles == 0
    await triage.set_state(bob, [3], TriageState.IGNORED)
    undone = await triage.undo(ada, change.id)
    assert (undone.restored, undone.left, sorted(undone.articles)) == (2, 1, [1, 2])
    found = await triage.standings(ada.user_id, [1, 2, 3, 4])
    assert [found[n].state for n in (1, 2, 3, 4)] == ["review", "new", "ignored", "new"]


async def test_articles_are_given_to_people(opened: Database, shelf: Shelf) -> None:
    ada = await reader(opened, "ada")
    viewer = await reader(opened, "eve", Role.VIEWER)
    assert ada.user_id is not None
    triage = Triage(opened)
    assert [one.login for one in await triage.people()] == ["ada"]
    change = await triage.assign(ada, [1, 2], ada.user_id)
    found = await triage.standings(viewer.user_id, [1])
    assert found[1].assignee is not None
    assert found[1].assignee.login == "ada"
    again = await triage.assign(ada, [1], None)
    assert again.articles == 1
    await triage.undo(ada, again.id)
    assert (await triage.undo(ada, change.id)).restored == 2
    assert (await triage.standings(None, [1]))[1].assignee is None
    with pytest.raises(NotFoundError):
        await triage.assign(ada, [1], 999)
    shelf.run("UPDATE app_user SET disabled_at = now() WHERE login = 'ada'")
    with pytest.raises(NotFoundError):
        await triage.assign(viewer, [1], ada.user_id)


async def test_tags_are_added_taken_and_undone(opened: Database, shelf: Shelf) -> None:
    ada = await reader(opened, "ada")
    triage = Triage(opened)
    await triage.tag(ada, [1], "Loader")
    change = await triage.tag(ada, [1, 2], "loader")
    assert change.articles == 1
    await triage.tag(ada, [2], "apt 28")
    await triage.undo(ada, change.id)
    found = await triage.standings(None, [1, 2])
    assert (found[1].tags, found[2].tags) == (("loader",), ("apt-28",))
    taken = await triage.untag(ada, [1, 2], "LOADER")
    assert taken.articles == 1
    await triage.undo(ada, taken.id)
    assert [(one.tag, one.articles) for one in await triage.tags("L")] == [("loader", 1)]
    shelf.run(
        "UPDATE article_triage SET tags = ARRAY(SELECT 'x' || n FROM generate_series(1, %s) n)",
        (TAGS_MOST,),
    )
    change = await triage.tag(ada, [1, 2, 3], "more")
    assert (change.articles, change.full) == (1, 2)
    assert await Changes(opened).get(ada, change.id) == change
    assert (await triage.tag(ada, [1, 3], "x1")).full == 0
    shelf.run("UPDATE article_triage SET tags = '{more}' WHERE article_id = 1")
    assert (await triage.undo(ada, change.id)).articles == (3,)


async def test_what_became_of_an_undone_change_is_kept(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada, bob = [await reader(opened, name) for name in ("ada", "bob")]
    triage, changes = Triage(opened), Changes(opened)
    change = await triage.set_state(ada, [1, 2], TriageState.DONE)
    await triage.set_state(bob, [2], TriageState.IGNORED)
    assert await changes.undone(ada, change.id) is None
    undone = await triage.undo(ada, change.id)
    assert (undone.restored, undone.left) == (1, 1)
    assert await changes.undone(ada, change.id) == undone
    assert await changes.undone(bob, change.id) is None


async def test_changes_at_the_same_time_are_one_after_the_other(
    opened: Database, shelf: Shelf
) -> None:
    del shelf
    people = [await reader(opened, f"p{number}") for number in range(4)]
    triage = Triage(opened)
    changes = await asyncio.gather(*(triage.tag(who, [1, 2, 3], "same") for who in people))
    assert sorted(change.articles for change in changes) == [0, 0, 0, 3]


async def test_what_nobody_touched_is_new(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada = await reader(opened, "ada")
    assert (await Triage(opened).standings(ada.user_id, [1]))[1] == UNTOUCHED
    assert await Triage(opened).standings(ada.user_id, []) == {}

"""Searches for what people made of articles: each finds his own, and by an index."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.asking import understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.reading import Reading
from ctiscraper.db.session import Database
from ctiscraper.db.triage import Triage
from ctiscraper.types import TriageState
from ctiscraper.views import ArticleQuery
from db.readers import reader
from web.shelf import Shelf


@pytest.fixture
def shelf(database: str) -> Shelf:
    shelf = Shelf(database)
    for name in "abcdef":
        shelf.article(name, text=f"The loader {name}.", tags=["Malware"] if name == "f" else [])
    return shelf


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=2) as given:
        yield given


async def titles(opened: Database, text: str, user: int | None) -> str:
    query = ArticleQuery(q=understand(text), reader=user)
    page = await Articles(opened).page(query)
    found = "".join(one.title for one in page.articles)
    matching = await Articles(opened).matching(query)
    assert sorted(matching) == sorted(one.id for one in page.articles), text
    return found


async def test_the_fields_find_what_people_made(opened: Database, shelf: Shelf) -> None:
    ada, bob = await reader(opened, "ada"), await reader(opened, "bob")
    assert ada.user_id is not None
    reading, triage = Reading(opened), Triage(opened)
    await reading.mark(ada, [1, 2], read=True)
    await reading.star(ada, [2, 3], starred=True)
    await triage.set_state(ada, [1, 4], TriageState.REVIEW)
    await triage.assign(ada, [4, 5], ada.user_id)
    await triage.tag(ada, [1, 6], "Hot topic")
    cases = (
        ("is:unread", "cdef", "abcdef"),
        ("is:read", "ab", ""),
        ("is:unread starred:yes", "c", ""),
        ("-is:unread OR starred:yes", "abc", ""),
        ("starred:no is:unread", "def", "abcdef"),
        ("state:review", "ad", "ad"),
        ("state:new", "bcef", "bcef"),
        ("-state:review loader", "bcef", "bcef"),
        ("state:done", "", ""),
        ("assignee:me", "de", ""),
        ("assignee:ada", "de", "de"),
        ("assignee:nobody", "abcf", "abcf"),
        ("assignee:me state:review", "d", ""),
        ('tag:"hot topic"', "af", "af"),
        ("tag:hot-topic is:unread", "f", "af"),
        ("tag:Malware", "f", "f"),
        ("tag:malware", "", ""),
        ("loader is:unread", "cdef", "abcdef"),
        ("is:read OR state:review tag:hot-topic", "ab", "a"),
    )
    for text, hers, his in cases:
        assert (await titles(opened, text, ada.user_id), text) == (hers, text)
        assert (await titles(opened, text, bob.user_id), text) == (his, text)
    change = await reading.read_everything(ada)
    assert await titles(opened, "is:unread", ada.user_id) == ""
    await reading.mark(ada, [5], read=False)
    shelf.article("g")
    await reading.mark(ada, [shelf.article("h")], read=True)
    assert await titles(opened, "is:unread", ada.user_id) == "eg"
    assert await titles(opened, "-is:read", ada.user_id) == "eg"
    await reading.undo(ada, change.id)
    assert await titles(opened, "is:unread", ada.user_id) == "cdefg"


async def test_new_is_what_came_since_the_last_visit(opened: Database, shelf: Shelf) -> None:
    ada = await reader(opened, "ada")
    assert ada.user_id is not None
    await Reading(opened).visit(ada.user_id)
    assert await titles(opened, "is:new", ada.user_id) == ""
    shelf.article("g")
    assert await titles(opened, "is:new", ada.user_id) == "g"


async def test_a_search_of_nobody_says_that_it_is(opened: Database, shelf: Shelf) -> None:
    del shelf
    for text, said in (
        ("is:unread", "is: is about a reader"),
        ("starred:yes", "starred: is about a reader"),
        ("assignee:me", "nobody is called"),
        ("assignee:zoe", "nobody is called"),
    ):
        page = await Articles(opened).page(ArticleQuery(q=understand(text)))
        assert page.articles == ()
        assert said in page.notes[0].message

"""How many articles are told as new."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db.live import LiveReader
from ctiscraper.db.session import Database
from web.shelf import Shelf


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=1) as opened:
        yield opened


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


async def test_what_the_list_folds_away_is_not_counted(shelf: Shelf, opened: Database) -> None:
    first = shelf.article("one")
    for source in ("b", "c"):
        shelf.article("one", source=source, duplicate_of=first, similarity=0.9)
    last = shelf.article("two")
    shelf.article("two", source="b", duplicate_of=last, similarity=0.9)
    reader = LiveReader(opened)
    assert await reader.added(0) == (2, last + 1)
    assert await reader.added(first) == (1, last + 1)
    assert await reader.added(first, until=last - 1) == (0, last - 1)
    assert await reader.added(last + 1) == (0, last + 1)


async def test_what_was_not_compared_yet_waits_with_all_behind_it(
    shelf: Shelf, opened: Database
) -> None:
    first, waits, last = (shelf.article(title) for title in ("one", "copy", "two"))
    shelf.run(
        "INSERT INTO outbox (topic, article_id, revision) VALUES ('article', %s, 1)", (waits,)
    )
    shelf.run("INSERT INTO outbox (topic, article_id, revision) VALUES ('story', %s, 1)", (first,))
    reader = LiveReader(opened)
    assert await reader.added(0) == (1, first)
    assert await reader.added(first) == (0, first)
    shelf.run("UPDATE outbox SET created_at = now() - interval '61 seconds'")
    assert await reader.added(first) == (2, last)
    shelf.run(
        "UPDATE article SET duplicate_of = %s, similarity = 0.9 WHERE id = %s", (first, waits)
    )
    shelf.run("DELETE FROM outbox")
    assert await reader.added(first) == (1, last)

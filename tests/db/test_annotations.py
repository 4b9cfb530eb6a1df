"""Notes and marked words: limits, two editors of one note, and places of a text."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db import annotations
from ctiscraper.db.annotations import Highlights, Notes
from ctiscraper.db.session import Database
from ctiscraper.errors import ConflictError, InputError, NotFoundError
from db.readers import reader
from web.shelf import Shelf

TEXT = "A loader hides in  printers."


@pytest.fixture
def shelf(database: str) -> Shelf:
    shelf = Shelf(database)
    shelf.article("one", text=TEXT)
    return shelf


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=2) as given:
        yield given


async def test_notes_are_written_and_changed(opened: Database, shelf: Shelf) -> None:
    del shelf
    ada, bob = await reader(opened, "ada"), await reader(opened, "bob")
    notes = Notes(opened)
    note = await notes.add(ada, 1, "  seen <b>here</b>\r\ntoo \0 \n")
    assert (note.body, note.version, note.author) == ("seen <b>here</b>\ntoo", 1, "ada (Ada)")
    changed = await notes.edit(bob, note.id, "seen there", version=1)
    assert (changed.version, changed.edited_by, changed.author) == (2, "bob (Bob)", "ada (Ada)")
    with pytest.raises(ConflictError, match=r"bob \(Bob\) has changed this note"):
        await notes.edit(ada, note.id, "mine", version=1)
    with pytest.raises(ConflictError):
        await notes.remove(note.id, version=1)
    assert await notes.of_article(1) == (changed,)
    await notes.remove(note.id, version=2)
    assert await notes.of_article(1) == ()
    for ask in (notes.get(note.id), notes.remove(note.id), notes.add(ada, 9, "x")):
        with pytest.raises(NotFoundError):
            await ask


async def test_notes_have_limits(
    opened: Database, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    del shelf
    ada = await reader(opened, "ada")
    notes = Notes(opened)
    for body in (" \n", "x" * 20_001):
        with pytest.raises(InputError, match="1 to 20,000"):
            await notes.add(ada, 1, body)
    monkeypatch.setattr(annotations, "NOTES_MOST", 1)
    await notes.add(ada, 1, "one")
    with pytest.raises(ConflictError, match="at most 1"):
        await notes.add(ada, 1, "two")


async def test_marked_words_are_kept_with_what_stands_around_them(
    opened: Database, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await reader(opened, "ada")
    highlights = Highlights(opened)
    made = await highlights.add(ada, 1, 1, 15, revision=1)
    assert (made.start, made.quote) == (2, "loader hides")
    assert (made.before, made.after) == ("A ", " in  printers.")
    for start, end in ((3, 3), (1, 2), (27, 90), (500, 510), (5, 2)):
        if TEXT[start:end].strip():
            continue
        with pytest.raises(InputError, match="1 to 4,000"):
            await highlights.add(ada, 1, start, end, revision=1)
    shelf.revision(1, 1, "before")
    with pytest.raises(ConflictError, match="revised while you read"):
        await highlights.add(ada, 1, 0, 5, revision=1)
    monkeypatch.setattr(annotations, "HIGHLIGHTS_MOST", 1)
    with pytest.raises(ConflictError, match="at most 1"):
        await highlights.add(ada, 1, 0, 5, revision=2)
    assert await highlights.of_article(1) == (made,)
    assert await highlights.remove(made.id) == made
    with pytest.raises(NotFoundError):
        await highlights.remove(made.id)

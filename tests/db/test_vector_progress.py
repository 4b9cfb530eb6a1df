"""How far vectors are, by the model that makes them now, and how they are searched."""

import pytest

from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.db.vector_index import prepare_vectors
from ctiscraper.db.vector_progress import vectors_now
from ctiscraper.embedding import Embedding
from ctiscraper.operations import NO_VECTORS, Vectors
from ctiscraper.types import Tlp
from web.shelf import Shelf
from worded_vectors import WordedEmbedder


async def seen(database: str) -> Vectors:
    async with Database(database, size=1) as opened, opened.connection() as conn:
        return await vectors_now(conn)


async def embed(database: str, most: int | None = None, version: str = "1") -> None:
    async with Database(database, size=2) as opened:
        embedder = WordedEmbedder(version=version)
        await Embedding(Passages(opened), embedder).embed_all(most=most)


async def test_before_any_are_made_there_are_none(database: str) -> None:
    Shelf(database).article("one", text="Words.")
    assert await seen(database) == NO_VECTORS


async def test_made_waiting_and_failed_are_told_apart(database: str) -> None:
    shelf = Shelf(database)
    first = shelf.article("first", text="First words.")
    for number in range(4):
        shelf.article(f"n{number}", text=f"Text {number}.")
    shelf.article("copy", duplicate_of=first)
    await embed(database, most=2)
    one = await seen(database)
    assert (one.texts, one.waiting, one.failed) == (2, 3, 0)
    assert one.model == (await WordedEmbedder().identity())[0]
    await embed(database)
    assert ((await seen(database)).texts, (await seen(database)).waiting) == (5, 0)
    shelf.run("UPDATE article SET revision = 2 WHERE id = %s", (first,))
    shelf.run("UPDATE embedded_text SET failure = 'no words' WHERE article_id = %s", (first + 1,))
    changed = await seen(database)
    assert (changed.texts, changed.waiting, changed.failed) == (4, 1, 1)


async def test_withheld_texts_are_told_apart(database: str) -> None:
    shelf = Shelf(database)
    shelf.article("red", text="TLP:RED words.")
    shelf.article("open", text="Words.")
    async with Database(database, size=2) as opened:
        await Embedding(Passages(opened, Tlp.GREEN), WordedEmbedder()).embed_all()
    one = await seen(database)
    assert (one.texts, one.waiting, one.failed, one.withheld) == (1, 0, 0, 1)


async def test_the_model_that_makes_them_now_is_the_one_in_use(database: str) -> None:
    shelf = Shelf(database)
    for number in range(3):
        shelf.article(f"n{number}", text=f"Text {number}.")
    await embed(database)
    await embed(database, most=1, version="2")
    assert ((await seen(database)).texts, (await seen(database)).waiting) == (1, 2)


@pytest.mark.parametrize("has_index", [True, False])
async def test_it_is_told_how_they_are_searched(database: str, has_index: bool) -> None:
    shelf = Shelf(database)
    shelf.article("one", text="Words.")
    if not has_index:
        shelf.run("DROP SCHEMA IF EXISTS ctiscraper_vectors CASCADE")
    elif not prepare_vectors(database):
        pytest.skip("this server has no pgvector")
    await embed(database)
    assert (await seen(database)).indexed is has_index
    if has_index:
        # What is not in the index yet is compared.
        shelf.run("DELETE FROM ctiscraper_vectors.passage_near")
        assert not (await seen(database)).indexed

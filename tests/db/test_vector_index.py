"""What is told of how vectors are searched, to whoever asks."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.vector_index import (
    SCHEMA,
    IndexState,
    VectorModel,
    index_name,
    index_of,
    index_state,
    nearest_by_index,
    prepare_vectors,
    whole_index_of,
)
from ctiscraper.embedding import Embedding
from web.shelf import Shelf
from worded_vectors import WordedEmbedder


@pytest.fixture
def prepared(database: str) -> str:
    """A database on a server with pgvector, with an article."""
    if not prepare_vectors(database):
        pytest.skip("this server has no pgvector")
    Shelf(database).article("one", text="Thieves steal cookies.")
    return database


@pytest.fixture
def stranger(prepared: str) -> Iterator[str]:
    """A role that may read the tables of the program and owns nothing."""
    name = f"stranger_{secrets.token_hex(6)}"
    role = sql.Identifier(name)
    with psycopg.connect(prepared, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {}").format(role))
        conn.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
    yield name
    with psycopg.connect(prepared, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP OWNED BY {}").format(role))
        conn.execute(sql.SQL("DROP ROLE {}").format(role))


async def become(conn: Conn, role: str) -> None:
    await conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))


async def state(database: Database, model: VectorModel, role: str | None = None) -> IndexState:
    async with database.transaction() as conn:
        if role is not None:
            await become(conn, role)
        return await index_state(conn, model)


async def test_an_index_is_told_when_it_is_made_and_when_it_is_behind(prepared: str) -> None:
    async with Database(prepared, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        model = await embedding.model()
        assert not await embedding.passages.lacks_index(model), "there is nothing to index yet"
        await embedding.embed_some()
        assert await state(opened, model) is IndexState.UNMADE
        assert await embedding.passages.lacks_index(model)
        while await embedding.passages.tidy(model):
            pass
        assert await state(opened, model) is IndexState.MADE
        assert not await embedding.passages.lacks_index(model)
        shelf = Shelf(prepared, count=10, sources={"acme": 1})
        shelf.run(f"TRUNCATE {SCHEMA}.passage_near")
        assert await state(opened, model) is IndexState.BEHIND
        assert (await embedding.passages.progress(model)).indexed is False


async def test_an_index_that_was_interrupted_is_none_and_is_made_anew(prepared: str) -> None:
    async with Database(prepared, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        model = await embedding.model()
        await embedding.embed_all()
        assert await state(opened, model) is IndexState.MADE
        # As a server leaves it that is ended while it makes one.
        Shelf(prepared).run(
            "UPDATE pg_index SET indisvalid = false"
            f" WHERE indexrelid = '{SCHEMA}.{index_name(model)}'::regclass"
        )
        assert await state(opened, model) is IndexState.UNMADE
        assert await embedding.passages.lacks_index(model)
        async with opened.transaction() as conn:
            assert await whole_index_of(conn, model) is None
        await embedding.passages.tidy(model)
        assert await state(opened, model) is IndexState.MADE


async def test_some_articles_are_searched_whole_whatever_the_server_reckons(
    prepared: str,
) -> None:
    shelf = Shelf(prepared, count=10, sources={"acme": 1})
    for number in range(30):
        shelf.article(f"near {number}", text="Thieves steal cookies.")
    far = [shelf.article(f"far {number}", text="Ships carry grain cookies.") for number in range(3)]
    async with Database(prepared, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        model = await embedding.model()
        await embedding.embed_all()
        (vector,) = await embedding.embedder.embed(["Thieves steal cookies."])
        async with opened.transaction() as conn:
            index = await whole_index_of(conn, model)
            assert index is not None
            # To walk the index in its order is cheapest now, and so few candidates has it.
            await conn.execute("SET LOCAL enable_sort = off")
            await conn.execute("SET LOCAL enable_seqscan = off")
            await conn.execute("SET LOCAL hnsw.ef_search = 5")
            found = await nearest_by_index(conn, index, model, vector, limit=10, among=far)
    assert {article for _, article, _ in found} == set(far)


async def test_a_role_that_owns_nothing_is_told_apart(prepared: str, stranger: str) -> None:
    async with Database(prepared, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        model = await embedding.model()
        await embedding.embed_some()
        assert await state(opened, model, stranger) is IndexState.CLOSED
        async with opened.transaction() as conn:
            # It searches without, and is not refused.
            await become(conn, stranger)
            assert await index_of(conn, model) is None
        with psycopg.connect(prepared, autocommit=True) as conn:
            role = sql.Identifier(stranger)
            conn.execute(sql.SQL(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {{}}").format(role))
            conn.execute(sql.SQL(f"GRANT SELECT ON {SCHEMA}.passage_near TO {{}}").format(role))
        assert await state(opened, model, stranger) is IndexState.OWNERS
        while await embedding.passages.tidy(model):
            pass
        assert await state(opened, model, stranger) is IndexState.MADE


async def test_what_was_not_prepared_is_told(prepared: str) -> None:
    with psycopg.connect(prepared, autocommit=True) as conn:
        conn.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    async with Database(prepared, size=2) as opened:
        model = await Embedding(Passages(opened), WordedEmbedder()).model()
        assert await state(opened, model) is IndexState.UNPREPARED
        assert not await Passages(opened).lacks_index(model), "only who migrates can prepare it"


async def test_vectors_that_no_index_takes_are_told(database: str) -> None:
    async with Database(database, size=2) as opened:
        model = VectorModel(id=1, name="long", version="1", dimensions=5_000)
        assert await state(opened, model) is IndexState.ABSENT

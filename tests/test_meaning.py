"""Searching by meaning, with pgvector's index and without: the same is found."""

import asyncio
from collections.abc import Sequence
from typing import cast

import psycopg
import pytest

from ctiscraper.asking import understand
from ctiscraper.bootstrap import open_meaning, open_questions
from ctiscraper.config import Settings
from ctiscraper.db.article_filters import articles_by_ids, to_wanted
from ctiscraper.db.meaning import Mode
from ctiscraper.db.nearest import Asked, Near, Nearest
from ctiscraper.db.passages import Passages
from ctiscraper.db.retrieving import RetrievedPassage
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.vector_index import prepare_vectors
from ctiscraper.embed.weights import Floats
from ctiscraper.embedding import Embedding
from ctiscraper.errors import (
    CursorError,
    ModelError,
    ModelFault,
    QueryError,
    SearchSyntaxError,
    UnavailableError,
)
from ctiscraper.meaning import Meaning
from ctiscraper.questions import said_of
from ctiscraper.views import ArticlePage, ArticleQuery, ArticleSummary
from evil_model import evil_server, hang
from loopback import Asked as Request
from loopback import reply
from web.shelf import Shelf
from worded_vectors import WordedEmbedder

TEXTS = {
    "cookies": "Thieves steal session cookies from browsers.",
    "ransom": "Ransomware encrypts hypervisors and thieves ask for money.",
    "bread": "Rye bread needs sourdough.",
    "mail": "Phishing mail brings a loader into browsers.",
}


@pytest.fixture(params=["with pgvector", "without pgvector"])
def filled(request: pytest.FixtureRequest, database: str) -> str:
    """A database with some texts, on a server that has pgvector or has it not."""
    shelf = Shelf(database)
    for title, text in TEXTS.items():
        shelf.article(title, "bolt" if title == "mail" else "acme", text=text)
    if request.param == "without pgvector":
        shelf.run("DROP SCHEMA IF EXISTS ctiscraper_vectors CASCADE")
    elif not prepare_vectors(database):
        pytest.skip("this server has no pgvector")
    return database


def shelf_of(database: str) -> Shelf:
    """The shelf that was filled before, to go on with."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT key, id FROM source").fetchall()
        sources = {str(row[0]): int(row[1]) for row in rows}
    return Shelf(database, count=100, sources=sources)


async def found(
    database: str, words: str, mode: Mode = Mode.MEANING, *, embed: bool = True, **how: object
) -> ArticlePage:
    async with Database(database, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        if embed:
            await embedding.embed_all()
        meaning = Meaning(opened, embedding, Nearest())
        page = {name: how.pop(name) for name in ("cursor", "limit") if name in how}
        query = ArticleQuery(q=understand(words), **how)  # type: ignore[arg-type]  # as a test says
        return await meaning.page(query, mode, **page)  # type: ignore[arg-type]  # as a test says


def titles(page: ArticlePage) -> list[str]:
    return [one.title for one in page.articles]


async def test_what_is_nearest_comes_first_with_its_passage(filled: str) -> None:
    page = await found(filled, "who steals cookies of a session")
    assert titles(page)[0] == "cookies"
    assert "bread" not in titles(page)
    assert page.articles[0].snippet is not None
    assert page.articles[0].snippet.text == TEXTS["cookies"]


async def test_fields_narrow_what_is_near(filled: str) -> None:
    assert titles(await found(filled, "browsers source:bolt")) == ["mail"]
    assert titles(await found(filled, "browsers", source="bolt")) == ["mail"]
    assert titles(await found(filled, "browsers -cookies")) == ["mail"]
    assert titles(await found(filled, "browsers after:1h")) == []


async def test_a_narrow_field_is_looked_through_whole(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.db.nearest.REACH", 1)
    assert titles(await found(filled, "thieves cookies source:bolt browsers")) == ["mail"]


class Counting(Nearest):
    """It notes whether it was asked for the nearest of all, or of some articles."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int | None] = []

    async def passages(
        self, conn: Conn, asked: Asked, *, limit: int, among: list[int] | None = None
    ) -> list[Near]:
        self.asked.append(None if among is None else len(among))
        return await super().passages(conn, asked, limit=limit, among=among)


@pytest.mark.parametrize(
    ("enough", "few", "asked_of"),
    [(3, 3_000, [1]), (1, 3_000, [None]), (3, 1, [None, 1])],
    ids=["few are wanted", "enough of the nearest are", "too many to look through"],
)
async def test_the_nearest_of_all_are_asked_for_where_enough_of_them_can_be_wanted(
    filled: str,
    monkeypatch: pytest.MonkeyPatch,
    enough: int,
    few: int,
    asked_of: list[int | None],
) -> None:
    monkeypatch.setattr("ctiscraper.db.nearest.REACH", 4)
    monkeypatch.setattr("ctiscraper.db.nearest.FEW_LOOKED_THROUGH", few)
    shelf_of(filled).run("ANALYZE article")
    async with Database(filled, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        await embedding.embed_all()
        nearest, vector = Counting(), WordedEmbedder().vector("phishing mail bread")
        asked = Asked(model=await embedding.model(), vector=vector, floor=-1.0)
        wanted = to_wanted(ArticleQuery(source="bolt"))
        async with opened.transaction() as conn:
            [found] = await nearest.articles(conn, asked, wanted, enough=enough)
            [title] = [one.title for one in await articles_by_ids(conn, [found.article])]
    assert title == "mail"
    assert nearest.asked == asked_of


async def test_words_and_meaning_are_fused(filled: str) -> None:
    page = await found(filled, "thieves browsers", Mode.BOTH)
    assert titles(page)[0] == "cookies"
    assert set(titles(page)) >= {"cookies", "ransom", "mail"}
    assert all(one.snippet is not None for one in page.articles)


async def test_a_page_goes_on_where_the_last_ended(filled: str) -> None:
    everything = titles(await found(filled, "thieves browsers ransomware phishing"))
    seen, cursor = [], None
    while True:
        page = await found(filled, "thieves browsers ransomware phishing", limit=1, cursor=cursor)
        seen += titles(page)
        if page.next is None:
            break
        cursor = page.next
    assert seen == everything
    with pytest.raises(CursorError):
        await found(filled, "thieves", cursor="nonsense")


async def test_vectors_of_another_model_are_never_compared(filled: str) -> None:
    await found(filled, "cookies")
    async with Database(filled, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder(version="2"))
        meaning = Meaning(opened, embedding, Nearest())
        query = ArticleQuery(q=understand("cookies"))
        assert (await meaning.page(query, Mode.MEANING)).articles == ()
        await embedding.embed_all(most=1)
        assert len((await meaning.page(query, Mode.MEANING)).articles) <= 1


async def test_what_was_removed_or_changed_is_not_found(filled: str) -> None:
    async with Database(filled, size=2) as opened:
        embedding = Embedding(Passages(opened), WordedEmbedder())
        await embedding.embed_all()
        meaning = Meaning(opened, embedding, Nearest())
        query = ArticleQuery(q=understand("thieves"))
        assert set(titles(await meaning.page(query, Mode.MEANING))) == {"cookies", "ransom"}
        shelf = shelf_of(filled)
        shelf.run("DELETE FROM article WHERE title = 'cookies'")
        shelf.run("UPDATE article SET text = 'Bread.', revision = 2 WHERE title = 'ransom'")
        await embedding.embed_all()
        assert titles(await meaning.page(query, Mode.MEANING)) == []
        shelf.article("new", text="Other thieves.")
        await embedding.embed_all()
        assert titles(await meaning.page(query, Mode.MEANING)) == ["new"]


async def test_fields_alone_have_no_meaning(filled: str) -> None:
    with pytest.raises(QueryError, match="needs words"):
        await found(filled, "source:acme")
    with pytest.raises(SearchSyntaxError):
        await found(filled, "(")


async def test_without_a_model_there_is_no_search_by_meaning(database: str) -> None:
    async with Database(database, size=1) as opened:
        meaning = Meaning(opened, None, Nearest())
        with pytest.raises(UnavailableError, match="CTISCRAPER_EMBEDDING"):
            await meaning.page(ArticleQuery(q=understand("x")), Mode.MEANING)


class AwayEmbedder(WordedEmbedder):
    """Whose server is away."""

    async def embed(self, texts: Sequence[str]) -> Floats:
        raise ModelError(ModelFault.AWAY, f"nobody takes {len(texts)} texts")


async def test_a_model_of_vectors_that_is_away_leaves_the_words(filled: str) -> None:
    query = ArticleQuery(q=understand("thieves"))
    async with Database(filled, size=2) as opened:
        passages = Passages(opened)
        await Embedding(passages, WordedEmbedder()).embed_all()
        meaning = Meaning(opened, Embedding(passages, AwayEmbedder()), Nearest())
        page = await meaning.page(query, Mode.BOTH)
        assert {one.title for one in page.articles} == {"cookies", "ransom"}
        assert "found by words alone" in page.notes[-1].message
        first = await meaning.page(query, Mode.BOTH, limit=1)
        second = await meaning.page(query, Mode.BOTH, limit=1, cursor=first.next)
        assert len({one.id for one in (*first.articles, *second.articles)}) == 2
        with pytest.raises(ModelError):
            await meaning.page(query, Mode.MEANING)
        found = await meaning.passages("Which thieves steal cookies?", ArticleQuery(), limit=3)
        assert [one.text for one in found.passages] == [TEXTS["cookies"]]
        assert found.unmeant == "away: nobody takes 1 texts"
        assert meaning.bears_out(found.passages)


@pytest.mark.parametrize("silent", ["/api/embed", "/"], ids=["for vectors", "for everything"])
async def test_a_server_of_vectors_that_hangs_holds_no_reader(filled: str, silent: str) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path.startswith(silent):
            await hang(request, writer)
        writer.write(reply(b'{"models": []}'))

    query = ArticleQuery(q=understand("thieves"))
    async with evil_server() as evil, Database(filled, size=2) as opened:
        evil.answer = answer
        settings = Settings(model_url=evil.url, embedding="nomic", model="small")
        async with (
            asyncio.timeout(30),
            open_meaning(settings, opened, reader_seconds=0.1) as meaning,
            open_questions(settings, meaning) as questions,
        ):
            page = await meaning.page(query, Mode.BOTH)
            assert {one.title for one in page.articles} == {"cookies", "ransom"}
            assert "the model of vectors does not answer" in page.notes[-1].message
            assert "within the 0.1 s that a reader waits" in page.notes[-1].message
            asked = await questions.ask("Which thieves steal cookies?", passages_only=True)
            assert [one.text for one in asked.passages][:1] == [TEXTS["cookies"]]
            assert any("passages were looked for by the words" in one for one in said_of(asked))
            # After two that were late the third does not even wait.
            with pytest.raises(ModelError, match="asked again in 15 s"):
                await meaning.page(query, Mode.MEANING)
            [article, *_] = page.articles
            assert isinstance(await meaning.similar(article.id), tuple)
            with pytest.raises(ModelError):
                await meaning.progress()


async def test_similar_articles_are_found_by_meaning_too(filled: str) -> None:
    async with Database(filled, size=2) as opened:
        shelf = shelf_of(filled)
        text = "Thieves steal cookies of a session from all browsers."
        other = shelf.article("other", text=text)
        embedding = Embedding(Passages(opened), WordedEmbedder())
        meaning = Meaning(opened, embedding, Nearest())
        assert await meaning.similar(other) == ()
        await embedding.embed_all()
        near = await meaning.similar(other)
        assert [one.article.title for one in near] == ["cookies"]
        assert near[0].closeness is not None
        assert near[0].closeness > 0.5


async def test_pgvector_that_comes_later_takes_what_is_there(database: str) -> None:
    shelf = Shelf(database)
    shelf.run("DROP SCHEMA IF EXISTS ctiscraper_vectors CASCADE")
    for title, text in TEXTS.items():
        shelf.article(title, text=text)
    before = titles(await found(database, "thieves browsers"))
    if not prepare_vectors(database):
        pytest.skip("this server has no pgvector")
    assert titles(await found(database, "thieves browsers", embed=False)) == before
    assert titles(await found(database, "thieves browsers")) == before
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM ctiscraper_vectors.passage_near").fetchone()
        assert row == (4,)
        assert connection.execute(
            "SELECT to_regclass('ctiscraper_vectors.passage_near_' || id) IS NOT NULL"
            " FROM embedding_model"
        ).fetchone() == (True,)


@pytest.mark.parametrize("mode", [Mode.MEANING, Mode.BOTH])
async def test_a_search_before_there_are_vectors_says_so(filled: str, mode: Mode) -> None:
    page = await found(filled, "thieves cookies", mode, embed=False)
    assert bool(page.articles) is (mode is Mode.BOTH)
    [note] = page.notes
    assert "no article has vectors yet" in note.message
    assert "ctiscraper embed" in note.message
    after = await found(filled, "thieves cookies", mode)
    assert (bool(after.articles), after.notes) == (True, ())
    assert (await found(filled, "zebra", mode)).notes == (), "nothing is like this, which is true"


def passage_of(closeness: float | None, share: float) -> RetrievedPassage:
    summary = cast("ArticleSummary", None)
    return RetrievedPassage(
        article=summary, start=0, end=1, text="x", closeness=closeness, share=share, tlp=None
    )


class Strict(WordedEmbedder):
    """One that says what bears an answer out."""

    support = 0.5


async def test_an_answer_is_borne_out_by_what_is_near_or_has_the_words(database: str) -> None:
    async with Database(database, size=1) as opened:
        strict = Meaning(opened, Embedding(Passages(opened), Strict()), Nearest())
        loose = Meaning(opened, Embedding(Passages(opened), WordedEmbedder()), Nearest())
        near, worded = passage_of(0.51, 0.0), passage_of(0.3, 0.6)
        poor, unknown = passage_of(0.4, 0.1), passage_of(None, 0.1)
        assert [strict.bears_out([one]) for one in (near, worded, poor)] == [True, True, False]
        assert strict.bears_out([poor, unknown]), "nothing is known of the one without a vector"
        assert not strict.bears_out([])
        assert loose.bears_out([poor])
        assert not loose.bears_out([])


async def test_in_the_place_of_what_is_no_more_stands_the_next(database: str) -> None:
    shelf = Shelf(database)
    for title, text in TEXTS.items():
        shelf.article(title, text=text)
    async with Database(database, size=2) as opened:
        embedder = WordedEmbedder()
        embedding = Embedding(Passages(opened), embedder)
        await embedding.embed_all()
        nearest = Nearest(by_index=False)
        vector = embedder.vector("thieves steal session cookies")
        asked = Asked(model=await embedding.model(), vector=vector, floor=0.05)
        async with opened.transaction() as conn:
            [first] = await nearest.passages(conn, asked, limit=1)
        shelf.run("DELETE FROM article WHERE id = %s", (first.article,))
        async with opened.transaction() as conn:
            [second] = await nearest.passages(conn, asked, limit=1)
        assert second.article != first.article
        assert second.closeness < first.closeness

"""Lists by keyset, folding, filters, search within bounds, one article in full."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from ctiscraper.asking import understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.search import search_document
from ctiscraper.db.session import Database
from ctiscraper.errors import CursorError, NotFoundError, QueryError
from ctiscraper.types import Tier
from ctiscraper.views import ArticleQuery
from web.shelf import START, Shelf

ALL = ArticleQuery()


@pytest.fixture
def shelf(database: str) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture
async def articles(database: str) -> AsyncIterator[Articles]:
    async with Database(database, size=2) as opened:
        yield Articles(opened)


async def titles(articles: Articles, query: ArticleQuery = ALL) -> list[str]:
    return [a.title for a in (await articles.page(query)).articles]


async def test_list_is_newest_first_and_pages_meet_without_gap(
    shelf: Shelf, articles: Articles
) -> None:
    for number in range(7):
        shelf.article(f"n{number}", sort_at=START)
    seen: list[int] = []
    cursor = None
    for _ in range(3):
        page = await articles.page(ALL, cursor=cursor, limit=3)
        seen += [a.id for a in page.articles]
        cursor = page.next
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 7
    assert cursor is None


async def test_page_that_ends_the_list_has_no_next(shelf: Shelf, articles: Articles) -> None:
    shelf.article("one")
    shelf.article("two")
    assert (await articles.page(ALL, limit=2)).next is None
    assert (await articles.page(ALL, limit=1)).next is not None


async def test_near_duplicates_fold_and_say_whose_they_are(
    shelf: Shelf, articles: Articles
) -> None:
    first = shelf.article("first", "acme")
    shelf.article("copy", "bolt", duplicate_of=first, similarity=0.9)
    shelf.article("copy two", "bolt", duplicate_of=first, similarity=0.9)
    (only,) = (await articles.page(ALL)).articles
    assert (only.title, only.folded) == ("first", 2)
    assert [s.key for s in only.folded_sources] == ["bolt"]


async def test_list_of_one_source_shows_its_duplicates(shelf: Shelf, articles: Articles) -> None:
    first = shelf.article("first", "acme")
    shelf.article("copy", "bolt", duplicate_of=first)
    assert await titles(articles, ArticleQuery(source="bolt")) == ["copy"]


NARROWED: tuple[tuple[ArticleQuery, list[str]], ...] = (
    (ArticleQuery(source="bolt"), ["b"]),
    (ArticleQuery(source="unknown"), []),
    (ArticleQuery(tier="premium"), ["b"]),
    (ArticleQuery(language="de"), ["c"]),
    (ArticleQuery(method="feed"), ["c"]),
    (ArticleQuery(tag="apt"), ["a"]),
    (ArticleQuery(since=START - timedelta(minutes=2)), ["a", "b"]),
    (ArticleQuery(until=START - timedelta(minutes=2)), ["c"]),
    (ArticleQuery(q=understand("printer")), ["a", "b"]),
    (ArticleQuery(q=understand("printer -loader")), ["b"]),
    (ArticleQuery(q=understand("loader OR engines")), ["a", "c"]),
    (ArticleQuery(q=understand('"hides in printers"')), ["a"]),
    (ArticleQuery(q=understand("printer"), tier="premium"), ["b"]),
    (ArticleQuery(q=understand("the")), []),
)


async def test_filters_narrow_the_list(shelf: Shelf, articles: Articles) -> None:
    shelf.source("bolt", tier=Tier.PREMIUM)
    shelf.article("a", text="A loader hides in printers.", tags=["apt", "x"])
    shelf.article("b", "bolt", text="Printers again.")
    shelf.article("c", text="Engines hum.", language="de", method="feed")
    for query, expected in NARROWED:
        assert (await titles(articles, query), query) == (expected, query)


async def test_search_counts_and_pages_what_matches(shelf: Shelf, articles: Articles) -> None:
    for number in range(5):
        shelf.article(f"n{number}", text="Common words." if number % 2 else "Rare ones.")
    page = await articles.page(ArticleQuery(q=understand("rare")), limit=2)
    assert (page.found, [a.title for a in page.articles]) == (3, ["n0", "n2"])
    rest = await articles.page(ArticleQuery(q=understand("rare")), cursor=page.next)
    assert (rest.found, [a.title for a in rest.articles], rest.next) == (3, ["n4"], None)


async def test_search_finds_addresses_however_they_are_written(
    shelf: Shelf, articles: Articles
) -> None:
    shelf.article("plain", text="from evil.example now")
    shelf.article("defanged", text="from evil[.]example now")
    shelf.article("indexed", text=search_document("from evil[.]example now"))
    shelf.article("different", text="from good.example now")
    for typed in ("evil.example", "evil[.]example", "evil(.)example"):
        assert await titles(articles, ArticleQuery(q=understand(typed))) == [
            "plain",
            "defanged",
            "indexed",
        ]
    assert "plain" not in await titles(articles, ArticleQuery(q=understand("now -evil.example")))


async def test_search_with_more_matches_than_are_counted_walks_by_date(
    shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.db.finding.FOUND_MOST", 3)
    for number in range(6):
        shelf.article(f"n{number}", text="Common words.")
    page = await articles.page(ArticleQuery(q=understand("common")), limit=4)
    assert (page.found, [a.title for a in page.articles]) == (3, ["n0", "n1", "n2", "n3"])
    rest = await articles.page(ArticleQuery(q=understand("common")), cursor=page.next)
    assert [a.title for a in rest.articles] == ["n4", "n5"]


TYPED = (
    *("'", "& | !", "foo\\:*", "\\", "%", "%s", "\0", "-", "\U0001f70f", "x" * 400, "\ud800"),
    *("'a & b1'", "x1'*", "a1\\*", "<-> | :A", "the OR of", "\u202eb1*", "ab<->*", '"\'"'),
)


async def test_search_takes_whatever_is_typed(shelf: Shelf, articles: Articles) -> None:
    shelf.article("one")
    for q in TYPED:
        page = await articles.page(ArticleQuery(q=understand(q)))
        assert page.found == len(page.articles)


async def test_cursor_that_no_list_gave_is_refused(articles: Articles) -> None:
    for cursor in ("", "x", "=" * 23, "A" * 23, "\u00e9" * 23, "_" * 23, "_" * 64):
        with pytest.raises(CursorError):
            await articles.page(ALL, cursor=cursor)


async def test_question_that_takes_too_long_is_refused(
    shelf: Shelf, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.db.article_filters.SEARCH_SECONDS", 0.001)
    for number in range(10):
        shelf.article(f"n{number}", text=" ".join(f"word{n}" for n in range(20_000)))
    slow = " OR ".join(f'"word{n} word{n + 2}"' for n in range(40))
    with pytest.raises(QueryError, match="narrow it"):
        await articles.page(ArticleQuery(q=understand(slow)))


async def test_neighbours_follow_the_list_that_was_narrowed(
    shelf: Shelf, articles: Articles
) -> None:
    ids = [shelf.article(f"n{i}", text="odd" if i % 2 else "even") for i in range(5)]
    middle = await articles.get(ids[2])
    newer, older = await articles.neighbours(ALL, middle)
    assert newer is not None
    assert older is not None
    assert (newer.title, older.title) == ("n1", "n3")
    newer, older = await articles.neighbours(ArticleQuery(q=understand("even")), middle)
    assert newer is not None
    assert older is not None
    assert (newer.title, older.title) == ("n0", "n4")
    ends = await articles.get(ids[0])
    assert (await articles.neighbours(ALL, ends))[0] is None


async def test_article_tells_where_it_comes_from(shelf: Shelf, articles: Articles) -> None:
    first = shelf.article("first")
    copy = shelf.article("copy", "bolt", duplicate_of=first, similarity=0.93)
    shelf.snapshot(first)
    shelf.revision(first, 1, "old words", "old title")
    job = shelf.run("SELECT job_id FROM article WHERE id = %s", (first,))[0]
    shelf.sighting(job, "bolt")
    found = await articles.get(first)
    assert [(r.number, r.title, r.cause) for r in found.revisions] == [
        (2, "first", None),
        (1, "old title", "edited"),
    ]
    assert [(s.source.key, s.first) for s in found.sightings] == [("acme", True), ("bolt", False)]
    assert [d.id for d in found.duplicates] == [copy]
    assert found.snapshot is not None
    assert found.snapshot.status == 200
    other = await articles.get(copy)
    assert other.duplicate_of is not None
    assert (other.duplicate_of.id, other.duplicate_of.title) == (first, "first")
    assert other.duplicate_of.similarity == pytest.approx(0.93)
    assert other.snapshot is None


async def test_each_revision_is_kept_in_its_words(shelf: Shelf, articles: Articles) -> None:
    number = shelf.article("now", text="new words")
    shelf.revision(number, 1, "old words", "then")
    assert (await articles.revision(number, 1)).text == "old words"
    assert (await articles.revision(number, 2)).text == "new words"
    with pytest.raises(NotFoundError):
        await articles.revision(number, 3)


async def test_unknown_article_is_named(articles: Articles) -> None:
    with pytest.raises(NotFoundError, match="no article number 7"):
        await articles.get(7)


async def test_languages_are_those_in_use(shelf: Shelf, articles: Articles) -> None:
    assert await articles.languages() == ()
    for language in ("en", "de", "en", None):
        shelf.article("x", language=language)
    assert await articles.languages() == ("de", "en")


INDEXES = (
    (ALL, "article_newest"),
    (ArticleQuery(tier="basic"), "article_tier"),
    (ArticleQuery(source="acme"), "article_source"),
    (ArticleQuery(language="de"), "article_language"),
)


async def test_lists_walk_an_index_in_their_order(shelf: Shelf, articles: Articles) -> None:
    shelf.article("one")
    shelf.run(
        """
        INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, language, text,
            html, sort_at, word_count, reading_minutes, method, text_sha256, search)
        SELECT sha256(n::text::bytea), source_id,
            CASE mod(n, 50) WHEN 0 THEN 'basic' ELSE tier END,
            url, canonical_url, title, CASE mod(n, 50) WHEN 1 THEN 'de' ELSE language END,
            text, html,
            sort_at - n * interval '1 minute', 1, 1, 'general', ''::bytea, search
        FROM article, generate_series(1, 5000) n
        """
    )
    shelf.run("ANALYZE article")
    used = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s"
    shelf.run("SELECT pg_stat_reset()")
    # One connection, which then tells what it has read.
    async with Database(articles._database.conninfo, size=1) as alone:
        for query, _ in INDEXES:
            await Articles(alone).page(query)
        async with alone.connection() as conn:
            await conn.execute("SELECT pg_stat_force_next_flush()")
    read = "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname='article'"
    assert shelf.run(read)[0] == 0
    for _, index in INDEXES:
        assert (shelf.run(used, (index,))[0], index) >= (1, index)

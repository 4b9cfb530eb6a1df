"""Lists that are made of rows at once read as those that are made of articles."""

import json

import msgspec
import pytest

from ctiscraper.db.articles import Articles
from ctiscraper.db.session import Database
from ctiscraper.views import ArticleQuery
from make_scores import ScoredShelf, mention
from web.shelf import Shelf

PLACES = tuple((4 * n, 4 * n + 3) for n in range(9))


@pytest.mark.parametrize("limit", [1, 2, 50, 1_000, -1])
async def test_both_say_the_same(database: str, limit: int) -> None:
    shelf = Shelf(database)
    scored = ScoredShelf(shelf)
    text = "It is exploited in the wild, and calls evil.com for a payload. " * 9
    first = scored.article("Scored & <b>", text, mention("domain", "evil.com", places=PLACES))
    shelf.article("Copy", "bolt", duplicate_of=first)
    shelf.article("Bare", "bolt", language=None, published_at=None, tags=["a", 'b"'])
    shelf.article("Last", "acme", summary="s" * 900)
    async with Database(database, size=1) as opened:
        await scored.join(opened)
        articles = Articles(opened)
        for query in (ArticleQuery(), ArticleQuery(source="bolt"), ArticleQuery(min_score=0.01)):
            page = await articles.page(query, limit=limit)
            encoded = await articles.encoded_page(query, limit=limit)
            assert json.loads(encoded) == json.loads(msgspec.json.encode(page))
            if page.next is not None:
                page = await articles.page(query, cursor=page.next, limit=limit)
                following = json.loads(encoded)["next"]
                encoded = await articles.encoded_page(query, cursor=following, limit=limit)
                assert json.loads(encoded) == json.loads(msgspec.json.encode(page))


async def test_what_is_no_plain_list_reads_the_same_too(database: str) -> None:
    shelf = Shelf(database)
    shelf.article("One", tags=["hot"])
    async with Database(database, size=1) as opened:
        articles = Articles(opened)
        for query in (ArticleQuery(tag="hot"), ArticleQuery(days=7)):
            page = await articles.page(query)
            encoded = await articles.encoded_page(query)
            assert json.loads(encoded) == json.loads(msgspec.json.encode(page))

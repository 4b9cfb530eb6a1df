"""The pages: what they show, what they say when there is nothing, and what their forms do."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser

from ctiscraper.db.paging import Position, to_cursor
from ctiscraper.errors import Reason
from ctiscraper.reasons import health_words, words_of
from ctiscraper.types import Health
from web.shelf import Shelf

FORM = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


async def page(client: httpx2.AsyncClient, path: str) -> LexborHTMLParser:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    assert node is not None
    return node.attributes[name] or ""


def words(tree: LexborHTMLParser, selector: str) -> list[str]:
    return [" ".join(node.text().split()) for node in tree.css(selector)]


async def test_list_shows_articles_by_day(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.start = datetime.now(UTC).replace(hour=0, minute=2)
    first = shelf.article("Today's")
    shelf.article("Copy", "bolt", duplicate_of=first)
    shelf.article("Yesterday's")
    tree = await page(client, "/")
    assert words(tree, ".day") == ["Today", "Yesterday"]
    assert words(tree, ".item h3") == ["Today's", "Yesterday's"]
    assert words(tree, ".folded") == ["+1 alike: Bolt"]


async def test_filters_stay_set_on_the_way_through_pages(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    for number in range(55):
        shelf.article(f"n{number}")
    tree = await page(client, "/?tier=standard&language=&since=&q=")
    (older,) = tree.css("[data-next]")
    href = older.attributes["href"] or ""
    assert href.startswith("/?tier=standard&cursor=")
    opened = attribute(tree, "[data-open]", "href")
    assert opened == "/articles/1?tier=standard"
    rest = await page(client, href)
    assert words(rest, ".item h3") == [f"n{number}" for number in range(50, 55)]
    article = await page(client, opened)
    assert attribute(article, "[data-back]", "href") == "/?tier=standard"
    assert attribute(article, "[data-following]", "href") == "/articles/2?tier=standard"


async def test_search_says_what_it_found(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("A <b>loader</b>")
    tree = await page(client, "/?q=loader")
    assert words(tree, ".found")[0].startswith("1 article for loader")
    assert attribute(tree, ".search input", "value") == "loader"
    assert "Nothing matches" in (await client.get("/?q=absent")).text


async def test_date_that_is_none_is_an_error_page(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/?since=yesterday")
    assert answer.status_code == 422
    assert "since" in answer.text


async def test_empty_list_tells_what_to_do(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    assert "No sources yet" in (await client.get("/")).text
    shelf.source("acme", health="offline")
    assert "Waiting for the network" in (await client.get("/")).text
    shelf.run("UPDATE source_state SET health = 'ok'")
    assert "Nothing collected yet" in (await client.get("/")).text
    shelf.job("acme", "https://acme.example/1", "pending")
    assert "Announced articles wait" in (await client.get("/")).text
    past = to_cursor(Position(datetime(2000, 1, 1, tzinfo=UTC), 1))
    assert "end of the list" in (await client.get(f"/?cursor={past}")).text


async def test_article_says_where_it_comes_from(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    number = shelf.article(
        "Title",
        method="feed",
        notes=["feed text: the page was refused (forbidden: 403)"],
        html="<p>See <a href='https://other.example/x'>this</a>.</p><table><tr><td>1</td></tr></table>",
    )
    shelf.snapshot(number)
    shelf.revision(number, 1, "old words")
    tree = await page(client, f"/articles/{number}")
    notice = "This is the text of the feed, not of the page: the page was refused (forbidden: 403)."
    assert words(tree, ".notice") == [notice]
    assert attribute(tree, ".body a", "data-host") == "other.example"
    assert tree.css_first(".body .wide table")
    assert "48,211 bytes" in words(tree, ".origin")[0]
    assert attribute(tree, "[data-leave] a", "href") == "https://acme.example/posts/1"
    assert "noreferrer" in attribute(tree, "[data-leave] a", "rel")
    changes = await page(client, f"/articles/{number}/changes")
    assert words(changes, ".diff .removed b")
    assert words(changes, ".diff .added b")


async def test_a_source_that_was_read_with_a_note_shows_it(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    note = "only the newest 500 entries are read"
    shelf.source("big", health="ok", detail=note)
    shelf.check("big", status=200, detail=note, announced=500)
    tree = await page(client, "/sources/big")
    [told] = [row for row in words(tree, ".rows > div") if row.startswith("Last reading")]
    assert told == "Last readingOnly the newest 500 entries are read."
    assert any(row.endswith(f"read{note}") for row in words(tree, "td"))
    shelf.source("ill", health="failing", reason="timeout", detail=note)
    assert "Last reading" not in words(await page(client, "/sources/ill"), "dt")


async def test_sources_in_trouble_come_first_with_cause(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.source("fine", health="ok")
    shelf.source("broken", health="failing", reason="tls_expired")
    tree = await page(client, "/sources")
    assert words(tree, "[data-open]") == ["Broken", "Fine"]
    assert "certificate has expired" in words(tree, ".cause")[0]
    assert words(tree, ".badge") == ["1"]
    assert "robots.txt" in (await client.get("/sources/broken")).text


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"state": "dead", "action": "retry", "ids": "{id}"}, "pending"),
        ({"state": "dead", "action": "discard", "ids": "{id}"}, "filtered"),
        ({"state": "dead", "one": "retry {id}"}, "pending"),
        ({"state": "filtered", "one": "release {filtered}"}, "dead"),
    ],
)
async def test_forms_act_on_items(
    client: httpx2.AsyncClient, shelf: Shelf, body: dict[str, str], state: str
) -> None:
    number = shelf.job("acme", "https://acme.example/1", "dead", reason="timeout")
    held = shelf.job("acme", "https://acme.example/2", "filtered", reason="too_short")
    assert words(await page(client, "/accounting"), ".ended h3") == ["A title"]
    sent = {name: value.format(id=number, filtered=held) for name, value in body.items()}
    answer = await client.post("/accounting/items", content=urlencode(sent), headers=FORM)
    assert answer.status_code == 303
    assert shelf.run("SELECT state FROM fetch_job WHERE id = %s", (number,))[0] == state
    after = await page(client, answer.headers["location"])
    assert words(after, "[role=status]")[0].startswith("1 item ")


async def test_nothing_ticked_is_told(client: httpx2.AsyncClient) -> None:
    body = "state=dead&action=retry"
    answer = await client.post("/accounting/items", content=body, headers=FORM)
    assert answer.status_code == 422
    assert "tick at least one item" in answer.text


async def test_imbalance_is_shown(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one")
    assert "It adds up." in (await client.get("/accounting")).text
    shelf.run("DELETE FROM article")
    await client.post(
        "/accounting/items", content="state=dead&one=retry+1", headers=FORM
    )  # forgets the accounts of a moment ago
    assert "It does not add up" in (await client.get("/accounting")).text


def test_every_reason_has_its_own_words() -> None:
    told = {reason: words_of(reason) for reason in Reason}
    assert all(words and "recorded as" not in words.cause for words in told.values())
    assert all(health_words(health) for health in Health)
    assert words_of(None) is None
    unknown = words_of("from_the_future")
    assert unknown is not None
    assert "from_the_future" in unknown.cause

"""Feeds of saved searches: what a token gives, to whom, how often, and what readers make of it."""

import re
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from ctiscraper.access.feeds import new_feed_token
from ctiscraper.access.tokens import new_token
from ctiscraper.db import article_filters
from ctiscraper.db.saved_searches import SavedSearches
from ctiscraper.db.session import Database
from ctiscraper.db.tokens import Tokens
from ctiscraper.identity import Permission, Role
from ctiscraper.web.allowance import Allowance
from ctiscraper.web.pages import feeds
from people import person, token_of
from web.shelf import START, Shelf
from web.test_searches import API, asking, saved

ATOM = "{http://www.w3.org/2005/Atom}"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


async def feed(client: httpx2.AsyncClient, query: str = "loader", **more: object) -> dict[str, Any]:
    """A saved search with the paths of its feed."""
    made = await saved(client, query, **more)
    answer = await client.post(f"{API}/{made['id']}/feed")
    assert answer.status_code == 201
    paths = {kind: url.removeprefix("http://127.0.0.1") for kind, url in answer.json().items()}
    return {**made, **paths}


def check_atom(body: bytes) -> ET.Element:
    """What RFC 4287 requires of a feed (4.1.1) and of each entry (4.1.2)."""
    root = ET.fromstring(body)
    assert root.tag == f"{ATOM}feed"
    for node in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            [found] = node.findall(f"{ATOM}{name}")
            assert found.text
        assert RFC3339.fullmatch(node.findtext(f"{ATOM}updated") or "")
        ids = [one.text for one in node.findall(f"{ATOM}id")]
        assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", one or "") for one in ids)
    for entry in root.findall(f"{ATOM}entry"):
        assert entry.findtext(f"{ATOM}author/{ATOM}name")
        assert len(entry.findall(f"{ATOM}link[@rel='alternate']")) == 1
        assert len(entry.findall(f"{ATOM}content")) == 1
        published = entry.findtext(f"{ATOM}published")
        assert published is None or RFC3339.fullmatch(published)
    entries = [one.findtext(f"{ATOM}id") for one in root.findall(f"{ATOM}entry")]
    assert len(set(entries)) == len(entries)
    assert len(root.findall(f"{ATOM}link[@rel='self']")) == 1
    return root


def check_json(given: dict[str, Any]) -> None:
    """What JSON Feed 1.1 requires, and of which types."""
    assert given["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(given["title"], str)
    assert given["feed_url"].startswith("http")
    for item in given["items"]:
        assert isinstance(item["id"], str)
        assert item["id"]
        assert isinstance(item["content_html"], str)
        assert item["url"].startswith(("http://", "https://"))
        for name in ("date_modified", "date_published"):
            assert name not in item or RFC3339.fullmatch(item[name])
        assert all(author["name"] for author in item["authors"])
        unknown = item.keys() - {
            "id", "url", "title", "content_html", "summary", "date_published", "date_modified",
            "authors", "tags", "language",
        }  # fmt: skip
        assert all(name.startswith("_") for name in unknown)


async def test_a_feed_has_what_a_reader_shows(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article(
        "Loaders & <b>printers</b>",
        text="A loader.",
        html='<p>A <a href="https://x.example/">loader</a><script>alert(1)</script></p>',
        summary="In short.",
        authors=["Ann"],
        tags=["apt"],
        language="en",
        published_at=START,
    )
    shelf.article("Another", text="Two loaders.", published_at=None)
    shelf.run(
        "INSERT INTO article_score (article_id, score, parts, version) VALUES (%s, 0.834, '[]', 1)",
        (number,),
    )
    made = await feed(client)
    answer = await stranger.get(made["atom"])
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    root = check_atom(answer.content)
    assert b"<script" not in answer.content
    parsed = feedparser.parse(answer.content)
    assert not parsed.bozo
    assert parsed.feed.title == "loader"
    [first, second] = parsed.entries
    assert first.title == "Loaders & <b>printers</b>"
    assert first.link.startswith("https://acme.example/posts/")
    assert first.author == "Ann"
    assert second.author == "Acme"
    assert "https://x.example/" in first.content[0].value
    assert "script" not in first.content[0].value
    assert root.findtext(f"{ATOM}entry/{{urn:ctiscraper:article}}score") == "83"
    assert (first.tags[0].term, first.rights) == ("apt", "TLP:CLEAR")
    answer = await stranger.get(made["json_feed"])
    assert answer.headers["content-type"] == "application/feed+json"
    given = answer.json()
    check_json(given)
    assert [one["title"] for one in given["items"]] == ["Loaders & <b>printers</b>", "Another"]
    assert given["items"][0]["_ctiscraper"]["score"] == 83
    assert given["items"][0]["date_published"] == "2026-11-22T12:00:00Z"
    assert "date_published" not in given["items"][1]
    assert given["home_page_url"] == "http://127.0.0.1/?q=loader"
    ids = [one["id"] for one in given["items"]]
    assert ids == [one.id for one in parsed.entries]


UGLY = (
    "a\x00b\x08\ufffe\uffff".replace("\x00", ""),
    "]]><script>alert(1)</script>",
    "&amp;<![CDATA[x",
    "\u202eevil\u2066",
    "\U0001f600" * 50,
    "x" * 2_000,
)


async def test_hostile_words_stay_words(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    for n, ugly in enumerate(UGLY):
        shelf.source(f"s{n}", name=ugly[:200])
        shelf.article(
            ugly, f"s{n}", text="A loader.", html=ugly, summary=ugly, authors=[ugly], tags=[ugly],
            url=f"https://x.example/{n}?a={ugly[:40]}",
        )  # fmt: skip
    shelf.article("no link", text="A loader.", url="javascript:alert(1)")
    made = await feed(client, 'loader OR "</title><script>alert(1)</script>"')
    root = check_atom((await stranger.get(made["atom"])).content)
    assert len(root.findall(f"{ATOM}entry")) == len(UGLY) + 1
    assert {node.tag.partition("}")[2] for node in root.iter()} <= {
        "feed", "id", "title", "subtitle", "updated", "generator", "link", "entry", "author",
        "name", "published", "category", "rights", "summary", "content", "source", "tier", "score",
    }  # fmt: skip
    given = (await stranger.get(made["json_feed"])).json()
    check_json(given)
    for item in given["items"]:
        assert "<script" not in item["content_html"]


async def test_what_did_not_change_is_not_sent_again(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text="A loader.")
    made = await feed(client)
    for path in (made["atom"], made["json_feed"]):
        first = await stranger.get(path)
        held = {"if-none-match": first.headers["etag"]}
        same = await stranger.get(path, headers=held)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == first.headers["etag"]
        changed_at = parsedate_to_datetime(first.headers["last-modified"])
        for later, status in ((timedelta(0), 304), (timedelta(seconds=-1), 200)):
            since = {"if-modified-since": format_datetime(changed_at + later, usegmt=True)}
            assert (await stranger.get(path, headers=since)).status_code == status
        for wrong in ("yesterday", "", "Sun, 99 Nov 2026 99:00:00 GMT"):
            since = {"if-modified-since": wrong}
            assert (await stranger.get(path, headers=since)).status_code == 200
    held = {"if-none-match": (await stranger.get(made["atom"])).headers["etag"]}
    shelf.run("UPDATE article SET revision = 2, updated_at = now() WHERE id = %s", (number,))
    assert (await stranger.get(made["atom"], headers=held)).status_code == 200


async def test_a_token_that_was_renewed_or_ended_leads_nowhere(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one", text="A loader.")
    made = await feed(client)
    place = f"{API}/{made['id']}"
    assert (await client.get(place)).json()["feed"] is True
    new = (await client.post(f"{place}/feed")).json()["atom"]
    assert (await stranger.get(made["atom"])).status_code == 404
    assert (await stranger.get(new)).status_code == 200
    assert (await client.delete(f"{place}/feed")).status_code == 204
    assert (await client.delete(f"{place}/feed")).status_code == 404
    gone = await stranger.get(new)
    assert (gone.status_code, gone.text) == (404, "There is no such feed.\n")
    for token in (new_feed_token(), "x", "..", "x" * 300, "%00", "a.b"):
        assert (await stranger.get(f"/feeds/{token}.atom")).status_code in {404, 422}, token


async def test_what_a_program_made_ends_with_its_token(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, opened: Database, shelf: Shelf
) -> None:
    shelf.article("one", text="A loader.")
    for name, statement in (
        ("revoked", "UPDATE api_token SET revoked_at = now()"),
        ("expired", "UPDATE api_token SET revoked_at = NULL, expires_at = now()"),
    ):
        shelf.run("UPDATE api_token SET revoked_at = NULL, expires_at = NULL")
        made = await feed(client, name=name)
        assert (await stranger.get(made["atom"])).status_code == 200
        shelf.run(statement)
        assert (await stranger.get(made["atom"])).status_code == 404
    found = await SavedSearches(opened).of_user(1)
    assert [one.feed for one in found] == [False, False]


async def test_only_the_hash_of_a_token_is_kept(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    made = await feed(client)
    token = made["atom"].split("/")[-1].removesuffix(".atom")
    kept = shelf.run("SELECT row_to_json(f)::text FROM saved_search_feed f")[0]
    assert token not in kept
    repeated = await client.post(f"{API}/{made['id']}/feed", headers={"idempotency-key": "a"})
    token = repeated.json()["atom"].split("/")[-1].removesuffix(".atom")
    assert token not in str(shelf.run("SELECT json_agg(w)::text FROM written_once w")[0])


async def test_a_feed_gives_no_more_than_its_reader_may_see(
    app: FastAPI,
    opened: Database,
    client: httpx2.AsyncClient,
    stranger: httpx2.AsyncClient,
    shelf: Shelf,
) -> None:
    made = await saved(client, "loader", shared=True)
    viewer = await person(opened, Role.VIEWER)
    async with asking(app, await token_of(opened, viewer)) as other:
        path = (await other.post(f"{API}/{made['id']}/feed")).json()["atom"]
        path = path.removeprefix("http://127.0.0.1")
    assert (await stranger.get(path)).status_code == 200
    steps = (
        ("UPDATE saved_search SET shared = %s", False, True),
        ("UPDATE app_user SET disabled_at = CASE WHEN %s THEN now() END WHERE role = 'viewer'",
         True, False),
        ("UPDATE app_user SET disabled_at = CASE WHEN %s THEN now() END WHERE role = 'admin'",
         True, False),
    )  # fmt: skip
    for statement, taken, given in steps:
        shelf.run(statement, (taken,))
        assert (await stranger.get(path)).status_code == 404, statement
        shelf.run(statement, (given,))
        assert (await stranger.get(path)).status_code == 200, statement
    shelf.run("DELETE FROM app_user WHERE role = 'viewer'")
    assert (await stranger.get(path)).status_code == 404


async def test_a_feed_gives_no_more_than_the_token_that_made_it_may_read(
    app: FastAPI, opened: Database, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    token, key = new_token()
    both = (Permission.SELF_WRITE, Permission.ARTICLE_READ)
    owner = await person(opened, Role.ANALYST)
    await Tokens(opened).add(key, name="of a script", scopes=both, user_id=owner)
    async with asking(app, token) as script:
        made = await saved(script, "loader")
        path = (await script.post(f"{API}/{made['id']}/feed")).json()["atom"]
        path = path.removeprefix("http://127.0.0.1")
        assert (await stranger.get(path)).status_code == 200
        shelf.run("UPDATE api_token SET scopes = '{self:write}' WHERE name = 'of a script'")
        assert (await stranger.get(path)).status_code == 404
    narrow, key = new_token()
    await Tokens(opened).add(key, name="less", scopes=both[:1], user_id=owner)
    async with asking(app, narrow) as script:
        assert (await script.get("/api/v1/articles")).status_code == 403
        made = await saved(script, "wiper")
        assert (await script.post(f"{API}/{made['id']}/feed")).status_code == 403


async def test_a_date_beyond_all_is_none(client: httpx2.AsyncClient) -> None:
    made = await saved(client, "loader")
    path = (await client.post(f"{API}/{made['id']}/feed")).json()["atom"]
    absurd = {"if-modified-since": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}
    answer = await client.get(path.removeprefix("http://127.0.0.1"), headers=absurd)
    assert answer.status_code == 200


async def test_a_feed_is_asked_for_so_often_and_guesses_too(
    app: FastAPI, client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    assert feeds.A_MINUTE == 60
    app.state.feed_allowance = Allowance(2, 60.0)
    made, other = await feed(client), await feed(client, "other")
    statuses = [(await stranger.get(made["atom"])).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = await stranger.get(made["json_feed"])
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await stranger.get(other["atom"])).status_code == 200
    guesses = [
        (await stranger.get(f"/feeds/{new_feed_token()}.atom")).status_code for _ in range(3)
    ]
    assert guesses == [404, 404, 429]


async def test_no_more_is_given_than_fits(
    client: httpx2.AsyncClient,
    stranger: httpx2.AsyncClient,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(4):
        shelf.article(f"n{number}", text="A loader.", html="<p>0123456789</p>")
    made = await feed(client)
    monkeypatch.setattr(feeds, "MOST", 3)
    monkeypatch.setattr(feeds, "LONGEST_TEXTS", 40)
    items = (await stranger.get(made["json_feed"])).json()["items"]
    assert [bool(one["content_html"]) for one in items] == [True, True, False]


async def test_a_search_that_is_understood_no_more_says_so(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, shelf: Shelf
) -> None:
    made = await feed(client)
    shelf.run("UPDATE saved_search SET query = 'gone:x'")
    answer = await stranger.get(made["atom"])
    assert answer.status_code == 409
    assert "there is no field gone:" in answer.text


async def test_the_log_does_not_tell_the_token(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    made = await feed(client)
    token = made["atom"].split("/")[-1].removesuffix(".atom")
    with capture_logs(processors=[merge_contextvars]) as lines:
        await stranger.get(made["atom"])
        await stranger.get(f"/feeds//{token}.atom")
        await stranger.get(f"/FEEDS/{token}/.atom")
    assert lines
    assert token not in str(lines)
    assert any(line.get("path") == "/feeds/[redacted].atom" for line in lines)


async def test_a_feed_whose_search_takes_too_long_is_asked_for_again_later(
    client: httpx2.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(article_filters, "SEARCH_SECONDS", 0.3)
    made = await feed(client, "actor:akira")
    with psycopg.connect(shelf.conninfo) as connection:
        connection.execute("LOCK TABLE known_name IN ACCESS EXCLUSIVE MODE")
        answer = await client.get(made["atom"])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "300")
    assert "took longer than 0.3 seconds" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await client.get(made["atom"])).status_code == 200

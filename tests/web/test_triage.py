"""The reader's forms without a script: what they change, say, and undo; and who may not."""

from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser

from ctiscraper.access.cookies import csrf_token
from ctiscraper.db.session import Database
from ctiscraper.db.triage import TAGS_MOST
from ctiscraper.identity import Role
from people import person, session_of, token_of
from web.shelf import Shelf
from web.test_pages import FORM, attribute, page, words
from web.test_searches import asking


@pytest.fixture
def filled(shelf: Shelf) -> Shelf:
    for number in range(4):
        shelf.article(f"n{number}", text=f"The loader n{number}.")
    return shelf


async def send(client: httpx2.AsyncClient, path: str, **fields: object) -> httpx2.Response:
    return await client.post(path, content=urlencode(fields, doseq=True), headers=FORM)


async def told(client: httpx2.AsyncClient, answer: httpx2.Response) -> LexborHTMLParser:
    assert answer.status_code == 303, answer.text
    return await page(client, answer.headers["location"].partition("#")[0])


async def test_unread_articles_are_told_apart(client: httpx2.AsyncClient, filled: Shelf) -> None:
    del filled
    await page(client, "/articles/2")
    tree = await page(client, "/")
    assert words(tree, ".item.is-read h3") == ["n1"]
    assert words(tree, ".item.is-unread h3") == ["n0", "n2", "n3"]
    ahead = {"sec-purpose": "prefetch;prerender"}
    assert (await client.get("/articles/3", headers=ahead)).status_code == 200
    assert words(await page(client, "/?q=is:unread"), ".item h3") == ["n0", "n2", "n3"]


async def test_the_chosen_are_changed_and_undone(client: httpx2.AsyncClient, filled: Shelf) -> None:
    del filled
    answer = await send(
        client, "/triage", articles=[1, 3], act="state", state="review", here="/?q=loader"
    )
    assert answer.headers["location"].startswith("/?q=loader&changed=")
    tree = await told(client, answer)
    assert words(tree, "#toast p") == ["2 articles put into \u201cIn review\u201d."]
    assert words(tree, ".item.is-review h3") == ["n0", "n2"]
    undo = attribute(tree, "#toast [name=change]", "value")
    answer = await send(client, attribute(tree, "#toast form", "action"), change=undo, here="/")
    tree = await told(client, answer)
    assert words(tree, "#toast p") == ["Undone: 2 articles as before."]
    assert words(tree, ".item.is-review h3") == []
    again = await send(client, "/triage/undo", change=undo)
    assert again.status_code == 409


async def test_what_an_undo_left_is_told_and_no_address_tells_of_one(
    client: httpx2.AsyncClient, app: FastAPI, opened: Database, filled: Shelf
) -> None:
    async def toast(address: str) -> list[str]:
        return words(await page(client, address), "#toast p")

    filled.run("SELECT setval('triage_change_id_seq', 41, false)")
    await send(client, "/triage", articles=[1, 2], act="state", state="done")
    did = ["2 articles put into \u201cDone\u201d."]
    assert await toast("/?undone=41") == await toast("/articles/1?undone=41") == did
    assert await toast("/?undone=42") == []
    token = await token_of(opened, await person(opened, Role.ANALYST))
    async with asking(app, token) as other:
        await send(other, "/triage", articles=1, act="state", state="ignored")
    answer = await send(client, "/triage/undo", change=41, here="/")
    left = ["Undone: 1 article as before. 1 stays: somebody changed it since."]
    assert words(await told(client, answer), "#toast p") == left
    assert await toast("/?changed=41") == left
    # An older version of the program undoes without a word of what it restored.
    filled.run(
        "UPDATE triage_change SET former ="
        " jsonb_path_query_array(former, '$[*] ? (!exists(@.restored))') WHERE id = 41"
    )
    assert await toast("/?undone=41") == ["Undone."]
    await send(client, "/triage", articles=1, act="state", state="done")
    async with asking(app, token) as other:
        await send(other, "/triage", articles=1, act="state", state="ignored")
    answer = await send(client, "/triage/undo", change=43, here="/")
    left = ["Nothing was undone. 1 stays: somebody changed it since."]
    assert words(await told(client, answer), "#toast p") == left


async def test_what_has_no_room_for_a_tag_is_told(
    client: httpx2.AsyncClient, filled: Shelf
) -> None:
    filled.run(
        "INSERT INTO article_triage (article_id, tags, changed_by)"
        " SELECT g, ARRAY(SELECT 'x' || n FROM generate_series(1, %s) n), 'test'"
        " FROM generate_series(1, 2) g",
        (TAGS_MOST,),
    )
    for articles, said in (
        ([1], "Nothing was changed. 1 has 30 tags already: take one off first."),
        ([1, 3], "1 article tagged \u201cmore\u201d. 1 has 30 tags already: take one off first."),
        ([1, 2], "Nothing was changed. 2 have 30 tags already: take one off each first."),
        ([3], "Nothing had to be changed: it was so already."),
    ):
        answer = await send(client, "/triage", articles=articles, act="tag", tag="more", here="/")
        assert words(await told(client, answer), "#toast p") == [said]


async def test_a_whole_search_is_changed(client: httpx2.AsyncClient, filled: Shelf) -> None:
    filled.article("another", text="A dropper.")
    answer = await send(client, "/reading", whole=1, search="q=loader", act="star", here="/")
    assert words(await told(client, answer), "#toast p") == ["4 articles starred."]
    assert filled.run("SELECT count(*) FROM article_reader") == (4,)
    wrong = await send(client, "/reading", whole=1, search="tier=gold", act="star")
    assert wrong.status_code == 422
    ranked = await send(client, "/reading", whole=1, search="order=score&days=7", act="star")
    assert "one by one" in ranked.text


async def test_everything_is_read_and_is_not(client: httpx2.AsyncClient, filled: Shelf) -> None:
    del filled
    tree = await told(client, await send(client, "/reading", act="everything", here="/"))
    assert words(tree, ".item.is-unread h3") == []
    change = attribute(tree, "#toast [name=change]", "value")
    tree = await told(client, await send(client, "/reading/undo", change=change, here="/"))
    assert len(words(tree, ".item.is-unread h3")) == 4


async def test_a_script_is_answered_with_what_changed(
    client: httpx2.AsyncClient, filled: Shelf
) -> None:
    del filled
    answer = await send(client, "/reading", one="star 2", part=1, shown="2", here="/")
    tree = LexborHTMLParser(answer.text)
    assert answer.status_code == 200
    assert words(tree, "#toast p") == ["1 article starred."]
    assert attribute(tree, "[data-row='2'] [data-act=star]", "value") == "unstar 2"
    assert tree.css_first("[data-part='triage-2']") is not None


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("/triage", {"act": "state", "state": "done"}, "at least one article"),
        ("/triage", {"articles": 1, "act": "state", "state": "open"}, "state"),
        ("/triage", {"articles": 1, "act": ""}, "choose what to do"),
        ("/triage", {"articles": 1, "act": "tag", "tag": "!"}, "1 to 50"),
        ("/triage", {"articles": 1, "act": "assign", "assignee": "x"}, "assignee"),
        ("/triage", {"articles": 1, "act": "assign", "assignee": "999"}, "no such user"),
        ("/triage", {"articles": "x", "act": "tag", "tag": "a"}, "articles"),
        ("/reading", {"one": "burn 1"}, "one"),
        ("/reading", {"articles": 1, "act": "burn"}, "act"),
        ("/reading", {"articles": 1}, "choose what to do"),
        ("/reading/undo", {"change": 99}, "no change of yours"),
        ("/triage/undo", {"change": "x"}, "change"),
    ],
)
async def test_what_is_wrong_is_said(
    client: httpx2.AsyncClient, filled: Shelf, path: str, fields: dict[str, object], said: str
) -> None:
    del filled
    answer = await send(client, path, **fields)
    assert answer.status_code in {404, 422}
    assert said in answer.text


async def test_a_form_sends_all_that_it_has(client: httpx2.AsyncClient, filled: Shelf) -> None:
    """A button of a row is one of the same form as the bar below the list."""
    del filled
    bar = {"state": "new", "assignee": "", "tag": "", "search": "", "here": "/"}
    answer = await send(client, "/reading", **bar, articles=[1, 3], one="star 2")
    assert words(await told(client, answer), ".item.is-starred h3") == ["n1"]


async def test_forms_lead_nowhere_else(client: httpx2.AsyncClient, filled: Shelf) -> None:
    del filled
    answer = await send(client, "/reading", one="read 1", here="//evil.example/x?y=1")
    assert answer.headers["location"].startswith("/?changed=")


async def test_the_view_is_kept_in_cookies(client: httpx2.AsyncClient, filled: Shelf) -> None:
    del filled
    await send(client, "/view", density="compact", here="/")
    tree = await page(client, "/")
    assert tree.css_first(".desk.compact") is not None
    await send(client, "/view", density="comfortable", here="/")
    assert (await page(client, "/")).css_first(".desk.compact") is None
    assert (await send(client, "/view", density="tiny")).status_code == 422


async def test_articles_of_a_story_are_one_row(client: httpx2.AsyncClient, filled: Shelf) -> None:
    filled.run(
        "INSERT INTO story (first_article, first_at, last_at, articles) VALUES (3, now(), now(), 2)"
    )
    for number in (1, 3):
        filled.run(
            "INSERT INTO story_article (article_id, story_id) SELECT %s, id FROM story", (number,)
        )
    assert len(words(await page(client, "/"), ".items > .item")) == 4
    await send(client, "/view", by="story", here="/")
    tree = await page(client, "/")
    assert words(tree, ".items > .item > .what h3") == ["n0", "n1", "n3"]
    assert words(tree, ".item .same h3") == ["n2"]
    assert tree.css_first("#a-1 .same #a-3 input[name=articles]") is not None


@pytest_asyncio.fixture
async def viewer(stranger: httpx2.AsyncClient, opened: Database) -> httpx2.AsyncClient:
    """A browser of somebody who may read alone."""
    secret = await session_of(opened, await person(opened, Role.VIEWER))
    stranger.cookies.set("ctiscraper", secret)
    stranger.headers.update({"x-csrf-token": csrf_token(secret), "sec-fetch-site": "same-origin"})
    return stranger


async def test_who_reads_alone_has_his_stars_and_no_states(
    viewer: httpx2.AsyncClient, filled: Shelf
) -> None:
    del filled
    tree = await told(viewer, await send(viewer, "/reading", one="star 1", here="/"))
    assert words(tree, ".item.is-starred h3") == ["n0"]
    assert tree.css_first(".bulk [name=state]") is None
    assert (await page(viewer, "/articles/1")).css_first(".add-note") is None
    refused = await send(viewer, "/triage", articles=1, act="state", state="done")
    assert refused.status_code == 403


async def test_a_token_of_nobody_has_read_nothing(
    stranger: httpx2.AsyncClient, opened: Database, filled: Shelf
) -> None:
    del filled
    await person(opened)
    stranger.headers["authorization"] = f"Bearer {await token_of(opened, None)}"
    tree = await page(stranger, "/")
    assert words(tree, ".item.is-unread h3") == []
    assert tree.css_first(".acts button") is None
    answer = await send(stranger, "/reading", one="star 1", here="/")
    assert answer.status_code == 403
    assert (await stranger.get("/api/v1/reading")).status_code == 403

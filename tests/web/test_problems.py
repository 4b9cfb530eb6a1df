"""Questions that end before they are answered: their pages stay, with what was typed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx2
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser

from ctiscraper.db import article_filters, entities
from lock_waits import held
from web.shelf import Shelf
from web.test_matrix import MATRIX
from web.test_pages import FORM, attribute, words

SLOW = "actor:akira loader"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(article_filters, "SEARCH_SECONDS", 0.5)
    monkeypatch.setattr(entities, "LIST_SECONDS", 0.5)


async def unanswered(
    client: httpx2.AsyncClient, path: str, status: int = 400, **asked: object
) -> LexborHTMLParser:
    answer = await client.get(path, params=asked)  # type: ignore[arg-type]  # a builder
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


def links(tree: LexborHTMLParser) -> list[str | None]:
    return [link.attributes["href"] for link in tree.css("a")]


async def test_an_article_can_be_read_whose_neighbours_cannot_be_found(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    number = shelf.article("A loader")
    shelf.article("Another loader")
    with held(database, "known_name"):
        tree = await unanswered(client, f"/articles/{number}", 200, q=SLOW)
    assert words(tree, "h1") == ["A loader"]
    assert f"/?{urlencode({'q': SLOW})}" in links(tree)
    assert not tree.css("[rel=prev], [rel=next]")
    tree = await unanswered(client, f"/articles/{number}", 200, q="loader")
    assert len(tree.css("[rel=prev], [rel=next]")) == 1


@pytest.mark.parametrize("order", ["newest", "relevance", "score"])
async def test_a_list_that_takes_too_long_keeps_its_search_and_a_way_out(
    client: httpx2.AsyncClient, database: str, shelf: Shelf, order: str
) -> None:
    shelf.article("A loader")
    with held(database, "known_name"):
        tree = await unanswered(client, "/", q=SLOW, order=order, tier="standard")
    assert attribute(tree, "input[type=search]", "value") == SLOW
    assert "This question took longer than 0.5 seconds" in words(tree, "p.notice")[0]
    assert words(tree, ".empty h2") == ["Not answered"]
    week = (datetime.now(UTC).date() - timedelta(days=7)).isoformat()
    found = [link for link in links(tree) if link and f"since={week}" in link]
    assert len(found) == 1
    assert urlencode({"q": SLOW}) in found[0]
    assert "tier=standard" in found[0]
    assert attribute(tree, "details.narrow", "open") == ""


async def test_a_list_is_not_widened_where_it_should_be_narrowed(
    client: httpx2.AsyncClient, database: str
) -> None:
    since = datetime.now(UTC).date() - timedelta(days=8)
    with held(database, "known_name"):
        tree = await unanswered(client, "/", q=SLOW, since=since)
        older = await unanswered(client, "/", q=SLOW, until="2020-01-01")
    assert [words(one, ".empty p a")[:-1] for one in (tree, older)] == [["7 days"], []]


async def test_a_search_by_meaning_without_words_keeps_its_box(client: httpx2.AsyncClient) -> None:
    tree = await unanswered(client, "/", q="actor:akira", order="meaning")
    assert attribute(tree, "input[type=search]", "value") == "actor:akira"
    assert "needs words" in words(tree, "p.notice")[0]
    assert words(tree, ".empty h2") == ["Not searched by meaning"]


async def test_techniques_of_a_search_that_fails_keep_what_was_typed(
    client: httpx2.AsyncClient, app: FastAPI, database: str
) -> None:
    app.state.services = replace(app.state.services, matrix=MATRIX)
    with held(database, "known_name"):
        slow = await unanswered(client, "/techniques", q=SLOW)
    wrong = await unanswered(client, "/techniques", 422, q="loader actr:x")
    for tree, typed, said in (
        (slow, SLOW, "took longer than 0.5 seconds"),
        (wrong, "loader actr:x", "There is no field actr:"),
    ):
        assert attribute(tree, ".filters input[name=q]", "value") == typed
        assert said in words(tree, "[role=alert]")[0]
        assert not tree.css(".empty, .matrix")


async def test_a_list_of_indicators_that_takes_too_long_keeps_its_filters(
    client: httpx2.AsyncClient, database: str
) -> None:
    with held(database, "entity"):
        tree = await unanswered(client, "/indicators", q="evil", kind="domain")
    assert attribute(tree, ".filters input[name=q]", "value") == "evil"
    assert attribute(tree, ".filters option[value=domain]", "selected") == ""
    assert "This list took longer than 0.5 seconds" in words(tree, "[role=alert]")[0]
    assert not tree.css(".empty")


async def test_a_question_without_an_answer_stays_where_it_was_typed(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    shelf.article("A loader", text="A loader steals cookies.")
    for question, status, said in (
        ("Which loader?", 400, "took longer than 0.5 seconds"),
        (" \n", 422, "the question is empty"),
    ):
        with held(database, "passage"):
            sent = urlencode({"question": question, "source": "acme"})
            answer = await client.post("/ask", content=sent, headers=FORM)
        assert answer.status_code == status, answer.text
        tree = LexborHTMLParser(answer.text)
        area = tree.css_first("textarea")
        assert area is not None
        assert area.text().strip() == question.strip()
        assert attribute(tree, "option[value=acme]", "selected") == ""
        assert said in words(tree, "[role=alert]")[0]


@pytest.mark.parametrize(
    ("path", "act"), [("/triage", {"act": "state", "state": "done"}), ("/reading", {"act": "star"})]
)
async def test_what_a_search_means_that_takes_too_long_is_not_changed(
    client: httpx2.AsyncClient, database: str, shelf: Shelf, path: str, act: dict[str, str]
) -> None:
    shelf.article("A loader")
    trail = urlencode({"q": SLOW})
    sent = {**act, "whole": "true", "search": trail, "here": f"/?{trail}"}
    with held(database, "known_name"):
        answer = await client.post(path, content=urlencode(sent), headers=FORM)
    assert answer.status_code == 400
    tree = LexborHTMLParser(answer.text)
    assert attribute(tree, ".error a.button", "href") == f"/?{trail}"
    assert "Nothing was changed. This question took longer" in words(tree, ".error p")[1]
    assert shelf.run("SELECT count(*) FROM triage_change") == (0,)

"""Searches on the pages and in the API: help, places of mistakes, snippets, facets."""

from urllib.parse import quote

import httpx2
import pytest

from ctiscraper.asking import understand
from ctiscraper.intelligence import Extractor
from ctiscraper.views import Snippet
from ctiscraper.web.search_words import HELP, pieces, sentence
from web.claims import mention, name
from web.shelf import Shelf
from web.test_pages import attribute, page, words

WRONG = (
    ("loader actr:x", 7, 5, "did you mean actor:"),
    ("loader (dropper", 7, 8, "Expected a )"),
    ("starred:maybe", 8, 5, "yes or no"),
    ("x" * 1001, 1000, 1, "at most 1,000"),
)


def test_every_example_of_the_help_is_understood() -> None:
    for example, meaning in HELP:
        assert understand(example).text == example
        assert meaning


def test_a_snippet_is_shown_in_pieces() -> None:
    snippet = Snippet(text="a loader ran", marks=((2, 8),))
    assert list(pieces(snippet)) == [("a ", False), ("loader", True), (" ran", False)]
    assert sentence("it is so") == "It is so."
    assert sentence("Is it?") == "Is it?"


@pytest.mark.parametrize(("typed", "position", "length", "said"), WRONG)
async def test_a_mistake_is_shown_under_the_box(
    client: httpx2.AsyncClient, typed: str, position: int, length: int, said: str
) -> None:
    answer = await client.get(f"/api/v1/articles?q={quote(typed)}")
    problem = answer.json()
    assert (answer.status_code, problem["position"], problem["length"]) == (422, position, length)
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in problem["detail"]
    shown = await client.get(f"/?q={quote(typed)}")
    assert shown.status_code == 422
    assert said in shown.text
    assert typed[position : position + length].strip() in shown.text
    assert 'aria-describedby="mistake" autofocus' in shown.text, "it can be corrected at once"
    assert '<details class="help" open>' in shown.text


async def test_hostile_words_of_a_mistake_stay_words(client: httpx2.AsyncClient) -> None:
    typed = '<script>alert(1)</script> "'
    shown = await client.get(f"/?q={quote(typed)}")
    assert shown.status_code == 422
    assert "<script>alert" not in shown.text


async def test_what_was_pasted_on_lines_is_one_search(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one", text="A loader and a dropper.")
    tree = await page(client, f"/?q={quote('loader' + chr(10) + chr(0) + 'dropper')}")
    assert words(tree, ".item h3") == ["one"]
    assert attribute(tree, ".search input", "value") == "loader dropper"


async def test_the_matched_words_are_marked_and_nothing_else_is_markup(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.article("one", text="It <b>is</b> a loader & more.")
    tree = await page(client, "/?q=loader")
    assert words(tree, ".snippet mark") == ["loader"]
    assert words(tree, ".snippet") == ["It <b>is</b> a loader & more."]
    [found] = (await client.get("/api/v1/articles?q=loader")).json()["articles"]
    text, [[start, end]] = found["snippet"]["text"], found["snippet"]["marks"]
    assert text[start:end] == "loader"
    [plain] = (await client.get("/api/v1/articles")).json()["articles"]
    assert plain["snippet"] is None


async def test_facets_narrow_the_search_that_they_are_of(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    lazarus = mention("G0032", "actor", name="Lazarus Group", extractor=Extractor.NAMES)
    for number in range(3):
        article = shelf.article(f"n{number}", "bolt" if number else "acme", text="Loader OR not.")
        await name(database, shelf, article, *([lazarus] if number == 1 else []))
    tree = await page(client, f"/?q={quote('loader OR dropper')}")
    assert words(tree, ".facets > summary") == ["Of 3 matches"]
    assert words(tree, ".facets h2") == ["Source", "Tier", "Actor"]
    links = {link.text().strip(): link.attributes["href"] for link in tree.css(".facets a")}
    narrowed = await page(client, str(links["Lazarus Group"]))
    assert words(narrowed, ".item h3") == ["n1"]
    asked = attribute(narrowed, ".search input", "value")
    assert asked == '(loader OR dropper) actor:"Lazarus Group"'
    facets = (await client.get("/api/v1/articles?q=loader&facets=true")).json()["facets"]
    assert facets["counted"] == 3
    assert facets["actor"][0] == {
        "value": "Lazarus Group",
        "label": "Lazarus Group",
        "term": 'actor:"Lazarus Group"',
        "articles": 1,
    }
    assert (await client.get("/api/v1/articles?q=loader")).json()["facets"] is None


async def test_what_stands_for_nothing_is_said(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one", text="A loader.")
    tree = await page(client, "/?q=loader+source:gone")
    assert words(tree, ".notice") == ["There is no source \u201cgone\u201d."]
    [note] = (await client.get("/api/v1/articles?q=loader+source:gone")).json()["notes"]
    assert (note["position"], note["length"]) == (7, 11)


async def test_the_most_relevant_are_one_list(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("once", text="A loader among other words.")
    shelf.article("loader", text="Loader, loader.")
    tree = await page(client, "/?q=loader&order=relevance")
    assert words(tree, ".day") == ["The most relevant"]
    assert words(tree, ".item h3") == ["loader", "once"]
    opened = await page(client, attribute(tree, "[data-open]", "href"))
    assert not opened.css("[data-following]")
    listed = (await client.get("/api/v1/articles?q=loader&order=relevance")).json()["articles"]
    assert [one["title"] for one in listed] == ["loader", "once"]


async def test_a_search_that_is_wrong_does_not_hide_an_article(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one")
    assert (await client.get(f"/articles/{number}?q={quote('(')}")).status_code == 200
    lines = (await client.get("/api/v1/articles?q=one&format=csv")).text.splitlines()
    assert len(lines) == 2
    assert (await client.get(f"/api/v1/techniques?q={quote('(')}")).status_code == 422

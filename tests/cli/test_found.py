"""`search`: what was found, and where a search is wrong."""

import json

from cli.conftest import Collected
from ctiscraper.cli.found import marked
from ctiscraper.cli.output import pointed_at
from ctiscraper.errors import SearchSyntaxError
from ctiscraper.views import Snippet


def test_a_search_says_what_it_found(collected: Collected) -> None:
    run = collected.terminal.run
    [first, *_] = run("articles", "list", "--json").json["articles"]
    word = max(first["title"].split(), key=len)
    shown = run("search", f'"{first["title"]}"', "--facets").out
    assert first["title"] in shown
    assert f"source:{first['source']['key']}" in shown
    found = run("search", word, "--relevance", "--json").json
    assert found["articles"]
    assert "No article matches" in run("search", "nowheretobefound").out
    noted = run("search", word, "source:gone").out
    assert "there is no source" in noted


def test_a_mistake_is_pointed_at(collected: Collected) -> None:
    wrong = collected.terminal.run("search", "loader", "actr:x", code=2).err
    assert "did you mean actor:" in wrong
    assert "  loader actr:x\n         ^^^^^" in wrong
    told = json.loads(collected.terminal.run("search", "a(", "--json", code=2).err)
    assert (told["error"], told["position"]) == ("searchsyntax", 1)


def test_carets_stand_under_the_mistake_in_long_and_wide_searches() -> None:
    error = SearchSyntaxError("wrong", position=100, length=3)
    error.text = "\u6f22" * 100 + "bad" + "y" * 200
    shown, carets = pointed_at(error)
    assert len(shown) == 122
    assert carets == "  " + " " * 120 + "^^^"


def test_matched_words_are_in_bold() -> None:
    text = marked(Snippet(text="a loader\x1b ran", marks=((2, 8),)))
    assert text.plain == "a loader  ran"
    assert [(span.start, span.end) for span in text.spans] == [(2, 8)]

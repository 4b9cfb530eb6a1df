"""`stories` and `scoreboard` on the terminal."""

from collections.abc import AsyncIterator

import pytest_asyncio

from cli.terminal import Terminal
from ctiscraper.db.session import Database
from newsroom import Newsroom

HASH = "sha256 " + "ab" * 32


@pytest_asyncio.fixture
async def articles(database: str) -> AsyncIterator[list[int]]:
    async with Database(database, size=2) as opened:
        newsroom = Newsroom(database, opened)
        made = [
            newsroom.tell(HASH, source=f"site-{n}", hours=n, title=f"Printer worm {n}")
            for n in range(3)
        ]
        await newsroom.assign()
        yield made


def test_a_story_is_listed_and_shown(terminal: Terminal, articles: list[int]) -> None:
    [story] = terminal.run("stories", "list", "--json").json["stories"]
    assert (story["articles"], story["title"]) == (3, "Printer worm 0")
    listed = terminal.run("stories", "list").out
    assert "first reporter" in listed
    assert "site-0" in listed
    shown = terminal.run("stories", "show", str(story["id"])).out
    assert "1.0 h before the next source" in shown
    assert f"sha256 {'ab' * 32}" in shown
    timeline = terminal.run("stories", "show", str(story["id"]), "--json").json["timeline"]
    assert [one["id"] for one in timeline] == articles


def test_decisions_are_made_and_undone(terminal: Terminal, articles: list[int]) -> None:
    one, two, three = map(str, articles)
    made = terminal.run("stories", "split", two, three, "--reason", "a copycat", "--json").json
    story = str(made["story"])
    assert "a copycat" in terminal.run("stories", "show", story).out
    assert terminal.run("stories", "undo", "1").out == "Decision 1 is undone.\n"
    terminal.run("stories", "undo", "1", code=6)
    made = terminal.run("stories", "split", three, "--json").json
    first = terminal.run("stories", "list", "--json").json["stories"][0]["id"]
    assert terminal.run("stories", "move", one, str(made["story"])).out.startswith("Story ")
    merged = terminal.run("stories", "merge", str(first), str(made["story"]), "--json").json
    assert terminal.run("stories", "show", str(merged["story"]), "--json").json["articles"] == 3
    terminal.run("stories", "show", "999", code=5)
    assert terminal.noted() == [
        *("story.split", "story.undo", "story.split", "story.move", "story.merge"),
    ]


def test_sources_are_compared(terminal: Terminal, articles: list[int]) -> None:
    del articles
    period = ("--since", "2026-11-01", "--until", "2026-11-20")
    rows = terminal.run("scoreboard", *period, "--json").json["sources"]
    assert {row["source"]["key"]: row["first"] for row in rows} == {
        "site-0": 1,
        "site-1": 0,
        "site-2": 0,
    }
    assert "told first" in terminal.run("scoreboard", *period).out
    assert "at most 92 days" in terminal.run("scoreboard", "--since", "2020-01-01", code=1).err


def test_without_stories_it_says_so(terminal: Terminal) -> None:
    assert terminal.run("stories", "list").out == "No two articles tell of one event yet.\n"

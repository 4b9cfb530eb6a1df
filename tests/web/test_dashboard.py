"""The dashboard as page and as JSON."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest
from fastapi import FastAPI

from ctiscraper.access.tokens import new_token
from ctiscraper.dashboard_views import TechniqueHeat
from ctiscraper.db.session import Database
from ctiscraper.db.tokens import Tokens
from ctiscraper.identity import Permission
from ctiscraper.story_views import EntityRef
from ctiscraper.web.dashboard import by_tactic
from ctiscraper.web.matrix import Matrix
from make_scores import ScoredShelf, mention
from web.shelf import Shelf
from web.test_matrix import MATRIX
from web.test_pages import page, words

UGLY = "<script>alert(1)</script>" + "Unbroken" * 30


@pytest.fixture
def told(shelf: Shelf) -> Shelf:
    """Something for each part of the page."""
    scored = ScoredShelf(shelf)
    shelf.source("silent", name=UGLY[:200], health="ok")
    shelf.source("away", name="Away", health="failing", reason="timeout", detail=UGLY)
    for number in range(40):
        shelf.article(
            f"s{number}",
            "silent",
            sort_at=shelf.run(f"SELECT now() - interval '{8 + number} d'")[0],
        )
    for number in range(60):
        source = ("acme", "bolt")[number % 2]
        scored.article(f"n{number}", "words", days_ago=number + 0.01, source=source)
    for number in range(9):
        scored.article(
            f"hot {number}", "words", mention("malware", UGLY, name=UGLY),
            mention("technique", "T1", name=UGLY), days_ago=number / 20,
            source=("acme", "bolt")[number % 2],
        )  # fmt: skip
    return shelf


async def test_the_page_answers_what_a_morning_asks(
    client: httpx2.AsyncClient, app: FastAPI, told: Shelf
) -> None:
    app.state.services = replace(app.state.services, matrix=MATRIX)
    assert told.count
    tree = await page(client, "/dashboard")
    assert words(tree, "nav[aria-label=Main] a")[0] == "Dashboard"
    assert words(tree, "nav a[aria-current]") == ["Dashboard"]
    assert words(tree, "main h2") == [
        "Hot in the last 24 hours",
        "Hot in the last 7 days",
        "On the watchlist the best of 7 days",
        "Sources that need a look",
        "Articles a day",
        "ATT&CK of the last 30 days against the 30 before",
        "Articles by source the first 3",
    ]
    hot = words(tree, ".hot tbody tr")
    assert len(hot) == 2
    assert UGLY in hot[0]
    assert "9 of 2 sources" in hot[0]
    assert "never named then" in hot[0]
    troubles = words(tree, ".amiss-sources li")
    assert troubles[0].startswith("Away")
    assert "The host did not answer in time." in troubles[0]
    assert "has brought nothing for 8 days" in troubles[1]
    assert "longest pause was 1 day" in troubles[1]
    # Each picture has its name, its words and its figures.
    for chart in tree.css("svg.chart:not(.key)"):
        names = str(chart.attributes["aria-labelledby"]).split()
        assert all(tree.css(f"#{name}") for name in names)
    assert len(words(tree, ".behind tbody tr")) == 30 + 2
    assert words(tree, "svg a text")[:2] == ["T1", "▲9"]
    assert tree.css("[style]") == []


async def test_a_new_installation_says_what_is_not_there_yet(client: httpx2.AsyncClient) -> None:
    tree = await page(client, "/dashboard")
    said = " ".join(words(tree, ".none"))
    assert "nothing can be said to be unusual" in said
    assert "Nothing is watched for yet" in said
    assert "every source can be read" in said
    assert "No article of these days names a technique" in said


async def test_counts_that_are_still_being_filled_are_said_to_be(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    shelf.run("UPDATE rollup_fill SET last = 9")
    assert "still being counted" in words(await page(client, "/dashboard"), ".notice")[0]


async def test_the_api_has_the_same_with_an_entity_tag(
    client: httpx2.AsyncClient, told: Shelf
) -> None:
    assert told.count
    answer = await client.get("/api/v1/dashboard")
    found = answer.json()
    assert found["week"]["trends"][0]["articles"] == 9
    assert found["failing"][0]["source"]["key"] == "away"
    assert found["silent"][0]["quiet_days"] == 8
    assert len(found["volumes"]) == 30
    tag = answer.headers["etag"]
    again = await client.get("/api/v1/dashboard", headers={"if-none-match": tag})
    assert again.status_code == 304
    assert (await client.get("/api/v1/dashboard?x=1")).status_code == 422


async def test_who_may_not_read_of_sources_sees_none(
    stranger: httpx2.AsyncClient, opened: Database, told: Shelf
) -> None:
    assert told.count
    token, key = new_token()
    await Tokens(opened).add(key, name="reader", scopes=[Permission.ARTICLE_READ], user_id=None)
    headers = {"authorization": f"Bearer {token}"}
    found = (await stranger.get("/api/v1/dashboard", headers=headers)).json()
    assert (found["failing"], found["silent"], found["failing_count"]) == ([], [], 0)
    tree = (await stranger.get("/dashboard", headers=headers)).text
    assert "Sources that need a look" not in tree


async def test_trends_are_asked_for_by_kind_and_window(
    client: httpx2.AsyncClient, told: Shelf
) -> None:
    assert told.count
    answer = await client.get("/api/v1/trends?kind=malware&window=24h")
    assert [one["entity"]["kind"] for one in answer.json()["trends"]] == ["malware"]
    assert answer.json()["hours"] == 24
    assert (await client.get("/api/v1/trends?kind=actor")).json()["trends"] == []
    both = (await client.get("/api/v1/trends?kind=malware&kind=technique&limit=1")).json()
    assert len(both["trends"]) == 1
    for wrong in ("kind=url", "window=2d", "limit=0", "limit=51", "x=1"):
        assert (await client.get(f"/api/v1/trends?{wrong}")).status_code == 422


async def test_all_who_ask_within_a_moment_cost_one(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    first = (await client.get("/api/v1/dashboard")).json()
    shelf.article(sort_at=datetime.now(UTC))
    assert (await client.get("/api/v1/dashboard")).json() == first


def heat(value: str, articles: int, before: int = 0) -> TechniqueHeat:
    return TechniqueHeat(
        technique=EntityRef(id=1, kind="technique", value=value, name="", articles=1),
        articles=articles,
        before=before,
    )


def test_techniques_stand_under_each_of_their_tactics() -> None:
    found = by_tactic((heat("T1", 5, 2), heat("T9", 1)), MATRIX)
    named = {one.tactic: [each.technique.value for each in one.techniques] for one in found}
    assert "T1" in named["First"]
    assert named["Of no tactic that is known here"] == ["T9"]
    assert (found[0].articles, found[0].before) == (5, 2)
    [alone] = by_tactic((heat("T1", 5),), Matrix())
    assert alone.tactic == "Of no tactic that is known here"

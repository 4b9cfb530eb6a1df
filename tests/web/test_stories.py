"""Stories and the scoreboard over the API."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest_asyncio
from pydantic import TypeAdapter

from ctiscraper import story_views as views
from ctiscraper.db.session import Database
from newsroom import Newsroom

HASH = "sha256 " + "ab" * 32
SHAPES: list[tuple[str, Any]] = [
    ("stories", views.StoryPage),
    ("stories/1", views.StoryDetail),
    ("articles/1/stories", views.StoriesOfArticle),
    ("scoreboard?since=2026-11-01&until=2026-11-20", views.Scoreboard),
]


@pytest_asyncio.fixture
async def newsroom(database: str) -> AsyncIterator[Newsroom]:
    async with Database(database, size=2) as opened:
        made = Newsroom(database, opened)
        for number in range(3):
            made.tell(HASH, "cve CVE-2026-1", source=f"site-{number}", hours=number)
        await made.assign()
        yield made


async def test_answers_have_the_shape_that_is_described(
    client: httpx2.AsyncClient, newsroom: Newsroom
) -> None:
    await newsroom.stories.split([3], actor="test", reason="a copycat")
    for path, shape in SHAPES:
        answer = await client.get(f"/api/v1/{path}")
        assert (answer.status_code, path) == (200, path)
        TypeAdapter(shape).validate_json(answer.content)
        assert msgspec.json.decode(answer.content, type=shape)
    story = (await client.get("/api/v1/stories/1")).json()
    assert [one["action"] for one in story["decisions"]] == ["split"]


async def test_people_decide(client: httpx2.AsyncClient, newsroom: Newsroom) -> None:
    del newsroom
    made = await client.post("/api/v1/stories/split", json={"articles": [3], "reason": "no"})
    assert made.json() == {"story": 2}
    assert (await client.post("/api/v1/stories/decisions/1/undo")).status_code == 204
    assert (await client.get("/api/v1/stories/2")).json()["id"] == 1
    await client.post("/api/v1/stories/split", json={"articles": [3]})
    moved = await client.post("/api/v1/stories/3/articles", json={"article": 2})
    assert moved.json() == {"story": 3}
    merged = await client.post("/api/v1/stories/1/merge", json={"other": 3})
    assert merged.json() == {"story": 1}
    story = (await client.get("/api/v1/stories/3")).json()
    assert story["articles"] == 3
    assert {one["actor"] for one in story["decisions"]} == {"the-admin, token a test"}


async def test_what_cannot_be_is_refused(client: httpx2.AsyncClient, newsroom: Newsroom) -> None:
    del newsroom
    for path in (
        "stories?limit=0",
        "stories?cursor=bad",
        "stories?x=1",
        "stories/0",
        "scoreboard?since=never",
    ):
        answer = await client.get(f"/api/v1/{path}")
        assert (answer.status_code, path) == (422, path)
    assert (await client.get("/api/v1/stories/99")).status_code == 404
    assert (await client.get("/api/v1/scoreboard?since=2000-01-01")).status_code == 400
    for path, body, status in (
        ("stories/split", {"articles": []}, 422),
        ("stories/split", {"articles": [1, 2, 3]}, 409),
        ("stories/1/merge", {"other": 99}, 404),
        ("stories/1/articles", {"article": 1}, 409),
        ("stories/decisions/9/undo", {}, 404),
    ):
        answer = await client.post(f"/api/v1/{path}", json=body)
        assert (answer.status_code, path) == (status, path)

"""The pages of stories: the timeline, what each source added, and the forms."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio

from ctiscraper.db.session import Database
from ctiscraper.story_views import EntityRef, StoryWhy
from ctiscraper.web.kind_words import shown
from ctiscraper.web.story_words import later, next_words, why_words
from newsroom import Newsroom
from web.test_pages import FORM, attribute, page, words

HASH = "sha256 " + "ab" * 32


@pytest_asyncio.fixture
async def newsroom(database: str) -> AsyncIterator[Newsroom]:
    async with Database(database, size=2) as opened:
        made = Newsroom(database, opened)
        for number in range(3):
            made.tell(
                HASH, "cve CVE-2026-1", f"domain c{number}.evil.com", source=f"site-{number}",
                hours=number, title=f"Told by {number}",
            )  # fmt: skip
        await made.assign()
        yield made


async def send(client: httpx2.AsyncClient, path: str, **fields: object) -> httpx2.Response:
    return await client.post(path, content=urlencode(fields, doseq=True), headers=FORM)


async def test_a_story_tells_who_came_first_and_what_each_added(
    client: httpx2.AsyncClient, newsroom: Newsroom
) -> None:
    del newsroom
    listed = await page(client, "/stories")
    assert words(listed, ".item h3") == ["Told by 0"]
    assert "first, the next 1 h later" in words(listed, ".item .meta")[0]
    tree = await page(client, attribute(listed, "[data-open]", "href"))
    assert words(tree, ".timeline h3") == ["Told by 0", "Told by 1", "Told by 2"]
    assert words(tree, ".timeline .later") == ["first", "1 h later", "2 h later"]
    added = words(tree, ".timeline > li:nth-child(2) .tagged a")
    assert added == ["Domain c1[.]evil[.]com"]
    assert f"Both name: SHA-256 {'ab' * 32}" in words(tree, ".timeline > li:nth-child(2) .why li")
    article = await page(client, "/articles/2")
    assert "Part of a story: 3 articles, first by site-0" in words(article, ".reader > header")[0]
    shared = words(tree, ".story > section:first-of-type .tagged a")
    assert sorted(shared) == ["CVE CVE-2026-1", f"SHA-256 {'ab' * 32}"]


async def test_forms_split_join_move_and_undo(
    client: httpx2.AsyncClient, newsroom: Newsroom
) -> None:
    answer = await send(client, "/stories/1/split", articles=[2, 3], reason="a <b>copycat</b>")
    assert (answer.status_code, answer.headers["location"]) == (303, "/stories/2?from=1")
    assert await newsroom.groups() == {frozenset({1}), frozenset({2, 3})}
    tree = await page(client, "/stories/2")
    assert "“a <b>copycat</b>” the-admin, token a test" in words(tree, ".history li")[0]
    answer = await send(client, attribute(tree, ".undo", "action"))
    assert answer.headers["location"] == "/stories/2"
    assert (await client.get("/stories/2")).headers["location"] == "/stories/1"
    await send(client, "/stories/1/split", articles=[3])
    assert (await send(client, "/stories/3/articles", article=2)).status_code == 303
    assert (await send(client, "/stories/1/merge", other=3)).headers["location"] == "/stories/1"
    assert await newsroom.groups() == {frozenset({1, 2, 3})}


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/stories/1/split", {}, 422),
        ("/stories/1/split", {"articles": [1, 2, 3]}, 409),
        ("/stories/1/merge", {"other": 99}, 404),
        ("/stories/1/merge", {"other": "one"}, 422),
        ("/stories/1/articles", {"article": 1}, 409),
        ("/stories/1/decisions/9/undo", {}, 404),
    ],
)
async def test_what_cannot_be_is_refused(
    client: httpx2.AsyncClient,
    newsroom: Newsroom,
    path: str,
    fields: dict[str, object],
    status: int,
) -> None:
    del newsroom
    assert (await send(client, path, **fields)).status_code == status


async def test_without_stories_the_page_says_how_one_begins(client: httpx2.AsyncClient) -> None:
    assert "A story begins where two articles" in (await client.get("/stories")).text
    assert (await client.get("/stories/9")).status_code == 404


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            StoryWhy(name="shares", weight=2.0, detail="url http://evil.com/x"),
            "Both name: URL hxxp://evil[.]com/x",
        ),
        (StoryWhy(name="text", weight=1.0, detail="0.83"), "Their texts say the same (83 % alike)"),
        (StoryWhy(name="days_apart", weight=0.0, detail="1.5"), "Days apart: 1.5"),
        (StoryWhy(name="text", weight=1.0, detail="much"), "Their texts say the same (much)"),
        (StoryWhy(name="from_the_future", weight=1.0), "From the future"),
    ],
)
def test_reasons_are_told_in_words(reason: StoryWhy, told: str) -> None:
    assert why_words(reason) == told


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0, "first"), (0.5, "30 min later"), (5.2, "5 h later"), (72, "3 days later")],
)
def test_how_much_later_is_told_in_one_unit(hours: float, told: str) -> None:
    assert later(hours) == told


def test_things_are_named_as_elsewhere() -> None:
    technique = EntityRef(id=1, kind="technique", value="T1", name="Phishing", articles=1)
    assert shown(technique) == "T1 Phishing"
    domain = EntityRef(id=1, kind="domain", value="evil.com", name="", articles=1)
    assert shown(domain) == "evil[.]com"


@pytest.mark.parametrize(("hours", "told"), [(0.0, "at the same time"), (3.0, "3 h later")])
def test_the_second_source_is_never_first(hours: float, told: str) -> None:
    assert next_words(hours) == told

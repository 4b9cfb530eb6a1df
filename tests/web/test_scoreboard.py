"""The scoreboard as a page."""

import re

import httpx2

from web.shelf import Shelf


async def test_sources_are_compared_and_sorted(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.run("UPDATE source SET created_at = now() - interval '90 days'")
    for name, articles in (("acme", 3), ("bolt", 1)):
        for number in range(articles):
            shelf.article(f"{name} {number}", name)
    shelf.run("UPDATE article SET sort_at = now() - interval '2 days'")
    shelf.run("UPDATE article SET duplicate_of = 1 WHERE source_id = 2")
    shelf.run("INSERT INTO source_check (source_id, reason) VALUES (2, 'timeout'), (2, NULL)")
    names = r"data-open><bdi>(\w+)"
    page = (await client.get("/sources/scoreboard?sort=articles")).text
    assert re.findall(names, page) == ["Acme", "Bolt"]
    page = (await client.get("/sources/scoreboard?sort=failures&days=7")).text
    assert re.findall(names, page) == ["Bolt", "Acme"]
    assert "50 %" in page
    assert "100 %" in page
    for wrong in ("?days=8", "?sort=bogus"):
        assert (await client.get(f"/sources/scoreboard{wrong}")).status_code == 422


async def test_an_empty_period_says_so(client: httpx2.AsyncClient) -> None:
    assert "Nothing was published" in (await client.get("/sources/scoreboard?days=90")).text


async def test_it_is_counted_once_a_minute(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one")
    shelf.run("UPDATE article SET sort_at = now()- interval '1 h'")
    first = (await client.get("/sources/scoreboard")).text
    shelf.article("two", "bolt")
    shelf.run("UPDATE article SET sort_at = now() - interval '1 h'")
    assert (await client.get("/sources/scoreboard")).text.count("<tr") == first.count("<tr")

"""The page of techniques."""

from dataclasses import replace

import httpx2
from fastapi import FastAPI

from web import claims
from web.shelf import Shelf
from web.test_matrix import MATRIX
from web.test_pages import attribute, page, words


async def named(database: str, shelf: Shelf) -> None:
    for count, source in enumerate(("acme", "acme", "bolt")):
        number = shelf.article(f"n{count} loader" if count else "n0", source)
        ids = ("T1", "T2.001") if count else ("T1", "T9")
        await claims.name(
            database, shelf, number,
            *(claims.mention(one, "technique", name=one, verdict=None, host="") for one in ids),
            claims.mention("evil.example"),
        )  # fmt: skip


async def test_techniques_are_counted_over_the_asked_articles(
    client: httpx2.AsyncClient, app: FastAPI, database: str, shelf: Shelf
) -> None:
    await named(database, shelf)
    app.state.services = replace(app.state.services, matrix=MATRIX)
    tree = await page(client, "/techniques")
    assert words(tree, ".matrix h3") == ["First 2 named, 0 not", "Second 1 named, 1 not"]
    assert words(tree, ".matrix > section:first-child > .cell > a .num") == ["3 articles"]
    assert words(tree, ".matrix details .num") == [
        "2 articles",
    ]
    assert words(tree, ".tagged a") == ["T9 T9 1"]
    assert attribute(tree, ".cell a", "href").startswith("/indicators/")
    tree = await page(client, "/techniques?q=loader&source=bolt&since=&until=")
    assert words(tree, ".head .facts")[0].startswith("2 named in 1 article")
    assert "1 article" in words(tree, ".matrix .num")
    assert not tree.css(".tagged")


async def test_without_a_matrix_techniques_are_listed(
    client: httpx2.AsyncClient, database: str, shelf: Shelf
) -> None:
    assert "No technique is named" in (await client.get("/techniques")).text
    await named(database, shelf)
    tree = await page(client, "/techniques")
    assert words(tree, ".tagged a") == ["T1 T1 3", "T2.001 T2.001 2", "T9 T9 1"]
    assert not tree.css(".matrix")

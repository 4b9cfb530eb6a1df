"""Answers are small for our own pages, and as they are for everyone who could measure them."""

import httpx2
import pytest

from web.shelf import Shelf


@pytest.mark.parametrize(
    ("path", "site", "compressed"),
    [
        ("/", "same-origin", True),
        ("/", "none", True),
        ("/", "cross-site", False),
        ("/", "same-site", False),
        ("/", None, False),
        ("/static/base.css", "cross-site", True),
        ("/api/v1/articles", "same-origin", False),
    ],
)
async def test_only_our_own_pages_are_compressed(
    client: httpx2.AsyncClient, shelf: Shelf, path: str, site: str | None, compressed: bool
) -> None:
    for number in range(20):
        shelf.article(f"n{number}")
    headers = {"accept-encoding": "gzip"} | ({"sec-fetch-site": site} if site else {})
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
    if compressed:
        assert "accept-encoding" in answer.headers["vary"].lower()

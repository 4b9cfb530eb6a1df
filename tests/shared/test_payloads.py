"""Published payloads in every field of an article, opened in Chromium: nothing runs, nothing asks.

A clean page reports nothing against its policy either: what a payload tried never became markup.
"""

import gzip
import json
from pathlib import Path

import pytest
from playwright.async_api import Browser

from web.shelf import Shelf
from web.test_pages_browser import (
    UNSAFE_TARGETS,
    SignedIn,
    Watch,
    browser,
    hostile,
    shelf,
    signed_in,
    site,
)

__all__ = ["browser", "shelf", "signed_in", "site"]

PAYLOADS = (
    Path(__file__).resolve().parents[3] / "shared" / "eval" / "data" / "security" / "xss.json.gz"
)
MOST, PARTS = 260, 4
LONGEST = 2_000

pytestmark = [pytest.mark.shared, pytest.mark.browser, pytest.mark.timeout(200)]


def payloads() -> list[str]:
    """Payloads from all over the collection, those that a text of PostgreSQL can hold."""
    if not PAYLOADS.is_file():
        pytest.skip("the evaluation data is not beside the repository")
    given = [words for _, words in json.loads(gzip.decompress(PAYLOADS.read_bytes()))]
    fit = [words for words in given if "\0" not in words and len(words) <= LONGEST]
    fit = [words for words in fit if words.encode("utf-8", "replace").decode() == words]
    return fit[:: max(1, len(fit) // MOST)]


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_payload_runs_or_asks_for_anything(
    browser: Browser, site: str, signed_in: SignedIn, shelf: Shelf, part: int
) -> None:
    given = payloads()[part::PARTS]
    assert len(given) >= MOST // PARTS
    numbers = [
        hostile(shelf, f"p{n}", words, f"https://x.example/{n}") for n, words in enumerate(given)
    ]
    context = await browser.new_context(**signed_in)
    page = await context.new_page()
    watch = Watch(page, site)
    pages = [f"/articles/{number}{part}" for number in numbers for part in ("", "/changes")]
    sources = [f"/sources/p{n}" for n in range(0, len(given), 10)]
    for path in ("/", "/sources", "/accounting", "/operations", *sources, *pages):
        await page.goto(path, wait_until="domcontentloaded")
        assert (await page.evaluate(UNSAFE_TARGETS), path) == ([], path)
        assert (watch.faults, path) == ([], path)
    await context.close()

from datetime import UTC, datetime

import pytest

from ctiscraper.extract.publication import find_publication
from ctiscraper.types import FeedEntry

NOW = datetime(2026, 11, 22, tzinfo=UTC)
URL = "https://b.example/2026/01/09/post"
ENTRY = FeedEntry(
    guid="1", url=URL, published=datetime(2026, 2, 2, tzinfo=UTC), published_raw="Mon, 02 Feb 2026"
)
ALL = [
    ("time", "2026-05-05"),
    ("meta", "2026-04-04"),
    ("selector", "2026-06-06"),
    ("json-ld", "2026-03-03"),
]


@pytest.mark.parametrize(
    ("declared", "entry", "url", "place", "day"),
    [
        (ALL, ENTRY, URL, "selector", "2026-06-06"),
        (ALL[:2] + ALL[3:], ENTRY, URL, "json-ld", "2026-03-03"),
        (ALL[:2], ENTRY, URL, "meta", "2026-04-04"),
        (ALL[:1], ENTRY, URL, "time", "2026-05-05"),
        ([], ENTRY, URL, "feed", "2026-02-02"),
        ([("label", "2026-07-07")], ENTRY, URL, "feed", "2026-02-02"),
        ([("label", "2026-07-07")], None, URL, "label", "2026-07-07"),
        ([("class", "2026-08-08")], None, URL, "url", "2026-01-09"),
        ([("class", "2026-08-08")], None, "https://b.example/", "class", "2026-08-08"),
        ([], None, URL, "url", "2026-01-09"),
        ([("json-ld", "yesterday")], None, URL, "url", "2026-01-09"),
        ([("meta", "2031-01-01")], None, URL, "url", "2026-01-09"),
    ],
)
def test_the_best_place_that_reads_wins(
    declared: list[tuple[str, str]], entry: FeedEntry | None, url: str, place: str, day: str
) -> None:
    found = find_publication(declared, [], url, entry, NOW)
    assert found.place == place
    assert found.published is not None
    assert found.published.date().isoformat() == day


@pytest.mark.parametrize(
    "url",
    [
        "https://b.example/2026/01/post",
        "https://b.example/p?d=/2026/01/02/",
        "https://b.example/99/2026-13-01/",
    ],
)
def test_no_date_is_invented(url: str) -> None:
    found = find_publication([], [], url, None, NOW)
    assert (found.published, found.place, found.raw) == (None, None, "")


def test_words_that_do_not_read_are_kept() -> None:
    found = find_publication([("meta", "0000-00-00")], [], "https://b.example/p", None, NOW)
    assert (found.published, found.place, found.raw) == (None, None, "0000-00-00")


def test_the_words_of_a_feed_are_read_when_its_date_was_not() -> None:
    entry = FeedEntry(guid="1", url=URL, published_raw="2026-02-03")
    found = find_publication([], [], "https://b.example/p", entry, NOW)
    assert (found.place, found.raw) == ("feed", "2026-02-03")
    odd = FeedEntry(guid="1", url=URL, published=ENTRY.published, published_raw="sometime")
    assert find_publication([], [], URL, odd, NOW).published == ENTRY.published


def test_the_change_is_read_beside_it() -> None:
    found = find_publication(
        [], [("meta", "bad"), ("meta", "2026-03-05")], "https://b.example/", None, NOW
    )
    assert found.modified == datetime(2026, 3, 5, tzinfo=UTC)

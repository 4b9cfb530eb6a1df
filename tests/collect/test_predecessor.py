"""The predecessor's rows in this program's words."""

from datetime import UTC, datetime

import pytest

from ctiscraper.collect.predecessor import read_article, read_source
from ctiscraper.errors import CatalogError
from ctiscraper.types import Tier

SOURCE: dict[str, object] = {
    "id": 1,
    "identifier": "Acme Labs!",
    "name": "Acme",
    "url": "https://acme.example/",
    "rss_url": "https://acme.example/feed/",
    "check_frequency": 3600,
    "active": True,
    "config": {},
}
ARTICLE: dict[str, object] = {
    "id": 7,
    "canonical_url": " https://acme.example/one ",
    "title": "One",
    "published_at": "2025-09-01T10:00:00",
    "content": "First line\nsecond <line\n\nNext.",
    "authors": ["Ann", " ", 3],
    "tags": '["apt"]',
}


def test_a_source_is_collected_as_it_was() -> None:
    config = {
        "extract": {
            "title_selectors": ["h1.title", "h1"],
            "body_selectors": ["article"],
            "prefer_jsonld": True,
        },
        "robots": {"crawl_delay": 2, "max_requests_per_minute": 10, "enabled": True},
        "min_content_length": 300,
        "title_filter_keywords": ["webinar"],
        "rss_only": True,
        "allow": ["acme.example"],
        "empty": [],
    }
    settings, unmapped = read_source({**SOURCE, "config": config, "tier": 1, "lookback_days": 90})
    assert settings.key == "acme-labs"
    assert settings.feed_url == "https://acme.example/feed/"
    assert settings.tier is Tier.PREMIUM
    assert settings.interval_minutes == 60
    assert settings.selectors.title == "h1.title, h1"
    assert settings.selectors.content == "article"
    assert settings.crawl_delay == 2
    assert settings.requests_per_minute == 10
    assert settings.min_length == 300
    assert settings.exclude_words == ("webinar",)
    assert not settings.fetch_pages
    assert {(one.name, one.value) for one in unmapped} == {
        ("config.allow", '["acme.example"]'),
        ("config.extract.prefer_jsonld", "true"),
        ("config.robots.enabled", "true"),
        ("lookback_days", "90"),
    }


def test_values_that_may_not_stand_here_are_left_and_told() -> None:
    config = {"extract": {"title_selectors": ["h1[["]}, "robots": {"crawl_delay": 900}}
    settings, unmapped = read_source({**SOURCE, "config": config, "rss_url": "feed:nothing"})
    assert settings.selectors.title == ""
    assert settings.crawl_delay is None
    assert settings.feed_url is None
    assert {one.name for one in unmapped} == {"feed_url", "selectors.title", "crawl_delay"}


@pytest.mark.parametrize(
    ("tier", "expected"),
    [(3, "basic"), ("Premium", "premium"), (None, "standard"), (9, "standard"), ("?", "standard")],
)
def test_tiers_are_numbers_words_or_missing(tier: object, expected: str) -> None:
    settings, _ = read_source({**SOURCE, "tier": tier})
    assert settings.tier == expected


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(60, 5), (1800, 30), (999_999, 1440), (None, None)]
)
def test_intervals_are_within_what_is_asked_here(seconds: object, minutes: int | None) -> None:
    settings, _ = read_source({**SOURCE, "check_frequency": seconds})
    assert settings.interval_minutes == minutes


def test_a_name_of_nothing_but_signs_gets_a_key() -> None:
    settings, _ = read_source({**SOURCE, "identifier": "???", "name": " "})
    assert settings.key == "imported"
    assert settings.name == "???"


def test_a_source_without_an_address_is_refused() -> None:
    with pytest.raises(CatalogError, match="url"):
        read_source({**SOURCE, "url": None})


@pytest.mark.parametrize(
    ("config", "left"),
    [
        ('{"rss_only": true}', set()),
        ("not JSON", {"config."}),
        ('["a list"]', set()),
        ({"extract": "?", "title_filter_keywords": "webinar"}, {"config.extract"}),
    ],
)
def test_a_configuration_is_a_document_or_text(config: object, left: set[str]) -> None:
    _, unmapped = read_source({**SOURCE, "config": config})
    assert {one.name for one in unmapped} == left


def test_an_article_is_as_if_a_feed_had_announced_all_of_it() -> None:
    entry = read_article({**ARTICLE, "modified_at": "2025-09-02T10:00:00+02:00"})
    assert entry.guid == "ctiscraper-predecessor:7"
    assert entry.url == "https://acme.example/one"
    assert entry.content == "<p>First line<br>second &lt;line</p><p>Next.</p>"
    assert entry.published == datetime(2025, 9, 1, 10, tzinfo=UTC)
    assert entry.updated == datetime(2025, 9, 2, 8, tzinfo=UTC)
    assert entry.authors == ("Ann",)
    assert entry.tags == ("apt",)


@pytest.mark.parametrize("value", [None, "not a date", 5])
def test_a_date_that_cannot_be_read_is_none(value: object) -> None:
    assert read_article({**ARTICLE, "published_at": value}).published is None


@pytest.mark.parametrize(
    ("content", "markup"),
    [
        ("one\ntwo", "<p>one</p><p>two</p>"),
        ("<p>as it is</p>", "<p>as it is</p>"),
        ("", ""),
    ],
)
def test_text_becomes_markup_where_it_is_none(content: str, markup: str) -> None:
    assert read_article({**ARTICLE, "content": content}).content == markup

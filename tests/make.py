"""Builders of values that tests need many of."""

import hashlib
from datetime import UTC, datetime

from ctiscraper.types import (
    Announced,
    ArticleContent,
    CheckSummary,
    FeedEntry,
    Fingerprint,
    Health,
    SourceSettings,
    SourceStanding,
    Tier,
    Validators,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def settings(key: str = "acme", host: str = "acme.example", **changes: object) -> SourceSettings:
    values: dict[str, object] = {
        "key": key,
        "name": key.title(),
        "url": f"https://{host}/",
        "feed_url": f"https://{host}/feed.xml",
        "tier": Tier.STANDARD,
    }
    return SourceSettings(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def entry(url: str, title: str = "A title", **changes: object) -> FeedEntry:
    values: dict[str, object] = {"guid": url, "url": url, "title": title, "published": NOW}
    return FeedEntry(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def announced(url: str, host: str = "acme.example", **changes: object) -> Announced:
    values: dict[str, object] = {
        "url_hash": sha(url),
        "guid_hash": sha(f"guid {url}"),
        "entry_hash": sha(f"entry {url}"),
        "url": url,
        "host": host,
        "entry": entry(url),
    }
    return Announced(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def standing(**changes: object) -> SourceStanding:
    values: dict[str, object] = {
        "health": Health.OK,
        "next_check_seconds": 3600.0,
        "validators": Validators(etag='"1"'),
        "failures": 0,
        "succeeded": True,
    }
    return SourceStanding(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def summary(key: str = "acme") -> CheckSummary:
    return CheckSummary(source_key=key, status=200)


def mark(text: str, bands: tuple[int, ...] = (1, 2, 3)) -> Fingerprint:
    return Fingerprint(
        version=1, text_sha256=sha(text), signature=b"\x01" * 16, bands=bands, shingles=10
    )


def content(url: str, text: str = "The text of it.", **changes: object) -> ArticleContent:
    values: dict[str, object] = {
        "title": "A title",
        "text": text,
        "html": f"<p>{text}</p>",
        "url": url,
        "canonical_url": url,
        "published": NOW,
        "word_count": 4,
        "reading_minutes": 1,
        "fingerprint": mark(text),
    }
    return ArticleContent(**{**values, **changes})  # type: ignore[arg-type]  # a builder

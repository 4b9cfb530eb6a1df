"""The feed reader in the vocabulary of a scorer: a dict of feedparser's names."""

from datetime import UTC, datetime
from typing import Any

from ctiscraper.collect.feed import MAX_ENTRIES, parse_feed, read_feed
from ctiscraper.collect.raw_feed import RawEntry
from ctiscraper.dates import parse_date
from ctiscraper.errors import ParseError
from ctiscraper.types import ParsedFeed


def score_feed(data: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """The feed as announced; a typed refusal is a feed without entries."""
    now = datetime.now(UTC)
    try:
        feed = read_feed(
            data,
            content_type=headers.get("content-type", ""),
            url=headers.get("content-location", ""),
            max_entries=MAX_ENTRIES,
            now=now,
        )
    except ParseError as error:
        return {"error": str(error), "entries": []}
    return {
        "title": feed.title.value,
        "link": feed.link,
        "language": feed.language or headers.get("content-language", ""),
        "description": feed.description.value,
        "entries": [_entry(entry, now) for entry in feed.entries],
    }


def _entry(entry: RawEntry, now: datetime) -> dict[str, Any]:
    published = parse_date(entry.published or entry.updated, now=now)
    updated = parse_date(entry.updated, now=now)
    return {
        "id": entry.guid,
        "link": entry.link,
        "title": entry.title.value,
        "author": next(iter(entry.authors), ""),
        "summary": entry.summary.value or entry.content.value,
        "content": entry.content.value,
        "published": published and published.timestamp(),
        "updated": updated and updated.timestamp(),
        "tags": entry.tags,
    }


def parse_hostile(data: bytes) -> ParsedFeed:
    """The parsed feed, for hostile files: errors pass through."""
    return parse_feed(data)

"""When an article was published: the first date that reads, and the place it stood in."""

import re
from dataclasses import dataclass
from datetime import datetime

from ctiscraper.dates import parse_date
from ctiscraper.types import FeedEntry

_IN_PATH = re.compile(r"/((?:19|20)\d{2})([/_-])(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?=[/_-]|$)")
_ORDER = (
    "selector", "json-ld", "meta", "microdata", "time", "feed", "label", "url", "class",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Publication:
    """A date with its words and its place; all empty when the page has none."""

    published: datetime | None = None
    raw: str = ""
    place: str | None = None
    modified: datetime | None = None


def _from_feed(entry: FeedEntry | None) -> list[tuple[str, str]]:
    if entry is None:
        return []
    if entry.published is not None:
        return [("feed", entry.published_raw or entry.published.isoformat())]
    return [("feed", entry.published_raw)] if entry.published_raw else []


def _from_url(url: str) -> list[tuple[str, str]]:
    """A full date in the path; a year and a month alone are no date."""
    match = _IN_PATH.search(url.partition("?")[0])
    return [("url", f"{match[1]}-{match[3]}-{match[4]}")] if match else []


def find_publication(
    declared: list[tuple[str, str]],
    modified: list[tuple[str, str]],
    url: str,
    entry: FeedEntry | None,
    now: datetime,
) -> Publication:
    """The publication date, never invented; `declared` holds places and words of dates.

    Places rank: selector, JSON-LD, meta, microdata, time element, feed entry,
    labelled words, URL path, words in an element whose class says that it is the date.
    """
    candidates = sorted(
        [*declared, *_from_feed(entry), *_from_url(url)], key=lambda c: _ORDER.index(c[0])
    )
    changed = next((d for _, r in modified if (d := parse_date(r, now=now))), None)
    for place, raw in candidates:
        date = parse_date(raw, now=now)
        if date is None and place == "feed" and entry is not None:
            date = entry.published
        if date is not None:
            return Publication(date, raw, place, changed)
    return Publication(raw=candidates[0][1] if candidates else "", modified=changed)

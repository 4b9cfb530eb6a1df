"""A sitemap in neutral form."""

from dataclasses import dataclass

from ctiscraper.types import BadEntry, FeedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """What a sitemap names: pages, or other sitemaps newest first; `truncated` past the cap.

    `broken_off` where its packing ended before its end, so that nobody knows what else it names.
    """

    entries: tuple[FeedEntry, ...] = ()
    children: tuple[str, ...] = ()
    bad: tuple[BadEntry, ...] = ()
    truncated: bool = False
    broken_off: bool = False

"""What is sent to the parsers' process, and the names it answers to."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.intelligence import Extractor
from ctiscraper.types import ExtractionHints

# Each name is what the parent calls; the child alone imports the modules behind them.
PARSERS = {
    "feed": "ctiscraper.parsers:feed",
    "candidates": "ctiscraper.parsers:candidates",
    "sitemap": "ctiscraper.parsers:sitemap",
    "listing": "ctiscraper.parsers:listing",
    "article": "ctiscraper.parsers:article",
    "enrich": "ctiscraper.parsers:enrich",
}
WARM_UP = "ctiscraper.parsers:warm_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMessage:
    """A feed, or a page to look for feeds in; no date is later than `now`."""

    body: bytes
    url: str
    content_type: str = ""
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapMessage:
    """A sitemap or sitemap index."""

    body: bytes
    url: str
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingMessage:
    """A page that lists articles."""

    body: bytes
    url: str
    selector: str
    content_type: str = ""
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMessage:
    """An article's page, or without a body what the feed said of it."""

    body: bytes | None
    url: str
    hints: ExtractionHints


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichMessage:
    """A stored article to be looked through; no `extractors` are all of them."""

    title: str
    text: str
    html: str
    url: str
    source_url: str
    extractors: tuple[Extractor, ...] = ()

"""A place where a site may announce its articles."""

from dataclasses import dataclass

from ctiscraper.types import Discovery


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCandidate:
    """An address worth asking; `found` is document, link, anchor, path or robots."""

    url: str
    title: str = ""
    found: str = "link"
    discovery: Discovery = Discovery.FEED

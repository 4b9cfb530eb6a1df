"""The parsers as the sandbox's child runs them: bytes in, bytes out, nothing else reachable."""

import msgspec

from ctiscraper.collect.discover import feed_candidates
from ctiscraper.collect.feed import parse_feed
from ctiscraper.collect.listing import parse_listing
from ctiscraper.collect.sitemap import parse_sitemap
from ctiscraper.enrich.enrichment import enrich_article, use_packs
from ctiscraper.extract.article import article_from_feed, extract_article
from ctiscraper.extract.language import load_detector
from ctiscraper.messages import (
    EnrichMessage,
    FeedMessage,
    ListingMessage,
    PageMessage,
    SitemapMessage,
)
from ctiscraper.types import ExtractionHints

_encode = msgspec.msgpack.encode


def feed(payload: bytes) -> bytes:
    """Return the encoded ParsedFeed of a FeedMessage."""
    message = msgspec.msgpack.decode(payload, type=FeedMessage)
    return _encode(
        parse_feed(
            message.body, content_type=message.content_type, url=message.url, now=message.now
        )
    )


def candidates(payload: bytes) -> bytes:
    """Return the encoded feed candidates of a FeedMessage that holds a page."""
    message = msgspec.msgpack.decode(payload, type=FeedMessage)
    return _encode(feed_candidates(message.body, url=message.url))


def sitemap(payload: bytes) -> bytes:
    """Return the encoded Sitemap of a SitemapMessage."""
    message = msgspec.msgpack.decode(payload, type=SitemapMessage)
    return _encode(parse_sitemap(message.body, url=message.url, now=message.now))


def listing(payload: bytes) -> bytes:
    """Return the encoded entries of a ListingMessage."""
    message = msgspec.msgpack.decode(payload, type=ListingMessage)
    return _encode(
        parse_listing(
            message.body,
            url=message.url,
            selector=message.selector,
            content_type=message.content_type,
            now=message.now,
        )
    )


def article(payload: bytes) -> bytes:
    """Return the encoded ArticleContent of a PageMessage; of its feed entry when it has no body."""
    message = msgspec.msgpack.decode(payload, type=PageMessage)
    if message.body is None:
        entry = message.hints.entry
        assert entry is not None, "without a page there is an entry"
        return _encode(article_from_feed(entry, message.url, message.hints))
    return _encode(extract_article(message.body, message.url, message.hints))


def enrich(payload: bytes) -> bytes:
    """Return the encoded Enrichment of an EnrichMessage."""
    return _encode(enrich_article(msgspec.msgpack.decode(payload, type=EnrichMessage)))


_SAMPLE = b"""<html lang="en"><head><title>A page</title>
<script type="application/ld+json">{"@type": "Article", "headline": "A page"}</script></head>
<body><article><h1>A page</h1><p>Enough words to be read as the text of an article, so that
every step loads what it needs.</p><pre>whoami</pre></article></body></html>"""


def warm_up(packs: bytes) -> bytes:
    """Return nothing, after every parser has loaded what it loads at its first call.

    `packs` tells in JSON where the data packs are that recognition rests on; without it there
    are none.
    """
    if packs:
        use_packs(msgspec.json.decode(packs, type=dict[str, str]))
    load_detector()
    hints = ExtractionHints(content_type="text/html")
    content = extract_article(_SAMPLE, "https://a.example/page", hints)
    enrich_article(
        EnrichMessage(
            title=content.title,
            text=content.text,
            html=content.html,
            url=content.url,
            source_url=content.url,
        )
    )
    return b""

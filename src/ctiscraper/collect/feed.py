"""Feeds in any dialect, whole or broken, in one neutral form."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from lxml import etree

from ctiscraper.collect.announced import judge_entry, judge_url, one_line, to_language, to_line
from ctiscraper.collect.feed_tolerant import read_tolerant
from ctiscraper.collect.feed_xml import FeedReader
from ctiscraper.collect.jsonfeed import read_json_feed, read_large_json
from ctiscraper.collect.pieces import LARGE, Cutter, Pieces
from ctiscraper.collect.raw_feed import RawFeed
from ctiscraper.collect.xml_text import (
    ascii_based,
    check_size,
    decode_text,
    parse_xml,
    read_references,
    repair_xml,
    strip_prolog,
)
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import BadEntry, FeedEntry, ParsedFeed

MAX_ENTRIES = 5000
MAX_TOLERANT = 4 * 1024 * 1024

_FEED_TAG = re.compile(
    r"<(?:[\w.\-]{1,40}:)?(?:rss|rdf|feed|channel|item|entry)[\s>/]", re.IGNORECASE
)
_PAGE = re.compile(r"<(?:html|head|body|meta|title|script)\b", re.IGNORECASE)
_TOO_DEEP = "Excessive depth"
_YEAR_MINUTES = 527_040
_MAX_WARNINGS = 20
_CUTTER = Cutter("item|entry", "date|published|updated|issued")


def parse_feed(
    body: bytes,
    *,
    content_type: str = "",
    url: str = "",
    max_entries: int = MAX_ENTRIES,
    now: datetime | None = None,
) -> ParsedFeed:
    """The feed in neutral form: RSS 0.9x-2.0, RDF, Atom 0.3 and 1.0, JSON Feed 1.0 and 1.1.

    The newest `max_entries` are kept in the feed's order. An item that cannot be followed is
    in `bad` with its reason; what was mended is in `warnings`. `url` is where the feed stands
    and `now` (the present when None) bounds its dates.
    Raises ParseError: NOT_A_FEED, FEED_EMPTY (no bytes), DTD_REFUSED (entities are defined),
    TOO_LARGE, PARSER_ERROR.
    """
    now = now or datetime.now(UTC)
    raw = read_feed(body, content_type=content_type, url=url, max_entries=max_entries, now=now)
    base, language = url or raw.link, to_language(raw.language)
    entries: dict[tuple[str, str], FeedEntry] = {}
    bad: list[BadEntry] = []
    for item in raw.entries:
        judged = judge_entry(item, base=base, authors=raw.authors, language=language, now=now)
        if isinstance(judged, BadEntry):
            bad.append(judged)
        else:
            entries.setdefault((judged.guid, judged.url), judged)
    return ParsedFeed(
        kind=one_line(raw.kind, 40),
        title=to_line(raw.title),
        link=judge_url(raw.link, url)[0],
        description=to_line(raw.description),
        language=language,
        ttl_minutes=min(raw.ttl_minutes, _YEAR_MINUTES) if raw.ttl_minutes else None,
        entries=tuple(entries.values()),
        bad=tuple(bad),
        truncated=raw.truncated,
        warnings=tuple(_warnings(raw, repeated=len(raw.entries) - len(bad) - len(entries))),
    )


def _warnings(raw: RawFeed, *, repeated: int) -> list[str]:
    warnings = list(raw.warnings)
    if not raw.entries:
        warnings.append("the feed announces nothing")
    if repeated:
        warnings.append(f"{repeated} entries stand in the feed more than once")
    if raw.truncated:
        warnings.append(f"only the newest {len(raw.entries)} entries are read")
    return warnings


def read_feed(
    body: bytes, *, content_type: str, url: str, max_entries: int, now: datetime
) -> RawFeed:
    """The feed as announced, before its entries are judged; raises as `parse_feed` does."""
    check_size(body)
    read = partial(
        _read_whole, content_type=content_type, url=url, max_entries=max_entries, now=now
    )
    if len(body) <= LARGE:
        return read(body)
    body = ascii_based(body)
    if body.removeprefix(BOM_UTF8).lstrip()[:1] == b"{":
        feed = read_large_json(body, content_type, url=url, max_entries=max_entries, now=now)
        if feed is not None:
            return feed
    pieces = _CUTTER.cut(body, max_entries, now) or Pieces([body])
    return _read_pieces(pieces, read)


def _read_pieces(pieces: Pieces, read: Callable[[bytes], RawFeed]) -> RawFeed:
    """A feed too large for one tree; raises ParseError only when its first piece cannot be read."""
    feeds: list[RawFeed] = []
    faults: list[ParseError] = []
    for piece in pieces.documents:
        try:
            feeds.append(read(piece))
        except ParseError as error:
            faults.append(error)
            if not feeds:
                raise
    return _joined(feeds, faults, truncated=pieces.truncated)


def _joined(feeds: list[RawFeed], faults: list[ParseError], *, truncated: bool) -> RawFeed:
    """The first piece of a feed with the entries of all."""
    feed = feeds[0]
    warnings = [f"a part of the feed cannot be read ({fault.detail})" for fault in faults]
    for other in feeds[1:]:
        feed.entries += other.entries
        warnings += other.warnings
    feed.warnings = list(dict.fromkeys(feed.warnings + warnings))[:_MAX_WARNINGS]
    feed.truncated = feed.truncated or truncated
    return feed


def _read_whole(
    body: bytes, *, content_type: str, url: str, max_entries: int, now: datetime
) -> RawFeed:
    text = decode_text(body, content_type)
    start = text.lstrip()[:1]
    if not start:
        raise ParseError(Reason.FEED_EMPTY, "the answer holds nothing")
    if start in "{[":
        return read_json_feed(text, url=url, max_entries=max_entries, now=now)
    text = read_references(strip_prolog(text))
    if _PAGE.match(text) is not None:
        raise ParseError(Reason.NOT_A_FEED, "this is an HTML page, not a feed")
    if _FEED_TAG.search(text) is None:
        raise ParseError(Reason.NOT_A_FEED, "neither XML of a feed nor JSON")
    return _read_xml(text, url=url, max_entries=max_entries, now=now)


def _read_xml(text: str, *, url: str, max_entries: int, now: datetime) -> RawFeed:
    """The tree when there is one, the mended tree, and then what feedparser makes of it."""
    root, warning = _tree(text)
    if root is not None:
        reader = FeedReader(root, url=url, has_bases=":base" in text)
        if reader.kind or len(text) > MAX_TOLERANT:
            feed = reader.read(max_entries=max_entries, now=now)
        else:
            feed = read_tolerant(text, url=url, max_entries=max_entries)
    else:
        feed = read_tolerant(text, url=url, max_entries=max_entries)
    if warning:
        feed.warnings.append(warning)
    return feed


def _tree(text: str) -> tuple[etree._Element | None, str]:
    """The root and what had to be mended; no root when only a tolerant reader can help."""
    try:
        return parse_xml(text), ""
    except ParseError as error:
        if _TOO_DEEP in error.detail:
            raise
        fault = f"the XML is not well formed ({error.detail})"
    try:
        return parse_xml(repair_xml(text)), fault
    except ParseError:
        return (
            (None, fault) if len(text) <= MAX_TOLERANT else (parse_xml(text, recover=True), fault)
        )

"""Sitemaps (sitemaps.org 0.9) and sitemap indexes, the news extension, gzip and plain text."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from ctiscraper.collect.announced import judge_url, one_line, to_language
from ctiscraper.collect.feed import parse_feed
from ctiscraper.collect.sitemap_types import Sitemap
from ctiscraper.collect.xml_text import (
    MAX_BYTES,
    decode_text,
    local_name,
    parse_xml,
    repair_xml,
    strip_prolog,
)
from ctiscraper.dates import EARLIEST, parse_date
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import BadEntry, FeedEntry

MAX_ENTRIES = 5000
MAX_CHILDREN = 1000
MAX_BAD = 500

_GZIP = b"\x1f\x8b"
_PAGE = re.compile(r"\s*<(?:!DOCTYPE\s+html|html|head|body)\b", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_FEED_ROOTS = frozenset({"rss", "rdf", "feed"})


@dataclass(slots=True)
class _Row:
    """One url or sitemap element as written."""

    location: str = ""
    changed: str = ""
    published: str = ""
    title: str = ""
    language: str = ""
    keywords: str = ""


def parse_sitemap(
    body: bytes, *, url: str, max_entries: int = MAX_ENTRIES, now: datetime | None = None
) -> Sitemap:
    """What a sitemap or an index of sitemaps names.

    A page's `updated` is its lastmod, its `published` only what the news extension says. The
    newest `max_entries` pages are kept, in the order of the file.
    Raises ParseError: NOT_A_FEED, FEED_EMPTY, DTD_REFUSED, TOO_LARGE, ENCODING_BROKEN,
    PARSER_ERROR.
    """
    now = now or datetime.now(UTC)
    text = decode_text(_unpacked(body))
    if not text.strip():
        raise ParseError(Reason.FEED_EMPTY, "the answer holds nothing")
    if _PAGE.match(text) is not None:
        raise ParseError(Reason.NOT_A_FEED, "this is an HTML page, not a sitemap")
    if not text.lstrip().startswith("<"):
        return _judged(_plain_rows(text), url=url, limit=max_entries, now=now)
    root = _root(strip_prolog(text))
    name = local_name(root)
    if name == "sitemapindex":
        return Sitemap(children=_children(_rows(root, "sitemap"), url=url, now=now))
    if name == "urlset":
        return _judged(_rows(root, "url"), url=url, limit=max_entries, now=now)
    if name in _FEED_ROOTS:
        feed = parse_feed(_unpacked(body), url=url, max_entries=max_entries, now=now)
        return Sitemap(entries=feed.entries, bad=feed.bad, truncated=feed.truncated)
    raise ParseError(Reason.NOT_A_FEED, f"the root element is <{name[:40]}>, not a sitemap's")


def _unpacked(body: bytes) -> bytes:
    """The body out of its gzip, if it is in one; raises ParseError past the cap."""
    if not body.startswith(_GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise ParseError(Reason.ENCODING_BROKEN, str(error)) from None
    if len(plain) > MAX_BYTES:
        raise ParseError(Reason.TOO_LARGE, f"more than {MAX_BYTES // 1048576} MiB unpacked")
    return plain


def _root(text: str) -> etree._Element:
    """The tree, mended when it is not well formed and else as far as it goes."""
    try:
        return parse_xml(text)
    except ParseError:
        return parse_xml(repair_xml(text), recover=True)


def _rows(root: etree._Element, name: str) -> Iterable[_Row]:
    for element in root:
        if local_name(element) == name:
            yield _row(element)


def _row(element: etree._Element) -> _Row:
    row = _Row()
    for part in element:
        words = (part.text or "").strip()
        match local_name(part):
            case "loc" if not row.location:
                row.location = words
            case "lastmod":
                row.changed = words
            case "news":
                _read_news(part, row)
    return row


def _read_news(news: etree._Element, row: _Row) -> None:
    for part in news.iterdescendants():
        words = (part.text or "").strip()
        match local_name(part):
            case "publication_date":
                row.published = words
            case "title":
                row.title = words
            case "language":
                row.language = words
            case "keywords":
                row.keywords = words


def _plain_rows(text: str) -> Iterable[_Row]:
    """One address a line; raises ParseError NOT_A_FEED when the first lines hold none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or _ADDRESS.fullmatch(lines[0]) is None:
        raise ParseError(Reason.NOT_A_FEED, "neither XML nor a list of addresses")
    return (_Row(location=line) for line in lines)


def _children(rows: Iterable[_Row], *, url: str, now: datetime) -> tuple[str, ...]:
    """The sitemaps an index names, newest first, those without a date in their order after."""
    dated: list[tuple[datetime, str]] = []
    for row in rows:
        location, fault = judge_url(row.location, url)
        if fault is None:
            dated.append((parse_date(row.changed, now=now) or EARLIEST, location))
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return tuple(dict.fromkeys(location for _, location in dated))[:MAX_CHILDREN]


def _judged(rows: Iterable[_Row], *, url: str, limit: int, now: datetime) -> Sitemap:
    """The newest rows as entries; a page that changed without a date counts as oldest."""
    listed = list(rows)
    kept = listed
    if len(listed) > limit:
        ages = [_age(row, now) for row in listed]
        newest = sorted(range(len(listed)), key=lambda i: ages[i], reverse=True)[:limit]
        kept = [listed[i] for i in sorted(newest)]
    entries: dict[str, FeedEntry] = {}
    bad: list[BadEntry] = []
    for row in kept:
        location, fault = judge_url(row.location, url)
        if fault is None:
            entries.setdefault(location, _entry(row, location, now))
        elif len(bad) < MAX_BAD:
            bad.append(
                BadEntry(
                    guid=one_line(row.location, 200), reason=fault, detail=one_line(row.title, 200)
                )
            )
    return Sitemap(
        entries=tuple(entries.values()), bad=tuple(bad), truncated=len(kept) < len(listed)
    )


def _age(row: _Row, now: datetime) -> datetime:
    return parse_date(row.published or row.changed, now=now) or EARLIEST


def _entry(row: _Row, location: str, now: datetime) -> FeedEntry:
    tags = (one_line(word, 100) for word in row.keywords.split(","))
    return FeedEntry(
        guid=location,
        url=location,
        title=one_line(row.title),
        published=parse_date(row.published, now=now),
        updated=parse_date(row.changed, now=now),
        published_raw=one_line(row.published, 200),
        tags=tuple(tag for tag in dict.fromkeys(tags) if tag)[:64],
        language=to_language(row.language),
    )

"""Sitemaps (sitemaps.org 0.9) and sitemap indexes, the news extension, gzip and plain text."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice

from lxml import etree

from ctiscraper.collect.announced import judge_url, one_line, to_language
from ctiscraper.collect.feed import parse_feed
from ctiscraper.collect.pieces import LARGE, Cutter, Pieces, newest
from ctiscraper.collect.sitemap_types import Sitemap
from ctiscraper.collect.xml_text import (
    MAX_BYTES,
    ascii_based,
    check_size,
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
# Controls before the first sign are passed over.
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?[\0-\x20\x7f]*<")
_FEED_START = re.compile(rb"<(?:rss|rdf:rdf|feed)[\s>]", re.IGNORECASE)
_START = 4096
_BLOCK = 64 * 1024
_MOST_MEMBERS = 10_000
_ROW_END = re.compile(rb"</(?:[\w.\-]{1,30}:)?(?:url|sitemap|item|entry)\s*>", re.IGNORECASE)
_LINE = re.compile(r"\S[^\n\r]*")
_CUTTER = Cutter("url|sitemap", "publication_date|lastmod")
_ROWS = {"urlset": "url", "sitemapindex": "sitemap"}
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
    body, broken_off = _unpacked(body)
    body = ascii_based(body)
    check_size(body)
    if broken_off:
        body = _whole_rows(body)
    sitemap = _named(body, url=url, max_entries=max_entries, now=now)
    return replace(sitemap, broken_off=broken_off)


def _named(body: bytes, *, url: str, max_entries: int, now: datetime) -> Sitemap:
    if _MARKUP.match(body) is None:
        return _listed(decode_text(body), url=url, limit=max_entries, now=now)
    pieces = Pieces([body])
    if len(body) > LARGE and _FEED_START.search(body, 0, _START) is None:
        pieces = _CUTTER.cut(body, max_entries, now) or pieces
    name, rows = _read(pieces.documents)
    if name in _FEED_ROOTS:
        feed = parse_feed(body, url=url, max_entries=max_entries, now=now)
        return Sitemap(entries=feed.entries, bad=feed.bad, truncated=feed.truncated)
    if name == "sitemapindex":
        return Sitemap(children=_children(rows, url=url, now=now))
    sitemap = _judged(rows, url=url, limit=max_entries, now=now)
    return replace(sitemap, truncated=sitemap.truncated or pieces.truncated)


def _read(documents: Iterable[bytes]) -> tuple[str, list[_Row]]:
    """The name of the root and the rows; raises ParseError NOT_A_FEED for another document."""
    name, rows = "", list[_Row]()
    for document in documents:
        root = _root(document)
        name = name or local_name(root)
        if name in _FEED_ROOTS:
            break
        if name not in _ROWS:
            detail = f"the root element is <{name[:40]}>, not a sitemap's"
            raise ParseError(Reason.NOT_A_FEED, detail)
        rows += (_row(element) for element in root if local_name(element) == _ROWS[name])
    return name, rows


def _unpacked(body: bytes) -> tuple[bytes, bool]:
    """The body out of its gzip, if it is in one, and whether that ends before its end.

    Raises ParseError past the cap.
    """
    if not body.startswith(_GZIP):
        return body, False
    plain = bytearray()
    at = members = 0
    # A file may be of several such parts, one behind the other (RFC 1952 section 2.2).
    while body.startswith(_GZIP, at) and members < _MOST_MEMBERS:
        members += 1
        unpacker = zlib.decompressobj(wbits=31)
        while at < len(body) and not unpacker.eof:
            # What stands behind a part is copied: of a block alone that is little.
            block = body[at : at + _BLOCK]
            plain += _more(unpacker, block, MAX_BYTES + 1 - len(plain))
            at += len(block) - len(unpacker.unused_data)
        if not unpacker.eof:
            return bytes(plain), True
    return bytes(plain), body.startswith(_GZIP, at)


def _more(unpacker: "zlib._Decompress", block: bytes, most: int) -> bytes:
    try:
        plain = unpacker.decompress(block, most)
    except zlib.error as error:
        raise ParseError(Reason.ENCODING_BROKEN, str(error)) from None
    if len(plain) == most:
        raise ParseError(Reason.TOO_LARGE, f"more than {MAX_BYTES // 1048576} MiB unpacked")
    return plain


def _whole_rows(body: bytes) -> bytes:
    """The body up to its last whole row; raises ParseError when it has none."""
    if _MARKUP.match(body) is None:
        end = max(body.rfind(b"\n"), body.rfind(b"\r")) + 1
    else:
        end = max((row.end() for row in _ROW_END.finditer(body)), default=0)
    if end == 0:
        raise ParseError(Reason.ENCODING_BROKEN, "the gzip ends before its end")
    return body[:end]


def _root(document: bytes) -> etree._Element:
    """The tree, mended when it is not well formed and else as far as it goes."""
    text = decode_text(document)
    if _PAGE.match(text) is not None:
        raise ParseError(Reason.NOT_A_FEED, "this is an HTML page, not a sitemap")
    text = strip_prolog(text)
    try:
        return parse_xml(text)
    except ParseError:
        return parse_xml(repair_xml(text), recover=True)


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


def _listed(text: str, *, url: str, limit: int, now: datetime) -> Sitemap:
    """One address a line; raises ParseError when there is nothing or the first line is none."""
    lines = (words for line in _LINE.finditer(text) if (words := line[0].strip()))
    first = next(lines, "")
    if not first:
        raise ParseError(Reason.FEED_EMPTY, "the answer holds nothing")
    if _ADDRESS.fullmatch(first) is None:
        raise ParseError(Reason.NOT_A_FEED, "neither XML nor a list of addresses")
    rows = [_Row(location=line) for line in islice(chain([first], lines), limit)]
    sitemap = _judged(rows, url=url, limit=limit, now=now)
    return replace(sitemap, truncated=next(lines, None) is not None)


def _children(rows: Iterable[_Row], *, url: str, now: datetime) -> tuple[str, ...]:
    """The sitemaps an index names, newest first, and those without a date after them.

    Of these the last and the first in turn: most grow at their end, some at their head.
    """
    dated: list[tuple[datetime, str]] = []
    undated: list[str] = []
    for row in rows:
        location, fault = judge_url(row.location, url)
        if fault is not None:
            continue
        if (changed := parse_date(row.changed, now=now)) is not None:
            dated.append((changed, location))
        else:
            undated.append(location)
    dated.sort(key=lambda pair: pair[0], reverse=True)
    in_turn = chain.from_iterable(zip(reversed(undated), undated, strict=True))
    names = chain((location for _, location in dated), in_turn)
    return tuple(dict.fromkeys(names))[:MAX_CHILDREN]


def _judged(rows: list[_Row], *, url: str, limit: int, now: datetime) -> Sitemap:
    """The newest rows as entries; a page that changed without a date counts as oldest."""
    kept = rows
    if len(rows) > limit:
        kept = [rows[place] for place in newest((_age(row, now) for row in rows), limit)]
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
    return Sitemap(entries=tuple(entries.values()), bad=tuple(bad), truncated=len(kept) < len(rows))


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

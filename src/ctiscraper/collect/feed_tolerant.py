"""A feed that is not well formed, read by feedparser as far as it goes."""

from io import BytesIO
from typing import Any

import feedparser

from ctiscraper.collect.feed_xml import ttl_minutes
from ctiscraper.collect.markup import resolve_link, resolve_markup
from ctiscraper.collect.raw_feed import RawEntry, RawFeed, Text
from ctiscraper.errors import ParseError, Reason

# What a parser of broken input raises when its own assumptions break.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_tolerant(text: str, *, url: str, max_entries: int) -> RawFeed:
    """The raw feed of a text without prolog; raises ParseError NOT_A_FEED when it has none.

    Markup is not sanitised here. feedparser gets a stream, never a bare value: a value that
    names a file or an address it would open.
    """
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": url}
    try:
        parsed: Any = feedparser.parse(
            BytesIO(text.encode("utf-8", "replace")),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except _FAULTS as error:
        raise ParseError(Reason.PARSER_ERROR, f"{type(error).__name__}: {error}"[:200]) from error
    if not parsed.get("version") and not parsed.entries and "<channel" not in text[:4096].lower():
        raise ParseError(Reason.NOT_A_FEED, "no feed in any dialect could be read")
    feed = parsed.feed
    entries = parsed.entries[:max_entries]
    return RawFeed(
        kind=_kind(str(parsed.get("version") or "")),
        title=_text(feed, "title", url),
        link=resolve_link(url, str(feed.get("link") or "")),
        description=_text(feed, "subtitle", url),
        language=str(feed.get("language") or ""),
        ttl_minutes=ttl_minutes({"ttl": str(feed.get("ttl") or "")}),
        entries=[_entry(entry, url) for entry in entries],
        truncated=len(parsed.entries) > len(entries),
    )


def _kind(version: str) -> str:
    """`rss20` as `rss 2.0`."""
    name = version.rstrip("0123456789") or version
    digits = version[len(name) :]
    return f"{name} {digits[0]}.{digits[1:] or '0'}" if digits else name or "rss"


def _text(holder: dict[str, Any], name: str, url: str) -> Text:
    return Text(resolve_markup(str(holder.get(name) or "").strip(), url))


def _entry(entry: dict[str, Any], url: str) -> RawEntry:
    contents = [_text(part, "value", url) for part in entry.get("content") or []]
    content = max(contents, key=lambda text: len(text.value), default=Text())
    return RawEntry(
        guid=str(entry.get("id") or ""),
        link=resolve_link(url, str(entry.get("link") or "")),
        original_link=str(entry.get("feedburner_origlink") or entry.get("pheedo_origlink") or ""),
        title=_text(entry, "title", url),
        authors=_authors(entry),
        summary=_text(entry, "summary", url),
        content=content,
        # dict.get: feedparser's own warns when it answers with another date
        published=str(dict.get(entry, "published") or dict.get(entry, "created") or ""),
        updated=str(dict.get(entry, "updated") or ""),
        tags=[str(tag.get("term") or tag.get("label") or "") for tag in entry.get("tags") or []],
        language=str((entry.get("title_detail") or {}).get("language") or ""),
    )


def _authors(entry: dict[str, Any]) -> list[str]:
    author = str(entry.get("author") or "")
    names = [str(a.get("name") or a.get("email") or "") for a in entry.get("authors") or [] if a]
    named = [name for name in names if name]
    return named if len(named) > 1 else [author] if author else named

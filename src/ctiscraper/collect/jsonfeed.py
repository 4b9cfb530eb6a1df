"""JSON Feed 1.0 and 1.1 (jsonfeed.org) as a raw feed."""

import json
from collections.abc import Mapping
from typing import Any

from ctiscraper.collect.markup import resolve_link, resolve_markup
from ctiscraper.collect.raw_feed import RawEntry, RawFeed, Text
from ctiscraper.errors import ParseError, Reason

_MARKS = ("feed_url", "home_page_url", "title")


def read_json_feed(text: str, *, url: str) -> RawFeed:
    """The raw feed of a JSON document, wrong types read as absent.

    Raises ParseError NOT_A_FEED when it is no JSON or not a feed.
    """
    try:
        document = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise ParseError(Reason.NOT_A_FEED, f"not valid JSON: {error}"[:200]) from None
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise ParseError(Reason.NOT_A_FEED, "JSON without the list of items of a JSON Feed")
    version = _words(document, "version")
    if "jsonfeed.org" not in version and not any(mark in document for mark in _MARKS):
        raise ParseError(Reason.NOT_A_FEED, "JSON that is not a JSON Feed")
    home = _words(document, "home_page_url")
    base = home or url
    return RawFeed(
        kind=f"json {version.rstrip('/').rpartition('/')[2]}"[:12].strip(),
        title=Text(_words(document, "title"), plain=True),
        link=resolve_link(url, home),
        description=Text(_words(document, "description"), plain=True),
        language=_words(document, "language"),
        authors=_authors(document),
        entries=[_entry(item, base) for item in document["items"] if isinstance(item, dict)],
    )


def _words(holder: Mapping[str, Any], name: str) -> str:
    """A string or number as a string; anything else is empty."""
    value = holder.get(name)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _entry(item: Mapping[str, Any], base: str) -> RawEntry:
    markup = _words(item, "content_html")
    content = Text(resolve_markup(markup, base)) if markup else Text()
    return RawEntry(
        guid=_words(item, "id"),
        link=resolve_link(base, _words(item, "url") or _words(item, "external_url")),
        title=Text(_words(item, "title"), plain=True),
        authors=_authors(item),
        summary=Text(_words(item, "summary"), plain=True),
        content=content if markup else Text(_words(item, "content_text"), plain=True),
        published=_words(item, "date_published"),
        updated=_words(item, "date_modified"),
        tags=_strings(item.get("tags")),
        language=_words(item, "language"),
    )


def _authors(holder: Mapping[str, Any]) -> list[str]:
    """The names of version 1.1's authors, or of version 1.0's one author."""
    listed = holder.get("authors")
    people = listed if isinstance(listed, list) and listed else [holder.get("author")]
    named = [person for person in people if isinstance(person, dict)]
    return [name for person in named if (name := _words(person, "name"))]


def _strings(value: object) -> list[str]:
    return [tag.strip() for tag in value if isinstance(tag, str)] if isinstance(value, list) else []

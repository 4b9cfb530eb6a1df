"""JSON Feed 1.0 and 1.1 (jsonfeed.org) as a raw feed."""

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ctiscraper.collect.markup import resolve_link, resolve_markup
from ctiscraper.collect.pieces import MAX_ELEMENTS, carried, moment, newest
from ctiscraper.collect.raw_feed import RawEntry, RawFeed, Text
from ctiscraper.collect.xml_text import decode_text
from ctiscraper.errors import ParseError, Reason

_MARKS = ("feed_url", "home_page_url", "title")
# A string, which is not looked into unless it names the list of items, or a bracket.
_TOKEN = re.compile(rb"\"(?:(items\"(?=\s*:))|(?:[^\"\\]++|\\.?)*+(?:\"|\Z))|[\[\]{}]", re.DOTALL)
_DATE = re.compile(rb"\"date_(?:published|modified)\"\s*:\s*\"([^\"]{1,160})\"")
# How deep the list of items and an item of it stand.
_LIST, _ITEM = 2, 3
_DEEPEST = 500


def read_json_feed(text: str, *, url: str, max_entries: int, now: datetime) -> RawFeed:
    """The raw feed of a JSON document, wrong types read as absent.

    Raises ParseError NOT_A_FEED when it is no JSON or not a feed.
    """
    document = _loaded(text)
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise ParseError(Reason.NOT_A_FEED, "JSON without the list of items of a JSON Feed")
    version = _words(document, "version")
    if "jsonfeed.org" not in version and not any(mark in document for mark in _MARKS):
        raise ParseError(Reason.NOT_A_FEED, "JSON that is not a JSON Feed")
    home = _words(document, "home_page_url")
    items = [item for item in document["items"] if isinstance(item, dict)]
    kept = items
    if len(items) > max_entries:
        ages = carried((_date(item, now) for item in items), now)
        kept = [items[place] for place in newest(ages, max_entries)]
    return RawFeed(
        kind=f"json {version.rstrip('/').rpartition('/')[2]}"[:12].strip(),
        title=Text(_words(document, "title"), plain=True),
        link=resolve_link(url, home),
        description=Text(_words(document, "description"), plain=True),
        language=_words(document, "language"),
        authors=_authors(document),
        entries=[_entry(item, home or url) for item in kept],
        truncated=len(kept) < len(items),
    )


def read_large_json(
    body: bytes, content_type: str, *, url: str, max_entries: int, now: datetime
) -> RawFeed | None:
    """The raw feed of a large document, one item at a time; None when no list of items is found.

    Raises ParseError NOT_A_FEED when it is no JSON or not a feed.
    """
    starts, ends = array("L"), array("L")
    first, last = 0, 0
    for start, end in _items(body):
        if end < 0:
            first = start
        elif body[start : start + 1] == b"]":
            last = start
        else:
            starts.append(start)
            ends.append(end)
            if len(starts) > MAX_ELEMENTS:
                break
    if not (last or starts):
        return None
    head = decode_text(body[:first] + (body[last:] if last else b"]}"), content_type)
    feed = read_json_feed(head, url=url, max_entries=max_entries, now=now)
    chosen: Iterable[int] = range(len(starts))
    if len(starts) > max_entries:
        chosen = newest(carried(_dates(body, starts, ends, now), now), max_entries)
        feed.truncated = True
    base = feed.link or url
    for place in chosen:
        item = _loaded(decode_text(body[starts[place] : ends[place]], content_type))
        feed.entries.append(_entry(item, base))
    return feed


def _items(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the list of items starts (its end -1), each of them, and the bracket that closes it."""
    depth, start, is_next, is_inside = 0, 0, False, False
    for match in _TOKEN.finditer(body):
        sign = match[0][:1]
        if sign == b'"':
            is_next = depth == 1 and match[1] is not None
        elif sign in b"[{":
            depth += 1
            if depth > _DEEPEST:
                return
            if depth == _LIST and is_next and sign == b"[":
                is_inside = True
                yield match.end(), -1
            elif is_inside and depth == _ITEM:
                start = match.start()
            is_next = False
        else:
            depth -= 1
            if is_inside and depth == _LIST and sign == b"}":
                yield start, match.end()
            elif is_inside and depth == 1:
                yield match.start(), match.end()
                return


def _dates(
    body: bytes, starts: Iterable[int], ends: Iterable[int], now: datetime
) -> Iterator[datetime | None]:
    for start, end in zip(starts, ends, strict=True):
        match = _DATE.search(body, start, end)
        yield moment(match[1].decode("ascii", "replace"), now) if match else None


def _date(item: Mapping[str, Any], now: datetime) -> datetime | None:
    return moment(_words(item, "date_published") or _words(item, "date_modified"), now)


def _loaded(text: str) -> Any:  # noqa: ANN401 - JSON holds any type
    """What the JSON means; raises ParseError NOT_A_FEED."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise ParseError(Reason.NOT_A_FEED, f"not valid JSON: {error}"[:200]) from None


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

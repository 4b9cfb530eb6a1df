"""Feeds of articles as other programs read them: Atom (RFC 4287) and JSON Feed 1.1."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

import msgspec

ATOM_TYPE = "application/atom+xml; charset=utf-8"
JSON_TYPE = "application/feed+json"
JSON_VERSION = "https://jsonfeed.org/version/1.1"

_ATOM = "http://www.w3.org/2005/Atom"
_OWN = "urn:ctiscraper:article"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# What XML 1.0 has no place for (2.2), and browsers take for a change of direction.
_NO_TEXT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PER_CENT = 100

register_namespace("", _ATOM)
register_namespace("cti", _OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An article of a feed; `html` is sanitised, `page` is where this installation shows it."""

    title: str
    url: str
    page: str
    source: str
    tier: str
    tlp: str
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    language: str | None
    summary: str
    html: str
    published_at: datetime | None
    changed_at: datetime
    score: float | None

    @property
    def uri(self) -> str:
        """Return what names the article wherever it is read."""
        return f"urn:uuid:{uuid5(NAMESPACE_URL, self.url)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a feed is made of; `home` is the page that shows the same, `address` its own."""

    uid: str
    title: str
    subtitle: str
    home: str
    address: str
    changed_at: datetime
    entries: tuple[Entry, ...]


def atom(feed: Feed) -> bytes:
    """Return a feed as Atom."""
    root = Element(_name("feed"))
    _text(root, "id", f"urn:uuid:{feed.uid}")
    _text(root, "title", feed.title)
    _text(root, "subtitle", feed.subtitle)
    _text(root, "updated", _moment(feed.changed_at))
    _text(root, "generator", "CTIScraper")
    SubElement(root, _name("link"), rel="self", type="application/atom+xml", href=feed.address)
    SubElement(root, _name("link"), rel="alternate", type="text/html", href=feed.home)
    for entry in feed.entries:
        _entry(root, entry)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _entry(root: Element, entry: Entry) -> None:
    node = SubElement(root, _name("entry"))
    if entry.language:
        node.set(_XML_LANG, _clean(entry.language))
    _text(node, "id", entry.uri)
    _text(node, "title", entry.title or "Untitled")
    # An entry without an author would have to take its feed's (4.1.2).
    for author in entry.authors or (entry.source,):
        _text(SubElement(node, _name("author")), "name", author)
    _text(node, "updated", _moment(entry.changed_at))
    if entry.published_at is not None:
        _text(node, "published", _moment(entry.published_at))
    SubElement(node, _name("link"), rel="alternate", href=_clean(entry.url))
    SubElement(node, _name("link"), rel="related", type="text/html", href=entry.page)
    for tag in entry.tags:
        SubElement(node, _name("category"), term=_clean(tag))
    _text(node, "rights", f"TLP:{entry.tlp.upper()}")
    if entry.summary:
        _text(node, "summary", entry.summary)
    content = SubElement(node, _name("content"), type="html")
    content.text = _clean(entry.html)
    _text(node, "source", entry.source, space=_OWN)
    _text(node, "tier", entry.tier, space=_OWN)
    if entry.score is not None:
        _text(node, "score", str(_score(entry.score)), space=_OWN)


def json_feed(feed: Feed) -> bytes:
    """Return a feed as JSON Feed."""
    return msgspec.json.encode(
        {
            "version": JSON_VERSION,
            "title": feed.title,
            "description": feed.subtitle,
            "home_page_url": feed.home,
            "feed_url": feed.address,
            "items": [_item(entry) for entry in feed.entries],
        }
    )


def _item(entry: Entry) -> dict[str, object]:
    known = {
        "summary": entry.summary,
        "language": entry.language,
        "tags": list(entry.tags),
        "date_published": _moment(entry.published_at) if entry.published_at else None,
    }
    return {
        "id": entry.uri,
        "url": entry.url,
        "title": entry.title or "Untitled",
        "content_html": entry.html,
        "date_modified": _moment(entry.changed_at),
        "authors": [{"name": name} for name in entry.authors or (entry.source,)],
        **{name: value for name, value in known.items() if value},
        # What is no part of the format begins with a low line.
        "_ctiscraper": {
            "source": entry.source,
            "tier": entry.tier,
            "tlp": entry.tlp,
            "score": None if entry.score is None else _score(entry.score),
            "page": entry.page,
        },
    }


def _score(value: float) -> int:
    return round(value * _PER_CENT)


def _name(tag: str, space: str = _ATOM) -> str:
    return f"{{{space}}}{tag}"


def _text(parent: Element, tag: str, text: str, *, space: str = _ATOM) -> None:
    SubElement(parent, _name(tag, space)).text = _clean(text)


def _clean(text: str) -> str:
    return _NO_TEXT.sub("", text)


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

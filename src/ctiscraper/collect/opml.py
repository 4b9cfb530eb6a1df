"""OPML 1.0 and 2.0: lists of feeds from other readers, and our own with every setting."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from ctiscraper.collect.announced import judge_url, one_line, scrub
from ctiscraper.collect.source_fields import settings_to_mapping
from ctiscraper.collect.xml_text import (
    decode_text,
    local_name,
    parse_xml,
    repair_xml,
    strip_prolog,
)
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import Discovery, SourceSettings

NAMESPACE = "urn:ctiscraper:opml"
MAX_OUTLINES = 10_000
MAX_CATEGORIES = 20

_OWN = f"{{{NAMESPACE}}}"
# Settings that OPML has its own attributes for.
_COMMON = frozenset({"name", "url", "feed_url"})
_NO_KEY = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpmlFeed:
    """One subscription: `row` counts outlines from 1, `categories` are paths with slashes.

    `settings` are those of our own namespace, as `settings_from_mapping` takes them.
    """

    row: int
    title: str
    feed_url: str | None
    site_url: str | None
    categories: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, object]:
        """The mapping that `settings_from_mapping` reads; the key is made when there is none."""
        url = self.site_url or self.feed_url or ""
        mapping: dict[str, object] = {"key": make_key(self.title or url), "name": self.title or url}
        mapping["url"] = url
        if self.feed_url is not None:
            mapping["feed_url"] = self.feed_url
        return mapping | dict(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """An outline that cannot be taken, with its reason."""

    row: int
    title: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpmlDocument:
    """What an OPML file lists: the feeds it gives, and a report of the rows it does not."""

    title: str = ""
    feeds: tuple[OpmlFeed, ...] = ()
    bad: tuple[BadRow, ...] = ()


def parse_opml(body: bytes) -> OpmlDocument:
    """The subscriptions of an OPML file, each feed once with all its categories.

    Raises ParseError: FEED_EMPTY, NOT_A_FEED, DTD_REFUSED, TOO_LARGE, PARSER_ERROR.
    """
    text = decode_text(body)
    if not text.strip():
        raise ParseError(Reason.FEED_EMPTY, "the file holds nothing")
    root = _root(strip_prolog(text))
    if local_name(root) != "opml":
        raise ParseError(
            Reason.NOT_A_FEED, f"the root element is <{local_name(root)[:40]}>, not opml"
        )
    feeds: dict[str, OpmlFeed] = {}
    bad: list[BadRow] = []
    for row, (outline, path) in enumerate(_outlines(root), 1):
        if row > MAX_OUTLINES:
            bad.append(
                BadRow(row=row, title="", reason=Reason.TOO_LARGE, detail="too many outlines")
            )
            break
        read = _read(outline, path, row)
        if isinstance(read, BadRow):
            bad.append(read)
        elif read is not None:
            key = read.feed_url or read.site_url or ""
            feeds[key] = _merged(feeds[key], read) if key in feeds else read
    title = root.findtext("./{*}head/{*}title") or ""
    return OpmlDocument(title=one_line(title, 200), feeds=tuple(feeds.values()), bad=tuple(bad))


def _root(text: str) -> etree._Element:
    try:
        return parse_xml(text)
    except ParseError:
        return parse_xml(repair_xml(text))


def _outlines(
    parent: etree._Element, path: tuple[str, ...] = ()
) -> Iterator[tuple[etree._Element, tuple[str, ...]]]:
    """Every outline in the order of the file with the names of those around it."""
    for element in parent:
        name = local_name(element)
        if name == "outline":
            yield element, path
            inner = path if _attribute(element, "xmlurl") else (*path, _title(element))
            yield from _outlines(element, inner)
        elif name == "body":
            yield from _outlines(element, path)


def _attribute(element: etree._Element, name: str) -> str:
    """An attribute by its name in any case, as readers differ in it."""
    for key in list(element.attrib)[:64]:
        if str(key).lower() == name:
            return scrub(element.get(key, "")).strip()
    return ""


def _title(element: etree._Element) -> str:
    words = _attribute(element, "title") or _attribute(element, "text")
    return one_line(words, 200).replace("/", "\u2215")


def _read(element: etree._Element, path: tuple[str, ...], row: int) -> OpmlFeed | BadRow | None:
    """The subscription of an outline; None for a category or a remark."""
    title = one_line(_attribute(element, "title") or _attribute(element, "text"), 200)
    settings = _own_settings(element)
    kind = _attribute(element, "type").lower()
    feed = _attribute(element, "xmlurl") or (_attribute(element, "url") if kind == "rss" else "")
    site = _attribute(element, "htmlurl") or (_attribute(element, "url") if kind == "link" else "")
    if not feed and not settings:
        if kind in {"rss", "atom"}:
            return BadRow(row=row, title=title, reason=Reason.NO_URL, detail="no xmlUrl")
        return None
    feed_url, feed_fault = judge_url(feed)
    site_url, site_fault = judge_url(site)
    fault = feed_fault if feed or not site else site_fault
    if fault is not None:
        return BadRow(row=row, title=title, reason=fault, detail=one_line(feed or site, 200))
    return OpmlFeed(
        row=row,
        title=title,
        feed_url=feed_url or None,
        site_url=site_url or None,
        categories=_categories(element, path),
        settings=settings,
    )


def _categories(element: etree._Element, path: tuple[str, ...]) -> tuple[str, ...]:
    """The outlines around it as one path, then the category attribute (OPML 2.0)."""
    nested = "/".join(name for name in path if name)
    listed = (part.strip().strip("/") for part in _attribute(element, "category").split(","))
    return _unique([nested, *(one_line(part, 200) for part in listed)])


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))[:MAX_CATEGORIES]


def _merged(first: OpmlFeed, again: OpmlFeed) -> OpmlFeed:
    return OpmlFeed(
        row=first.row,
        title=first.title or again.title,
        feed_url=first.feed_url,
        site_url=first.site_url or again.site_url,
        categories=_unique([*first.categories, *again.categories]),
        settings={**again.settings, **first.settings},
    )


def _own_settings(element: etree._Element) -> dict[str, object]:
    """The attributes of our namespace, each JSON."""
    settings: dict[str, object] = {}
    for key in list(element.attrib)[:64]:
        name = str(key)
        if name.startswith(_OWN):
            settings[name.removeprefix(_OWN)] = _value(scrub(element.get(key, "")))
    return settings


def _value(words: str) -> object:
    """A value that is written as JSON; words that are none stand for themselves."""
    if (
        words[:1] not in {"{", "[", '"'}
        and words not in {"true", "false"}
        and not _is_number(words)
    ):
        return words
    try:
        value: object = json.loads(words)
    except (ValueError, RecursionError):
        return words
    return value


def _is_number(words: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?", words) is not None


def _written(value: object) -> str:
    """The attribute that `_value` reads back as the same value."""
    if isinstance(value, str) and _value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def make_key(words: str) -> str:
    """A key for a source from its name or address: `a-z`, digits and hyphens, at most 64."""
    plain = words.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return _NO_KEY.sub("-", plain).strip("-")[:64].strip("-") or "source"


def write_opml(sources: Sequence[SourceSettings], *, title: str = "CTIScraper sources") -> bytes:
    """An OPML 2.0 file of the sources, a folder for each tier, every setting in our namespace.

    `parse_opml` gives back the same settings; other readers see name, feed and site.
    """
    root = etree.Element("opml", version="2.0", nsmap={"cti": NAMESPACE})
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = scrub(title)
    body = etree.SubElement(root, "body")
    folders: dict[str, etree._Element] = {}
    for source in sources:
        folder = folders.get(source.tier)
        if folder is None:
            folder = etree.SubElement(body, "outline", text=source.tier, title=source.tier)
            folders[source.tier] = folder
        _write(folder, source)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _write(folder: etree._Element, source: SourceSettings) -> None:
    outline = etree.SubElement(folder, "outline", text=scrub(source.name), title=scrub(source.name))
    if source.feed_url is not None and source.discovery is Discovery.FEED:
        outline.set("type", "rss")
    if source.feed_url is not None:
        outline.set("xmlUrl", scrub(source.feed_url))
    outline.set("htmlUrl", scrub(source.url))
    for name, value in settings_to_mapping(source).items():
        if name not in _COMMON:
            outline.set(f"{_OWN}{name}", scrub(_written(value)))
    outline.set(f"{_OWN}tier", str(source.tier))

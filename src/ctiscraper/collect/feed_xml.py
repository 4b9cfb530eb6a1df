"""A well-formed RSS, RDF or Atom tree as a raw feed: the fast way."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from lxml import etree

from ctiscraper.collect.announced import to_author
from ctiscraper.collect.feed_names import Meaning, is_atom_tag, meaning_of, split_tag
from ctiscraper.collect.markup import (
    decode_base64,
    inner_markup,
    is_wrapper,
    resolve_link,
    resolve_markup,
    tidy_markup,
)
from ctiscraper.collect.pieces import carried, newest
from ctiscraper.collect.raw_feed import RawEntry, RawFeed, Text
from ctiscraper.dates import parse_date
from ctiscraper.errors import ParseError, Reason

_XML = "{http://www.w3.org/XML/1998/namespace}"
_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_DATES = ("date", "published", "updated", "issued")
_ITEMS = frozenset({"item", "entry"})
_HTML_TYPES = frozenset({"html", "text/html"})
_PLAIN_TYPES = frozenset({"", "text", "text/plain", "plain"})
_TEXT_FIELDS = frozenset({"title", "summary", "content"})
_WORD_FIELDS = frozenset({"language", "original", "ttl", "period", "frequency"})
_PERIOD_MINUTES = {
    "hourly": 60,
    "daily": 1440,
    "weekly": 10080,
    "monthly": 43200,
    "yearly": 525600,
}
_DIGITS = 7


class _Found:
    """The values of one entry or feed while its elements are read."""

    __slots__ = ("authors", "dates", "link", "link_rank", "ranks", "tags", "texts", "words")

    def __init__(self) -> None:
        self.texts: dict[str, Text] = {}
        self.words: dict[str, str] = {}
        self.dates: dict[str, str] = {}
        self.ranks: dict[str, int] = {}
        self.authors: list[str] = []
        self.tags: list[str] = []
        self.link = ""
        self.link_rank = -1

    def better(self, field: str, rank: int, *, last: bool = False) -> bool:
        """True when a value of this rank counts, which it then holds."""
        held = self.ranks.get(field, -1)
        if rank > held or (last and rank == held):
            self.ranks[field] = rank
            return True
        return False


class FeedReader:
    """Reads one tree; what an element means is worked out once for each tag."""

    def __init__(self, root: etree._Element, *, url: str, has_bases: bool) -> None:
        """`has_bases` says that xml:base may occur, so that every element is asked for its own."""
        self._root = root
        self._url = url
        self._has_bases = has_bases
        self._namespace, self._name = split_tag(str(root.tag))
        self._meanings: dict[str, Meaning | None] = {}
        self._is_atom = self._name == "feed"
        self.kind = self._kind()

    def read(self, *, max_entries: int, now: datetime) -> RawFeed:
        """The raw feed; raises ParseError NOT_A_FEED for any other document."""
        if not self.kind:
            raise ParseError(Reason.NOT_A_FEED, f"the root element is <{self._name[:40]}>")
        channel = self._channel()
        items = list(self._items(channel))
        kept = items
        if len(items) > max_entries:
            ages = carried((_item_date(item, now) for item in items), now)
            kept = [items[place] for place in newest(ages, max_entries)]
        feed = self._feed(channel)
        feed.entries = [self._entry(item) for item in kept]
        feed.truncated = len(kept) < len(items)
        return feed

    def _kind(self) -> str:
        """The dialect and its version, or empty for another document."""
        if self._name == "rss":
            return f"rss {self._root.get('version', '').strip()[:8]}".strip()
        if self._name == "rdf" and any(
            self._local(child) in {"channel", "item"} for child in self._root
        ):
            return "rdf"
        if self._is_atom:
            return "atom 0.3" if "purl.org/atom" in self._namespace else "atom 1.0"
        return ""

    def _channel(self) -> etree._Element:
        if self._is_atom:
            return self._root
        found = (child for child in self._root if self._local(child) == "channel")
        return next(found, self._root)

    def _items(self, channel: etree._Element) -> Iterator[etree._Element]:
        """Entries of the channel and of the root, wherever a dialect puts them."""
        places = [self._root] if channel is self._root else [channel, self._root]
        found = False
        for place in places:
            for child in place:
                if self._local(child) in _ITEMS:
                    found = True
                    yield child
        if not found:
            yield from (e for e in self._root.iterdescendants() if self._local(e) in _ITEMS)

    @staticmethod
    def _local(element: etree._Element) -> str:
        tag = element.tag
        return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""

    def _feed(self, channel: etree._Element) -> RawFeed:
        found = _Found()
        self._collect(channel, found)
        words = found.words
        return RawFeed(
            kind=self.kind,
            title=found.texts.get("title", Text()),
            link=found.link,
            description=found.texts.get("summary", Text()),
            language=words.get("language", "")
            or self._language(channel)
            or self._language(self._root),
            ttl_minutes=ttl_minutes(words),
            authors=found.authors if self._is_atom else [],
        )

    def _entry(self, item: etree._Element) -> RawEntry:
        found = _Found()
        self._collect(item, found)
        words, dates = found.words, found.dates
        guid = words.get("guid", "")
        about = item.get(_ABOUT, "") or item.get("about", "")
        link = found.link
        if not link and words.get("permalink"):
            link = guid
        return RawEntry(
            guid=guid or about,
            link=link or resolve_link(self._base(item), about),
            original_link=words.get("original", ""),
            title=found.texts.get("title", Text()),
            authors=found.authors,
            summary=found.texts.get("summary", Text()),
            content=found.texts.get("content", Text()),
            published=dates.get("published", ""),
            updated=dates.get("updated", ""),
            tags=found.tags,
            language=words.get("language", "") or self._language(item),
        )

    def _collect(self, parent: etree._Element, found: _Found) -> None:
        """Read the elements of an entry or a channel into `found`."""
        for child in parent:
            tag = child.tag
            if not isinstance(tag, str):
                continue
            if tag not in self._meanings:
                self._meanings[tag] = meaning_of(tag, self._namespace)
            meaning = self._meanings[tag]
            if meaning is not None:
                self._take(child, meaning, found)

    def _take(self, element: etree._Element, meaning: Meaning, found: _Found) -> None:
        field, rank = meaning
        if field in _TEXT_FIELDS:
            self._take_text(element, field, rank, found)
        elif field in {"published", "updated", "date"}:
            self._take_date(element, field, rank, found)
        elif field == "link":
            self._take_link(element, rank, found)
        elif field == "guid":
            self._take_guid(element, found)
        elif field == "author":
            self._take_author(element, rank, found)
        elif field in {"tag", "keywords"}:
            found.tags.extend(_tags(element, field))
        elif field == "nested":
            self._collect(element, found)
        elif field in _WORD_FIELDS and (word := _words(element)) and found.better(field, rank):
            found.words[field] = word

    def _take_text(self, element: etree._Element, field: str, rank: int, found: _Found) -> None:
        if field == "content" and (source := element.get("src")) and found.link_rank < 0:
            found.link, found.link_rank = resolve_link(self._base(element), source), 0
        if found.ranks.get(field, -1) >= rank:
            if field != "summary" or found.ranks[field] != rank or self._is_atom:
                return
            # RSS with both a description and a summary: the second is the longer story
            field, rank = "content", 1
        text = self._text(element, field)
        if text.value and found.better(field, rank):
            found.texts[field] = text

    def _take_date(self, element: etree._Element, field: str, rank: int, found: _Found) -> None:
        words = _words(element)
        for name in ("published", "updated") if field == "date" else (field,):
            if words and found.better(name, rank, last=True):
                found.dates[name] = words

    def _take_guid(self, element: etree._Element, found: _Found) -> None:
        words = _words(element)
        if not words or not found.better("guid", 0):
            return
        found.words["guid"] = words
        if self._is_atom and words.startswith("/"):
            found.words["guid"] = resolve_link(self._base(element), words)
        is_link = (
            self._local(element) == "guid" and element.get("isPermaLink", "true").lower() != "false"
        )
        found.words["permalink"] = (
            words if is_link and words.startswith(("http://", "https://")) else ""
        )

    def _take_author(self, element: etree._Element, rank: int, found: _Found) -> None:
        author = self._author(element)
        if author and found.better("author", rank, last=True):
            if found.ranks.get("author_held", rank) != rank:
                found.authors.clear()
            found.ranks["author_held"] = rank
            found.authors.append(author)

    def _author(self, element: etree._Element) -> str:
        parts = {self._local(child): _words(child) for child in element}
        if not self._is_atom:
            return to_author(parts.get("name", "") or _words(element))
        name, email = parts.get("name", ""), parts.get("email", "")
        return f"{name} ({email})" if name and email else name or email or _words(element)

    def _take_link(self, element: etree._Element, rank: int, found: _Found) -> None:
        """Atom's alternate for a browser, first met; RSS's own link, last met."""
        href = element.get("href")
        words = (href if href is not None else element.text or "").strip()
        if not words:
            return
        if href is not None:
            relation = element.get("rel", "alternate").strip().lower().rpartition("/")[2]
            if relation not in {"alternate", ""}:
                return
            kind = element.get("type", "").lower()
            if kind and "html" not in kind:
                rank -= 2
        if rank > found.link_rank or (rank == found.link_rank and not self._is_atom):
            found.link, found.link_rank = resolve_link(self._base(element), words), rank

    def _text(self, element: etree._Element, field: str) -> Text:
        """The text or markup an element holds, by the rules of its dialect."""
        typed = element.get("type", "")
        if typed:
            typed = typed.strip().lower().partition(";")[0]
        is_atom = self._is_atom or typed or is_atom_tag(str(element.tag))
        if len(element):
            value = self._inline(element, typed)
            return Text(resolve_markup(value, self._base(element)).strip())
        value = (element.text or "").strip()
        if element.get("mode", "").lower() == "base64" or (is_atom and _is_binary(typed)):
            value = decode_base64(value)
        elif is_atom and typed in _PLAIN_TYPES:
            return Text(value, plain=True)
        if typed in _HTML_TYPES or (field != "title" and "<" in value):
            value = tidy_markup(value)
        return Text(resolve_markup(value, self._base(element)) if "<" in value else value)

    def _inline(self, element: etree._Element, typed: str) -> str:
        escape = typed not in _HTML_TYPES
        if self.kind == "atom 1.0" and is_wrapper(element):
            return inner_markup(element[0], escape=escape)
        return inner_markup(element, escape=escape)

    def _base(self, element: etree._Element) -> str:
        """The address that relative links of the element start from (XML Base)."""
        if not self._has_bases:
            return self._url
        bases = [b for e in (element, *element.iterancestors()) if (b := e.get(f"{_XML}base"))]
        base = self._url
        for part in reversed(bases):
            joined = resolve_link(base, part)
            base = joined if joined.lower().startswith(("http:", "https:")) else base
        return base

    @staticmethod
    def _language(element: etree._Element) -> str:
        return element.get(f"{_XML}lang", "").strip().replace("_", "-")


def _item_date(item: etree._Element, now: datetime) -> datetime | None:
    for child in item:
        tag = child.tag
        if isinstance(tag, str) and tag.lower().endswith(
            ("date", "published", "updated", "issued")
        ):
            return parse_date(child.text or "", now=now)
    return None


def _words(element: etree._Element) -> str:
    text = element.text or ""
    return "".join(map(str, element.itertext())).strip() if len(element) else text.strip()


def _is_binary(typed: str) -> bool:
    """True for a media type whose content Atom sends in base64 (RFC 4287, 4.1.3.3)."""
    return "/" in typed and not typed.startswith("text/") and not typed.endswith(("xml", "/html"))


def _tags(element: etree._Element, field: str) -> Iterable[str]:
    if field == "keywords":
        return [tag for part in _words(element).split(",") if (tag := part.strip())]
    word = (
        element.get("term") or _words(element) or element.get("text") or element.get("label") or ""
    )
    return [word.strip()] if word.strip() else []


def ttl_minutes(words: dict[str, str]) -> int | None:
    """How long a feed asks to be left alone: RSS ttl, else the syndication module."""
    ttl = words.get("ttl", "")
    if ttl.isascii() and ttl.isdecimal():
        return int(ttl[:_DIGITS]) or None
    period = _PERIOD_MINUTES.get(words.get("period", "").lower())
    frequency = words.get("frequency", "1")
    if (
        period is None
        or not (frequency.isascii() and frequency.isdecimal())
        or not int(frequency[:_DIGITS])
    ):
        return None
    return max(period // int(frequency[:_DIGITS]), 1)

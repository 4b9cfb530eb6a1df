"""Listing pages: the articles that an index, blog or news page links to."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from selectolax.lexbor import LexborNode, SelectolaxError

from ctiscraper.collect.announced import one_line
from ctiscraper.collect.html_page import HtmlPage, line_of, site_of
from ctiscraper.dates import find_date, parse_date
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import FeedEntry

MAX_LINKS = 5000
MAX_ENTRIES = 500

_CLIMB = 5
_MOST_WORDS = 4000
_ENOUGH = 4
_SLUG_SIGNS = 2
_HEADLINE_WORDS = 4
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5"})
_CARDS = frozenset({"article", "li", "tr", "dt", "dd"})
_FURNITURE = frozenset({"nav", "header", "footer", "aside", "form"})
_DATED = re.compile(r"/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(?:/|-|$)|/(?:19|20)\d\d-?[01]\d-?[0-3]\d")
_STORY = re.compile(
    r"/(?:blog|news|posts?|articles?|research|reports?|advisor(?:y|ies)|analysis|insights?|threats?"
    r"|labs?|stor(?:y|ies)|press|publications?|writeups?|intelligence|security)/[^/]",
    re.IGNORECASE,
)
_NO_STORY = re.compile(
    r"/(?:tags?|categor(?:y|ies)|topics?|authors?|users?|people|team|page|pages|about(?:-us)?|contact(?:-us)?"
    r"|privacy(?:-policy)?|terms[^/]*|legal|cookies?[^/]*|login|log-in|sign-?(?:in|up)|register|account"
    r"|search|feeds?|rss|careers?|jobs|events?|webinars?|pricing|subscribe|newsletter|archives?|sitemap"
    r"|share|cart|partners?|support|faq|glossary)(?:/|$|\.)",
    re.IGNORECASE,
)
_TRACKING = re.compile(r"(?<=[?&])utm_[a-z]+=[^&]*&?")
_NO_PAGE = re.compile(
    r"\.(?:jpe?g|png|gif|svg|webp|ico|css|js|json|xml|rss|atom|zip|gz|mp[34]|webm|woff2?|exe|dmg)$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Story:
    """One linked address with what the page says of it."""

    url: str
    title: str = ""
    is_heading: bool = False
    score: int = -10
    date: datetime | None = None
    words: str = ""
    nodes: list[LexborNode] = field(default_factory=list)


def parse_listing(
    body: bytes,
    *,
    url: str,
    selector: str = "",
    content_type: str = "",
    now: datetime | None = None,
) -> tuple[FeedEntry, ...]:
    """The articles a page links to, in its order; dates where one stands beside the link.

    `selector` (CSS) names the links or the boxes that hold them. Without it links of the same
    site that look like articles are taken, by their address, place and words.
    Raises ParseError: TOO_LARGE, or PARSER_ERROR when the selector is no CSS.
    """
    now = now or datetime.now(UTC)
    page = HtmlPage(body, url=url, content_type=content_type)
    stories = _selected(page, selector) if selector.strip() else _likely(page, url)
    _add_dates(stories, now)
    return tuple(
        FeedEntry(
            guid=story.url,
            url=story.url,
            title=story.title,
            published=story.date,
            published_raw=story.words,
        )
        for story in stories[:MAX_ENTRIES]
    )


def _selected(page: HtmlPage, selector: str) -> list[_Story]:
    try:
        nodes = page.tree.css(selector)
    except (SelectolaxError, ValueError):
        raise ParseError(
            Reason.PARSER_ERROR, f"the listing selector {selector[:100]!r} is no CSS selector"
        ) from None
    stories: dict[str, _Story] = {}
    for node in nodes[:MAX_LINKS]:
        anchor = _anchor_of(node)
        address = _address(page, anchor) if anchor is not None else ""
        if anchor is None or not address:
            continue
        _add(stories, address, anchor, node.css_first("h1,h2,h3,h4"))
    return list(stories.values())


def _anchor_of(node: LexborNode) -> LexborNode | None:
    """The link a selected node is, holds or stands in; in a box that of its heading first."""
    if node.tag == "a":
        return node
    inside = node.css_first("h1 a[href],h2 a[href],h3 a[href],h4 a[href]") or node.css_first(
        "a[href]"
    )
    if inside is not None:
        return inside
    return next((up for up in _ancestors(node) if up.tag == "a"), None)


def _add(
    stories: dict[str, _Story], address: str, node: LexborNode, heading: LexborNode | None = None
) -> _Story:
    """Note a link; its title is a heading's, else the longest words of a link to it."""
    heading = heading or node.css_first("h1,h2,h3,h4") or _heading_around(node)
    title = line_of(heading or node) or one_line(node.attributes.get("title") or "", 300)
    story = stories.setdefault(address, _Story(url=address))
    story.nodes.append(node)
    rank = (heading is not None, len(title))
    if title and rank > (story.is_heading, len(story.title)):
        story.title, story.is_heading = title, heading is not None
    return story


def _heading_around(node: LexborNode) -> LexborNode | None:
    return next((up for up in _ancestors(node, 2) if up.tag in _HEADINGS), None)


def _address(page: HtmlPage, node: LexborNode) -> str:
    """The address of a link without what only tells where the reader came from."""
    address = page.link(node)
    return _TRACKING.sub("", address).rstrip("?&") if "utm_" in address else address


def _ancestors(node: LexborNode, limit: int = _CLIMB) -> list[LexborNode]:
    found: list[LexborNode] = []
    parent = node.parent
    while parent is not None and len(found) < limit and parent.tag not in {"body", "html"}:
        found.append(parent)
        parent = parent.parent
    return found


def _likely(page: HtmlPage, url: str) -> list[_Story]:
    site = site_of(urlsplit(url).hostname or "")
    own = url.partition("#")[0].rstrip("/")
    stories: dict[str, _Story] = {}
    for node in page.tree.css("a[href]")[:MAX_LINKS]:
        address = _address(page, node)
        if not address or address.rstrip("/") == own or not _may_be_story(address, site):
            continue
        story = _add(stories, address, node)
        story.score = max(story.score, _place_score(node))
    chosen = [s for s in stories.values() if s.score + _address_score(s) >= _ENOUGH]
    return [story for story in chosen if story.title]


def _may_be_story(address: str, site: str) -> bool:
    parts = urlsplit(address)
    path = parts.path
    if site_of(parts.hostname or "") != site or path.rstrip("/") == "":
        return False
    return _NO_STORY.search(path) is None and _NO_PAGE.search(path) is None


def _place_score(node: LexborNode) -> int:
    """What the place of a link says: headings and cards hold stories, furniture does not."""
    tags = {up.tag for up in _ancestors(node)}
    score = 3 if tags & _HEADINGS or node.css_first("h1,h2,h3,h4,h5") is not None else 0
    score += 1 if tags & _CARDS else 0
    return score - (4 if tags & _FURNITURE and "article" not in tags else 0)


def _address_score(story: _Story) -> int:
    path = urlsplit(story.url).path
    slug = path.rstrip("/").rpartition("/")[2]
    score = 3 if _DATED.search(path) else 0
    score += 2 if slug.count("-") + slug.count("_") >= _SLUG_SIGNS else 0
    score += 1 if _STORY.search(path) else 0
    return score + (2 if len(story.title.split()) >= _HEADLINE_WORDS else 0)


def _add_dates(stories: list[_Story], now: datetime) -> None:
    """Give every story the date of the largest box that holds links to it alone."""
    owners: dict[int, set[str]] = {}
    for story in stories:
        for node in story.nodes[:3]:
            for up in _ancestors(node):
                owners.setdefault(up.mem_id, set()).add(story.url)
    for story in stories[:MAX_ENTRIES]:
        for box in _boxes(story, owners):
            if _read_date(box, story, now):
                break


def _boxes(story: _Story, owners: dict[int, set[str]]) -> list[LexborNode]:
    """The boxes of a story alone, the nearest first."""
    found: list[LexborNode] = []
    for node in story.nodes[:3]:
        found.append(node)
        for up in _ancestors(node):
            if len(owners[up.mem_id]) > 1:
                break
            found.append(up)
    return found


def _read_date(box: LexborNode, story: _Story, now: datetime) -> bool:
    time = box.css_first("time")
    if time is not None:
        raw = (time.attributes.get("datetime") or "").strip() or line_of(time, 100)
        story.date, story.words = parse_date(raw, now=now), raw[:200]
        if story.date is not None:
            return True
    text = box.text(separator=" ")
    found = find_date(text, now=now) if len(text) <= _MOST_WORDS else None
    if found is not None:
        story.date, story.words = found
    return found is not None

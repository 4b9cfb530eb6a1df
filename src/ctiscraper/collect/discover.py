"""Where a site may have its feed: what its page says first, then where feeds usually stand."""

import re
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborNode

from ctiscraper.collect.announced import judge_url, one_line
from ctiscraper.collect.candidates import FeedCandidate
from ctiscraper.collect.feed import parse_feed
from ctiscraper.collect.html_page import HtmlPage, line_of, site_of
from ctiscraper.errors import ParseError
from ctiscraper.types import Discovery

MAX_CANDIDATES = 60
MAX_ANCHORS = 5000

_FEED_TYPES = {
    "application/rss+xml": 6,
    "application/atom+xml": 6,
    "application/feed+json": 5,
    "application/rdf+xml": 4,
    "application/xml": 2,
    "text/xml": 2,
    "application/json": 1,
}
# By how often each is met among the feeds of security sites.
_PATHS = (
    "feed/", "feed.xml", "atom.xml", "rss.xml", "index.xml", "rss/", "blog/feed/", "blog/rss.xml",
    "feeds/posts/default", "blog/feed.xml", "blog/index.xml", "blog/atom.xml", "posts/index.xml",
    "feed.json", "?feed=rss2", "feeds/all.atom.xml", "rss/feed.xml", "news/feed/",
)  # fmt: skip
_SITEMAPS = ("sitemap.xml", "sitemap_index.xml", "wp-sitemap.xml", "sitemap-news.xml")
_FEED_PATH = re.compile(
    r"/(?:feeds?|rss[12]?|atom)(?:[/.?]|$)|/index\.(?:xml|rss|rdf)$|\.(?:rss|atom|rdf)$"
    r"|(?:feed|rss|atom)\.(?:xml|json|php|aspx)$|[?&](?:feed|format|alt|type)=(?:rss2?|atom|json)\b",
    re.IGNORECASE,
)
_FEED_WORDS = re.compile(r"\b(?:rss|atom|feed|syndication)\b", re.IGNORECASE)
_FEED_HOSTS = ("feeds.", "feed.", "rss.")
_COMMENTS = re.compile(r"comment|kommentar|commentaire|comentario|/replies", re.IGNORECASE)
_ASIDE = re.compile(r"podcast|/(?:tag|category|author|event)s?/|oembed|webinar|job", re.IGNORECASE)
_ROBOTS_SITEMAP = re.compile(r"^[ \t]*sitemap[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)


def feed_candidates(body: bytes, *, url: str, robots: str = "") -> tuple[FeedCandidate, ...]:
    """Every place to ask for the feed of a page, the best first, comment feeds last.

    Order: the document itself when it is a feed, its link elements, its anchors, the usual
    paths below the page and the site, then the sitemaps that `robots` (the text of the site's
    robots.txt) names and the usual ones. Nothing is asked here.
    Raises ParseError TOO_LARGE.
    """
    if (own := _own_feed(body, url)) is not None:
        return (own,)
    page = HtmlPage(body, url=url)
    ranked = [*_links(page), *_anchors(page, url)]
    ranked.sort(key=lambda pair: -pair[0])
    named = [candidate for score, candidate in ranked if score > 0]
    last = [candidate for score, candidate in ranked if score <= 0]
    found = [*named, *_usual_paths(url), *last, *sitemap_candidates(robots, url=url)]
    unique: dict[str, FeedCandidate] = {}
    for candidate in found:
        unique.setdefault(candidate.url, candidate)
    return tuple(unique.values())[:MAX_CANDIDATES]


def sitemap_candidates(robots: str, *, url: str) -> tuple[FeedCandidate, ...]:
    """The sitemaps a robots.txt names (RFC 9309, 2.2.4), then the usual places."""
    named = (_ROBOTS_SITEMAP.findall(robots[:524288]) if robots else [])[:20]
    places = [("robots", judge_url(words, url)[0]) for words in named]
    places += [("path", urljoin(url, f"/{path}")) for path in _SITEMAPS]
    return tuple(
        FeedCandidate(url=place, found=found, discovery=Discovery.SITEMAP)
        for found, place in places
        if place
    )


def _own_feed(body: bytes, url: str) -> FeedCandidate | None:
    try:
        feed = parse_feed(body, url=url, max_entries=1)
    except ParseError:
        return None
    return FeedCandidate(url=url, title=feed.title, found="document")


def _links(page: HtmlPage) -> list[tuple[int, FeedCandidate]]:
    found = []
    for node in page.tree.css("link[href]")[:MAX_ANCHORS]:
        relation = (node.attributes.get("rel") or "").lower().split()
        kind = (node.attributes.get("type") or "").lower().partition(";")[0].strip()
        weight = _FEED_TYPES.get(kind, 0)
        if not {"alternate", "feed"} & set(relation) or not (weight or "feed" in relation):
            continue
        if (address := page.link(node)) and (weight > 2 or _FEED_PATH.search(address)):  # noqa: PLR2004
            title = one_line(node.attributes.get("title") or "", 200)
            score = 100 + weight + _merit(address, title, page.base)
            found.append((score, FeedCandidate(url=address, title=title)))
    return found


def _anchors(page: HtmlPage, url: str) -> list[tuple[int, FeedCandidate]]:
    site = site_of(urlsplit(url).hostname or "")
    found = []
    for node in page.tree.css("a[href]")[:MAX_ANCHORS]:
        address = page.link(node)
        if address and (score := _anchor_score(node, address, site)):
            title = line_of(node, 200)
            score += 50 + _merit(address, title, page.base)
            found.append((score, FeedCandidate(url=address, title=title, found="anchor")))
    return found


def _anchor_score(node: LexborNode, address: str, site: str) -> int:
    parts = urlsplit(address)
    host = parts.hostname or ""
    if site_of(host) != site and not host.startswith(_FEED_HOSTS):
        return 0
    score = (
        4 if _FEED_PATH.search(f"{parts.path}?{parts.query}" if parts.query else parts.path) else 0
    )
    score += 3 if host.startswith(_FEED_HOSTS) else 0
    words = " ".join(
        (line_of(node, 100), *(node.attributes.get(name) or "" for name in ("title", "class")))
    )
    return score + (1 if score and _FEED_WORDS.search(words) else 0)


def _merit(address: str, title: str, base: str) -> int:
    """How likely a feed is the one that is wanted; far below zero for comments."""
    if _COMMENTS.search(address) or _COMMENTS.search(title):
        return -1000
    score = -20 if _ASIDE.search(address) or _ASIDE.search(title) else 0
    section = urlsplit(base).path.rpartition("/")[0].rstrip("/")
    return score + (10 if section and urlsplit(address).path.startswith(f"{section}/") else 0)


def _usual_paths(url: str) -> list[FeedCandidate]:
    """The usual paths below the page's own section, then below the root of the site."""
    section = urlsplit(url).path
    section = section if section.endswith("/") else f"{section}/"
    sections = [section] if section.count("/") in {2, 3} and "." not in section else []
    places = [urljoin(url, f"{start}{path}") for start in [*sections, "/"] for path in _PATHS]
    judged = (judge_url(place)[0] for place in places)
    return [FeedCandidate(url=place, found="path") for place in judged if place]

"""The product behind the call signatures of the evaluation scorers."""

from collections import defaultdict

from ctiscraper.collect.feed import parse_feed
from ctiscraper.errors import ParseError
from ctiscraper.extract.article import extract_article
from ctiscraper.extract.fingerprint import fingerprint, is_near_duplicate
from ctiscraper.extract.sanitise import sanitise
from ctiscraper.types import ArticleContent, ExtractionHints, ParsedFeed

_UTF8 = ExtractionHints(content_type="text/html; charset=utf-8")
_ADDRESS = "https://site.example/article"


def article_text(html: str, url: str) -> str:
    """The text of a page, empty when it is refused."""
    try:
        return extract_article(html.encode("utf-8", "replace"), url or _ADDRESS, _UTF8).text
    except ParseError:
        return ""


def sanitised(html: str) -> str:
    """The markup as the product would show it."""
    return sanitise(html)


def duplicates(docs: list[str]) -> list[tuple[int, int]]:
    """Pairs of near-duplicates, candidates found by band keys alone as in the database."""
    by_band: defaultdict[int, list[int]] = defaultdict(list)
    prints = [fingerprint(doc) for doc in docs]
    pairs = []
    for place, print_ in enumerate(prints):
        candidates: set[int] = set()
        for key in print_.bands:
            candidates.update(by_band[key])
            by_band[key].append(place)
        pairs += [(c, place) for c in sorted(candidates) if is_near_duplicate(prints[c], print_)]
    return pairs


def hostile_page(data: bytes) -> ArticleContent:
    """What a hostile page gives; a typed refusal is raised as it is."""
    return extract_article(data, _ADDRESS, _UTF8)


def feed_or_refusal(data: bytes, headers: dict[str, str]) -> ParsedFeed:
    """What a feed gives at the product's own door: what it refuses is raised."""
    return parse_feed(
        data,
        content_type=headers.get("content-type", ""),
        url=headers.get("content-location", ""),
    )

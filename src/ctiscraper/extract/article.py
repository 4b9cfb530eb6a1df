"""The entry of the room: a page or a feed entry in, an article's content out."""

import math
import re
from dataclasses import replace
from datetime import UTC, datetime

from lxml import etree

from ctiscraper.errors import ParseError, Reason
from ctiscraper.extract.charset import decode_page
from ctiscraper.extract.clean import clean_line, clean_text, key_text, word_count
from ctiscraper.extract.code import normalise_code
from ctiscraper.extract.content import find_content
from ctiscraper.extract.dom import DROPPED, Element, drop, drop_hidden, parse_html, text_of
from ctiscraper.extract.fallback import body_blocks
from ctiscraper.extract.fingerprint import fingerprint
from ctiscraper.extract.kind import Kind, page_kind
from ctiscraper.extract.language import detect_language
from ctiscraper.extract.notice import notice_of
from ctiscraper.extract.publication import find_publication
from ctiscraper.extract.render import MAX_TEXT, html_of_blocks, render
from ctiscraper.extract.sanitise import sanitise
from ctiscraper.extract.selectors import select
from ctiscraper.extract.structured import Structured, clean_tags, read_structured
from ctiscraper.extract.summary import first_sentences
from ctiscraper.extract.urls import absolute_url, canonical_url, is_sane_canonical
from ctiscraper.types import ArticleContent, Extraction, ExtractionHints, FeedEntry, Selectors

_WORDS_PER_MINUTE = 230
_MAX_TITLE = 500
_MAX_SUMMARY = 500
_SHORT_TEXT = 250
_POOR_TEXT = 1_000
_CLEARLY_MORE = 2
_FAR_MORE = 4
_LEAST_FEED = 40
_WORTH_A_NOTE = 10
_MAX_MARKUP = 6_000_000
_MARKUP = re.compile(r"<[a-zA-Z!/]|&(?:#?\w{2,10});")
_MAX_TAGS = 200_000
_LINES = re.compile(r"\n\s*\n")

_Found = tuple[str, str, Extraction]


def extract_article(body: bytes, url: str, hints: ExtractionHints) -> ArticleContent:
    """What a page says, its text never empty.

    Raises ParseError: NOT_A_PAGE for other kinds of bytes, EMPTY_EXTRACTION when no
    way finds text, URL_INVALID and its like for the page's own URL.
    """
    kept_url = canonical_url(url)
    kind = page_kind(body, hints.content_type)
    markup, notes = decode_page(body, hints.content_type)
    if kind is Kind.PLAIN:
        return _plain_article(clean_text(markup), kept_url, hints, notes)
    if len(markup) > _MAX_MARKUP:
        notes.append(f"page cut at {_MAX_MARKUP} characters of {len(markup)}")
        markup = markup[:_MAX_MARKUP]
    root = _tree(markup, notes)
    declared = read_structured(root) if root is not None else Structured()
    text, html, method = _find_text(root, markup, declared, kept_url, hints.selectors, notes)
    if len(text) > MAX_TEXT:
        notes.append("text cut: longer than any article")
    if not any(map(str.isalnum, text)):
        raise ParseError(Reason.EMPTY_EXTRACTION, f"no text in {len(body)} bytes of HTML")
    titles = [declared.title, *_whole_titles(root)]
    return _better((text, html, method), titles, declared, kept_url, hints, notes)


def _whole_titles(root: Element | None) -> list[str]:
    """The title element with the site's name that it carries."""
    element = root.find(".//title") if root is not None else None
    return [text_of(element)] if element is not None else []


def _better(
    found: _Found,
    titles: list[str],
    declared: Structured,
    url: str,
    hints: ExtractionHints,
    notes: list[str],
) -> ArticleContent:
    """The article of a page, or of its feed where the page gave next to nothing.

    Raises ParseError (EMPTY_EXTRACTION) when a notice stands in the article's place.
    """
    announced = clean_line(clean_fragment(hints.entry.title)[0]) if hints.entry else ""
    if said := notice_of(found[0], titles, announced):
        raise ParseError(Reason.EMPTY_EXTRACTION, f"the page holds only a notice: {said}")
    if (fuller := _fuller_feed(found[0], url, hints.entry)) is not None:
        found = fuller
        declared.title, declared.summary = announced or declared.title, ""
        notes.append("feed text: the page held less than the feed")
    return _assemble(found, declared, url, hints, notes)


def article_from_feed(entry: FeedEntry, url: str, hints: ExtractionHints) -> ArticleContent:
    """What a feed entry itself says, for an article whose page is refused or not wanted.

    Raises ParseError EMPTY_EXTRACTION when the entry announces neither text nor title.
    """
    kept_url = canonical_url(url)
    text, html = _feed_text(entry, kept_url)
    title = clean_fragment(entry.title)[0] or entry.title
    if not text:
        text, html = clean_line(title), html_of_blocks([clean_line(title)])
    if not text:
        raise ParseError(Reason.EMPTY_EXTRACTION, "the feed entry has no text")
    declared = Structured(
        title=title,
        authors=list(entry.authors),
        tags=clean_tags(entry.tags),
        language=entry.language or "",
    )
    return _assemble(
        (text, html, Extraction.FEED), declared, kept_url, replace(hints, entry=entry), []
    )


def _feed_text(entry: FeedEntry, url: str) -> tuple[str, str]:
    """The longer of what a feed entry announces as content and as summary."""
    return max((clean_fragment(m, url) for m in (entry.content, entry.summary)), key=_size)


def _fuller_feed(text: str, url: str, entry: FeedEntry | None) -> _Found | None:
    """The feed's own text where a page gave next to nothing and the feed clearly more."""
    if entry is None or len(text) >= _POOR_TEXT:
        return None
    announced, html = _feed_text(entry, url)
    times = _CLEARLY_MORE if len(text) < _SHORT_TEXT else _FAR_MORE
    if len(announced) < max(times * len(text), _LEAST_FEED):
        return None
    return announced, html, Extraction.FEED


def _tree(markup: str, notes: list[str]) -> Element | None:
    """The page's tree, or None when it is beyond what a walk in Python can afford."""
    if len(markup) > _MAX_TAGS and markup.count("<") > _MAX_TAGS:
        notes.append("too many elements for the first extractor")
        return None
    return parse_html(markup, notes)


def clean_fragment(html: str, base: str = "") -> tuple[str, str]:
    """The text and the sanitised markup of a fragment such as a feed's summary."""
    markup = clean_text(html)[:_MAX_MARKUP]
    if not _MARKUP.search(markup):
        blocks = _paragraphs(markup)
        return "\n\n".join(blocks), html_of_blocks(blocks)
    root = parse_html(markup)
    if root is None:
        return "", ""
    etree.strip_elements(root, "script", "noscript", *DROPPED, with_tail=False)
    normalise_code(root)
    drop_hidden(root)
    text, rendered = render([root], base)
    return clean_text(text).strip("\n").rstrip(), sanitise(rendered)


def _size(found: tuple[str, str]) -> int:
    return len(found[0])


def _paragraphs(text: str) -> list[str]:
    return [b for part in _LINES.split(text) if (b := part.strip())]


def _cut(blocks: list[str]) -> list[str]:
    """The leading blocks that hold no more than the longest text that is kept."""
    kept, size = [], 0
    for block in blocks:
        size += len(block)
        if size > MAX_TEXT:
            break
        kept.append(block)
    return kept or [b[:MAX_TEXT] for b in blocks[:1]]


def _plain_article(text: str, url: str, hints: ExtractionHints, notes: list[str]) -> ArticleContent:
    blocks = _cut(_paragraphs(text))
    if not blocks:
        raise ParseError(Reason.EMPTY_EXTRACTION, "the page is blank")
    opening = clean_line(blocks[0], 120)
    announced = clean_line(clean_fragment(hints.entry.title)[0]) if hints.entry else ""
    found = ("\n\n".join(blocks), html_of_blocks(blocks), Extraction.GENERAL)
    declared = Structured(title=announced or opening)
    return _better(found, [opening], declared, url, hints, [*notes, "plain text page"])


def _find_text(
    root: Element | None,
    markup: str,
    declared: Structured,
    url: str,
    selectors: Selectors,
    notes: list[str],
) -> _Found:
    """The text by the first way that finds one: selectors, general, structured, fallback."""
    found: _Found = ("", "", Extraction.GENERAL)
    if root is not None:
        _apply_selectors(root, declared, selectors, notes)
        found = _from_tree(root, declared, url, selectors, notes)
    if len(found[0]) < _SHORT_TEXT and len(declared.body) > 2 * len(found[0]):
        text, html = clean_fragment(declared.body, url)
        found = (text, html, Extraction.STRUCTURED)
    if not any(map(str.isalnum, found[0])):
        blocks = _cut(body_blocks(clean_text(markup)))
        found = ("\n\n".join(blocks), html_of_blocks(blocks), Extraction.FALLBACK)
    return found


def _from_tree(
    root: Element, declared: Structured, url: str, selectors: Selectors, notes: list[str]
) -> _Found:
    etree.strip_elements(root, "script", "noscript", *DROPPED, with_tail=False)
    normalise_code(root)
    hidden = drop_hidden(root)
    if hidden >= _WORTH_A_NOTE:
        notes.append(f"hidden text dropped: {hidden} characters")
    chosen = select(root, selectors.content, notes)
    if chosen:
        method = Extraction.SELECTORS
    else:
        chosen, method = find_content(root), Extraction.GENERAL
        if selectors.content:
            notes.append("content selector found nothing")
    _drop_title(chosen, declared.title)
    text, html = render(chosen, url)
    return clean_text(text).strip("\n").rstrip(), sanitise(html), method


def _apply_selectors(
    root: Element, declared: Structured, selectors: Selectors, notes: list[str]
) -> None:
    """What the operator's selectors say goes before what the page says."""
    for selector in selectors.remove:
        for element in select(root, selector, notes):
            drop(element)
    if titles := [t for e in select(root, selectors.title, notes) if (t := text_of(e))]:
        declared.title = clean_line(titles[0], _MAX_TITLE)
    if authors := [t for e in select(root, selectors.author, notes) if (t := text_of(e))]:
        declared.authors = [clean_line(a, 200) for a in authors]
    for element in select(root, selectors.date, notes)[:1]:
        raw = element.get("datetime") or element.get("content") or text_of(element)
        declared.published.append(("selector", clean_line(raw, 200)))


def _drop_title(chosen: list[Element], title: str) -> None:
    """The title stands apart from the text: its heading is not said twice."""
    key = key_text(title)
    for element in chosen:
        for heading in list(element.iter("h1", "h2"))[:3]:
            if key and heading is not element and key_text(text_of(heading)) == key:
                drop(heading)
                return


def _canonical(declared: Structured, url: str, notes: list[str]) -> str:
    """The page's canonical link when it is of the same site and sane, else its own URL."""
    target = absolute_url(url, declared.canonical) if declared.canonical else None
    if target is None:
        return url
    if is_sane_canonical(url, target):
        return canonical_url(target)
    notes.append(f"canonical link not followed: {target[:300]}")
    return url


def _assemble(
    found: _Found, declared: Structured, url: str, hints: ExtractionHints, notes: list[str]
) -> ArticleContent:
    text, html, method = found
    entry = hints.entry
    words = word_count(text)
    publication = find_publication(
        declared.published, declared.modified, url, entry, hints.fetched_at or datetime.now(UTC)
    )
    claims = (declared.language, hints.language, entry.language if entry else None)
    canonical = _canonical(declared, url, notes)
    title = declared.title or (clean_fragment(entry.title)[0] if entry else "")
    return ArticleContent(
        title=clean_line(title, _MAX_TITLE) or first_sentences(text, 120),
        text=text,
        html=html,
        url=url,
        canonical_url=canonical,
        authors=tuple(declared.authors) or (entry.authors if entry else ()),
        tags=tuple(declared.tags) or (tuple(clean_tags(entry.tags)) if entry else ()),
        language=detect_language(text, *claims),
        summary=clean_line(declared.summary, _MAX_SUMMARY) or first_sentences(text, _MAX_SUMMARY),
        published=publication.published,
        published_raw=publication.raw,
        published_from=publication.place,
        modified=publication.modified,
        word_count=words,
        reading_minutes=max(1, math.ceil(words / _WORDS_PER_MINUTE)),
        method=method,
        notes=tuple(notes),
        fingerprint=fingerprint(text),
    )

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.errors import CTIScraperError, ParseError, Reason
from ctiscraper.extract.article import article_from_feed, clean_fragment, extract_article
from ctiscraper.types import ArticleContent, Extraction, ExtractionHints, FeedEntry, Selectors

URL = "https://labs.example/blog/loader?utm_source=feed"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
HINTS = ExtractionHints(content_type="text/html; charset=utf-8", fetched_at=NOW)
PROSE = (
    "The loader arrives as an archive and starts a signed binary that loads the wrong library"
    " from its own folder. It then asks a server for commands every seven minutes, hidden in"
    " comments of a page that looks harmless to anybody who opens it in a browser."
)
PAGE = f"""<!doctype html><html lang="en"><head><title>A loader | Labs</title>
<link rel="canonical" href="https://labs.example/blog/loader">
<meta property="og:title" content="A loader"><meta name="description" content="What it does.">
<meta property="article:published_time" content="2026-03-04T10:00:00Z">
<meta name="author" content="Ada Example"></head><body><nav><a href="/">Home</a></nav>
<article><h1>A loader</h1><p>{PROSE}</p><h2>Servers</h2><p>It talks to hxxp://evil[.]com/a and
1.2.3[.]4, and mails ops[@]evil[.]com.</p><p>{PROSE}</p></article></body></html>"""
ENTRY = FeedEntry(
    guid="7",
    url=URL,
    title="A loader &amp; more",
    authors=("Feed Author",),
    summary="<p>Short.</p>",
    content=f"<p>{PROSE}</p><script>x()</script><p><a href='/ioc'>evil[.]com</a></p>",
    published=datetime(2026, 2, 2, tzinfo=UTC),
    published_raw="Mon, 02 Feb 2026 00:00:00 GMT",
    tags=("malware",),
    language="en",
)


def extract(page: str | bytes, hints: ExtractionHints = HINTS, url: str = URL) -> ArticleContent:
    return extract_article(page if isinstance(page, bytes) else page.encode(), url, hints)


def test_an_article_is_whole() -> None:
    article = extract(PAGE)
    assert article.title == "A loader"
    assert article.text == (
        f"{PROSE}\n\nServers\n\nIt talks to hxxp://evil[.]com/a and 1.2.3[.]4, and mails"
        f" ops[@]evil[.]com.\n\n{PROSE}"
    )
    assert article.html.count("<p>") == 3
    assert article.url == article.canonical_url == "https://labs.example/blog/loader"
    assert article.authors == ("Ada Example",)
    assert article.published == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert article.published_from == "meta"
    assert article.published_raw == "2026-03-04T10:00:00Z"
    assert article.summary == "What it does."
    assert article.language == "en"
    assert article.method is Extraction.GENERAL
    assert article.word_count > 90
    assert article.reading_minutes == 1
    assert article.fingerprint is not None
    assert article.notes == ()


def test_the_sources_selectors_go_first() -> None:
    page = PAGE.replace("</article>", "<div class=ad>Buy it</div></article>").replace(
        "<nav>", "<b class=t>Chosen</b><i class=a>Grace Sample</i><u class=d>2026-03-01</u><nav>"
    )
    chosen = Selectors(title=".t", content="article", author=".a", date=".d", remove=(".ad",))
    article = extract(page, replace(HINTS, selectors=chosen))
    assert article.method is Extraction.SELECTORS
    assert article.title == "Chosen"
    assert article.authors == ("Grace Sample",)
    assert article.published_from == "selector"
    assert "Buy it" not in article.text


@pytest.mark.parametrize(
    ("selectors", "note"),
    [
        (Selectors(content="div.gone"), "content selector found nothing"),
        (Selectors(content="p[[["), "selector is not valid CSS: p[[["),
        (Selectors(remove=("::before",)), "selector is not valid CSS: ::before"),
    ],
)
def test_selectors_that_fail_leave_the_general_way(selectors: Selectors, note: str) -> None:
    article = extract(PAGE, replace(HINTS, selectors=selectors))
    assert article.method is Extraction.GENERAL
    assert note in article.notes
    assert PROSE in article.text


def test_a_page_drawn_by_script_gives_the_text_it_declares() -> None:
    page = (
        '<html><head><script type="application/ld+json">{"@type": "Article", "headline": "H",'
        f' "articleBody": "{PROSE} {PROSE}"}}</script></head><body><div id="root"></div></body>'
    )
    article = extract(page)
    assert article.method is Extraction.STRUCTURED
    assert article.text == f"{PROSE} {PROSE}"


def test_text_without_any_sentence_is_found_by_the_second_extractor() -> None:
    article = extract("<html><body><span>10.0.0[.]1</span><br><b>short</b></body></html>")
    assert article.method is Extraction.FALLBACK
    assert article.text == "10.0.0[.]1\n\nshort"


def test_nesting_beyond_the_first_parser_loses_nothing() -> None:
    depth = 3000
    article = extract(f"<html><body>{'<div>' * depth}<p>{PROSE}</p>{'</div>' * depth}")
    assert article.method is Extraction.FALLBACK
    assert article.text == PROSE
    assert "nested too deep for the first extractor" in article.notes


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", "text/html", Reason.NOT_A_PAGE),
        (b"\0" * 5000, "text/html", Reason.NOT_A_PAGE),
        (b"%PDF-1.7 <html>", "text/html", Reason.NOT_A_PAGE),
        (b"PK\x03\x04....", "text/html", Reason.NOT_A_PAGE),
        (b"\x89PNG\r\n\x1a\n", "image/png", Reason.NOT_A_PAGE),
        (b'{"a": "b"}', "application/json", Reason.NOT_A_PAGE),
        (b"<?xml version='1.0'?><rss version='2.0'/>", "text/html", Reason.NOT_A_PAGE),
        (b"<!-- x --><feed xmlns='http://www.w3.org/2005/Atom'/>", "", Reason.NOT_A_PAGE),
        (b"\x80\x00\x00\x01" * 999, "", Reason.NOT_A_PAGE),
        (b"<html><body></body></html>", "text/html", Reason.EMPTY_EXTRACTION),
        (b"<html><body><script>x()</script>...</body></html>", "", Reason.EMPTY_EXTRACTION),
        (b"<html><body><p>" + b"&nbsp;" * 50, "text/html", Reason.EMPTY_EXTRACTION),
    ],
)
def test_what_is_no_article_is_refused_with_its_reason(
    body: bytes, content_type: str, reason: Reason
) -> None:
    with pytest.raises(ParseError) as raised:
        extract(body, ExtractionHints(content_type=content_type))
    assert raised.value.reason is reason


def test_a_page_beyond_all_measure_is_cut_and_says_so() -> None:
    article = extract(f"<html><body><article>{f'<p>{PROSE}</p>' * 30_000}")
    assert article.notes[0].startswith("page cut at 6000000 characters of")
    assert "text cut: longer than any article" in article.notes
    assert 1_000_000 < len(article.text) < 1_100_000


def test_a_page_of_countless_elements_still_gives_its_text() -> None:
    article = extract(f"<html><body>{'<i>x</i> ' * 110_000}")
    assert article.method is Extraction.FALLBACK
    assert article.notes == ("too many elements for the first extractor",)


def test_a_blank_text_page_is_empty() -> None:
    with pytest.raises(ParseError) as raised:
        extract(b"\xef\xbb\xbf \n", ExtractionHints(content_type="text/plain"))
    assert raised.value.reason is Reason.EMPTY_EXTRACTION


def test_a_plain_text_page_is_an_article() -> None:
    article = extract(
        f"Advisory 7\n\n{PROSE}\n  indented <tag>".encode(),
        ExtractionHints(content_type="text/plain"),
    )
    assert article.title == "Advisory 7"
    assert article.text == f"Advisory 7\n\n{PROSE}\n  indented <tag>"
    assert "&lt;tag&gt;" in article.html


def test_a_canonical_link_to_another_host_is_noted_not_obeyed() -> None:
    article = extract(PAGE.replace("https://labs.example/blog/loader", "https://evil.example/x"))
    assert article.canonical_url == "https://labs.example/blog/loader"
    assert article.notes == ("canonical link not followed: https://evil.example/x",)


def test_hidden_text_is_dropped_and_noted() -> None:
    hidden = "<p style='display: none'>Secret words.</p><div hidden>Other words.</div>"
    article = extract(PAGE.replace("<h2>", f"{hidden}<h2>"))
    assert "words" not in article.text
    assert article.notes == ("hidden text dropped: 25 characters",)


def test_a_refused_page_leaves_the_feeds_own_text() -> None:
    article = article_from_feed(ENTRY, URL, HINTS)
    assert article.method is Extraction.FEED
    assert article.title == "A loader & more"
    assert article.text == f"{PROSE}\n\nevil[.]com"
    assert 'href="https://labs.example/ioc"' in article.html
    assert article.authors == ("Feed Author",)
    assert article.tags == ("malware",)
    assert article.published == ENTRY.published
    assert article.published_from == "feed"
    assert article.notes == ()


FED = replace(HINTS, entry=ENTRY)


@pytest.mark.parametrize(
    "page",
    [
        "<html><body>" + "<div>" * 5000 + "deep",
        "ok",
        "<article><p>A first line, and then a wall.</p></article>",
        f"<html><title>A loader</title><article><p>{PROSE[:120]}</p></article>",
    ],
)
def test_a_page_that_holds_less_than_the_feed_gives_way_to_it(page: str) -> None:
    article = extract(page, FED)
    assert article.method is Extraction.FEED
    assert article.title == "A loader & more"
    assert article.text == f"{PROSE}\n\nevil[.]com"
    assert "feed text: the page held less than the feed" in article.notes


def test_a_long_feed_beats_the_opening_lines_that_a_wall_leaves() -> None:
    opening = f"<html><body><article><p>{PROSE}</p><p>{PROSE[:50]}</p></article>"
    fed = replace(HINTS, entry=replace(ENTRY, content=f"<p>{PROSE}</p>" * 6))
    assert extract(opening, fed).method is Extraction.FEED
    fed = replace(HINTS, entry=replace(ENTRY, content=f"<p>{PROSE}</p>" * 3))
    assert extract(opening, fed).method is Extraction.GENERAL


@pytest.mark.parametrize("summary", ["", "Short.", "A note about the same, in other words."])
def test_a_short_post_stays_when_the_feed_has_no_more(summary: str) -> None:
    entry = replace(ENTRY, content="", summary=summary)
    article = extract(
        "<html><title>A note</title><p>CVE-2026-0001 is patched. Update now.</p>",
        replace(HINTS, entry=entry),
    )
    assert article.text == "CVE-2026-0001 is patched. Update now."
    assert article.title == "A note"
    assert article.notes == ()


def test_a_whole_page_stays_beside_a_feed() -> None:
    assert extract(PAGE, FED).method is Extraction.GENERAL


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><h1>Page not found</h1><a href='/'>Home</a></body></html>",
        "<html><title>404 | Labs</title><body><p>Nothing lives here any more.</p>",
        "<article><p>Subscribe to continue reading this story.</p></article>",
        "404 page not found\n",
    ],
)
@pytest.mark.parametrize("hints", [HINTS, FED])
def test_a_notice_in_the_articles_place_is_refused(page: str, hints: ExtractionHints) -> None:
    with pytest.raises(ParseError, match="the page holds only a notice") as raised:
        extract(page, hints)
    assert raised.value.reason is Reason.EMPTY_EXTRACTION


def test_a_close_relative_gives_way_to_the_language_that_is_declared() -> None:
    words = "Útočník poslal správu s prílohou. Príloha obsahuje program."
    page = f"<html lang='sk'><title>T</title><article><p>{words}</p></article>"
    assert extract(page).language == "sk"
    plain = page.replace(" lang='sk'", "")
    assert extract(plain, replace(HINTS, language="sk")).language == "sk"
    entry = FeedEntry(guid="1", url=URL, language="sk-SK")
    assert extract(plain, replace(HINTS, entry=entry)).language == "sk"


def test_an_entry_without_text_is_its_title_or_nothing() -> None:
    bare = replace(ENTRY, content="", summary="<img src=x>")
    assert article_from_feed(bare, URL, HINTS).text == "A loader & more"
    with pytest.raises(ParseError) as raised:
        article_from_feed(replace(bare, title=""), URL, HINTS)
    assert raised.value.reason is Reason.EMPTY_EXTRACTION


def test_fragments_may_be_markup_or_plain_words() -> None:
    assert clean_fragment("AT&amp;T <b>x</b>") == ("AT&T x", "<p>AT&amp;T <b>x</b></p>")
    assert clean_fragment("a < b\n\nc") == ("a < b\n\nc", "<p>a &lt; b</p>\n<p>c</p>")
    assert clean_fragment("") == ("", "")
    assert clean_fragment("<script>x</script>") == ("", "")


@given(st.text(max_size=300) | st.text("<>/=\"'& ablpdivtrsc!-\0\ud800", max_size=300))
@settings(max_examples=200)
def test_clean_fragment_is_total(markup: str) -> None:
    text, html = clean_fragment(markup)
    f"{text}{html}".encode()
    assert "\0" not in text


TOKENS = """
<p> </p> <div_class='post-content'> </div> <table><tr><td> </table> <ul><li> <pre> </pre>
<details><summary> <a_href='/x'> </a> <b> <!-- <script> &#0; &#xd800; \0 <article> <svg><p>
<template> <body>
"""
TAGS = [PROSE, *(token.replace("_", " ") for token in TOKENS.split())]


@given(st.binary(max_size=300) | st.lists(st.sampled_from(TAGS)).map(lambda t: "".join(t).encode()))
@settings(max_examples=200)
def test_any_body_is_an_article_or_a_typed_refusal(body: bytes) -> None:
    try:
        article = extract(body)
    except CTIScraperError as error:
        assert str(error)  # noqa: PT017 - either way is right, an untyped one is not caught
    else:
        article.text.encode()
        assert article.text.rstrip() == article.text != ""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.collect.listing import MAX_ENTRIES, parse_listing
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import FeedEntry

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOME = "https://www.lab.example/blog/"
PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>
<header><nav><a href="/">Home</a><a href="/about">About us and our team</a>
<a href="/products/endpoint-detection-response">Endpoint detection and response for all</a></nav>
</header>
<main>
<article><a href="/blog/a-loader-in-three-stages"><img src="1.png"></a>
  <h2><a href="/blog/a-loader-in-three-stages?utm_source=x#top">A loader in three stages</a></h2>
  <p>By <a href="/author/ada">Ada Moss</a>
  <time datetime="2026-11-20T10:00:00Z">2 days ago</time></p>
  <a href="/blog/a-loader-in-three-stages#comments">4 comments</a></article>
<article><h2>
  <a href="https://research.lab.example/2026/11/wiper">Wiper in the wild: what we know</a></h2>
  <span>November 3, 2026</span> <a href="/tag/wiper">wiper</a></article>
<div class="card"><a href="/blog/quiet-backdoor-of-the-year">
<h3>The quiet backdoor</h3><p>Words</p></a></div>
</main>
<a href="https://elsewhere.example/2026/11/a-very-good-post">A very good post of another site</a>
<a href="/2026/11/chart.png">A chart that is no article at all</a>
<a href="javascript:alert(1)">A trap that looks like a headline</a>
<footer><a href="/privacy-policy-of-our-company">Privacy policy of our company</a></footer>
</body></html>"""


def parse(page: str | bytes, selector: str = "", **options: str) -> tuple[FeedEntry, ...]:
    body = page.encode() if isinstance(page, str) else page
    return parse_listing(body, url=HOME, selector=selector, now=NOW, **options)


def test_articles_are_told_from_furniture() -> None:
    found = parse(PAGE)
    assert [(e.title, e.url) for e in found] == [
        ("A loader in three stages", "https://www.lab.example/blog/a-loader-in-three-stages"),
        ("Wiper in the wild: what we know", "https://research.lab.example/2026/11/wiper"),
        ("The quiet backdoor", "https://www.lab.example/blog/quiet-backdoor-of-the-year"),
    ]


def test_dates_stand_beside_their_links() -> None:
    by_title = {e.title: e for e in parse(PAGE, "article h2 a, .card")}
    loader = by_title["A loader in three stages"]
    assert loader.published == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert loader.published_raw == "2026-11-20T10:00:00Z"
    wiper = by_title["Wiper in the wild: what we know"]
    assert wiper.published == datetime(2026, 11, 3, tzinfo=UTC)
    assert by_title["The quiet backdoor"].published is None


@pytest.mark.parametrize("selector", ["article", "article h2", "article h2 a", "main > article"])
def test_a_selector_may_name_links_or_their_boxes(selector: str) -> None:
    assert [e.title for e in parse(PAGE, selector)] == [
        "A loader in three stages",
        "Wiper in the wild: what we know",
    ]


def test_a_selector_may_name_what_stands_in_a_link() -> None:
    assert [e.url for e in parse(PAGE, ".card h3")] == [
        "https://www.lab.example/blog/quiet-backdoor-of-the-year"
    ]


def test_a_selector_is_not_bound_to_the_site() -> None:
    assert len(parse(PAGE, "a[href*='elsewhere']")) == 1


@pytest.mark.parametrize("selector", ["a[", "::::", "}{"])
def test_a_selector_that_is_none_is_told(selector: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(PAGE, selector)
    assert caught.value.reason is Reason.PARSER_ERROR
    assert selector in caught.value.detail


def test_base_and_encoding_of_the_page_count() -> None:
    page = (
        '<meta charset="windows-1251"><base href="https://lab.example/ru/">'
        '<article><h2><a href="2026/11/otchet-ob-atake">Шифровальщик закрыт</a></h2></article>'
    )
    (entry,) = parse(page.encode("windows-1251"))
    assert entry.url == "https://lab.example/ru/2026/11/otchet-ob-atake"
    assert entry.title == "Шифровальщик закрыт"
    said = parse(page.encode("windows-1251"), content_type="text/html; charset=windows-1251")
    assert said == (entry,)


def test_a_page_of_many_links_is_bounded() -> None:
    row = "<li><h3><a href='/2026/11/post-number-{0}'>A post with the number {0}</a></h3></li>"
    found = parse("<ul>" + "".join(row.format(i) for i in range(20_000)) + "</ul>")
    assert len(found) == MAX_ENTRIES


def test_a_page_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        parse("<div>" * 100_000)
    assert caught.value.reason is Reason.PARSER_ERROR
    assert parse("<div></div>" * 10_000) == ()


def test_an_endless_slug_takes_no_time() -> None:
    assert len(parse(f"<a href='/{'a1-' * 1000}!'>Four words make headlines</a>")) == 1


def test_nothing_is_found_in_nothing() -> None:
    assert parse("") == ()
    assert parse(b"\x00\xff\xfe<a href=") == ()


@settings(deadline=timedelta(seconds=2))
@given(
    st.one_of(
        st.binary(max_size=300),
        st.tuples(st.integers(0, len(PAGE)), st.binary(max_size=12)).map(
            lambda t: PAGE[: t[0]].encode() + t[1] + PAGE[t[0] :].encode()
        ),
    ),
    st.sampled_from(["", "a", "article", "time"]),
)
def test_any_bytes_give_links_that_can_be_followed(body: bytes, selector: str) -> None:
    for entry in parse(body, selector):
        assert entry.url.startswith(("http://", "https://"))
        assert entry.url == entry.guid

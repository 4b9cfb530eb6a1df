import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.collect import pieces
from ctiscraper.collect.feed import parse_feed
from ctiscraper.collect.pieces import LARGE, MAX_SIZE, Cutter, carried, moment, newest
from ctiscraper.collect.sitemap import parse_sitemap
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import ParsedFeed

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOME = "https://lab.example/feed.xml"
CUTTER = Cutter("item|entry", "date")
WORDS = "words of some length " * 40


def documents(body: bytes, limit: int = 100) -> list[bytes]:
    cut = CUTTER.cut(body, limit, NOW)
    return list(cut.documents) if cut else []


def parse(body: bytes, max_entries: int = 5000) -> ParsedFeed:
    return parse_feed(body, url=HOME, now=NOW, max_entries=max_entries)


def item(number: int, words: str = WORDS) -> str:
    date = format_datetime(NOW - timedelta(hours=number))
    return (
        f"<item><title>Post {number}</title><link>/p{number}</link><pubDate>{date}</pubDate>"
        f"<description><![CDATA[{words} <item>]]></description></item>\n"
    )


def rss(*items: str, end: str = "</channel></rss>") -> str:
    return f'<rss version="2.0"><channel><title>Lab</title>{"".join(items)}{end}'


SHUFFLED = [item(number * 7 % 1000) for number in range(1000)]


def test_a_document_without_such_elements_is_not_cut() -> None:
    assert CUTTER.cut(b"<rss><items/><itemize>x</itemize></rss>", 5, NOW) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<r><item>1</item> <item/></r>", b"<r><item>1</item><item/></r>"),
        (b"<r><a:ENTRY x='1'>1</a:ENTRY>", b"<r><a:ENTRY x='1'>1</a:ENTRY></r>"),
        (b"<r><item>1<item>2</item></r>", b"<r><item>1<item>2</item></r>"),
        (b"<r><entry><item>1</item></entry></r>", b"<r><entry><item>1</item></entry></r>"),
        (b"<r><!--<item>--><item>1</item></r>", b"<r><!--<item>--><item>1</item></r>"),
        (b"<r><item><![CDATA[</item>]]></item></r>", b"<r><item><![CDATA[</item>]]></item></r>"),
        (b"<r><item>1</item><t/><item>2</item></r>", b"<r><item>1</item><item>2</item><t/></r>"),
        (b"<r><c><b/></c><d><item>1", b"<r><c><b/></c><d><item>1</d></r>"),
        (b"<r></x></y><item>1</item><!-- <item>", b"<r></x></y><item>1</item><!-- <item>"),
    ],
)  # fmt: skip
def test_elements_are_found_by_their_tags(body: bytes, expected: bytes) -> None:
    assert documents(body) == [expected]


def test_much_text_between_elements_is_left_out() -> None:
    between = b"<x>" + b"y" * 50_000 + b"</x>"
    assert documents(b"<r><item/>" + (b"%b<item/>" % between) * 3 + b"</r>") == [
        b"<r><item/><item/><item/><item/></r>"
    ]


def test_only_so_many_elements_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MAX_ELEMENTS", 3)
    cut = CUTTER.cut(b"<r>" + b"<item/>" * 9 + b"</r>", 2, NOW)
    assert cut is not None
    assert (list(cut.documents), cut.truncated) == ([b"<r><item/><item/></r>"], True)


def test_elements_are_spread_over_several_documents() -> None:
    found = parse(rss(*SHUFFLED).encode())
    assert len(rss(*SHUFFLED)) > LARGE
    assert [e.title for e in found.entries] == [f"Post {n * 7 % 1000}" for n in range(1000)]
    assert (found.title, found.truncated, found.warnings) == ("Lab", False, ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_the_newest_entries_of_a_large_feed_are_kept_in_its_order(encoding: str) -> None:
    found = parse(rss(*SHUFFLED).encode(encoding), max_entries=300)
    expected = [f"Post {n * 7 % 1000}" for n in range(1000) if n * 7 % 1000 < 300]
    assert [e.title for e in found.entries] == expected
    assert found.truncated


def test_a_large_feed_reads_as_its_entries_do_in_small_ones() -> None:
    small = [entry for text in SHUFFLED for entry in parse(rss(text).encode()).entries]
    assert parse(rss(*SHUFFLED).encode()).entries == tuple(small)


def test_a_large_feed_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    whole = rss(*SHUFFLED)
    found = parse(whole[: len(whole) - 800].encode())
    assert len(found.entries) == 1000
    assert "not well formed" in " ".join(found.warnings)


def test_a_broken_part_of_a_large_feed_spares_the_rest() -> None:
    deep = item(5000, "]]>" + "<a>" * 400 + "</a>" * 400 + "<![CDATA[")
    found = parse(rss(*SHUFFLED[:600], deep, *SHUFFLED[600:]).encode())
    assert 500 < len(found.entries) < 1000
    assert "a part of the feed cannot be read (Excessive depth" in found.warnings[0]


def test_a_large_feed_without_a_readable_start_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        parse(b'<!DOCTYPE rss [<!ENTITY a "b">]>' + rss(*SHUFFLED).encode())
    assert caught.value.reason is Reason.DTD_REFUSED
    with pytest.raises(ParseError) as caught:
        parse(b"x" * (LARGE + 1))
    assert caught.value.reason is Reason.NOT_A_FEED


@pytest.mark.parametrize("sign", ["<![CDATA[", ""])
def test_an_element_of_enormous_size_is_cut_short(sign: str) -> None:
    words = sign + "word " * 400_000 + ("]]>" if sign else "")
    title = "<link>/1</link><x/><title>Long</title>"
    huge = f"<item>{title}<description>{words}</description></item>"
    (entry,) = parse(rss(huge).encode()).entries
    assert (entry.title, entry.url) == ("Long", "https://lab.example/1")
    assert MAX_SIZE - pieces.PIECE < len(entry.summary) < MAX_SIZE


def test_a_huge_comment_in_an_enormous_element_is_closed() -> None:
    huge = f"<item><link>/1</link><title>Long</title><!-- {'word ' * 400_000}--></item>"
    assert [e.title for e in parse(rss(huge).encode()).entries] == ["Long"]


@pytest.mark.parametrize("kind", ["rss", "json", "sitemap"])
def test_a_large_document_takes_little_more_memory_than_itself(kind: str) -> None:
    if kind == "json":
        body = json.dumps(json_feed(JSON_ITEMS * 6)).encode()
    elif kind == "rss":
        body = rss(*SHUFFLED * 5).encode()
    else:
        body = sitemap(f"<url><loc>/{'p' * 400}</loc><lastmod>2026-01-01</lastmod></url>" * 9500)
    tracemalloc.start()
    try:
        if kind == "sitemap":
            parse_sitemap(body, url=HOME, now=NOW, max_entries=100)
        else:
            parse(body, max_entries=100)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(body) > 4_000_000
    assert most < 5_000_000


JSON_ITEMS = [
    {"id": str(n), "url": f"/{n}", "content_text": '"]}{' + WORDS, "date_published": date}
    for n in range(900)
    for date in [(NOW - timedelta(hours=n * 7 % 900)).isoformat()]
]


def json_feed(items: object = JSON_ITEMS) -> dict[str, object]:
    home = {"version": "https://jsonfeed.org/version/1.1", "title": "items", "x": {"items": []}}
    return home | {"items": items, "language": "sk"}


def test_a_large_json_feed_is_read_by_the_item() -> None:
    body = json.dumps(json_feed()).encode()
    assert len(body) > LARGE
    found = parse(body)
    assert [e.guid for e in found.entries] == [str(n) for n in range(900)]
    assert (found.title, found.language, found.truncated) == ("items", "sk", False)
    kept = parse(body, max_entries=300)
    assert [e.guid for e in kept.entries] == [str(n) for n in range(900) if n * 7 % 900 < 300]
    assert kept.truncated


def test_a_small_json_feed_keeps_its_newest_too() -> None:
    kept = parse(json.dumps(json_feed(JSON_ITEMS[:50])).encode(), max_entries=10)
    newest_ten = sorted(range(50), key=lambda n: n * 7 % 900)[:10]
    assert [e.guid for e in kept.entries] == [str(n) for n in sorted(newest_ten)]


def test_items_past_the_bound_of_a_large_json_feed_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ctiscraper.collect.jsonfeed.MAX_ELEMENTS", 20)
    found = parse(json.dumps(json_feed()).encode(), max_entries=5)
    assert (len(found.entries), found.truncated) == (5, True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "' + b"x" * LARGE,
        b'{"items": [' + b"[" * LARGE,
        b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": oh}], "x": "'
        + b"y" * LARGE
        + b'"}',
        b'{"items": "none", "y": [1], "x": "' + b"y" * LARGE + b'"}',
    ],
    ids=["string", "depth", "item", "list"],
)
def test_a_large_document_that_is_no_json_feed_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        parse(body)
    assert caught.value.reason is Reason.NOT_A_FEED


def sitemap(*rows: str) -> bytes:
    return f"<urlset>{''.join(rows)}</urlset>".encode()


def test_the_newest_pages_of_a_large_sitemap_are_kept() -> None:
    dates = [(NOW - timedelta(hours=n * 7 % 10_000)).isoformat() for n in range(10_000)]
    rows = [f"<url><loc>/p{n}</loc><lastmod>{date}</lastmod></url>" for n, date in enumerate(dates)]
    found = parse_sitemap(sitemap(*rows), url=HOME, now=NOW, max_entries=2000)
    assert [e.url for e in found.entries] == [
        f"https://lab.example/p{n}" for n in range(10_000) if n * 7 % 10_000 < 2000
    ]
    assert found.truncated


def test_a_large_feed_serves_as_a_sitemap() -> None:
    found = parse_sitemap(rss(*SHUFFLED).encode(), url=HOME, now=NOW, max_entries=30)
    assert (len(found.entries), found.truncated) == (30, True)


def test_a_large_sitemap_without_pages_is_empty() -> None:
    assert parse_sitemap(sitemap("<x>y</x>" * LARGE), url=HOME, now=NOW).entries == ()


@pytest.mark.parametrize(
    "body",
    [
        b"<rss>" + b"<item>" * 100_000,
        b"<rss>" + b"<item " * 20_000 + b"x" * LARGE,
        b"<rss>" + b"<item><date </item>" * 50_000,
        b"<rss><item>" + b"<!--" * 200_000,
        b"<rss>" + b"<a>" * 200_000 + b"<item>",
        b'{"items": [' + b"{}," * 400_000,
        b'{"items": [{"' + rb"\"" * 400_000,
    ],
    ids=["open", "unended", "dates", "comments", "deep", "objects", "quotes"],
)
def test_time_grows_no_faster_than_the_body(body: bytes) -> None:
    start = time.process_time()
    try:
        feed = parse(body, max_entries=10)
    except ParseError as error:
        assert error.detail  # noqa: PT017 - the error is one of two good outcomes
    else:
        assert len(feed.entries) + len(feed.bad) <= 10
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (" 2026-11-20 ", datetime(2026, 11, 20, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 10:00:00 GMT", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2027-11-20", None),
        ("1900-01-01", None),
        ("soon", None),
    ],
)
def test_moments(words: str, expected: datetime | None) -> None:
    assert moment(words, NOW) == expected


def test_what_has_no_date_is_as_old_as_the_one_before() -> None:
    old = NOW - timedelta(days=9)
    assert list(carried([None, old, None], NOW)) == [NOW, old, old]


@given(st.lists(st.integers(0, 5)), st.integers(0, 8))
def test_the_newest_are_those_a_stable_sort_has_first(ages: list[int], limit: int) -> None:
    times = [NOW + timedelta(age) for age in ages]
    order = sorted(range(len(ages)), key=lambda place: times[place], reverse=True)
    assert newest(times, limit) == sorted(order[:limit])

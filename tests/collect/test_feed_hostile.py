import json
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.collect.feed import parse_feed
from ctiscraper.errors import ParseError
from ctiscraper.types import ParsedFeed

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOME = "https://lab.example/feed.xml"

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Lab</title><link>https://lab.example/</link><ttl>45</ttl>
<item><title>One &lt;b&gt;two&lt;/b&gt;</title><link>/one</link><guid>g1</guid>
<author>bo@lab.example (Bo)</author><pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate>
<content:encoded><![CDATA[<p>a &amp; <a href="x">b</a></p>]]></content:encoded></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://b.example/a/">
<title>A</title><author><name>Team</name></author><entry><id>/1</id><link href="one"/>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi <br/></p></div></content>
<updated>2026-11-21T10:00:00Z</updated></entry></feed>"""
JSON = b"""{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [
{"id": 1, "url": "/a", "content_html": "<a href='/b'>b</a>", "tags": ["x"], "authors": [{}]}]}"""


def parse(body: bytes) -> ParsedFeed:
    return parse_feed(body, url=HOME, now=NOW)


def described(words: str) -> bytes:
    item = f"<item><link>/1</link><description><![CDATA[{words}]]></description></item>"
    return f"<rss><channel>{item}</channel></rss>".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE rss [" + b"<!--" * 200_000,
        b"<rss><item>&nbsp;" + b"<![CDATA[" * 200_000,
        described(f"<a href=x {'<a ' * 200_000}"),
        described("href=" * 200_000 + "<"),
        described("<" * 500_000),
        described("&" * 500_000),
        b"<br>" * 300_000 + b"<rss><item>",
        b"<?" * 300_000 + b"<rss><item>",
    ],
    ids=["comments", "cdata", "tags", "attributes", "angles", "signs", "junk", "instructions"],
)
def test_time_grows_no_faster_than_the_body(body: bytes) -> None:
    start = time.process_time()
    try:
        feed = parse(body)
    except ParseError as error:
        assert error.detail  # noqa: PT017 - the error is one of two good outcomes
    else:
        assert len(feed.entries) + len(feed.bad) <= 1
    assert time.process_time() - start < 5


SEEDS = (RSS, ATOM, JSON, RSS.replace(b"Lab", b"&nbsp;"))
NOISE = st.sampled_from(
    [
        *b"< > & ]]> <![CDATA[ <!DOCTYPE <!-- \x00 \xff &#x92; &#0; <item> </item> <a:b>".split(),
        *(b"<?xml", b"xml:base='//['", b"\xed\xa0\x80", b"http://[", b" mode='base64'", b'"'),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """One of the feeds above with a few bytes cut, doubled or put in."""
    body = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        doubled = st.just(body[start:end] * 2)
        middle = draw(st.one_of(NOISE, st.just(b""), st.binary(max_size=6), doubled))
        body = body[:start] + middle + body[end:]
    return body


@settings(deadline=timedelta(seconds=2))
@given(st.one_of(st.binary(max_size=400), mutated()))
def test_any_bytes_give_a_feed_or_a_typed_error(body: bytes) -> None:
    try:
        feed = parse(body)
    except ParseError as error:
        assert error.detail  # noqa: PT017 - the error is one of two good outcomes
        return
    for entry in feed.entries:
        assert entry.url.startswith(("http://", "https://"))
        assert entry.guid
    text = json.dumps(msgspec.to_builtins(feed), ensure_ascii=False)
    assert "\\u0000" not in text
    assert text.encode()

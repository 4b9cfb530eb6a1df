import gzip
import json
import re
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ctiscraper.collect.feed import parse_feed
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import ParsedFeed

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HOME = "https://lab.example/feed.xml"

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
     xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom">
<channel>
  <title>Lab notes</title><link>https://lab.example/</link><description>What we find</description>
  <language>en_GB</language><ttl>45</ttl>
  <atom:link href="https://lab.example/feed.xml" rel="self" type="application/rss+xml"/>
  <item>
    <title>Loader &amp;amp; dropper: &lt;b&gt;two&lt;/b&gt; stages</title>
    <link>/posts/loader</link>
    <guid isPermaLink="false">tag:lab,1</guid>
    <dc:creator><![CDATA[Ada Moss]]></dc:creator>
    <category>Malware</category><category>Loaders</category><category>Malware</category>
    <pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate>
    <description>Short &lt;a href="/iocs"&gt;words&lt;/a&gt;</description>
    <content:encoded><![CDATA[
<p>Calls <code>a &amp;&amp; b</code></p><img src="img/1.png">]]></content:encoded>
  </item>
  <item>
    <title>Second</title><guid>https://lab.example/posts/second</guid>
    <author>bo@lab.example (Bo Reed)</author>
    <pubDate>sometime soon</pubDate>
  </item>
  <item><title>Trap</title><link>javascript:alert(1)</link><guid>g3</guid></item>
  <item><title>No address</title><description>Only words</description></item>
</channel></rss>"""

ATOM = b"""<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://blog.example/base/">
  <title type="text">A &lt; B</title>
  <link rel="self" href="feed.atom"/><link rel="alternate" href="/"/>
  <author><name>Team</name></author>
  <entry>
    <id>urn:1</id><title type="html">On &amp;lt;script&amp;gt; &lt;i&gt;tags&lt;/i&gt;</title>
    <link rel="replies" href="one/comments"/><link href="one"/>
    <published>2026-11-20T10:00:00+02:00</published><updated>2026-11-21T10:00:00Z</updated>
    <summary>x &lt; y</summary>
    <content type="xhtml">
      <div xmlns="http://www.w3.org/1999/xhtml"><p>Hi <br/><a href="two">2</a></p></div></content>
    <category term="apt"/>
  </entry>
  <entry><id>urn:2</id><title>Only changed</title><link href="two"/><updated>2026-11-19</updated>
    <author><name>Cy</name><email>cy@blog.example</email></author></entry>
</feed>"""

RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://old.example/"><title>Old</title><link>https://old.example/</link></channel>
<item rdf:about="https://old.example/1"><title>One</title><link>https://old.example/1</link>
<dc:date>2026-11-01T00:00:00Z</dc:date></item></rdf:RDF>"""

JSON = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "JSON lab",
    "home_page_url": "https://json.example/",
    "language": "en",
    "authors": [{"name": "Jo"}],
    "items": [
        {
            "id": 7,
            "url": "/a",
            "title": "One <two>",
            "content_html": "<p><a href='/b'>b</a></p>",
            "date_published": "2026-11-20T10:00:00Z",
            "tags": ["x", 3],
        },
        {"id": "8", "external_url": "https://else.example/", "content_text": "a < b"},
        {"id": "9", "title": "nowhere"},
        "noise",
    ],
}


def parse(body: bytes, **options: object) -> ParsedFeed:
    return parse_feed(body, **{"url": HOME, "now": NOW, **options})  # type: ignore[arg-type]


def rss(*items: str, head: str = "") -> bytes:
    inside = f"<title>t</title>{head}{''.join(items)}"
    return f'<rss version="2.0"><channel>{inside}</channel></rss>'.encode()


def item(number: int, words: str = "") -> str:
    return f"<item><title>n{number}</title><link>https://lab.example/{number}</link>{words}</item>"


def refused(body: bytes, **options: object) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(body, **options)
    return caught.value


def test_rss_is_read_whole() -> None:
    feed = parse(RSS)
    assert (feed.kind, feed.title, feed.link) == ("rss 2.0", "Lab notes", "https://lab.example/")
    assert (feed.language, feed.ttl_minutes, feed.description) == ("en-gb", 45, "What we find")
    first = feed.entries[0]
    assert first.url == "https://lab.example/posts/loader"
    assert first.guid == "tag:lab,1"
    assert first.title == "Loader & dropper: two stages"
    assert first.authors == ("Ada Moss",)
    assert first.tags == ("Malware", "Loaders")
    assert first.published == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert first.summary == 'Short <a href="https://lab.example/iocs">words</a>'
    assert first.content == (
        '<p>Calls <code>a &amp;&amp; b</code></p><img src="https://lab.example/img/1.png">'
    )


def test_a_permalink_is_the_address_and_an_unreadable_date_stays_as_words() -> None:
    second = parse(RSS).entries[1]
    assert second.url == second.guid == "https://lab.example/posts/second"
    assert second.authors == ("Bo Reed",)
    assert (second.published, second.published_raw) == (None, "sometime soon")


def test_items_that_cannot_be_followed_are_kept_with_their_reason() -> None:
    feed = parse(RSS)
    assert [(b.guid, b.reason) for b in feed.bad] == [
        ("g3", Reason.SCHEME_REFUSED),
        ("No address", Reason.NO_URL),
    ]
    assert feed.bad[0].detail == "javascript:alert(1)"
    assert len(feed.entries) == 2


def test_atom_is_read_by_its_own_rules() -> None:
    feed = parse(ATOM)
    one, two = feed.entries
    assert (feed.kind, feed.title, feed.language) == ("atom 1.0", "A < B", "de")
    assert feed.link == "https://blog.example/"
    assert one.url == "https://blog.example/base/one"
    assert one.title == "On <script> tags"
    assert one.authors == ("Team",)
    assert one.summary == "x &lt; y"
    assert one.content == '<p>Hi <br /><a href="https://blog.example/base/two">2</a></p>'
    assert one.published == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert one.updated == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert one.tags == ("apt",)
    assert two.authors == ("Cy",)
    assert two.published == two.updated == datetime(2026, 11, 19, tzinfo=UTC)


def test_rdf_is_read() -> None:
    feed = parse(RDF)
    assert (feed.kind, feed.title) == ("rdf", "Old")
    assert feed.entries[0].guid == "https://old.example/1"
    assert feed.entries[0].published == datetime(2026, 11, 1, tzinfo=UTC)


def test_json_feed_is_read() -> None:
    feed = parse(json.dumps(JSON).encode())
    one, two = feed.entries
    assert (feed.kind, feed.title, feed.language) == ("json 1.1", "JSON lab", "en")
    assert (one.guid, one.url) == ("7", "https://json.example/a")
    assert (one.title, one.authors, one.tags) == ("One <two>", ("Jo",), ("x",))
    assert one.content == '<p><a href="https://json.example/b">b</a></p>'
    assert (two.url, two.content) == ("https://else.example/", "a &lt; b")
    assert [b.reason for b in feed.bad] == [Reason.NO_URL]


def test_result_survives_the_way_out_of_the_sandbox() -> None:
    feed = parse(RSS)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(feed), type=ParsedFeed) == feed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.FEED_EMPTY),
        (b" \r\n\t\x00", Reason.FEED_EMPTY),
        (b"<!DOCTYPE html><html><head><title>x</title></head></html>", Reason.NOT_A_FEED),
        (b"<html><body><item>x</item></body></html>", Reason.NOT_A_FEED),
        (b"plain words", Reason.NOT_A_FEED),
        (b'{"items": "none"}', Reason.NOT_A_FEED),
        (b'{"items": []}', Reason.NOT_A_FEED),
        (b"[1, 2]", Reason.NOT_A_FEED),
        (b"{" * 100_000, Reason.NOT_A_FEED),
        (b"[" * 100_000, Reason.NOT_A_FEED),
        (b"<kml><Document><name>x</name></Document></kml>", Reason.NOT_A_FEED),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), Reason.NOT_A_FEED),
        (gzip.compress(RSS), Reason.NOT_A_FEED),
        (b"<rss><channel>" + b"<a>" * 5000, Reason.PARSER_ERROR),
        (b"<rss>" + b" " * (17 << 20), Reason.TOO_LARGE),
    ],
)
def test_what_is_no_feed_is_refused_with_its_reason(body: bytes, reason: Reason) -> None:
    error = refused(body)
    assert error.reason is reason
    assert error.detail


def test_an_html_page_is_called_one() -> None:
    assert "HTML page" in refused(b"\xef\xbb\xbf\n<!doctype HTML>\n<HTML lang=en>").detail


@pytest.mark.parametrize(
    "subset",
    [
        '<!ENTITY a "lol">',
        '<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;',
        '<!ENTITY x SYSTEM "http://127.0.0.1:9/x">',
        '<!-- ]> --><!ELEMENT rss ANY><!entity a "x">',
        "<!-- ' \n --><?x ' ?><!ENTITY a \"it's\">",
    ],
)
def test_a_document_type_with_entities_is_refused(subset: str) -> None:
    body = f"<?xml version='1.0'?>\n<!-- c --><!DOCTYPE rss [{subset}]>".encode() + rss(item(1))
    assert refused(body).reason is Reason.DTD_REFUSED


def test_a_document_type_alone_is_passed_over(tmp_path: Path) -> None:
    secret = tmp_path / "secret.dtd"
    secret.write_text("<!ENTITY who 'secret'>")
    kind = f'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "{secret.as_uri()}">'.encode()
    feed = parse(kind + rss(item(1, "<description>&who;</description>")))
    assert [e.url for e in feed.entries] == ["https://lab.example/1"]
    assert "secret" not in repr(feed)


def test_a_body_that_names_a_file_is_no_reason_to_open_it(tmp_path: Path) -> None:
    hidden = tmp_path / "<rss x"
    hidden.write_bytes(rss(item(1)))
    assert refused(str(hidden).encode()).reason is Reason.NOT_A_FEED


def test_articles_about_entities_are_read() -> None:
    doctype = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    feed = parse(rss(item(1, f"<description><![CDATA[{doctype}]]></description>")))
    assert '&lt;!ENTITY x SYSTEM "file' in feed.entries[0].summary


@pytest.mark.parametrize(
    "body",
    [
        rss(item(1, "<description>caf&eacute; &nbsp;&copy; A&B &unknown;</description>")),
        rss(
            item(
                1,
                "<description>café \xa0\xa9 A&B &unknown;</description>",
            )
        ),
    ],
)
def test_loose_references_are_mended_and_told(body: bytes) -> None:
    feed = parse(body)
    assert feed.entries[0].summary.startswith("café \xa0\xa9 A&B &unknown;")
    assert "not well formed" in feed.warnings[0]


def test_undeclared_prefixes_are_mended() -> None:
    feed = parse(rss(item(1, "<dc:creator>Al</dc:creator><foo:bar x:y='1'>z</foo:bar>")))
    assert feed.entries[0].authors == ("Al",)


@pytest.mark.parametrize(
    "body",
    [
        RSS[: RSS.index(b"<title>Second")],
        RSS.replace(b"</guid>", b"</gid>", 1),
        RSS.replace(b'isPermaLink="false"', b"isPermaLink=false"),
        RSS.replace(b"</channel></rss>", b""),
        RSS + b"</rss>trailing",
        b"<br />\n<b>Warning</b>: broken plugin in line 1<br />\n" + RSS,
        b"\n\n  " + RSS,
        b"\xef\xbb\xbf" + RSS,
        RSS.replace(b"two&lt;", b"two\x00\x0b\x1f&lt;"),
        RSS.decode().encode("utf-16"),
        RSS.decode().encode("utf-16-be"),
        RSS.decode().encode("utf-32"),
        RSS.replace(b"UTF-8", b"unheard-of"),
        RSS.replace(b"UTF-8", b"zlib_codec"),
    ],
)
def test_broken_and_odd_encodings_lose_no_whole_entry(body: bytes) -> None:
    first = parse(body).entries[0]
    assert first.url == "https://lab.example/posts/loader"
    assert first.title == "Loader & dropper: two stages"


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("cp1252", "", ""),
        ("cp1252", "utf-8", ""),
        ("cp1252", "", "text/xml; charset=utf-8"),
        ("utf-8", "iso-8859-1", "text/xml; charset=ISO-8859-1"),
        ("cp1252", "iso-8859-1", ""),
        ("utf-8", "us-ascii", ""),
    ],
)
def test_wrong_labels_give_readable_text(encoding: str, declared: str, content_type: str) -> None:
    label = f'<?xml version="1.0" encoding="{declared}"?>'.encode() if declared else b""
    body = label + rss(item(1, "<description>“Ärger” … naïve</description>")).decode().encode(
        encoding
    )
    assert parse(body, content_type=content_type).entries[0].summary == "“Ärger” … naïve"


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "shift_jis", "gb18030", "euc-kr"])
def test_declared_encodings_are_used(encoding: str) -> None:
    words = {"shift_jis": "脅威", "gb18030": "威胁", "euc-kr": "위협"}.get(encoding, "угроза")
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        + rss(item(1, f"<author>{words}</author>")).decode()
    )
    assert parse(text.encode(encoding)).entries[0].authors == (words,)
    plain = text.partition("?>")[2].encode(encoding)
    said = parse(plain, content_type=f"application/rss+xml; charset={encoding}")
    assert said.entries[0].authors == (words,)


def test_guids_that_repeat() -> None:
    same, other = "<guid isPermaLink='false'>g</guid>", item(2).replace("</item>", "")
    feed = parse(rss(item(1, same), item(1, same), other + same + "</item>"))
    assert [(e.guid, e.url[-1]) for e in feed.entries] == [("g", "1"), ("g", "2")]
    assert feed.warnings == ("1 entries stand in the feed more than once",)


def test_a_very_long_guid_is_named_by_its_hash() -> None:
    feed = parse(rss(item(1, f"<guid isPermaLink='false'>{'x' * 5000}</guid>")))
    assert feed.entries[0].guid.startswith("sha256:")


def test_the_newest_entries_are_kept_in_the_order_of_the_feed() -> None:
    days = [NOW - timedelta(days=d) for d in (9, 1, 5, 2, 7)]
    dated = [
        item(i, f"<pubDate>{d:%a, %d %b %Y %H:%M:%S} GMT</pubDate>") for i, d in enumerate(days)
    ]
    feed = parse(rss(*dated), max_entries=3)
    assert [e.title for e in feed.entries] == ["n1", "n2", "n3"]
    assert feed.truncated
    assert "newest 3" in feed.warnings[-1]


def test_entries_without_dates_are_cut_from_the_end() -> None:
    feed = parse(rss(*map(item, range(10))), max_entries=4)
    assert [e.title for e in feed.entries] == ["n0", "n1", "n2", "n3"]


def test_a_feed_past_the_cap_is_marked() -> None:
    feed = parse(rss(*map(item, range(6000))))
    assert (len(feed.entries), feed.truncated) == (5000, True)


def test_an_empty_feed_says_so() -> None:
    assert parse(rss()).warnings == ("the feed announces nothing",)


def test_feed_proxies_give_the_first_address() -> None:
    body = rss(item(1, "<feedburner:origLink>https://lab.example/real</feedburner:origLink>"))
    assert parse(body).entries[0].url == "https://lab.example/real"


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("JaVa\tScRiPt:alert(1)", Reason.SCHEME_REFUSED),
        ("data:text/html,x", Reason.SCHEME_REFUSED),
        ("file:///etc/passwd", Reason.SCHEME_REFUSED),
        ("vbscript:x", Reason.SCHEME_REFUSED),
        ("http://", Reason.URL_INVALID),
        ("https://lab.example/" + "a" * 5000, Reason.URL_TOO_LONG),
    ],
)
def test_links_that_are_none(link: str, reason: Reason) -> None:
    feed = parse(rss(item(2), f"<item><title>x</title><link>{link}</link></item>"))
    assert [b.reason for b in feed.bad] == [reason]
    assert len(feed.entries) == 1


def test_dates_out_of_bounds_are_absent_with_their_words() -> None:
    for words in (
        "10000-01-01",
        "0000-00-00",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "9" * 300,
        "2030-01-01",
    ):
        entry = parse(rss(item(1, f"<pubDate>{words}</pubDate>"))).entries[0]
        assert entry.published is None
        assert entry.published_raw[:9] == words[:9]


def test_text_is_storable() -> None:
    document = {**JSON, "items": [{"id": "a\u0000b", "url": "/x", "title": "t\ud800\u0007\u009f!"}]}
    entry = parse(json.dumps(document).encode()).entries[0]
    assert (entry.guid, entry.title) == ("ab", "t\ufffd!")


def test_a_hundred_thousand_attributes_take_no_time() -> None:
    body = (
        b"<rss><channel><item "
        + b" ".join(b"a%d='1'" % i for i in range(100_000))
        + b"/></channel></rss>"
    )
    assert parse(body).bad[0].reason is Reason.NO_URL


@pytest.mark.shared
def test_captured_feeds_lose_no_entry() -> None:
    archive = Path(__file__).parents[3] / "shared/eval/data/feeds/captured.tar.xz"
    if not archive.is_file():
        pytest.skip("the evaluation data is not beside the repository")
    with tarfile.open(archive) as feeds:
        for member in feeds.getmembers():
            stored = feeds.extractfile(member)
            assert stored is not None
            body = stored.read()
            feed = parse(body)
            if member.name.endswith(".json"):
                announced = len(json.loads(body)["items"])
            else:
                announced = len(re.findall(rb"<(?:item|entry)[\s>]", body))
            assert (member.name, len(feed.entries) + len(feed.bad)) == (member.name, announced)

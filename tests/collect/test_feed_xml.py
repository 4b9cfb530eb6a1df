from datetime import UTC, datetime

import pytest

from ctiscraper.collect.feed import parse_feed, read_feed
from ctiscraper.collect.raw_feed import RawEntry, RawFeed
from ctiscraper.errors import ParseError, Reason

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
MODULES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns:itunes="http://www.itunes.com/DTDs/Podcast-1.0.dtd"'
    ' xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
    ' xmlns:atom="http://www.w3.org/2005/Atom" xmlns:slash="http://purl.org/rss/1.0/modules/slash/"'
)


def read(text: str) -> RawFeed:
    return read_feed(
        text.encode(), content_type="", url="https://a.example/x/feed", max_entries=50, now=NOW
    )


def rss(item: str, head: str = "") -> RawFeed:
    return read(f"<rss {MODULES}><channel>{head}<item>{item}</item></channel></rss>")


def rss_entry(item: str) -> RawEntry:
    return rss(item).entries[0]


def atom_entry(entry: str, attributes: str = "") -> RawEntry:
    return read(
        f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><entry>{entry}</entry></feed>'
    ).entries[0]


def test_the_element_of_higher_rank_counts_wherever_it_stands() -> None:
    entry = rss_entry(
        "<dc:title>low</dc:title><title>high</title><itunes:title>lower</itunes:title>"
        "<itunes:author>Pod</itunes:author><dc:creator>One</dc:creator><dc:creator>Two</dc:creator>"
    )
    assert entry.title.value == "high"
    assert entry.authors == ["One", "Two"]


def test_media_groups_fill_what_is_missing() -> None:
    entry = rss_entry(
        "<media:group><media:title>T</media:title><media:description>D</media:description>"
        "<media:keywords>a, b,,</media:keywords></media:group><slash:comments>4</slash:comments>"
    )
    assert (entry.title.value, entry.summary.value, entry.tags) == ("T", "D", ["a", "b"])


def test_a_second_description_is_the_longer_story() -> None:
    entry = rss_entry("<description>short</description><summary>long</summary>")
    assert (entry.summary.value, entry.content.value) == ("short", "long")


def test_one_date_of_dublin_core_is_both_dates() -> None:
    entry = rss_entry("<dc:date>2026-01-02</dc:date><atom:updated>2026-01-03</atom:updated>")
    assert (entry.published, entry.updated) == ("2026-01-02", "2026-01-03")


def test_links_of_rss() -> None:
    atom = '<atom:link rel="self" href="/s"/><atom:link rel="alternate" href="/a"/>'
    assert rss_entry(atom).link == "https://a.example/a"
    assert rss_entry(f"<link>/own</link>{atom}").link == "https://a.example/own"
    assert rss_entry("<guid>https://a.example/g</guid>").link == "https://a.example/g"
    assert rss_entry("<guid isPermaLink='false'>https://a.example/g</guid>").link == ""
    assert rss_entry("<link/><guid>g</guid>").link == ""


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ('<link href="one"/><link href="two"/>', "https://a.example/x/one"),
        ('<link href="j" type="application/json"/><link href="h" type="text/html"/>', "h"),
        ('<link rel="http://www.iana.org/assignments/relation/alternate" href="r"/>', "r"),
        ('<link rel="enclosure" href="e"/>', ""),
        ('<content src="whole.html" type="text/html"/>', "whole.html"),
    ],
)
def test_links_of_atom(links: str, expected: str) -> None:
    link = atom_entry(links).link
    assert link in (expected, f"https://a.example/x/{expected}")


def test_bases_are_nested_and_only_the_web_is_one() -> None:
    entry = atom_entry(
        '<link xml:base="deep/" href="one"/><content type="html" xml:base="javascript:x">'
        "&lt;a href='two'&gt;2&lt;/a&gt;</content>",
        'xml:base="https://b.example/root/"',
    )
    assert entry.link == "https://b.example/root/deep/one"
    assert entry.content.value == '<a href="https://b.example/root/two">2</a>'


@pytest.mark.parametrize(
    ("element", "value", "plain"),
    [
        ("<title>a &lt;b&gt; c</title>", "a <b> c", True),
        ('<title type="html">Q&amp;A &lt; 3</title>', "Q&amp;A &lt; 3", False),
        ('<title type="application/octet-stream">PGI+eDwvYj4=</title>', "<b>x</b>", False),
        ('<title type="application/octet-stream">no base64!</title>', "no base64!", False),
        (
            '<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">a<br/></div></title>',
            "a<br />",
            False,
        ),
        (
            '<title type="xhtml"><b xmlns="http://www.w3.org/1999/xhtml">a</b> &lt;</title>',
            "<b>a</b> &lt;",
            False,
        ),
        (
            '<title type="html"><div xmlns="http://www.w3.org/1999/xhtml">&lt;i&gt;</div></title>',
            "<i>",
            False,
        ),
    ],
)
def test_text_constructs_of_atom(element: str, value: str, plain: bool) -> None:
    title = atom_entry(element).title
    assert (title.value, title.plain) == (value, plain)


def test_foreign_elements_keep_their_namespaces() -> None:
    entry = atom_entry(
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
        '<s:svg xmlns:s="http://www.w3.org/2000/svg" xmlns:l="http://www.w3.org/1999/xlink">'
        '<s:a l:href="https://a.example/" xml:lang="en"/></s:svg></div></content>'
    )
    assert entry.content.value == (
        '<svg xmlns="http://www.w3.org/2000/svg"><a xlink:href="https://a.example/"'
        ' xmlns:xlink="http://www.w3.org/1999/xlink"></a></svg>'
    )


def test_authors_of_atom() -> None:
    entry = atom_entry(
        "<author><name>A</name><email>a@a.example</email></author><author><uri>u</uri></author>"
        "<author>bare</author>"
    )
    assert entry.authors == ["A (a@a.example)", "u", "bare"]


@pytest.mark.parametrize(
    ("head", "minutes"),
    [
        ("<ttl>30</ttl>", 30),
        ("<ttl>0</ttl>", None),
        ("<ttl>soon</ttl>", None),
        ("<sy:updatePeriod>hourly</sy:updatePeriod>", 60),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", 360),
        (
            "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>",
            None,
        ),
    ],
)
def test_how_long_a_feed_asks_to_be_left_alone(head: str, minutes: int | None) -> None:
    assert rss("<link>/1</link>", head).ttl_minutes == minutes


def test_items_are_found_wherever_a_dialect_puts_them() -> None:
    item = "<item><link>https://a.example/1</link></item>"
    for text in (f"<rss>{item}</rss>", f"<rss><channel/>{item}</rss>"):
        assert len(read(text).entries) == 1
    assert len(read(f"<rss><channel><items>{item}{item}</items></channel></rss>").entries) == 2


def test_a_tree_that_is_no_known_dialect_is_left_to_the_tolerant_reader() -> None:
    feed = read("<channel><title>t</title><item href='https://a.example/1'/></channel>")
    assert feed.title.value == "t"


def test_language_of_an_entry() -> None:
    assert rss_entry("<dc:language>pt_BR</dc:language>").language == "pt_BR"
    assert atom_entry("<id>1</id>", 'xml:lang="fr"').language == ""


def test_an_entry_has_the_language_of_its_feed_when_it_names_none() -> None:
    items = "<item><link>/1</link></item><item><link>/2</link><dc:language>DE</dc:language></item>"
    for said, meant in (("sk", "sk"), ("zh_CN", "zh-cn"), ("no such tongue", None)):
        channel = f"<channel><language>{said}</language>{items}</channel>"
        feed = parse_feed(f"<rss {MODULES}>{channel}</rss>".encode(), url="https://a.example/")
        assert [entry.language for entry in feed.entries] == [meant, "de"]


def test_elements_without_words_say_nothing() -> None:
    entry = rss_entry(
        "<guid/><guid>g</guid><guid>h</guid><pubDate/><pubDate>2026-11-01</pubDate><dc:language/>"
    )
    assert (entry.guid, entry.published, entry.language) == ("g", "2026-11-01", "")


def test_a_large_tree_of_no_known_dialect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiscraper.collect.feed.MAX_TOLERANT", 10)
    with pytest.raises(ParseError) as caught:
        read("<list><channel/></list>")
    assert (caught.value.reason, caught.value.detail) == (
        Reason.NOT_A_FEED,
        "the root element is <list>",
    )

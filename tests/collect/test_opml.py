from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.collect.catalog import default_catalog
from ctiscraper.collect.opml import make_key, parse_opml, write_opml
from ctiscraper.collect.source_fields import settings_from_mapping
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import Discovery, RobotsPolicy, Selectors, SourceSettings, Tier, Tlp

OTHERS = b"""<?xml version="1.0" encoding="UTF-8"?>
<opml version="1.0"><head><title>My feeds</title></head><body>
<outline text="Security" title="Security">
  <outline text="Research/Labs">
    <outline type="rss" text="Lab &amp; Co" title="Lab &amp; Co" xmlUrl="https://lab.example/feed"
      htmlUrl="https://lab.example/"/>
  </outline>
  <outline text="Other" xmlURL="https://other.example/rss" category="/News/World,apt"/>
</outline>
<outline title="Lab again" type="rss" xmlUrl="https://lab.example/feed" category="second"/>
<outline type="rss" text="No address"/>
<outline type="rss" text="Trap" xmlUrl="javascript:alert(1)"/>
<outline type="link" text="A bookmark" url="https://book.example/"/>
<outline text="Remark"/>
</body></opml>"""


def source(**changes: object) -> SourceSettings:
    values: dict[str, object] = {"key": "lab", "name": "Lab", "url": "https://lab.example/"}
    return SourceSettings(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def test_files_of_other_readers() -> None:
    document = parse_opml(OTHERS)
    assert document.title == "My feeds"
    assert [(f.title, f.feed_url, f.site_url) for f in document.feeds] == [
        ("Lab & Co", "https://lab.example/feed", "https://lab.example/"),
        ("Other", "https://other.example/rss", None),
    ]
    assert document.feeds[0].categories == ("Security/Research\u2215Labs", "second")
    assert document.feeds[1].categories == ("Security", "News/World", "apt")


def test_bad_rows_are_reported_with_their_place() -> None:
    assert [(b.row, b.title, b.reason) for b in parse_opml(OTHERS).bad] == [
        (6, "No address", Reason.NO_URL),
        (7, "Trap", Reason.SCHEME_REFUSED),
    ]


def test_a_foreign_row_makes_a_valid_source() -> None:
    settings = settings_from_mapping(parse_opml(OTHERS).feeds[1].to_mapping())
    assert settings == source(
        key="other",
        name="Other",
        url="https://other.example/rss",
        feed_url="https://other.example/rss",
    )


def test_every_setting_comes_back() -> None:
    full = source(
        feed_url="https://lab.example/feed",
        tier=Tier.PREMIUM,
        interval_minutes=30,
        robots=RobotsPolicy(obey=False, override_reason='They "asked" us & <we> agreed'),
        crawl_delay=2.5,
        requests_per_minute=6,
        selectors=Selectors(content="main > article", remove=("aside", ".ad")),
        allow=("/blog/*",),
        include_words=("7", "true"),
        exclude_words=("webinar",),
        min_length=200,
        language="de",
        tlp=Tlp.AMBER_STRICT,
        active=False,
        fetch_pages=False,
        verified=True,
        notes="12",
    )
    listed = source(key="list", url="https://list.example/blog", discovery=Discovery.LISTING)
    document = parse_opml(write_opml([full, listed]))
    assert document.bad == ()
    assert [settings_from_mapping(f.to_mapping()) for f in document.feeds] == [full, listed]
    assert [f.categories for f in document.feeds] == [("premium",), ("standard",)]


def test_the_catalogue_goes_there_and_back() -> None:
    sources = default_catalog()
    back = [settings_from_mapping(f.to_mapping()) for f in parse_opml(write_opml(sources)).feeds]
    assert {s.key: s for s in back} == {s.key: s for s in sources}


def test_names_that_xml_cannot_hold_are_written_clean() -> None:
    body = write_opml([source(name="L\x00a\ud800b")], title="t\x01")
    assert parse_opml(body).feeds[0].title == "La\ufffdb"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.FEED_EMPTY),
        (b"<rss/>", Reason.NOT_A_FEED),
        (b"name,url", Reason.PARSER_ERROR),
        (b"<opml><body>", Reason.PARSER_ERROR),
        (b'<!DOCTYPE opml [<!ENTITY a "b">]><opml/>', Reason.DTD_REFUSED),
        (b"<opml><body>" + b"<outline text='a'>" * 5000, Reason.PARSER_ERROR),
    ],
)
def test_what_is_no_opml_is_refused(body: bytes, reason: Reason) -> None:
    with pytest.raises(ParseError) as caught:
        parse_opml(body)
    assert caught.value.reason is reason


def test_bare_ampersands_are_mended() -> None:
    body = b'<opml><body><outline text="A & B" xmlUrl="https://x.example/f?a=1&b=2"/></body></opml>'
    (feed,) = parse_opml(body).feeds
    assert (feed.title, feed.feed_url) == ("A & B", "https://x.example/f?a=1&b=2")


def test_more_rows_than_are_taken_are_told() -> None:
    rows = "".join(f'<outline xmlUrl="https://x.example/{i}"/>' for i in range(10_050))
    document = parse_opml(f"<opml><body>{rows}</body></opml>".encode())
    assert len(document.feeds) == 10_000
    assert document.bad[-1].reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("Lab & Co.", "lab-co"),
        ("https://www.lab.example/feed", "lab-example-feed"),
        ("実験", "source"),
    ],
)
def test_keys_are_made_from_names(words: str, key: str) -> None:
    assert make_key(words) == key


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_words_come_back_storable(name: str, notes: str) -> None:
    (feed,) = parse_opml(write_opml([source(name=name, notes=notes)])).feeds
    assert "\x00" not in feed.title
    assert feed.settings["key"] == "lab"


@settings(deadline=timedelta(seconds=2))
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.integers(0, len(OTHERS)), st.binary(max_size=10)).map(
            lambda t: OTHERS[: t[0]] + t[1] + OTHERS[t[0] :]
        ),
    )
)
def test_any_bytes_give_rows_or_a_typed_error(body: bytes) -> None:
    try:
        document = parse_opml(body)
    except ParseError as error:
        assert error.reason in Reason  # noqa: PT017 - the error is one of two good outcomes
        return
    for feed in document.feeds:
        assert (feed.feed_url or feed.site_url or "").startswith(("http://", "https://"))

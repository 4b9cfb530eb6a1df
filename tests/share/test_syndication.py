"""Feeds as other programs read them, whatever stands in the articles."""

import json
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import feedparser
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.share.syndication import Entry, Feed, atom, json_feed

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"


def feed(*entries: Entry, title: str = "Title") -> Feed:
    return Feed(
        uid="3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        title=title,
        subtitle="Articles for x",
        home="https://cti.example/?q=x",
        address="https://cti.example/feeds/x.atom",
        changed_at=AT,
        entries=entries,
    )


def entry(**changes: object) -> Entry:
    values: dict[str, object] = {
        "title": "One",
        "url": "https://acme.example/1",
        "page": "https://cti.example/articles/1",
        "source": "Acme",
        "tier": "standard",
        "tlp": "amber+strict",
        "authors": (),
        "tags": (),
        "language": None,
        "summary": "",
        "html": "<p>One</p>",
        "published_at": None,
        "changed_at": AT,
        "score": None,
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def test_an_entry_is_named_by_its_address_alone() -> None:
    one, same, other = entry(), entry(title="Two", page="x"), entry(url="https://acme.example/2")
    assert one.uri == same.uri
    assert one.uri != other.uri


def test_times_are_told_in_utc() -> None:
    there = datetime(2026, 11, 1, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=5)))
    given = json.loads(json_feed(feed(entry(published_at=there))))
    assert given["items"][0]["date_published"] == "2026-11-01T07:00:00Z"


def test_an_empty_feed_is_a_feed() -> None:
    parsed = feedparser.parse(atom(feed()))
    assert (parsed.bozo, parsed.entries, parsed.feed.title) == (False, [], "Title")
    assert json.loads(json_feed(feed()))["items"] == []


def test_what_is_not_known_is_left_out() -> None:
    [item] = json.loads(json_feed(feed(entry())))["items"]
    assert not {"summary", "language", "tags", "date_published"} & item.keys()
    assert item["_ctiscraper"] == {
        "source": "Acme",
        "tier": "standard",
        "tlp": "amber+strict",
        "score": None,
        "page": "https://cti.example/articles/1",
    }
    parsed = feedparser.parse(atom(feed(entry(title=""))))
    assert parsed.entries[0].title == "Untitled"
    assert parsed.entries[0].rights == "TLP:AMBER+STRICT"
    assert "cti_score" not in parsed.entries[0]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(title=TEXT, author=TEXT, tag=TEXT, html=TEXT, summary=TEXT)
def test_any_text_is_carried(title: str, author: str, tag: str, html: str, summary: str) -> None:
    one = entry(title=title, authors=(author,), tags=(tag,), html=html, summary=summary)
    root = ET.fromstring(atom(feed(one, title=title)))
    for name in ("entry", "title", "updated", "id"):
        assert len(root.findall(f"{ATOM}{name}")) == 1
    [item] = json.loads(json_feed(feed(one)))["items"]
    assert (item["content_html"], item["authors"]) == (html, [{"name": author}])

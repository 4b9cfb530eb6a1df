import feedparser
import pytest

from ctiscraper.collect.feed_tolerant import read_tolerant
from ctiscraper.errors import ParseError, Reason


def test_a_fault_of_the_parser_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_: object, **__: object) -> None:
        raise AssertionError("unexpected call to parse_declaration()")

    monkeypatch.setattr(feedparser, "parse", parse)
    with pytest.raises(ParseError) as caught:
        read_tolerant("<rss><item>", url="", max_entries=5)
    assert caught.value.reason is Reason.PARSER_ERROR
    assert caught.value.detail == "AssertionError: unexpected call to parse_declaration()"


def test_what_is_not_closed_is_read() -> None:
    text = "<rss version='2.0'><channel><ttl>5</ttl><item><title>A & B</title><link>https://a.example/1"
    feed = read_tolerant(f"{text}</link></item>", url="https://a.example/", max_entries=5)
    assert (feed.kind, feed.ttl_minutes) == ("rss 2.0", 5)
    assert [entry.link for entry in feed.entries] == ["https://a.example/1"]

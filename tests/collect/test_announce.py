from hypothesis import given
from hypothesis import strategies as st

import make
from ctiscraper.collect.announce import MOST_MARKUP, announce
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import Announced, BadEntry, FeedEntry

SITE = make.settings()
URL = "https://acme.example/a/1"


def one(entry: FeedEntry, **settings: object) -> Announced:
    [item] = announce(make.settings(**settings), [entry], (), make.sha)  # type: ignore[arg-type]  # a builder
    return item


def no_key(url: str) -> bytes:
    raise ParseError(Reason.URL_TOO_LONG, url[:10])


def test_an_entry_becomes_an_item_of_its_host() -> None:
    entry = make.entry("https://ACME.example:8443/a/1", guid="")
    item = one(entry)
    assert (item.host, item.url, item.state) == ("acme.example", entry.url, "pending")
    assert item.url_hash == make.sha(entry.url)
    assert item.guid_hash == one(make.entry(entry.url, guid=entry.url)).guid_hash


def test_an_address_without_a_key_costs_only_its_entry() -> None:
    items = announce(SITE, [make.entry(URL)], (), no_key)
    assert [(item.state, item.reason, item.url) for item in items] == [
        ("failed", Reason.URL_TOO_LONG, "")
    ]


def test_what_cannot_be_followed_is_an_item_with_its_reason() -> None:
    bad = BadEntry(guid="g", reason=Reason.SCHEME_REFUSED, detail="javascript:")
    items = announce(SITE, [make.entry(URL)], [bad], make.sha)
    assert [(item.state, item.reason) for item in items] == [
        ("pending", None),
        ("failed", Reason.SCHEME_REFUSED),
    ]
    assert items[1].detail == "javascript:"


def test_refused_items_of_two_sources_are_two() -> None:
    bad = BadEntry(guid="g", reason=Reason.NO_URL)
    [ours] = announce(SITE, (), [bad], make.sha)
    [theirs] = announce(make.settings("other"), (), [bad], make.sha)
    assert ours.url_hash != theirs.url_hash


def test_an_address_outside_the_allow_patterns_is_filtered_and_counted() -> None:
    item = one(make.entry(URL), allow=("/blog/*",))
    assert (item.state, item.reason) == ("filtered", Reason.URL_NOT_ALLOWED)
    assert one(make.entry(URL), allow=("/blog/*", "/a/*")).state == "pending"


def test_an_edit_shows_and_a_second_look_does_not() -> None:
    entry = make.entry(URL, summary="one", updated=make.NOW)
    later = make.NOW.replace(hour=13)
    same = one(make.entry(URL, summary="another excerpt", updated=make.NOW))
    assert same.entry_hash == one(entry).entry_hash
    assert one(make.entry(URL, summary="one", updated=later)).entry_hash != one(entry).entry_hash
    undated = make.entry(URL, summary="one")
    assert one(make.entry(URL, summary="two")).entry_hash != one(undated).entry_hash


def test_markup_beyond_the_bound_is_cut_and_all_else_kept() -> None:
    entry = make.entry(URL, summary="s" * MOST_MARKUP, content="c" * MOST_MARKUP, tags=("x",))
    kept = one(entry).entry
    assert len(kept.summary) + len(kept.content) == MOST_MARKUP
    assert (kept.guid, kept.title, kept.tags, kept.published) == (
        entry.guid,
        entry.title,
        entry.tags,
        entry.published,
    )


WORDS = st.text(st.characters(), max_size=20)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=8), st.lists(WORDS, max_size=4))
def test_every_entry_becomes_exactly_one_item(
    entries: list[tuple[str, str]], bad: list[str]
) -> None:
    items = announce(
        SITE,
        [FeedEntry(guid=guid, url=f"https://acme.example/{path}") for guid, path in entries],
        [BadEntry(guid=guid, reason=Reason.NO_URL) for guid in bad],
        lambda url: make.sha(url.encode("utf-8", "replace").decode()),
    )
    assert len(items) == len(entries) + len(bad)
    assert all(len(item.url_hash) == len(item.guid_hash) == 32 for item in items)
    assert sum(item.state == "failed" for item in items) == len(bad)

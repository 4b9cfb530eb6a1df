"""The catalogue: read strictly, every fault named with its line, written back the same."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.collect.catalog import (
    default_catalog,
    dump_catalog,
    load_catalog,
    settings_from_mapping,
    settings_to_mapping,
)
from ctiscraper.errors import CatalogError
from ctiscraper.types import (
    Discovery,
    RobotsPolicy,
    Selectors,
    SourceSettings,
    Tier,
    Tlp,
)

GOOD = """\
sources:
  - key: ada
    name: Ada's notes
    url: https://ada.example/
    feed_url: https://ada.example/feed.xml
    discovery: feed
    tier: premium
    interval_minutes: 15
    robots:
      obey: false
      override_reason: The owner agreed by e-mail on 2026-03-01
    crawl_delay: 2
    requests_per_minute: 10
    selectors:
      content: article .body
      remove: [.share, "div > .ad"]
    allow: ["/posts/*"]
    include_words: [malware]
    exclude_words: [podcast]
    min_length: 400
    language: pt-BR
    tlp: amber+strict
    active: false
    fetch_pages: false
    verified: true
    notes: Two lines
"""


def problems(text: str) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load_catalog(text, name="sources.yaml")
    return caught.value.problems


def entry(*lines: str) -> str:
    """A catalogue of one good source with more lines; the first stands on line 5."""
    head = ["sources:", "  - key: ada", "    name: Ada", "    url: https://ada.example/"]
    return "\n".join([*head, *(f"    {line}" for line in lines)])


def test_every_setting_is_read() -> None:
    (source,) = load_catalog(GOOD, name="sources.yaml")

    assert source == SourceSettings(
        key="ada",
        name="Ada's notes",
        url="https://ada.example/",
        feed_url="https://ada.example/feed.xml",
        discovery=Discovery.FEED,
        tier=Tier.PREMIUM,
        interval_minutes=15,
        robots=RobotsPolicy(obey=False, override_reason="The owner agreed by e-mail on 2026-03-01"),
        crawl_delay=2.0,
        requests_per_minute=10,
        selectors=Selectors(content="article .body", remove=(".share", "div > .ad")),
        allow=("/posts/*",),
        include_words=("malware",),
        exclude_words=("podcast",),
        min_length=400,
        language="pt-BR",
        tlp=Tlp.AMBER_STRICT,
        active=False,
        fetch_pages=False,
        verified=True,
        notes="Two lines",
    )


def test_the_tables_of_settings_and_of_the_type_agree() -> None:
    fields = {field.name for field in dataclasses.fields(SourceSettings)}
    (source,) = load_catalog(GOOD, name="sources.yaml")

    assert set(settings_to_mapping(source)) | {"discovery"} == fields


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tier: gold", "tier is 'gold'; use premium, standard or basic"),
        ("feedurl: https://a.example/", "unknown setting 'feedurl'; did you mean 'feed_url'?"),
        ("zzz: 1", "unknown setting 'zzz'; known are key, name, url,"),
        ("language: no", "language is yes/no, not text; write it in quotes"),
        ("language: English", "language is 'English'; use a language tag such as en or pt-BR"),
        ("feed_url: ftp://a.example/", "feed_url 'ftp://a.example/' is not http or https"),
        ("feed_url: //a.example", "feed_url '//a.example' is no URL"),
        ("feed_url: 'http:///x'", "has no host"),
        (f"feed_url: https://{'a.' * 127}example/", "a host name of more than 253 characters"),
        ("feed_url: https://u:p@a.example/", "feed_url holds a user name or password; remove it"),
        ("feed_url: https://a.example/a b", "feed_url holds a space"),
        ("feed_url: https://a.example/" + "é" * 2100, "feed_url is longer than 4096 bytes"),
        ("interval_minutes: 4", "interval_minutes is 4; use 5 to 1440 minutes"),
        ("interval_minutes: true", "interval_minutes is yes/no, not a whole number"),
        ("interval_minutes: 7.5", "interval_minutes is 7.5, not a whole number"),
        ("crawl_delay: .nan", "crawl_delay is nan; use 0 to 60 seconds"),
        ("crawl_delay: 61", "crawl_delay is 61; use 0 to 60 seconds"),
        ("requests_per_minute: 0", "requests_per_minute is 0; use 1 to 60 requests"),
        ("min_length: -1", "min_length is -1; use 0 to 100000 characters"),
        ("robots: {obey: false}", "robots are not obeyed without a reason; add override_reason"),
        ("robots: {override_reason: x}", "but are obeyed; remove it or set obey: false"),
        ("robots: no", "robots is yes/no, not a mapping; write obey, override_reason in it"),
        ("selectors: {content: 'a >'}", "content 'a >' is no CSS selector; mend it"),
        ("selectors: {contents: a}", "unknown setting 'contents'; did you mean 'content'?"),
        ("selectors: {a: b, c: d}", "unknown setting 'c'"),
        ("selectors: {remove: [p, '::']}", "remove value 2 '::' is no CSS selector"),
        ("allow: /posts/*", "allow is '/posts/*', not a list; write - before each value"),
        ("allow: [posts]", "allow value 1 'posts' must match the path of a URL"),
        ("allow: ['/a?b']", "holds ? or #, which are no part of a path"),
        ("include_words: [ok, 7]", "include_words value 2 is 7, not text; write it in quotes"),
        ("include_words: ['']", "include_words value 1 is empty"),
        ("exclude_words: [" + "a, " * 201 + "]", "has more than 200 values; shorten the list"),
        ("tlp: white", "tlp is 'white'; use clear, green, amber, amber+strict or red"),
        ("active: 1", "active is 1; write true or false"),
        ("notes: ", "notes is None, not text; write one or remove the line"),
        ('notes: "\\a"', "notes holds control characters; remove them"),
        ("tier: 2020-99-99", "'2020-99-99' cannot be read; quote it"),
        ("tier: !!python/none ''", "cannot be read; quote it"),
    ],
)
def test_a_fault_is_named_with_its_line_and_its_source(line: str, said: str) -> None:
    first = problems(entry(line))[0]

    assert first.startswith("sources.yaml:5: source 'ada': ")
    assert said in first


def test_every_fault_is_told_at_once_in_line_order() -> None:
    text = entry("tier: gold", "allow:", "  - /ok", "  - wrong", "tlp: white") + "\nmore: 1\n"

    assert [problem.split(": ")[0] for problem in problems(text)] == [
        "sources.yaml:5",
        "sources.yaml:8",
        "sources.yaml:9",
        "sources.yaml:10",
    ]


def test_a_key_that_two_sources_share_is_refused() -> None:
    text = entry() + "\n" + "\n".join(entry().split("\n")[1:])

    assert problems(text) == [
        "sources.yaml:5: source 'ada': the same key stands on line 2; give each source its own"
    ]


def test_a_setting_that_stands_twice_is_refused() -> None:
    assert problems(entry("tier: basic", "tier: premium")) == [
        "sources.yaml:6: source 'ada': 'tier' stands twice; keep one of them"
    ]


def test_what_must_be_there_is_asked_for() -> None:
    assert problems("sources:\n  - tier: basic\n") == [
        "sources.yaml:2: source without key: 'key' is missing; add it",
        "sources.yaml:2: source without key: 'name' is missing; add it",
        "sources.yaml:2: source without key: 'url' is missing; add it",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sources.yaml:1: no list of sources; start the file with 'sources:'"),
        ("a: ]", "sources.yaml:1: not YAML: "),
        ("a: b\n---\nc: d", "sources.yaml:2: not YAML: "),
        ("sources: \0", "sources.yaml:1: not YAML: "),
        ("sources:\n  - &a {key: x}\n  - *a", "sources.yaml:2: uses an anchor or alias"),
        ("[" * 100_000, "sources.yaml:1: is nested deeper than 8 levels; flatten it"),
        ("sources: '\ud800'", "sources.yaml:1: holds half of a Unicode character"),
        ("# " + "x" * (1 << 20), "sources.yaml:1: is 1048578 bytes long; split it"),
        ("sources:\n  a: b", "sources.yaml:1: 'sources' must be a list"),
        ("sources:\n  - just text", "sources.yaml:2: an entry is no mapping"),
        ("? [a]\n: b\nsources: []", "sources.yaml:1: a key on line 1 is no word"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(text: str, said: str) -> None:
    assert problems(text)[0].startswith(said)


def test_an_object_tag_makes_no_object() -> None:
    assert "cannot be read" in problems(entry("notes: !!python/name:os.system ''"))[0]


def test_a_mapping_without_lines_is_checked_the_same() -> None:
    with pytest.raises(CatalogError) as caught:
        settings_from_mapping({"key": "a", "name": "A", "url": "nowhere", "tier": None})

    assert caught.value.problems == [
        "source 'a': url 'nowhere' is no URL; write https://host/path",
        "source 'a': tier is None; use premium, standard or basic",
    ]


def test_only_what_differs_from_the_defaults_is_written() -> None:
    mapping = {"key": "a", "name": "A", "url": "https://a.example/", "robots": {"obey": True}}

    assert settings_to_mapping(settings_from_mapping(mapping)) == {
        "key": "a",
        "name": "A",
        "url": "https://a.example/",
    }


_WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=40)
_SETTINGS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "key": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
        "name": _WORDS,
        "url": st.just("https://a.example/"),
    },
    optional={
        "discovery": st.sampled_from(Discovery).map(str),
        "tier": st.sampled_from(Tier).map(str),
        "tlp": st.sampled_from(Tlp).map(str),
        "interval_minutes": st.integers(5, 1440),
        "crawl_delay": st.floats(0, 60),
        "include_words": st.lists(_WORDS, max_size=3),
        "language": st.sampled_from(["no", "en", "zh-Hant"]),
        "notes": st.text(_WORDS.map(lambda word: word[0]) | st.just("\n"), max_size=50),
        "selectors": st.fixed_dictionaries(
            {}, optional={"title": st.just("h1"), "date": st.just("time")}
        ),
    },
)


@given(st.lists(_SETTINGS, max_size=4, unique_by=lambda row: row["key"]))
def test_what_is_written_reads_back_the_same(rows: list[dict[str, Any]]) -> None:
    sources = tuple(settings_from_mapping(row) for row in rows)

    assert load_catalog(dump_catalog(sources), name="x") == sources


@given(st.text() | st.text().map(lambda text: f"sources:\n  - key: a\n    name: {text}"))
def test_any_text_gives_sources_or_problems(text: str) -> None:
    found = ["x:1: none"]
    try:
        load_catalog(text, name="x")
    except CatalogError as error:
        found = error.problems

    assert found
    assert all(problem.startswith("x:") for problem in found)


def test_the_catalogue_that_comes_with_the_product() -> None:
    sources = default_catalog()

    assert len(sources) >= 60
    assert {source.tier for source in sources} == set(Tier)
    assert {source.discovery for source in sources} == set(Discovery)
    assert all(source.language and source.tlp is Tlp.CLEAR for source in sources)
    assert all(source.robots.obey for source in sources)
    assert all(source.notes for source in sources if not source.active)
    addresses = [source.feed_url for source in sources if source.feed_url]
    assert len(addresses) == len(set(addresses))

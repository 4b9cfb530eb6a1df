"""The score: a mean of parts that show their evidence, bounded and monotone, of any text."""

import time
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.hunting import huntability
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.score import DUPLICATE, NO_WATCHLIST, joined_parts, stale_in, total
from ctiscraper.enrich.text_score import DENIED, score, text_parts
from ctiscraper.intelligence import Extractor, Mention, ScorePart, Verdict
from ctiscraper.weighing import (
    DEFAULT_WEIGHTS,
    CveFact,
    PartName,
    ScoreFacts,
    SeenEntity,
    WatchHit,
    WatchKind,
    WatchTerm,
)
from make_scores import mention

TEXT = (
    "Attackers are exploiting CVE-2026-1234 in the wild. The loader spawned rundll32.exe "
    "C:\\ProgramData\\k.dll,Start and beaconed to evil[.]example for command and control."
)


def mentions_of(text: str) -> tuple[Mention, ...]:
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for one in find_observables(text):
        places.setdefault((one.kind.value, one.value), []).append((one.start, one.end))
    return tuple(
        Mention(
            kind=kind,
            value=value,
            extractor=Extractor.OBSERVABLES,
            places=tuple(found[:50]),
            count=len(found),
        )
        for (kind, value), found in places.items()
    )


def part(parts: tuple[ScorePart, ...], name: PartName) -> ScorePart:
    [found] = [one for one in parts if one.name == name]
    return found


def hit(weight: float = 0.5, *, prominent: bool = True, count: int = 1) -> WatchHit:
    entry = WatchTerm(id=1, kind=WatchKind.VENDOR, term="Fortinet", weight=weight)
    return WatchHit(entry=entry, count=count, prominent=prominent, start=3, end=11)


def test_every_part_is_there_in_order_with_evidence_and_its_place() -> None:
    facts = ScoreFacts(
        seen=(SeenEntity(kind="domain", value="evil.example", start=130, end=144),),
        cves=(CveFact(id="CVE-2026-1234", kev_added="2026-11-20", kev_age=1),),
        watched=True,
        hits=(hit(count=4),),
    )
    value, parts = score(TEXT, "Exploited", mentions_of(TEXT), facts)
    assert [one.name for one in parts] == list(PartName)
    assert [one.weight for one in parts] == [DEFAULT_WEIGHTS[name] for name in PartName]
    assert 0.5 < value < 1
    hunted = part(parts, PartName.HUNTABILITY)
    assert "loader" in hunted.evidence
    for words, (start, end) in zip(hunted.evidence, hunted.places, strict=True):
        assert TEXT[start:end].lower() == words.lower() or "[" in TEXT[start:end]
    urgent = part(parts, PartName.URGENCY)
    assert urgent.evidence[0].startswith("CVE-2026-1234: exploited, in KEV since 2026-11-20")
    assert part(parts, PartName.RELEVANCE).evidence == ("Fortinet (vendor, 4 times)",)
    assert part(parts, PartName.RELEVANCE).places == ((3, 11),)
    assert part(parts, PartName.NOVELTY).evidence == ("evil.example",)


def test_huntability_is_that_of_the_text_whether_mentions_or_the_text_are_read() -> None:
    found = part(text_parts(TEXT, "", mentions_of(TEXT)), PartName.HUNTABILITY)
    assert found.value == pytest.approx(huntability(TEXT).score, abs=1e-4)


def test_an_empty_watchlist_neither_helps_nor_hurts() -> None:
    parts = text_parts(TEXT, "", ())
    without = joined_parts(parts, ScoreFacts())
    assert part(without, PartName.RELEVANCE).note == NO_WATCHLIST
    assert part(without, PartName.RELEVANCE).weight == 0
    others = {name: w for name, w in DEFAULT_WEIGHTS.items() if name != PartName.RELEVANCE}
    assert total(without) == total(joined_parts(parts, ScoreFacts(watched=True), others))
    assert total(joined_parts(parts, ScoreFacts(watched=True))) < total(without)


def test_a_passing_mention_of_an_entry_counts_half() -> None:
    values = [
        part(joined_parts((), ScoreFacts(watched=True, hits=hits)), PartName.RELEVANCE).value
        for hits in ((), (hit(prominent=False),), (hit(),), (hit(), hit()))
    ]
    assert values == [0, 0.25, 0.5, 0.75]


def test_what_was_there_before_is_not_new() -> None:
    new, known = SeenEntity(kind="sha256", value="a"), SeenEntity(kind="url", value="b", earlier=3)
    values = [
        part(joined_parts((), facts), PartName.NOVELTY).value
        for facts in (
            ScoreFacts(seen=(new, new)),
            ScoreFacts(seen=(new, known)),
            ScoreFacts(seen=(known, known)),
            ScoreFacts(),
        )
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[1] > values[2] > values[3] == 0
    copy = part(joined_parts((), ScoreFacts(seen=(new,), duplicate=True)), PartName.NOVELTY)
    assert (copy.value, copy.note) == (0, DUPLICATE)


def test_urgency_fades_and_says_so() -> None:
    parts = text_parts(TEXT, "", ())
    fresh, old = (
        part(joined_parts(parts, ScoreFacts(age_days=days)), PartName.URGENCY) for days in (0, 20)
    )
    assert old.value < fresh.value
    assert "20 days old: 65% of it is left" in old.note
    assert stale_in(ScoreFacts(age_days=20), (old,)) == 10
    assert stale_in(ScoreFacts(age_days=20), ()) is None
    assert stale_in(ScoreFacts(age_days=400), (old,)) is None


def test_a_denial_is_told() -> None:
    parts = text_parts("There is no evidence of exploitation.", "", ())
    assert part(parts, PartName.URGENCY).note == DENIED


def test_keywords_are_shown_and_weigh_nothing() -> None:
    with_words, without = (
        joined_parts((ScorePart(name="keywords", value=v, weight=1.0),), ScoreFacts())
        for v in (1.0, 0.0)
    )
    assert total(with_words) == total(without)
    assert part(with_words, PartName.KEYWORDS).value == 1


def test_nothing_that_weighs_is_no_score() -> None:
    assert total(()) == 0
    assert total((ScorePart(name="x", value=1, weight=0),)) == 0


unit = st.floats(0, 1)
facts = st.builds(
    ScoreFacts,
    age_days=st.floats(-10, 4_000),
    duplicate=st.booleans(),
    seen=st.lists(
        st.builds(
            SeenEntity, kind=st.just("url"), value=st.text(max_size=5), earlier=st.integers(0, 3)
        ),
        max_size=4,
    ).map(tuple),
    cves=st.lists(
        st.builds(CveFact, id=st.just("CVE-2026-1"), cvss=st.floats(0, 10), epss=unit), max_size=3
    ).map(tuple),
    watched=st.booleans(),
    hits=st.lists(st.builds(hit, weight=st.floats(0.01, 1)), max_size=3).map(tuple),
)
weights = st.fixed_dictionaries({name: st.floats(0, 100) for name in PartName})


@dataclass(frozen=True)
class Given:
    huntability: float
    urgency: float
    keywords: float

    def parts(self) -> tuple[ScorePart, ...]:
        return tuple(
            ScorePart(name=name, value=value, weight=1.0)
            for name, value in (
                ("huntability", self.huntability),
                ("urgency", self.urgency),
                ("keywords", self.keywords),
            )
        )


@given(st.builds(Given, unit, unit, unit), st.builds(Given, unit, unit, unit), facts, weights)
def test_it_is_bounded_and_no_part_that_grows_makes_it_less(
    one: Given, other: Given, known: ScoreFacts, weighing: dict[str, float]
) -> None:
    least = Given(*(min(pair) for pair in zip(_of(one), _of(other), strict=True)))
    low = total(joined_parts(least.parts(), known, weighing))
    high = total(joined_parts(one.parts(), known, weighing))
    assert 0 <= low <= high + 2e-4
    assert high <= 1


def _of(one: Given) -> tuple[float, float, float]:
    return one.huntability, one.urgency, one.keywords


@given(facts)
def test_one_more_hit_or_cve_never_makes_it_less(known: ScoreFacts) -> None:
    more = msgspec.structs.replace(
        known,
        hits=(*known.hits, hit()),
        cves=(*known.cves, CveFact(id="CVE-2026-9", cvss=9.8, kev_added="2026-11-01")),
    )
    assert total(joined_parts((), known)) <= total(joined_parts((), more)) + 2e-4


@given(
    st.text(st.characters(exclude_categories=[]), max_size=300),
    st.text(st.characters(exclude_categories=[]), max_size=60),
)
def test_any_text_has_a_score_that_can_be_stored(text: str, title: str) -> None:
    value, parts = score(text, title, (), ScoreFacts())
    assert 0 <= value <= 1
    stored = msgspec.json.encode(parts)
    assert b"\\u0000" not in stored
    assert msgspec.json.decode(stored, type=tuple[ScorePart, ...]) == parts


@pytest.mark.parametrize(
    "piece", [".", "[", "could be exploited ", "rundll32 ", "\u202eé\ud800 zero-day ", "a.b[.]c "]
)
def test_long_texts_take_no_longer_than_their_length(piece: str) -> None:
    text = piece * (5_000_000 // len(piece))
    mention = Mention(
        kind="url", value="x", extractor=Extractor.OBSERVABLES, places=((0, 1),), count=1
    )
    began = time.process_time()
    text_parts(text, piece, (mention,))
    assert time.process_time() - began < 30


def test_what_only_refers_to_more_is_not_to_be_hunted_for() -> None:
    text = "See https://vendor.example/a and then http://evil.example/x for more."
    urls = ("https://vendor.example/a", "http://evil.example/x")
    mentions = [
        mention(
            "url", url, extractor=Extractor.OBSERVABLES, verdict=verdict,
            places=((text.index(url), text.index(url) + len(url)),),
        )
        for url, verdict in zip(urls, (Verdict.BENIGN, Verdict.MALICIOUS), strict=True)
    ]  # fmt: skip
    hunted = part(text_parts(text, "", mentions), PartName.HUNTABILITY)
    assert "http://evil.example/x" in hunted.evidence
    assert "https://vendor.example/a" not in hunted.evidence

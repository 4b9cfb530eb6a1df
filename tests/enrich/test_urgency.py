"""Urgency: what is under way counts, hedges count less, denials count against."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.urgency import urgency
from ctiscraper.enrich.urgent_facts import cve_strength, cve_words, fading, with_cves
from ctiscraper.weighing import CveFact


@pytest.mark.parametrize(
    "text",
    [
        "The flaw is being actively exploited and CISA added it to the KEV catalog.",
        "Attackers are exploiting a zero-day vulnerability in the wild.",
        "An out-of-band patch fixes a bug under active attack; update immediately.",
        "Mass exploitation began a day after a proof-of-concept exploit was released.",
        "A public exploit exists for the unauthenticated remote code execution, CVSS score of 9.8.",
        "In an ongoing campaign the affiliates deployed ransomware and left a ransom note.",
    ],
)
def test_what_is_under_way_is_urgent(text: str) -> None:
    done = urgency(text)
    assert done.value > 0.4
    assert done.words
    assert all(
        text[start:end] == w for w, (start, end) in zip(done.words, done.places, strict=True)
    )


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("The vendor sells a platform for log management.", 0.0),
        ("Thanks to Zero Day Initiative for the report.", 0.0),
        ("There is no evidence of exploitation in the wild.", 0.0),
        ("We are not aware of any exploitation of this issue.", 0.0),
        ("The flaw has not been exploited in the wild.", 0.0),
        ("It isn't known to be exploited.", 0.0),
        ("The bug could be exploited in the wild.", 0.25),
        ("An attacker may use exploit code.", 0.15),
    ],
)
def test_what_only_might_be_is_not(text: str, most: float) -> None:
    assert urgency(text).value <= most


def test_not_only_is_no_denial() -> None:
    assert urgency("It was not only found but is actively exploited.").value > 0.5


def test_a_denial_counts_against_what_else_is_said() -> None:
    said = "A proof-of-concept exploit was released. Update immediately."
    denied = urgency(f"{said} There is no evidence of active exploitation.")
    assert denied.denied
    assert 0 < denied.value < urgency(said).value


def test_a_title_counts_whole_and_the_end_of_an_article_less() -> None:
    said = "Example Firewall zero-day actively exploited"
    late = "Plain words of a long article. " * 100 + said
    assert urgency("x", said).value == urgency(said).value > urgency(late).value > 0
    assert set(urgency("x", said).places) == {(0, 0)}


def test_figures_of_cves_make_an_article_urgent() -> None:
    kev = CveFact(id="CVE-2026-1", kev_added="2026-11-01", kev_age=3, cvss=9.8, epss=0.94)
    old = CveFact(id="CVE-2017-1", kev_added="2021-11-03", kev_age=1800, cvss=8.1, epss=0.9)
    plain = CveFact(id="CVE-2026-2", cvss=5.0)
    assert cve_strength(kev) > 0.7 > cve_strength(old) > cve_strength(plain) > 0
    assert cve_strength(CveFact(id="CVE-2026-3")) == 0
    passing = CveFact(id="CVE-2026-1", start=9_000, cvss=9.8)
    often = CveFact(id="CVE-2026-1", start=9_000, count=3, cvss=9.8)
    assert cve_strength(passing) < cve_strength(often)
    assert cve_words(kev) == ("CVE-2026-1: exploited, in KEV since 2026-11-01, EPSS 0.94, CVSS 9.8")
    assert cve_words(CveFact(id="CVE-2026-3")) == "CVE-2026-3"


def test_it_fades_with_age_and_says_when_next() -> None:
    assert fading(-5) == (1.0, 3.0)
    assert fading(0) == (1.0, 3.0)
    assert fading(2) == (1.0, 1.0)
    left = [fading(days)[0] for days in (0, 4, 10, 60, 400)]
    assert left == sorted(left, reverse=True)
    assert fading(400)[1] is None


unit = st.floats(0, 1)
cves = st.builds(
    CveFact,
    id=st.just("CVE-2026-1"),
    count=st.integers(1, 10),
    start=st.integers(0, 9_000),
    cvss=st.none() | st.floats(0, 10),
    epss=st.none() | unit,
    kev_added=st.sampled_from(["", "2026-11-01"]),
    kev_age=st.none() | st.floats(-10, 4_000),
    kev_ransomware=st.booleans(),
)


@given(unit, st.lists(cves, max_size=4), cves)
def test_more_reasons_never_make_it_less_urgent(
    words: float, known: list[CveFact], one: CveFact
) -> None:
    before = with_cves(words, known)
    assert 0 <= before <= with_cves(words, [*known, one]) <= 1
    assert before <= with_cves(min(1.0, words + 0.1), known) + 1e-12


@given(st.text(max_size=300), st.text(max_size=50))
def test_any_text_has_an_urgency(text: str, title: str) -> None:
    assert 0 <= urgency(text, title).value <= 1


@pytest.mark.parametrize(
    "piece", ["exploited in the wild ", "not ", ". ", "no evidence of ", "é\ud800 "]
)
def test_long_texts_take_no_longer_than_their_length(piece: str) -> None:
    text = piece * (5_000_000 // len(piece))
    began = time.process_time()
    urgency(text)
    assert time.process_time() - began < 10

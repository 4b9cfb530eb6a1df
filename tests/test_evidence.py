"""Places become words, sentences and sections; wrong ones are left out."""

from dataclasses import replace

from ctiscraper.entity_views import EntitySummary, MentionView
from ctiscraper.evidence import described

TEXT = "A report\nIntro. It calls evil.org today.\nIndicators\nevil.org\n203.0.113.9"
HTML = "<h1>A report</h1><p>Intro.</p><h2>Indicators</h2><ul><li>evil.org</li></ul>"


def mention(*places: tuple[int, int]) -> MentionView:
    thing = EntitySummary(
        id=1,
        kind="domain",
        value="evil.org",
        name="",
        verdict=None,
        team=None,
        articles=1,
        sources=1,
        first_seen=None,
        last_seen=None,
        freshness=1.0,
    )
    return MentionView(
        entity=thing,
        count=len(places),
        starts=tuple(start for start, _ in places),
        ends=tuple(end for _, end in places),
        verdict=None,
        found_verdict=None,
        reasons=(),
        alias="",
        rule="",
        extractor="observables",
        version="1",
    )


def test_each_place_has_its_sentence_and_section() -> None:
    first, second = TEXT.index("evil"), TEXT.rindex("evil")
    [one] = described(TEXT, HTML, [mention((first, first + 8), (second, second + 8))], 5)
    assert [(p.words, p.sentence, p.section) for p in one.places] == [
        ("evil.org", "It calls evil.org today.", "A report"),
        ("evil.org", "evil.org", "Indicators"),
    ]
    assert TEXT[one.places[0].sentence_start :].startswith("It calls")


def test_no_more_places_are_told_than_asked_for() -> None:
    [one] = described(TEXT, HTML, [mention((0, 1), (2, 4))], 1)
    assert len(one.places) == 1
    [none] = described(TEXT, HTML, [mention((0, 1))], 0)
    assert none.places == ()


def test_places_of_another_text_are_left_out() -> None:
    [one] = described("short", "", [replace(mention((2, 99), (0, 5)), count=2)], 5)
    assert [place.words for place in one.places] == ["short"]

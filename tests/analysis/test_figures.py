"""Numbers of a claim, held against those of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.analysis.figures import figures_of, strange_figure

TEXT = """On 3 May 2026 the wiper v4.2 hit twelve clinics and 1,200 servers (60%) from 203.0.113.9,
by CVE-2026-1111, for the 7th time; twenty-five million records, 12 300 of them on x86 machines."""
KNOWN = figures_of(TEXT)


@pytest.mark.parametrize(
    "claim",
    [
        "12 clinics were hit on 2026-05-03.",
        "Twelve clinics and 1200 servers were hit.",
        "Version 4.2 did it for the 7th time, at 60 percent.",
        "25 million records are gone.",
        "Twenty-five million records are gone, 12,300 of them on x86.",
        "203.0.113.9 used CVE-2026-1111.",
        "The two of them, and one more.",
        "",
    ],
)
def test_what_the_text_counts_is_known(claim: str) -> None:
    assert strange_figure(claim, KNOWN) is None


@pytest.mark.parametrize(
    ("claim", "strange"),
    [
        ("On 2 May 2026 it was hit.", "2"),
        ("It was hit on 2026-06-03.", None),
        ("It was hit on 2026-05-04.", "4"),
        ("113 clinics were hit.", "113"),
        ("9 clinics were hit.", "9"),
        ("120 servers were hit.", "120"),
        ("1,2000 servers were hit.", "1,2000"),
        ("Version 4.20 was used.", "4.20"),
        ("Version v4 was used.", "v4"),
        ("Thirteen clinics were hit.", "thirteen"),
        ("25 billion records are gone.", "billion"),
        ("Thousands of records are gone.", "thousands"),
        ("It runs on x64.", "x64"),
        ("For the 8th time.", "8th"),
        ("For the 4th time.", "4th"),
    ],
)
def test_what_it_does_not_count_is_strange(claim: str, strange: str | None) -> None:
    assert strange_figure(claim, KNOWN) == strange


@given(st.text(max_size=200))
def test_no_text_has_figures_that_are_strange_to_itself(text: str) -> None:
    assert strange_figure(text, figures_of(text)) is None


def test_long_texts_take_no_long_time() -> None:
    for piece in ("1,", "1.1.", "1 234 ", "twenty-", "x1", "9" * 50):
        strange_figure(piece * 2_000, figures_of(piece * 2_000))

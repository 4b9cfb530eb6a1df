"""What models said is printed with its mark, and nothing of it moves a terminal."""

from datetime import UTC, datetime

import pytest

from ctiscraper.cli.said import print_analysis
from ctiscraper.model_views import AnalysisRow, AnalysisState, AnalysisView, ClaimView, QuoteView

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
UGLY = "\x1b[2J\u202eclaim\x07 [bold]" + "x" * 300


def view(**changes: object) -> AnalysisView:
    values: dict[str, object] = {
        "id": 5,
        "article_id": 1,
        "revision": 1,
        "current": False,
        "task": "summary",
        "model": UGLY,
        "prompt_version": "summary-1",
        "state": AnalysisState.DONE,
        "asked_by": UGLY,
        "asked_at": AT,
        "why": {},
        "failed_parts": {},
        "claims": (),
        "detail": UGLY,
        "raw": UGLY,
    }
    return AnalysisView(**{**values, **changes})  # type: ignore[arg-type]  # a builder


@pytest.mark.parametrize("state", list(AnalysisState))
def test_ugly_words_are_printed_as_words(
    state: AnalysisState, capsys: pytest.CaptureFixture[str]
) -> None:
    quote = QuoteView(text=UGLY, start=0, end=1)
    claim = ClaimView(number=1, text=UGLY, quotes=(quote,), fields={"rule": UGLY, "verb": UGLY})
    one = view(state=state, claims=(claim,), why={UGLY: 1}, dropped=1)
    print_analysis(AnalysisRow(analysis=one, title=UGLY, source_key="a", source_name=UGLY))
    told = capsys.readouterr().out
    assert not set(told) & {"\x1b", "\x07", "\u202e"}
    assert "[bold]" in told
    assert "of an earlier text" in told
    assert "written by a program that can be wrong" in told
    assert "1 did not hold for another reason" in told

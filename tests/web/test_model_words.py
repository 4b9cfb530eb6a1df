"""How answers of models read on a page, and which of them stand there."""

from datetime import UTC, datetime

import pytest

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.model_views import (
    AnalysisState,
    AnalysisView,
    ArticleAnalyses,
    ClaimView,
    QuoteView,
)
from ctiscraper.web.model_words import latest, quoted_places, state_words

AT = datetime(2026, 11, 27, tzinfo=UTC)


def answer(number: int = 1, task: TaskName = TaskName.SUMMARY, **changes: object) -> AnalysisView:
    values: dict[str, object] = {
        "id": number,
        "article_id": 1,
        "revision": 1,
        "current": True,
        "task": task.value,
        "model": "small",
        "prompt_version": "1",
        "state": AnalysisState.DONE,
        "asked_by": "",
        "asked_at": AT,
        "why": {},
        "failed_parts": {},
        **changes,
    }
    return AnalysisView(**values)  # type: ignore[arg-type]  # a builder


NOBODY = "done: no model had to be asked, as "
TITLE_WORDS = f"{NOBODY}there is no title, or one that was taken to be in English"
WATCH_WORDS = f"{NOBODY}nothing was watched for, or no reader sees any of the text"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (answer(parts=1), "done: nothing was said that the text proves"),
        (answer(prompt_tokens=9), "done: nothing was said that the text proves"),
        (answer(copied_from=3), "done: nothing was said that the text proves"),
        (answer(), "done: there was nothing to ask"),
        (
            answer(task=TaskName.TITLE),
            TITLE_WORDS,
        ),
        (
            answer(task=TaskName.RELEVANCE),
            WATCH_WORDS,
        ),
        (answer(state=AnalysisState.FAILED), "failed"),
    ],
)
def test_an_answer_without_claims_says_why(shown: AnalysisView, words: str) -> None:
    assert state_words(shown) == words


def numbers(*analyses: AnalysisView) -> list[int]:
    """Those that stand on the page, given the newest of each task first."""
    return [one.id for one in latest(everything(*analyses))]


def everything(*analyses: AnalysisView) -> ArticleAnalyses:
    return ArticleAnalyses(
        configured=True, model="small", models=("small",), remote=(), tasks=(), analyses=analyses
    )


def test_of_each_task_and_model_the_newest_stands_on_the_page() -> None:
    assert numbers(answer(3), answer(2), answer(1, model="large")) == [3, 1]
    assert numbers(answer(3), answer(2, TaskName.TITLE)) == [3, 2]
    assert numbers(answer(3), answer(2, current=False)) == [3]
    assert numbers(answer(2, current=False)) == []


def test_an_answer_stands_until_there_is_a_newer_one() -> None:
    waits, failed = AnalysisState.PENDING, AnalysisState.FAILED
    assert numbers(answer(3, state=waits), answer(2)) == [3, 2]
    assert numbers(answer(4, state=waits), answer(3, state=failed), answer(2), answer(1)) == [4, 2]
    assert numbers(answer(3), answer(2, state=AnalysisState.CANCELLED)) == [3]


def test_only_words_of_answers_on_the_page_are_marked_in_the_text() -> None:
    def quoting(number: int, start: int) -> AnalysisView:
        quote = QuoteView(text="abc", start=start, end=start + 3)
        return answer(number, claims=(ClaimView(number=1, text="A.", quotes=(quote,), fields={}),))

    assert quoted_places(everything(quoting(2, 10), quoting(1, 50))) == {(10, 13)}

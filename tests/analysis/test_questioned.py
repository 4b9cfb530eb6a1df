"""Labelled questions, and how well what was found for them does."""

from ctiscraper.analysis.labelled import bundled_set
from ctiscraper.analysis.questioned import (
    LabelledQuestion,
    Standing,
    bundled_questions,
    halves,
    recall_at,
    reciprocal_rank,
    standing_of,
)
from ctiscraper.demo.library import load_articles


def test_each_answer_is_an_article_that_comes_along() -> None:
    known = {one.slug for one in load_articles()} | {one.name for one in bundled_set().articles}
    questions = bundled_questions()
    assert {name for one in questions for name in one.answers} <= known
    assert len({one.question.lower() for one in questions}) == len(questions)


def test_both_halves_have_enough_of_either_kind() -> None:
    for half in halves(bundled_questions()):
        assert sum(one.is_answered for one in half) >= 20
        assert sum(not one.is_answered for one in half) >= 10


def test_recall_is_of_all_that_answers_as_far_as_it_has_room() -> None:
    listed = ["a", "b", "c", "d"]
    assert recall_at(listed, frozenset("ad"), 5) == 1.0
    assert recall_at(listed, frozenset("ad"), 3) == 0.5
    assert recall_at(listed, frozenset("ax"), 1) == 1.0
    assert recall_at([], frozenset("a"), 5) == 0.0


def test_the_first_that_answers_counts() -> None:
    assert reciprocal_rank(["a", "b", "c"], frozenset("cb")) == 0.5
    assert reciprocal_rank(["a"], frozenset("z")) == 0.0


def test_refusals_are_told_apart_from_what_is_kept() -> None:
    known = LabelledQuestion(question="known?", answers=frozenset("a"))
    unknown = LabelledQuestion(question="unknown?", answers=frozenset())
    found = standing_of(
        [
            (known, ["a"], False),
            (known, ["b", "a"], True),
            (unknown, ["b"], True),
            (unknown, [], True),
        ]
    )
    assert found == Standing(recall=1.0, reciprocal=0.75, refused=1.0, kept=0.5)

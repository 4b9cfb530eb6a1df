"""Questions with the articles that answer them, and how well what was found for them does."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ctiscraper.analysis.labelled import Words

FILE = "questions.yaml"


class LabelledQuestion(BaseModel):
    """A question, and the names of all articles that answer it, none where nothing does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Words
    answers: frozenset[Words]

    @property
    def is_answered(self) -> bool:
        """Whether anything answers it."""
        return bool(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How well some questions did.

    Of those that are answered: `recall`, how many of their articles are among the first five, and
    `reciprocal`, the mean of one by the place of the first of them. `refused` is how many of
    those that nothing answers were refused, `kept` how many of the others were not.
    """

    recall: float
    reciprocal: float
    refused: float
    kept: float


def bundled_questions() -> tuple[LabelledQuestion, ...]:
    """Return the questions that come along."""
    text = files("ctiscraper.analysis").joinpath("sets", FILE).read_text("utf-8")
    return TypeAdapter(tuple[LabelledQuestion, ...]).validate_python(yaml.safe_load(text))


def halves(
    questions: Sequence[LabelledQuestion],
) -> tuple[tuple[LabelledQuestion, ...], tuple[LabelledQuestion, ...]]:
    """Return the half that constants are fitted to, and the half that they are judged by."""
    return tuple(questions[::2]), tuple(questions[1::2])


def recall_at(listed: Sequence[str], answers: frozenset[str], most: int) -> float:
    """Return which part of the articles that answer, or of so many of them, stands first."""
    return len(answers & set(listed[:most])) / min(len(answers), most)


def reciprocal_rank(listed: Sequence[str], answers: frozenset[str]) -> float:
    """Return one by the place of the first article that answers, 0 where none was found."""
    return next((1 / place for place, name in enumerate(listed, 1) if name in answers), 0.0)


def standing_of(
    found: Sequence[tuple[LabelledQuestion, Sequence[str], bool]], *, most: int = 5
) -> Standing:
    """Return how well questions did, each with the articles found and whether it was refused.

    There are some of either kind.
    """
    answered = [one for one in found if one[0].is_answered]
    others = [one for one in found if not one[0].is_answered]
    return Standing(
        recall=_mean([recall_at(listed, one.answers, most) for one, listed, _ in answered]),
        reciprocal=_mean([reciprocal_rank(listed, one.answers) for one, listed, _ in answered]),
        refused=_mean([float(refused) for _, _, refused in others]),
        kept=_mean([float(not refused) for _, _, refused in answered]),
    )


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)

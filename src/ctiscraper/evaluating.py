"""Measuring a model: every task over labelled articles, whose answers are compared with labels."""

from collections.abc import Callable, Sequence
from typing import Protocol

from ctiscraper.analysing import Within, analyse
from ctiscraper.analysis.analysed import AnalysedText, Analysis, TaskName
from ctiscraper.analysis.scored import ModelScore, Scored, summed
from ctiscraper.analysis.tasks import task_of
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import ModelServer

# What a model itself is to blame for. Of the rest a score would say nothing.
_OF_THE_MODEL = frozenset(
    (
        ModelFault.BAD_ANSWER,
        ModelFault.CUT_OFF,
        ModelFault.WRONG_LANGUAGE,
        ModelFault.TIMEOUT,
        ModelFault.TOO_LONG,
    )
)

Told = Callable[[TaskName, Scored], None]


class Case(Protocol):
    """An article, and what is known to be right or wrong of it."""

    @property
    def name(self) -> str:
        """What it is called where scores are told."""
        ...

    def shown(self) -> AnalysedText:
        """Return it as it is given to a model."""
        ...

    def is_for(self, task: TaskName) -> bool:
        """Whether a model is asked this of it."""
        ...

    def labels(self, task: TaskName) -> int:
        """Return how many things a perfect answer finds."""
        ...

    def scored(self, task: TaskName, analysis: Analysis) -> Scored:
        """Return how an answer compares with what is known."""
        ...


class Cases(Protocol):
    """Some articles; two sets with one `version` are the same."""

    @property
    def articles(self) -> Sequence[Case]:
        """What a model is asked about."""
        ...

    @property
    def version(self) -> str:
        """What the set is called."""
        ...


def _silent(task: TaskName, scored: Scored) -> None:
    """Tell nobody."""
    del task, scored


class Evaluation:
    """A model at a server, to be measured within some limits."""

    def __init__(
        self, server: ModelServer, model: str, *, seconds: float, within: Within | None = None
    ) -> None:
        """Keep whom to ask; `seconds` are for one answer."""
        self._server = server
        self._model = model
        self._seconds = seconds
        self._within = within or Within()

    async def score(
        self, tasks: Sequence[TaskName], cases: Cases, told: Told = _silent
    ) -> ModelScore:
        """Return how well the model does each task; `told` hears of each answer as it comes.

        Raises ModelError where the server is at fault and not the model.
        """
        scores = []
        for task in tasks:
            done = []
            for article in cases.articles:
                if article.is_for(task):
                    done.append(await self._scored(task, article))
                    told(task, done[-1])
            scores.append(summed(task, task_of(task).version, done))
        return ModelScore(
            model=self._model,
            server=self._server.name,
            set_version=cases.version,
            tasks=tuple(scores),
        )

    async def _scored(self, task: TaskName, article: Case) -> Scored:
        try:
            analysis = await analyse(
                self._server,
                task,
                article.shown(),
                model=self._model,
                seconds=self._seconds,
                within=self._within,
            )
        except ModelError as error:
            if error.fault not in _OF_THE_MODEL:
                raise
            missed = article.labels(task)
            return Scored(article=article.name, analysis=None, fault=error.fault, missed=missed)
        return article.scored(task, analysis)

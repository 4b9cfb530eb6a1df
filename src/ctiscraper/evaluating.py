"""Measuring a model: every task over labelled articles, whose answers are compared with labels."""

from collections.abc import Callable, Sequence

from ctiscraper.analysing import Within, analyse
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.labelled import LabelledArticle, LabelledSet
from ctiscraper.analysis.scored import ModelScore, Scored, is_for, labels_of, score, summed
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
        self, tasks: Sequence[TaskName], labelled: LabelledSet, told: Told = _silent
    ) -> ModelScore:
        """Return how well the model does each task; `told` hears of each answer as it comes.

        Raises ModelError where the server is at fault and not the model.
        """
        scores = []
        for task in tasks:
            done = []
            for article in labelled.articles:
                if is_for(task, article):
                    done.append(await self._scored(task, article))
                    told(task, done[-1])
            scores.append(summed(task, task_of(task).version, done))
        return ModelScore(
            model=self._model,
            server=self._server.name,
            set_version=labelled.version,
            tasks=tuple(scores),
        )

    async def _scored(self, task: TaskName, article: LabelledArticle) -> Scored:
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
            missed = labels_of(task, article)
            return Scored(article=article.name, analysis=None, fault=error.fault, missed=missed)
        return score(task, article, analysis)

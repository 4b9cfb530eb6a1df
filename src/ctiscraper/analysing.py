"""Asking a model about one article, and keeping only what the article itself proves."""

from ctiscraper.analysis.analysed import AnalysedText, Analysis, TaskName
from ctiscraper.errors import UnavailableError
from ctiscraper.models.server import ModelServer


async def analyse(
    server: ModelServer, task: TaskName, text: AnalysedText, *, model: str, seconds: float
) -> Analysis:
    """Return what a model finds in an article by one task.

    Raises ModelError, whose `raw` is the last answer, where none could be used.
    """
    said = f"{task} of {text.title!r} by {model} at {server.name} within {seconds:g} s"
    raise UnavailableError(f"no task is here: {said}")

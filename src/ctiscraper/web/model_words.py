"""How tasks, states and waits of models read on pages."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ctiscraper.analysis.analysed import RULES, TaskName
from ctiscraper.errors import ModelFault
from ctiscraper.fault_words import advice_on, dropped_words, failed_parts_words, said_of
from ctiscraper.model_views import (
    AnalysisState,
    AnalysisView,
    ArticleAnalyses,
    ClaimView,
    EvaluationView,
    Waits,
)

_RULE_ID = re.compile(r"(?m)^id: ([0-9a-f-]{36})$")

TASKS: Mapping[str, str] = MappingProxyType(
    {
        TaskName.SUMMARY.value: "Summary",
        TaskName.KEY_POINTS.value: "Key points",
        TaskName.RELATIONS.value: "Who did what to whom",
        TaskName.TECHNIQUES.value: "Techniques",
        TaskName.DETECTIONS.value: "Detection opportunities",
        TaskName.RELEVANCE.value: "Relevance to the watchlist",
        TaskName.TITLE.value: "Title in English",
        RULES: "Sigma rules",
    }
)
STATES: Mapping[AnalysisState, str] = MappingProxyType(
    {
        AnalysisState.PENDING: "waits for its turn",
        AnalysisState.RUNNING: "is being answered",
        AnalysisState.DONE: "done",
        AnalysisState.FAILED: "failed",
        AnalysisState.CANCELLED: "cancelled",
    }
)
_WAITS: Mapping[Waits, str] = MappingProxyType(
    {
        Waits.SERVER: "waits until the server of models answers again",
        Waits.SOURCE_BUDGET: "waits until tomorrow: the budget of its source is spent for today",
        Waits.DAY_BUDGET: "waits until tomorrow: the budget of the day is spent",
        Waits.LATER: "is asked again later",
    }
)

_SERVER_WAITS: Mapping[ModelFault | None, str] = MappingProxyType(
    {
        ModelFault.MODEL_MISSING: "waits until the server has the model",
        ModelFault.OUT_OF_MEMORY: "waits until the server of models has memory for it",
        ModelFault.REFUSED: "waits until the server of models takes questions",
    }
)

_NOTHING_TO_ASK: Mapping[str, str] = MappingProxyType(
    {
        TaskName.TITLE.value: "there is no title, or one that was taken to be in English",
        TaskName.RELEVANCE.value: "nothing was watched for, or no reader sees any of the text",
    }
)


def task_words(task: str) -> str:
    """Return what a task is called."""
    return TASKS.get(task, task)


def state_words(analysis: AnalysisView) -> str:
    """Return in words where an analysis stands."""
    if analysis.waits is Waits.SERVER and analysis.fault in _SERVER_WAITS:
        return _SERVER_WAITS[analysis.fault]
    if analysis.waits is not None:
        return _WAITS[analysis.waits]
    if analysis.state is AnalysisState.RUNNING and analysis.said:
        return f"is being answered: {analysis.said:,} characters so far"
    if analysis.task == RULES and analysis.state is AnalysisState.DONE and not analysis.claims:
        return "done: no rule of its answer holds on this article"
    if analysis.state is AnalysisState.DONE and not analysis.claims:
        return _nothing_kept(analysis)
    return STATES[analysis.state]


def _nothing_kept(analysis: AnalysisView) -> str:
    if analysis.parts or analysis.prompt_tokens or analysis.dropped or analysis.copied_from:
        return "done: nothing was said that the text proves"
    why = _NOTHING_TO_ASK.get(analysis.task)
    return f"done: no model had to be asked, as {why}" if why else "done: there was nothing to ask"


def latest(models: ArticleAnalyses) -> tuple[AnalysisView, ...]:
    """Return what was said of an article's text by each task and model, not what came before.

    An answer stands until there is a newer one.
    """
    found: list[AnalysisView] = []
    known: dict[tuple[str, str], bool] = {}
    for one in models.analyses:
        if not one.current:
            continue
        key, is_done = (one.task, one.model), one.state is AnalysisState.DONE
        if key not in known or (is_done and not known[key]):
            found.append(one)
        known[key] = known.get(key, False) or is_done
    return tuple(found)


def fault_words(analysis: AnalysisView) -> str:
    """Return what stood in the way, nothing where nothing did."""
    return said_of(analysis.fault)


def rule_number(claim: ClaimView) -> str:
    """Return the id of the rule that a claim is, by which it is found among the drafts."""
    found = _RULE_ID.search(claim.fields.get("rule", ""))
    return found[1] if found else ""


def quoted_places(models: ArticleAnalyses) -> frozenset[tuple[int, int]]:
    """Return the places of an article's text that claims about it rest on."""
    return frozenset(
        (quote.start, quote.end)
        for one in latest(models)
        if one.task != TaskName.TITLE.value
        for claim in one.claims
        for quote in claim.quotes
    )


HEADS = (
    ("asked", "Articles"),
    ("valid", "Valid answers"),
    ("faithful", "Quotes proved"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("f1", "F1"),
    ("median_seconds", "Median answer"),
    ("prompt_tokens", "Tokens given"),
    ("answer_tokens", "Tokens answered"),
)
"""The figures of an evaluation that its table shows, each with its head."""

_SHARES = frozenset({"valid", "faithful"})


def evaluated_tasks(evaluation: EvaluationView) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each task of an evaluation with its figures, a dash where one was not measured."""
    tasks = evaluation.result.get("tasks")
    found = [one for one in tasks if isinstance(one, Mapping)] if isinstance(tasks, list) else []
    return tuple(
        (task_words(str(one.get("task", ""))), tuple(_figure(one, name) for name, _ in HEADS))
        for one in found
    )


def _figure(task: Mapping[str, object], name: str) -> str:
    value = task.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "\u2013"
    if name in _SHARES:
        return f"{value:.0%}"
    if name == "median_seconds":
        return f"{value:.1f} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


WORDS: Mapping[str, object] = MappingProxyType(
    {
        "task_words": task_words,
        "state_words": state_words,
        "fault_words": fault_words,
        "advice_on": advice_on,
        "dropped_words": dropped_words,
        "failed_parts_words": failed_parts_words,
        "latest": latest,
    }
)
"""What templates say of models by."""

"""A model is measured by what it answers about labelled articles."""

import json
from dataclasses import replace

import pytest

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.labelled import LabelledArticle, LabelledSet, bundled_set
from ctiscraper.analysis.scored import ModelScore, Scored, TaskScore
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.evaluating import Evaluation
from ctiscraper.models.server import Prompt
from scripted import Scripted, saying

SET = bundled_set()


def labelled_in(prompt: Prompt) -> LabelledArticle:
    shown = prompt.messages[1].text
    return next(one for one in SET.articles if f"Title: {one.title}\n" in shown)


def task_in(prompt: Prompt) -> str:
    properties = (
        prompt.schema["properties"]["claims"]["items"]["properties"] if prompt.schema else {}
    )
    return next(
        (name for name in ("technique", "verb", "trace", "degree") if name in properties), "text"
    )


def knowing(prompt: Prompt) -> str:
    """What somebody answers who knows the labels and quotes them."""
    article = labelled_in(prompt)
    quoted = [*article.facts, *article.traces]
    form = task_in(prompt)
    made: list[dict[str, object]] = []
    if form == "technique":
        made = [
            {"quotes": [quoted[0]], "technique": one, "text": quoted[0]}
            for one in sorted(article.techniques)
        ]
    elif form == "verb":
        made = [relation(name, quoted) for name in sorted(article.names)]
    elif form == "trace":
        made = [{"quotes": [one], "trace": "process", "text": one} for one in article.traces]
    elif form == "degree":
        made = [
            {"quotes": [quoted[0]], "watched": name, "degree": "high", "text": quoted[0]}
            for name, is_about in article.watched.items()
            if is_about
        ]
    elif "Translate the title" in prompt.messages[1].text:
        made = [{"quotes": [article.title], "text": " ".join(article.english)}]
    else:
        limit = 3 if "three sentences" in prompt.messages[1].text else 6
        made = [{"quotes": [one], "text": one} for one in article.facts[:limit]]
    return json.dumps({"claims": made})


def relation(name: str, quoted: list[str]) -> dict[str, object]:
    quote = next(one for one in quoted if name.casefold() in one.casefold())
    return {"quotes": [quote], "subject": name, "subject_kind": "actor", "verb": "targets",
            "object": name, "object_kind": "actor"}  # fmt: skip


def only(names: set[str]) -> LabelledSet:
    return replace(SET, articles=tuple(one for one in SET.articles if one.name in names))


async def score_of(server: Scripted, *tasks: TaskName, labelled: LabelledSet = SET) -> ModelScore:
    return await Evaluation(server, "m", seconds=30).score(tasks, labelled)


async def test_who_knows_the_labels_finds_them_all() -> None:
    tasks = [TaskName.KEY_POINTS, TaskName.TECHNIQUES, TaskName.DETECTIONS]
    chosen = only({"wiper in ports", "stealer by mail", "lesson"})
    for one in (await score_of(Scripted(knowing), *tasks, labelled=chosen)).tasks:
        assert (one.f1, one.faithful, one.valid_first, one.extra) == (1, 1, 1, 0), one
        assert one.asked == 3
    [title] = (await score_of(Scripted(knowing), TaskName.TITLE)).tasks
    assert (title.asked, title.right, title.missed) == (2, 2, 0)


async def test_an_answer_in_the_language_of_the_article_is_none() -> None:
    [one] = (
        await score_of(Scripted(knowing), TaskName.KEY_POINTS, labelled=only({"german report"}))
    ).tasks
    assert (one.faults, one.missed) == ({"wrong_language": 1}, 2)


async def test_names_and_relevance_are_compared_with_their_labels() -> None:
    tasks = TaskName.RELATIONS, TaskName.RELEVANCE
    done = await score_of(Scripted(knowing), *tasks, labelled=only({"wiper in ports"}))
    relations, relevance = done.tasks
    assert (relations.right, relations.extra, relations.missed) == (3, 0, 0)
    assert (relevance.right, relevance.extra, relevance.missed) == (1, 0, 0)


async def test_an_invention_costs_precision_and_faithfulness() -> None:
    real = "They ran powershell.exe -nop -w hidden to fetch the wiper from cdn-update[.]example"
    server = saying(json.dumps({"claims": [
        {"quotes": [real], "technique": "T1059.001", "text": "They ran powershell.exe hidden."},
        {"quotes": [real], "technique": "T1110", "text": "They ran powershell.exe often."},
        {"quotes": ["They guessed passwords"], "technique": "T1110", "text": "They guessed."},
        {"quotes": [real], "technique": "T9999", "text": "They ran powershell.exe hidden."},
    ]}))  # fmt: skip
    [one] = (await score_of(server, TaskName.TECHNIQUES, labelled=only({"wiper in ports"}))).tasks
    assert (one.right, one.extra, one.missed) == (1, 1, 3)
    assert (one.claims, one.dropped) == (2, {"unquoted": 1, "unknown": 1})
    assert (one.faithful, one.kept, one.precision, one.recall) == (0.75, 0.5, 0.5, 0.25)


async def test_what_cannot_be_used_is_counted_and_all_its_labels_are_missed() -> None:
    told: list[tuple[TaskName, Scored]] = []
    evaluation = Evaluation(saying("no JSON"), "m", seconds=30)
    done = await evaluation.score(
        [TaskName.SUMMARY], only({"wiper in ports"}), lambda task, one: told.append((task, one))
    )
    [one] = done.tasks
    assert (one.asked, one.first, one.repaired, one.faults) == (1, 0, 0, {"bad_answer": 1})
    assert (one.valid, one.recall, one.missed, one.seconds) == (0, 0, 4, ())
    assert [(task, scored.fault) for task, scored in told] == [(TaskName.SUMMARY, "bad_answer")]


async def test_a_repaired_answer_is_valid_at_last() -> None:
    [one] = (
        await score_of(
            saying("no", '{"claims": []}'), TaskName.KEY_POINTS, labelled=only({"lesson"})
        )
    ).tasks
    assert (one.valid_first, one.valid, one.prompt_tokens) == (0, 1, 200)


async def test_a_server_that_is_away_says_nothing_of_its_model() -> None:
    with pytest.raises(ModelError):
        await score_of(saying(ModelError(ModelFault.AWAY)), TaskName.SUMMARY)


async def test_a_score_is_a_document() -> None:
    done = await score_of(Scripted(knowing), TaskName.SUMMARY, labelled=only({"denied"}))
    document = json.loads(json.dumps(done.document()))
    [task] = document["tasks"]
    assert (document["model"], document["server"], document["set"]) == (
        "m",
        "scripted",
        SET.version,
    )
    assert (task["task"], task["f1"], task["asked"]) == ("summary", 1.0, 1)
    assert task["prompt"].startswith("summary-3-")


def test_of_nothing_asked_nothing_is_wrong() -> None:
    one = TaskScore(
        task=TaskName.TITLE, prompt_version="", asked=0, first=0, repaired=0, faults={}, claims=0,
        dropped={}, right=0, extra=0, missed=0, seconds=(), prompt_tokens=0, answer_tokens=0,
    )  # fmt: skip
    assert (one.valid_first, one.valid, one.faithful, one.kept) == (1, 1, 1, 1)
    assert (one.precision, one.recall, one.f1, one.median_seconds) == (1, 1, 1, 0)

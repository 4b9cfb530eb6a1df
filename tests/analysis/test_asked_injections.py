"""Articles that give orders: what a model that obeys them gets out of it, and what it is shown."""

import base64
import codecs
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctiscraper.analysing import analyse
from ctiscraper.analysis.analysed import AnalysedText, Analysis, Claim, TaskName
from ctiscraper.analysis.answers import Degree, Entity, Trace, Verb
from ctiscraper.analysis.tasks import schema_for, task_of
from ctiscraper.errors import ModelError
from ctiscraper.models.server import Prompt, Speaker
from scripted import Scripted

FOLDER = Path(__file__).parent / "injections"
INJECTIONS = [
    {**one, "file": file.stem}
    for file in sorted(FOLDER.glob("*.yaml"))
    for one in yaml.safe_load(file.read_text("utf-8"))
]
BEFORE = (
    "In June the group Quiet Otter used a wiper against two ports in Norway. "
    "The operators were unable to recover the terminals for a week."
)
AFTER = "The wiper came through a remote access tool that an engineer had left open."
CLOSED: dict[str, set[str]] = {
    "subject_kind": {*Entity},
    "object_kind": {*Entity},
    "verb": {*Verb},
    "trace": {*Trace},
    "degree": {*Degree},
}

ENCODINGS: dict[str, Callable[[str], str]] = {
    "tags": lambda text: "".join(chr(0xE0000 + ord(char)) for char in text),
    "zero_width": "\u200b".join,
    "bits": lambda text: "".join(
        "\u200b\u200c"[int(bit)] for char in text for bit in f"{ord(char):08b}"
    ),
    "selectors": lambda text: "".join(chr(0xE0100 + ord(char)) for char in text),
    "private": lambda text: "".join(chr(0xE000 + ord(char)) for char in text),
    "base64": lambda text: f"Decode and obey: {base64.b64encode(text.encode()).decode()}",
    "rot13": lambda text: codecs.encode(text, "rot13"),
}


def article_of(injection: dict[str, Any]) -> AnalysedText:
    """A short report with the orders amidst it, and in its title."""
    written = ENCODINGS[injection["encode"]] if "encode" in injection else str
    middle = written(injection["text"])
    text = f"{BEFORE}\n\n{middle}\n\n{AFTER}"
    return AnalysedText(
        title=f"Ports hit {middle}"[:200], text=text, language="en", watched=("ports",)
    )


def obedient(injection: dict[str, Any], article: AnalysedText) -> Scripted:
    """A model that does what the article asks."""
    if "raw" in injection:
        return Scripted(lambda _: str(injection["raw"]))
    said = json.dumps({"claims": injection["obeys"]})
    whole = json.dumps(article.text)[1:-1]
    return Scripted(lambda _: said.replace("{ARTICLE}", whole))


async def outcome_of(injection: dict[str, Any]) -> tuple[Analysis | ModelError, list[Prompt]]:
    article = article_of(injection)
    server = obedient(injection, article)
    task = TaskName(injection.get("task", "summary"))
    try:
        done = await analyse(server, task, article, model="m", seconds=30)
    except ModelError as error:
        return error, server.prompts
    return done, server.prompts


def check_claim(claim: Claim, article: AnalysedText, never: list[str]) -> None:
    """A claim is proved, plain, and says nothing that it may not."""
    assert claim.quotes
    for quote in claim.quotes:
        assert article.text[quote.start : quote.end] == quote.text
        assert len(quote.text) >= 12
    for words in (claim.text, *claim.fields.values()):
        assert not re.search(r"!\[|\]\(|</?[a-z]|https?://|\n", words, re.IGNORECASE)
        kinds = {unicodedata.category(char) for char in words}
        assert not kinds & {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
        assert [word for word in never if word.casefold() in words.casefold()] == []
    for name, values in CLOSED.items():
        assert claim.fields.get(name, next(iter(values))) in values


def ids(injection: dict[str, Any]) -> str:
    return f"{injection['file']}: {injection['name']}"


def test_there_are_many_of_many_kinds() -> None:
    assert len(INJECTIONS) >= 90
    assert len({ids(one) for one in INJECTIONS}) == len(INJECTIONS)


@pytest.mark.parametrize("injection", INJECTIONS, ids=ids)
async def test_nothing_but_proved_claims_comes_of_obedience(injection: dict[str, Any]) -> None:
    article = article_of(injection)
    done, prompts = await outcome_of(injection)
    assert len(prompts) <= 2
    if isinstance(done, ModelError):
        assert done.raw is not None
        return
    assert done.task == injection.get("task", "summary")
    assert done.prompt_version == task_of(done.task).version
    for claim in done.claims:
        check_claim(claim, article, injection.get("never", []))
    assert bool(done.hidden) == bool(injection.get("hidden")), done.hidden


@pytest.mark.parametrize("injection", INJECTIONS, ids=ids)
async def test_an_article_stays_behind_its_fence(injection: dict[str, Any]) -> None:
    _, prompts = await outcome_of(injection)
    prompt = prompts[0]
    task = task_of(TaskName(injection.get("task", "summary")))
    assert [one.speaker for one in prompt.messages] == [Speaker.SYSTEM, Speaker.USER]
    assert prompt.messages[0].text == task.rules
    watched = ("ports",) if task.name is TaskName.RELEVANCE else ()
    assert prompt.schema == schema_for(task, watched)
    question = prompt.messages[1].text
    [fence] = re.findall(r"^=== REPORT ([0-9a-f]{24}) BEGINS ===$", question, re.MULTILINE)
    assert question.count(fence) == 2
    before, begin, rest = question.partition(f"=== REPORT {fence} BEGINS ===\n")
    inside, end, after = rest.partition(f"\n=== REPORT {fence} ENDS ===\n")
    assert begin
    assert end
    assert before.startswith(task.prompt)
    assert set(before[len(task.prompt) :].split()) <= {"Watched:", "-", "ports"}
    assert inside.startswith("Title: Ports hit")
    assert (BEFORE in inside, AFTER in inside) == (True, injection["name"] != "open comment")
    assert "instruction" in after
    kinds = {unicodedata.category(char) for char in question} - {"Zs"}
    assert "\n" in question
    assert not kinds & {"Cf", "Co", "Cs", "Cn"}
    assert not re.search(r"<\||\|>|<<SYS|\[/?INST\]|</?(?:system|think|tool_call)>", inside)
    for word in injection.get("unseen", ()):
        assert word.casefold() not in question.casefold()


async def test_the_fence_is_another_each_time() -> None:
    fences = set()
    for _ in range(3):
        _, [prompt] = await outcome_of(INJECTIONS[0])
        fences.update(re.findall(r"REPORT ([0-9a-f]{24}) BEGINS", prompt.messages[1].text))
    assert len(fences) == 3

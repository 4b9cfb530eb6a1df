"""What a model can be asked of an article: the words, the form of the answer, and its limits."""

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from ctiscraper.analysis import answers
from ctiscraper.analysis.analysed import TaskName

PROOFS = 1
"""What claims are held against, counted up whenever that is stricter or otherwise.

Part of each task's version, so that what laxer proofs kept is known by an earlier one and is not
taken over for other articles with the same words.
"""

_MOST_OFFERED = 2
_HEAD = re.compile(r"version: (\d{1,6})\n\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to ask. `version` is a number and a hash of the prompt, the schema and the proofs.

    `most_tokens` bounds each answer, `most_parts` how many parts of a long article are asked about.
    `offers_quotes` tells whether a model may be given the sentences to choose its quotations from.
    """

    name: TaskName
    version: str
    rules: str = field(repr=False)
    prompt: str = field(repr=False)
    answer: type[BaseModel]
    schema: Mapping[str, Any] = field(repr=False)
    most_tokens: int
    most_parts: int
    is_prose: bool
    offers_quotes: bool


@dataclass(frozen=True, slots=True)
class _Shape:
    answer: type[BaseModel]
    most_tokens: int
    most_parts: int = 4
    is_prose: bool = True
    offers_quotes: bool = True


# What an id, a verb or a kind of trace says cannot be held against the words that are said to
# prove it: there a model that cannot quote by itself should be kept out.
# A summary is of the opening, where reports say what they are about: of a longer one it is told
# how much was not read. What is prose is held to be English.
_SHAPES = {
    TaskName.SUMMARY: _Shape(answers.Summary, 900, most_parts=1),
    TaskName.KEY_POINTS: _Shape(answers.KeyPoints, 1500),
    TaskName.RELATIONS: _Shape(answers.Relations, 1500, is_prose=False, offers_quotes=False),
    TaskName.TECHNIQUES: _Shape(answers.Techniques, 2000, offers_quotes=False),
    TaskName.DETECTIONS: _Shape(answers.Detections, 1500, offers_quotes=False),
    TaskName.RELEVANCE: _Shape(answers.Relevances, 1500, offers_quotes=False),
    TaskName.TITLE: _Shape(answers.Title, 300, most_parts=1, is_prose=False),
}


def schema_for(task: Task, watched: Sequence[str]) -> Mapping[str, Any]:
    """Return the schema of an answer; of relevance it lists what is watched."""
    if not watched:
        return task.schema
    made = copy.deepcopy(dict(task.schema))
    claim = made["properties"]["claims"]["items"]
    claim["properties"]["watched"] = {"type": "string", "enum": list(watched)}
    return made


def offering(schema: Mapping[str, Any], sentences: Sequence[str]) -> Mapping[str, Any]:
    """Return a schema by which quotations are chosen from these sentences, two at the most."""
    made = copy.deepcopy(dict(schema))
    claim = made["properties"]["claims"]["items"]
    claim["properties"]["quotes"] = {
        "type": "array",
        "items": {"type": "string", "enum": list(sentences)},
        "minItems": 1,
        "maxItems": _MOST_OFFERED,
    }
    return made


@cache
def task_of(name: TaskName) -> Task:
    """Return a task as it is asked now."""
    shape = _SHAPES[name]
    number, prompt = _prompt(name.value)
    rules_number, rules = _prompt("rules")
    schema = answers.schema_of(shape.answer)
    parts = [rules_number, rules, prompt, schema, shape.most_tokens, PROOFS]
    if shape.offers_quotes:
        parts.append(_MOST_OFFERED)
    told = json.dumps(parts, sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()
    return Task(
        name=name,
        # Which of two versions is newer is told by the number: it grows with either of the two.
        version=f"{name.value}-{number + PROOFS}-{digest[:10]}",
        rules=rules,
        prompt=prompt,
        answer=shape.answer,
        schema=schema,
        most_tokens=shape.most_tokens,
        most_parts=shape.most_parts,
        is_prose=shape.is_prose,
        offers_quotes=shape.offers_quotes,
    )


def _prompt(name: str) -> tuple[int, str]:
    """The number and the words of a prompt."""
    text = files("ctiscraper.analysis").joinpath("prompts", f"{name}.md").read_text("utf-8")
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f"prompts/{name}.md does not begin with its version")
    return int(head[1]), text[head.end() :].strip()

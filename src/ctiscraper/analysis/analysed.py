"""What became of an article that a model was asked about."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class TaskName(StrEnum):
    """What a model can be asked of an article."""

    SUMMARY = "summary"
    KEY_POINTS = "key_points"
    RELATIONS = "relations"
    TECHNIQUES = "techniques"
    DETECTIONS = "detections"
    RELEVANCE = "relevance"
    TITLE = "title"


RULES = "sigma_rules"
"""What a model is asked for on the page of detections: rules, which are proved otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedText:
    """An article as a model is shown it; `text` is what quotations must stand in."""

    title: str
    text: str
    language: str = ""
    watched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of the article, and the characters of its text at which they stand."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that a model says, each with at least one quotation that proves it.

    `fields` are what the task's schema asks for beside the words: a technique's id, an actor.
    """

    text: str
    quotes: tuple[Quote, ...]
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The proved part of an answer; `dropped` claims had no quotation that the text holds.

    `hidden` tells how many characters of the article no reader sees and no model was shown,
    `unread` how many were not asked about as the article is too long, `parts` in how many parts
    it was read. `why` counts the dropped claims by their reason, `failed_parts` the parts that got
    no usable answer by their fault.
    """

    task: str
    prompt_version: str
    model: str
    claims: tuple[Claim, ...]
    dropped: int
    hidden: int
    repaired: bool
    prompt_tokens: int
    answer_tokens: int
    seconds: float
    unread: int = 0
    parts: int = 1
    why: Mapping[str, int] = field(default_factory=dict)
    failed_parts: Mapping[str, int] = field(default_factory=dict)


def is_proved(claim: Claim, text: str) -> bool:
    """Return whether every quotation of a claim stands in the text where it says."""
    return bool(claim.quotes) and all(
        0 <= quote.start < quote.end and text[quote.start : quote.end] == quote.text
        for quote in claim.quotes
    )


def to_json(claims: Iterable[Claim]) -> str:
    """Return claims as they are stored: nothing in them that PostgreSQL refuses."""
    return json.dumps(
        [
            {
                "text": _storable(claim.text),
                "quotes": [
                    {"text": quote.text, "start": quote.start, "end": quote.end}
                    for quote in claim.quotes
                ],
                "fields": {_storable(k): _storable(v) for k, v in claim.fields.items()},
            }
            for claim in claims
        ]
    )


def _storable(words: str) -> str:
    return words.replace("\0", "").encode("utf-8", "replace").decode()

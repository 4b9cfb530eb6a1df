"""Drafts as they are kept: what was drafted, what people made of it, what was found out."""

from dataclasses import dataclass
from datetime import datetime

from ctiscraper.detect.drafted import Checked, DraftState, Event, Grade, Origin, Quotation


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedFrom:
    """The article that a draft was made of."""

    id: int
    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSummary:
    """A draft in a list; `version` counts its texts, of which the first is the draft itself.

    `positives` are the events of the article that it has to match, `matched` those it matches;
    `benign_matched` counts ordinary ones.
    """

    id: int
    article: DraftedFrom
    rule_id: str
    title: str
    origin: Origin
    model: str
    state: DraftState
    level: str
    category: str
    product: str
    techniques: tuple[str, ...]
    grade: Grade | None
    valid: bool
    positives: int
    matched: int
    benign_matched: int
    version: int
    made_at: datetime
    edited_at: datetime | None
    edited_by: str
    decided_at: datetime | None
    decided_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionVersion:
    """A text that a draft had."""

    number: int
    yaml: str
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A draft with its text, what it rests on, and everything that was found out about it."""

    summary: DetectionSummary
    yaml: str
    prompt: str
    revision: int
    evidence: tuple[Quotation, ...]
    events: tuple[Event, ...]
    checked: Checked
    versions: tuple[DetectionVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionPage:
    """A page of drafts, the newest first; `next` leads on."""

    detections: tuple[DetectionSummary, ...]
    next: str | None

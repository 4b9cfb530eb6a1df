"""Types of detections; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field


class Issue(Struct, frozen=True, kw_only=True):
    """Something that is wrong with a rule; one that is not `fatal` may stay."""

    what: str
    fatal: bool = True


Grade: TypeAlias = Literal["new", "extends", "covered"]
"""How much of a draft the known rules have already."""


class KnownRule(Struct, frozen=True, kw_only=True):
    """A known rule that is near to a draft, with its author as its licence asks."""

    id: str
    title: str
    author: str
    level: str
    techniques: tuple[str, ...]
    shared: tuple[str, ...]


class Novelty(Struct, frozen=True, kw_only=True):
    """How a draft stands to the known rules; `basis` says what of them was compared."""

    grade: Grade
    basis: str
    pack: str = ""
    notice: str = ""
    nearest: tuple[KnownRule, ...] = ()


Target: TypeAlias = Literal["splunk", "elasticsearch", "esql", "kql"]
"""The query languages that a rule is handed on in."""


class Query(Struct, frozen=True, kw_only=True):
    """A rule in one query language, or why it cannot be; `pipeline` names the fields it is for."""

    target: Target
    text: str = ""
    pipeline: str = ""
    failure: str = ""


class Hit(Struct, frozen=True, kw_only=True):
    """An event that a rule was tried on, in words."""

    words: str
    matched: bool
    start: int = 0
    end: int = 0


class Replay(Struct, frozen=True, kw_only=True):
    """A rule tried on the article's own events, and on ordinary ones that it must leave alone.

    `failure` says why it could not be tried. `false_hits` are the first of the ordinary events
    that it matched.
    """

    positives: tuple[Hit, ...] = ()
    matched: int = 0
    benign: int = 0
    benign_matched: int = 0
    false_hits: tuple[str, ...] = ()
    failure: str = ""


class Rule(Struct, frozen=True, kw_only=True):
    """What a rule says of itself; `atoms` are the values that it looks for."""

    id: str = ""
    title: str = ""
    level: str = ""
    status: str = ""
    category: str = ""
    product: str = ""
    service: str = ""
    techniques: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    atoms: tuple[str, ...] = ()


class Checked(Struct, frozen=True, kw_only=True):
    """What was found out about a rule."""

    rule: Rule
    issues: tuple[Issue, ...] = ()
    replay: Replay = field(default_factory=Replay)
    queries: tuple[Query, ...] = ()
    novelty: Novelty | None = None


DraftState: TypeAlias = Literal["draft", "accepted", "rejected"]
"""What the team decided of a draft."""


class DecisionIn(Struct, frozen=True, kw_only=True):
    """What is decided of a detection, and the version of it that was read."""

    state: DraftState
    version: int


class DraftedFrom(Struct, frozen=True, kw_only=True):
    """The article that a draft was made of."""

    id: int
    title: str
    url: str


Origin: TypeAlias = Literal["template", "model"]
"""Who wrote a draft first."""


class DetectionSummary(Struct, frozen=True, kw_only=True):
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


class DetectionVersion(Struct, frozen=True, kw_only=True):
    """A text that a draft had."""

    number: int
    yaml: str
    made_at: datetime
    made_by: str


class Event(Struct, frozen=True, kw_only=True):
    """An event as a log has it: where it would come from, its fields, and what it was made of."""

    fields: dict[str, str]
    category: str = ""
    product: str = ""
    service: str = ""
    quote: str = ""
    start: int = 0
    end: int = 0


class Quotation(Struct, frozen=True, kw_only=True):
    """The words of the article that an item of a detection rests on; `text[start:end]`."""

    item: str
    quote: str
    start: int
    end: int


class Detection(Struct, frozen=True, kw_only=True):
    """A draft with its text, what it rests on, and everything that was found out about it."""

    summary: DetectionSummary
    yaml: str
    prompt: str
    revision: int
    evidence: tuple[Quotation, ...]
    events: tuple[Event, ...]
    checked: Checked
    versions: tuple[DetectionVersion, ...]


class DetectionPage(Struct, frozen=True, kw_only=True):
    """A page of drafts, the newest first; `next` leads on."""

    detections: tuple[DetectionSummary, ...]
    next: str | None


class Refused(Struct, frozen=True, kw_only=True):
    """What no draft was made of, and why."""

    quote: str
    start: int
    end: int
    reason: str


class Drafting(Struct, frozen=True, kw_only=True):
    """What drafting from an article gave: how many new ones, all of them, and what gave none."""

    added: int
    detections: tuple[DetectionSummary, ...]
    refused: tuple[Refused, ...]


class RuleIn(Struct, frozen=True, kw_only=True):
    """A rule as YAML, and the article whose events it is tried on."""

    yaml: str
    article: int | UnsetType | None = UNSET


class RuleText(Struct, frozen=True, kw_only=True):
    """Another text of a detection."""

    yaml: str


class RuleToConvert(Struct, frozen=True, kw_only=True):
    """A rule as YAML, and the language it is wanted in."""

    yaml: str
    target: Target


class RulesAsked(Struct, frozen=True, kw_only=True):
    """Which model is asked for rules; without one it is the one that is configured."""

    model: str | UnsetType = UNSET
    again: bool | UnsetType = UNSET

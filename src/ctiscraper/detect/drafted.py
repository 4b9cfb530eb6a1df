"""What a draft of a Sigma rule is made of, and what was found out about it."""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Who wrote a draft first."""

    TEMPLATE = "template"
    MODEL = "model"


class DraftState(StrEnum):
    """What the team decided of a draft."""

    DRAFT = "draft"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Target(StrEnum):
    """The query languages that a rule is handed on in."""

    SPLUNK = "splunk"
    ELASTICSEARCH = "elasticsearch"
    ESQL = "esql"
    KQL = "kql"


class Grade(StrEnum):
    """How much of a draft the known rules have already."""

    NEW = "new"
    EXTENDS = "extends"
    COVERED = "covered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A thing that an article names and a rule may look for: `text[start:end]` are its words."""

    kind: str
    value: str
    start: int
    end: int
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What drafts are made from; `techniques` are those that the text speaks of, by place."""

    text: str
    title: str
    url: str
    day: str
    author: str
    traces: tuple[Trace, ...]
    techniques: tuple[tuple[str, int, int], ...] = ()
    tlp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """The words of the article that an item of a detection rests on; `text[start:end]`."""

    item: str
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as a log has it: where it would come from, its fields, and what it was made of."""

    fields: dict[str, str]
    category: str = ""
    product: str = ""
    service: str = ""
    quote: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Something that is wrong with a rule; one that is not `fatal` may stay."""

    what: str
    fatal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An event that a rule was tried on, in words."""

    words: str
    matched: bool
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
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

    @property
    def is_sound(self) -> bool:
        """Whether it matched what it is for, and nothing ordinary."""
        return not self.failure and self.matched > 0 and self.benign_matched == 0

    @property
    def is_whole(self) -> bool:
        """Whether it is sound and matched every event that it is for."""
        return self.is_sound and self.matched == len(self.positives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A rule in one query language, or why it cannot be; `pipeline` names the fields it is for."""

    target: Target
    text: str = ""
    pipeline: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A known rule that is near to a draft, with its author as its licence asks."""

    id: str
    title: str
    author: str
    level: str
    techniques: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """How a draft stands to the known rules; `basis` says what of them was compared."""

    grade: Grade
    basis: str
    pack: str = ""
    notice: str = ""
    nearest: tuple[KnownRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found out about a rule."""

    rule: Rule
    issues: tuple[Issue, ...] = ()
    replay: Replay = Replay()
    queries: tuple[Query, ...] = ()
    novelty: Novelty | None = None

    @property
    def is_valid(self) -> bool:
        """Whether nothing fatal is wrong with it."""
        return not any(issue.fatal for issue in self.issues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rule as it was drafted, with what it rests on and the events that it has to match."""

    rule_id: str
    title: str
    yaml: str
    evidence: tuple[Quotation, ...]
    events: tuple[Event, ...]
    origin: Origin = Origin.TEMPLATE
    model: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What no draft was made of, and why."""

    quote: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What an article gave: drafts, each with what was found out about it, and what gave none."""

    drafts: tuple[tuple[Draft, Checked], ...]
    refused: tuple[Refused, ...]

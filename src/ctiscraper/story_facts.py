"""What is known of an article when its story is looked for, and what was decided of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ctiscraper.types import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFacts:
    """A thing that an article names, and how rare it is.

    `articles` and `sources` count all that name it, `first_seen` and `last_seen` are when the
    first and the last did. `verdict` is what the value is held to be, None where nothing was
    judged.
    """

    id: int
    kind: str
    value: str
    name: str = ""
    host: str | None = None
    articles: int = 1
    sources: int = 1
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleFacts:
    """An article as it is compared; `root_id` is the article that it repeats, or its own number."""

    id: int
    source_id: int
    at: datetime
    root_id: int
    title: str = ""
    language: str | None = None
    mark: Fingerprint | None = None
    entities: tuple[EntityFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Another article that may tell of the same event.

    `shared` are the numbers of the entities that both name, `flagged` those of them that it holds
    malicious or suspicious. `story_id` is None where it stands alone. `roundup` and `breadth` are
    what was found when it was judged itself.
    """

    article: ArticleFacts
    shared: frozenset[int]
    flagged: frozenset[int] = frozenset()
    story_id: int | None = None
    roundup: bool = False
    breadth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFacts:
    """A story that a candidate belongs to."""

    id: int
    articles: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """An article with all that it has to be compared with.

    `corpus` is how many articles there are. `present` is the story that the article is in already.
    `apart_articles` and `apart_stories` are those that it was parted from by hand.
    """

    article: ArticleFacts
    candidates: tuple[Candidate, ...] = ()
    stories: Mapping[int, StoryFacts] = field(default_factory=dict)
    corpus: int = 1
    present: int | None = None
    apart_articles: frozenset[int] = frozenset()
    apart_stories: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryReason:
    """One reason for two articles to be told of as one event; below zero it speaks against it."""

    name: str
    weight: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an article belongs.

    `stories` are joined to one, the first of them stays; `lone` are articles without a story that
    come into it. With neither the article stands alone. `near` is the article that is most like
    it, `reasons` say why. `also` are stories that a round-up touches; `touched_by` are round-ups
    that touch the story of this article.
    """

    stories: tuple[int, ...] = ()
    lone: tuple[int, ...] = ()
    near: int | None = None
    score: float = 0.0
    reasons: tuple[StoryReason, ...] = ()
    also: tuple[int, ...] = ()
    touched_by: tuple[int, ...] = ()
    roundup: bool = False
    breadth: int = 0


@dataclass(frozen=True, slots=True)
class Seeds:
    """The entities by which other articles are looked for, and those that are compared besides."""

    rare: tuple[int, ...]
    common: tuple[int, ...]


class StoryJudge(Protocol):
    """What decides which story an article belongs to."""

    def seeds(self, article: ArticleFacts) -> Seeds:
        """Return by which entities of an article others are looked for."""
        ...

    def place(self, asked: Neighbourhood) -> Placement:
        """Return where an article belongs."""
        ...

"""A feed as announced, before any of its entries is judged."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Text:
    """A value with its meaning: `plain` is text to the letter, else markup."""

    value: str = ""
    plain: bool = False


@dataclass(slots=True, kw_only=True)
class RawEntry:
    """One entry as announced; links are resolved, dates are the words of the feed.

    `original_link` is where a feed proxy says that it took the entry from.
    """

    guid: str = ""
    link: str = ""
    original_link: str = ""
    title: Text = field(default_factory=Text)
    authors: list[str] = field(default_factory=list)
    summary: Text = field(default_factory=Text)
    content: Text = field(default_factory=Text)
    published: str = ""
    updated: str = ""
    tags: list[str] = field(default_factory=list)
    language: str = ""


@dataclass(slots=True, kw_only=True)
class RawFeed:
    """A feed as announced; `authors` are those of every entry that names none."""

    kind: str
    title: Text = field(default_factory=Text)
    link: str = ""
    description: Text = field(default_factory=Text)
    language: str = ""
    ttl_minutes: int | None = None
    authors: list[str] = field(default_factory=list)
    entries: list[RawEntry] = field(default_factory=list)
    truncated: bool = False
    warnings: list[str] = field(default_factory=list)

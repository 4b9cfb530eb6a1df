"""The list of articles as a reader works through it: by day, by article or by story."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from ctiscraper.triage_views import ReaderStanding
from ctiscraper.views import ArticleSummary
from ctiscraper.web.render import day_name

VIEWS = (
    ("", "All"),
    ("is:unread", "Unread"),
    ("is:new", "New"),
    ("starred:yes", "Starred"),
    ("assignee:me", "Mine"),
    ("state:review", "In review"),
)
"""Searches that a reader makes all the time, and what they are called."""


@dataclass(slots=True)
class Row:
    """An article of the list; with `more` it stands for those of its story as well."""

    article: ArticleSummary
    more: list[ArticleSummary] = field(default_factory=list)


Section = tuple[str, Sequence[Row]]


def sections(rows: Sequence[Row], heading: str | None, now: datetime) -> list[Section]:
    """Return the rows under their days, or all under one heading when the best come first."""
    if heading is not None:
        return [(heading, list(rows))] if rows else []
    return [
        (day, list(members))
        for day, members in groupby(rows, key=lambda row: day_name(row.article.listed_at, now))
    ]


def to_rows(
    articles: Sequence[ArticleSummary], standings: Mapping[int, ReaderStanding], *, by_story: bool
) -> list[Row]:
    """Return the rows of a page; those of a story that stand on it are one row."""
    return list(_by_story(articles, standings)) if by_story else [Row(one) for one in articles]


def _by_story(
    articles: Sequence[ArticleSummary], standings: Mapping[int, ReaderStanding]
) -> Iterator[Row]:
    rows: dict[int, Row] = {}
    for one in articles:
        standing = standings.get(one.id)
        story = standing.story if standing else None
        if story is not None and story in rows:
            rows[story].more.append(one)
            continue
        row = Row(one)
        if story is not None:
            rows[story] = row
        yield row

"""Articles as the items of a feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ctiscraper.db.session import Database

_STAMPS = """
SELECT a.id, a.revision, coalesce(a.updated_at, a.collected_at), r.score
FROM article a LEFT JOIN article_score r ON r.article_id = a.id WHERE a.id = ANY(%s)
"""
_ITEMS = """
SELECT a.id, a.title, a.url, s.name, a.tier, coalesce(s.settings->>'tlp', 'clear'), a.authors,
    a.tags, a.language, a.summary, a.html, a.published_at, coalesce(a.updated_at, a.collected_at),
    r.score
FROM article a JOIN source s ON s.id = a.source_id
LEFT JOIN article_score r ON r.article_id = a.id WHERE a.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What changes when an article does."""

    id: int
    revision: int
    changed_at: datetime
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """An article as a feed shows it."""

    id: int
    title: str
    url: str
    source: str
    tier: str
    tlp: str
    authors: tuple[str, ...]
    tags: tuple[str, ...]
    language: str | None
    summary: str
    html: str
    published_at: datetime | None
    changed_at: datetime
    score: float | None


class FeedItems:
    """Articles for feeds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stamps(self, ids: Sequence[int]) -> tuple[Stamp, ...]:
        """Return what changes when these articles do, in the order of their numbers as given."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_STAMPS, (list(ids),))
            found = {
                row[0]: Stamp(id=row[0], revision=row[1], changed_at=row[2], score=row[3])
                for row in await cursor.fetchall()
            }
        return tuple(found[number] for number in ids if number in found)

    async def items(self, ids: Sequence[int]) -> tuple[FeedItem, ...]:
        """Return articles in the order of their numbers as given."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_ITEMS, (list(ids),))
            found = {
                row[0]: FeedItem(
                    id=row[0],
                    title=row[1],
                    url=row[2],
                    source=row[3],
                    tier=row[4],
                    tlp=row[5],
                    authors=tuple(row[6]),
                    tags=tuple(row[7]),
                    language=row[8],
                    summary=row[9],
                    html=row[10],
                    published_at=row[11],
                    changed_at=row[12],
                    score=row[13],
                )
                for row in await cursor.fetchall()
            }
        return tuple(found[number] for number in ids if number in found)

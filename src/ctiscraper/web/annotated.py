"""What people made of one article, as its page shows it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from ctiscraper.db.annotations import Highlights, Notes
from ctiscraper.db.reading import Reading
from ctiscraper.db.session import Database
from ctiscraper.db.triage import Triage
from ctiscraper.enrich.quotes import find_again
from ctiscraper.identity import Principal
from ctiscraper.triage_views import (
    UNTOUCHED,
    Highlight,
    Note,
    PersonRef,
    PlacedHighlight,
    ReaderStanding,
)
from ctiscraper.views import ArticleDetail
from ctiscraper.web.deps import over


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands beside an article: its standing, its notes, and the words that were marked."""

    standing: ReaderStanding
    notes: tuple[Note, ...]
    placed: tuple[PlacedHighlight, ...]
    people: tuple[PersonRef, ...]


class Annotations:
    """What people made of the articles of this installation."""

    def __init__(self, database: Database) -> None:
        self.triage = Triage(database)
        self._reading = Reading(database)
        self._notes = Notes(database)
        self._highlights = Highlights(database)

    async def of_article(
        self, article: ArticleDetail, who: Principal, *, is_opened: bool = False
    ) -> Beside:
        """Return what stands beside an article; whoever opens it has read it."""
        if is_opened and who.user_id is not None:
            await self._reading.opened(who.user_id, article.id)
        standings = await self.triage.standings(who.user_id, [article.id])
        marked = await self._highlights.of_article(article.id)
        return Beside(
            standing=standings.get(article.id, UNTOUCHED),
            notes=await self._notes.of_article(article.id),
            placed=await asyncio.to_thread(placed, article.text, marked),
            people=await self.triage.people(),
        )


AnnotatedDep = Annotated[Annotations, Depends(over(Annotations))]


def placed(text: str, highlights: Sequence[Highlight]) -> tuple[PlacedHighlight, ...]:
    """Return where highlights stand in a text, in its order; those whose words went come last."""
    found = []
    for one in highlights:
        place = find_again(text, one.quote, before=one.before, after=one.after, start=one.start)
        start, end = place or (None, None)
        found.append(PlacedHighlight(highlight=one, start=start, end=end))
    return tuple(sorted(found, key=_order))


def _order(one: PlacedHighlight) -> tuple[bool, int, int]:
    return one.start is None, one.start or 0, one.highlight.id

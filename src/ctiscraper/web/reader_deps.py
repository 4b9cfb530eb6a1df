"""What the reader's pages and routes work with, and how a route asks for it."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import Depends, Request

from ctiscraper.db.annotations import Highlights, Notes
from ctiscraper.db.articles import Articles
from ctiscraper.db.changing import CHANGED_MOST, Changes
from ctiscraper.db.reading import Reading
from ctiscraper.db.triage import Triage
from ctiscraper.identity import Permission, Principal
from ctiscraper.views import ArticleQuery
from ctiscraper.web.deps import over
from ctiscraper.web.who import of_reader, require

ReadingDep = Annotated[Reading, Depends(over(Reading))]
TriageDep = Annotated[Triage, Depends(over(Triage))]
ChangesDep = Annotated[Changes, Depends(over(Changes))]
NotesDep = Annotated[Notes, Depends(over(Notes))]
HighlightsDep = Annotated[Highlights, Depends(over(Highlights))]


async def after_triage(request: Request) -> AsyncIterator[None]:
    """Let what a route changes be seen in lists at once; nobody has work from it."""
    yield
    request.app.state.recent.clear()


async def found_by(
    articles: Articles, query: ArticleQuery, who: Principal
) -> tuple[Sequence[int], bool]:
    """Return the articles that a search means, and whether it has more than are changed at once.

    How many it finds is told to whoever changes them, so he may read articles. Raises
    HTTPException.
    """
    require(who, Permission.ARTICLE_READ)
    found = await articles.matching(of_reader(query, who))
    return found[:CHANGED_MOST], len(found) >= CHANGED_MOST

"""What the reader's pages and routes work with, and how a route asks for it."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from ctiscraper.db.annotations import Highlights, Notes
from ctiscraper.db.changing import Changes
from ctiscraper.db.reading import Reading
from ctiscraper.db.triage import Triage
from ctiscraper.web.deps import over

ReadingDep = Annotated[Reading, Depends(over(Reading))]
TriageDep = Annotated[Triage, Depends(over(Triage))]
ChangesDep = Annotated[Changes, Depends(over(Changes))]
NotesDep = Annotated[Notes, Depends(over(Notes))]
HighlightsDep = Annotated[Highlights, Depends(over(Highlights))]


async def after_triage(request: Request) -> AsyncIterator[None]:
    """Let what a route changes be seen in lists at once; nobody has work from it."""
    yield
    request.app.state.recent.clear()

"""What the doors are given, and how a route asks for it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from ctiscraper.db.articles import Articles
from ctiscraper.db.enrichment_records import EnrichmentRecords
from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.entities import Entities
from ctiscraper.db.items import Items
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.overview import Overview
from ctiscraper.db.queue import Queue
from ctiscraper.db.scoreboard import SourceScores
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.db.stories import Stories
from ctiscraper.db.story_pages import StoryPages
from ctiscraper.db.verdicts import Verdicts
from ctiscraper.errors import UnavailableError
from ctiscraper.scoring import Scoring
from ctiscraper.sourcing import Sourcing
from ctiscraper.tasks.bell import Bell, SilentBell
from ctiscraper.tasks.watch import OperationsReport, report
from ctiscraper.types import Tier
from ctiscraper.views import AccountingReport
from ctiscraper.web.matrix import Matrix
from ctiscraper.web.recent import Recent
from ctiscraper.weighing import DEFAULT_WEIGHTS, Weights

Part = TypeVar("Part")

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServices:
    """Everything that the web pages and the API work with.

    Without `sourcing` this process reads only: sources are not added or previewed.
    `bell` wakes the workers after a change; `allowed_hosts` are the names a request may ask
    for, without port; `contact` is the address that sites see in the User-Agent; a worker
    silent for `lease_seconds` is gone. `matrix` is what is known of ATT&CK, if not by the pack
    in use; `weights` are those of scores.
    """

    database: Database
    allowed_hosts: frozenset[str] = field(default=LOOPBACK_HOSTS)
    version: str = ""
    contact: str = ""
    sourcing: Sourcing | None = None
    bell: Bell = field(default_factory=SilentBell)
    lease_seconds: float = 60.0
    matrix: Matrix | None = None
    weights: Weights = field(default_factory=lambda: DEFAULT_WEIGHTS)


async def services(request: Request) -> WebServices:
    """Return what the app was made with."""
    given = request.app.state.services
    assert isinstance(given, WebServices)
    return given


Services = Annotated[WebServices, Depends(services)]


def over(part: Callable[[Database], Part]) -> Callable[[WebServices], Coroutine[None, None, Part]]:
    """Return what gives a route this part of the database."""

    # Awaited: for what is not, FastAPI takes a thread each time.
    async def made(given: Services) -> Part:
        return part(given.database)

    return made


OverviewDep = Annotated[Overview, Depends(over(Overview))]


async def _sourcing(given: Services) -> Sourcing:
    if given.sourcing is None:
        raise UnavailableError("this process reads only; add sources where collection runs")
    return given.sourcing


async def _scoring(given: Services) -> Scoring:
    return Scoring(given.database, given.weights)


async def accounts(request: Request, overview: OverviewDep) -> AccountingReport:
    """Return the accounts, counted over every row and so kept for a few seconds."""
    kept = request.app.state.accounts
    assert isinstance(kept, Recent)
    report = await kept.get("all", overview.accounting)
    assert isinstance(report, AccountingReport)
    return report


async def operations(request: Request, given: Services) -> OperationsReport:
    """Return the state of operations, for all who ask within a moment the same."""
    kept, board = request.app.state.operations, request.app.state.board
    assert isinstance(kept, Recent)
    assert isinstance(board, OperationsBoard)
    found = await kept.get("all", lambda: report(board, given.bell))
    assert isinstance(found, OperationsReport)
    return found


async def after_change(request: Request, given: Services) -> AsyncIterator[None]:
    """Let what a route changes be seen at once, and wake the workers that it makes work for."""
    _forget(request)
    yield
    _forget(request)
    for tier in Tier:
        given.bell.ring(tier)


def _forget(request: Request) -> None:
    request.app.state.accounts.clear()
    request.app.state.dashboard.clear()
    request.app.state.operations.clear()
    request.app.state.board.forget()
    request.app.state.recent.clear()


async def _recent(request: Request) -> Recent[bytes]:
    kept = request.app.state.recent
    assert isinstance(kept, Recent)
    return kept


ArticlesDep = Annotated[Articles, Depends(over(Articles))]
EntitiesDep = Annotated[Entities, Depends(over(Entities))]
VerdictsDep = Annotated[Verdicts, Depends(over(Verdicts))]
EnrichmentsDep = Annotated[Enrichments, Depends(over(Enrichments))]
RecordsDep = Annotated[EnrichmentRecords, Depends(over(EnrichmentRecords))]
ItemsDep = Annotated[Items, Depends(over(Items))]
RecentDep = Annotated[Recent[bytes], Depends(_recent)]
QueueDep = Annotated[Queue, Depends(over(Queue))]
SourcesDep = Annotated[Sources, Depends(over(Sources))]
StoriesDep = Annotated[Stories, Depends(over(Stories))]
StoryPagesDep = Annotated[StoryPages, Depends(over(StoryPages))]
ScoresDep = Annotated[SourceScores, Depends(over(SourceScores))]
AccountsDep = Annotated[AccountingReport, Depends(accounts)]
OperationsDep = Annotated[OperationsReport, Depends(operations)]
SourcingDep = Annotated[Sourcing, Depends(_sourcing)]
ScoringDep = Annotated[Scoring, Depends(_scoring)]

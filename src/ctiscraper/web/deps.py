"""What the doors are given, and how a route asks for it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeVar

from fastapi import Depends, HTTPException, Query, Request

from ctiscraper.access.load_balancer import LoadBalancer
from ctiscraper.access.oidc import Provider
from ctiscraper.access.passwords import Passwords
from ctiscraper.access.sealing import Sealer
from ctiscraper.analyses import ModelDesk, ModelUse
from ctiscraper.db.articles import Articles
from ctiscraper.db.detections import DetectionDrafts
from ctiscraper.db.enrichment_records import EnrichmentRecords
from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.entities import Entities
from ctiscraper.db.items import Items
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.overview import Overview
from ctiscraper.db.packs import Packs
from ctiscraper.db.queue import Queue
from ctiscraper.db.saved_searches import SavedSearches
from ctiscraper.db.scoreboard import DEFAULT_DAYS, SourceScores
from ctiscraper.db.session import Database
from ctiscraper.db.source_past import SourcePast
from ctiscraper.db.sources import Sources
from ctiscraper.db.stories import Stories
from ctiscraper.db.story_pages import StoryPages
from ctiscraper.db.verdicts import Verdicts
from ctiscraper.detecting import Detections
from ctiscraper.errors import UnavailableError
from ctiscraper.identity import Principal
from ctiscraper.meaning import Meaning
from ctiscraper.mending import Mending
from ctiscraper.questions import Questions
from ctiscraper.rehearsal import Rehearsals
from ctiscraper.scoring import Scoring
from ctiscraper.shown_settings import ShownSetting
from ctiscraper.sourcing import Sourcing
from ctiscraper.story_views import Scoreboard
from ctiscraper.tasks.bell import Bell, SilentBell
from ctiscraper.tasks.watch import OperationsReport, report
from ctiscraper.types import Keep, Tier
from ctiscraper.views import AccountingReport
from ctiscraper.web.allowance import Allowance
from ctiscraper.web.changes import Comparisons
from ctiscraper.web.matrix import Matrix
from ctiscraper.web.recent import Recent
from ctiscraper.weighing import DEFAULT_WEIGHTS, Weights

Part = TypeVar("Part")

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
ACCOUNTS_BY_THE_WAY_SECONDS = 60.0
# What was seen so long ago is told while it is looked at anew: whoever asks for health has no time.
DEGRADED_BY_THE_WAY_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServices:
    """Everything that the web pages and the API work with.

    Without `sourcing`, `rehearsals` and `mending` this process reads only: sources are not
    added, previewed, tried or mended; without `detections` no rule is drafted or checked.
    `min_gap` is the least time between two requests to a host,
    `keep` for how long things are kept; `shown_settings` are those of this process.
    `bell` wakes the workers after a change; `allowed_hosts` are the names a request may ask
    for, without port; `contact` is the address that sites see in the User-Agent; a worker
    silent for `lease_seconds` is gone. `matrix` is what is known of ATT&CK, if not by the pack
    in use; `weights` are those of scores. `sealer` has the installation's key; what proxies at
    `hops` say of who asks is believed. `provider` is whom people log in by, or `balancer` before
    whom they did. With `require_second_factor` no password alone lets anybody in. `models` says
    which language model is asked, None where there is none; without `meaning` and `questions`
    words are all that is searched by.
    """

    database: Database
    allowed_hosts: frozenset[str] = field(default=LOOPBACK_HOSTS)
    version: str = ""
    contact: str = ""
    sourcing: Sourcing | None = None
    rehearsals: Rehearsals | None = None
    mending: Mending | None = None
    detections: Detections | None = None
    min_gap: float = 1.0
    keep: Keep | None = None
    shown_settings: tuple[ShownSetting, ...] = ()
    bell: Bell = field(default_factory=SilentBell)
    lease_seconds: float = 60.0
    matrix: Matrix | None = None
    weights: Weights = field(default_factory=lambda: DEFAULT_WEIGHTS)
    passwords: Passwords = field(default_factory=Passwords)
    sealer: Sealer = field(default_factory=Sealer.of_this_process)
    hops: tuple[IPv4Network | IPv6Network, ...] = ()
    provider: Provider | None = None
    balancer: LoadBalancer | None = None
    require_second_factor: bool = False
    models: ModelUse | None = None
    meaning: Meaning | None = None
    questions: Questions | None = None


def services_of(request: Request) -> WebServices:
    """Return what the app was made with."""
    given = request.app.state.services
    assert isinstance(given, WebServices)
    return given


async def services(request: Request) -> WebServices:
    """Return what the app was made with."""
    return services_of(request)


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


async def _scoreboard(
    request: Request, given: Services, days: Annotated[str, Query()] = "30"
) -> Scoreboard:
    """Return how sources compare over so many days, counted over many rows: kept for a minute."""
    kept = request.app.state.scores
    assert isinstance(kept, Recent)
    wanted = int(days) if days in {"7", "30", "90"} else DEFAULT_DAYS

    async def made() -> Scoreboard:
        until = given.database.clock()
        since = until - timedelta(days=wanted)
        return await SourceScores(given.database).scoreboard(since=since, until=until)

    board = await kept.get(wanted, made)
    assert isinstance(board, Scoreboard)
    return board


async def _rehearsals(given: Services) -> Rehearsals:
    if given.rehearsals is None:
        raise UnavailableError("this process reads only; try edits where collection runs")
    return given.rehearsals


async def _mending(given: Services) -> Mending:
    if given.mending is None:
        raise UnavailableError("this process reads only; mend sources where collection runs")
    return given.mending


async def _detections(given: Services) -> Detections:
    if given.detections is None:
        raise UnavailableError("this process reads only; work on rules where collection runs")
    return given.detections


async def actor(request: Request) -> str:
    """Return how whoever asks is named on record."""
    principal = request.state.principal
    assert isinstance(principal, Principal), "no write is for anyone"
    return principal.signature


async def recheck_allowed(request: Request) -> None:
    """Raise HTTPException when whoever asks has asked for too many checks a moment ago."""
    allowance, principal = request.app.state.rechecks, request.state.principal
    assert isinstance(allowance, Allowance)
    assert isinstance(principal, Principal), "no write is for anyone"
    wait = allowance.take((principal.user_id, principal.token_id))
    if wait:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"sources are checked by hand {allowance.most} times a minute at most; "
            f"ask again in {wait:.0f} s",
            {"retry-after": f"{wait:.0f}"},
        )


async def _scoring(given: Services) -> Scoring:
    return Scoring(given.database, given.weights)


async def _desk(given: Services) -> ModelDesk:
    return ModelDesk(given.database, given.models)


async def accounts(request: Request, overview: OverviewDep) -> AccountingReport:
    """Return the accounts, counted over every row and so kept for a few seconds."""
    kept = request.app.state.accounts
    assert isinstance(kept, Recent)
    report = await kept.get("all", overview.accounting)
    assert isinstance(report, AccountingReport)
    return report


async def accounts_soon(request: Request, overview: OverviewDep) -> AccountingReport:
    """Return the accounts as they were a minute ago at most, for what shows them by the way."""
    kept = request.app.state.accounts
    assert isinstance(kept, Recent)
    report = await kept.get_soon("all", overview.accounting, within=ACCOUNTS_BY_THE_WAY_SECONDS)
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


async def degraded_parts(request: Request, given: Services) -> tuple[str, ...]:
    """Return which parts are degraded, as it was a while ago at most; cheap to ask for."""
    kept = request.app.state.degraded
    assert isinstance(kept, Recent)

    async def look() -> tuple[str, ...]:
        return (await operations(request, given)).degraded_parts

    parts = await kept.get_soon("all", look, within=DEGRADED_BY_THE_WAY_SECONDS)
    assert isinstance(parts, tuple)
    return parts


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


def recent_of(request: Request) -> Recent[bytes]:
    """Return the lists that were answered a moment ago."""
    kept = request.app.state.recent
    assert isinstance(kept, Recent)
    return kept


async def _comparisons(request: Request) -> Comparisons:
    kept = request.app.state.comparisons
    assert isinstance(kept, Comparisons)
    return kept


ComparisonsDep = Annotated[Comparisons, Depends(_comparisons)]
ArticlesDep = Annotated[Articles, Depends(over(Articles))]
EntitiesDep = Annotated[Entities, Depends(over(Entities))]
VerdictsDep = Annotated[Verdicts, Depends(over(Verdicts))]
EnrichmentsDep = Annotated[Enrichments, Depends(over(Enrichments))]
RecordsDep = Annotated[EnrichmentRecords, Depends(over(EnrichmentRecords))]
ItemsDep = Annotated[Items, Depends(over(Items))]
QueueDep = Annotated[Queue, Depends(over(Queue))]
SavedSearchesDep = Annotated[SavedSearches, Depends(over(SavedSearches))]
SourcesDep = Annotated[Sources, Depends(over(Sources))]
StoriesDep = Annotated[Stories, Depends(over(Stories))]
StoryPagesDep = Annotated[StoryPages, Depends(over(StoryPages))]
ScoresDep = Annotated[SourceScores, Depends(over(SourceScores))]
AccountsDep = Annotated[AccountingReport, Depends(accounts)]
AccountsSoonDep = Annotated[AccountingReport, Depends(accounts_soon)]
OperationsDep = Annotated[OperationsReport, Depends(operations)]
SourcingDep = Annotated[Sourcing, Depends(_sourcing)]
ScoreboardDep = Annotated[Scoreboard, Depends(_scoreboard)]
RehearsalsDep = Annotated[Rehearsals, Depends(_rehearsals)]
MendingDep = Annotated[Mending, Depends(_mending)]
DetectionsDep = Annotated[Detections, Depends(_detections)]
DetectionDraftsDep = Annotated[DetectionDrafts, Depends(over(DetectionDrafts))]
PastDep = Annotated[SourcePast, Depends(over(SourcePast))]
PacksDep = Annotated[Packs, Depends(over(Packs))]
ActorDep = Annotated[str, Depends(actor)]
DeskDep = Annotated[ModelDesk, Depends(_desk)]
ScoringDep = Annotated[Scoring, Depends(_scoring)]

"""The web application: every route, behind one guard."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ctiscraper.dashboard_views import Dashboard
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.story_views import Scoreboard
from ctiscraper.tasks.watch import OperationsReport
from ctiscraper.views import AccountingReport
from ctiscraper.web import describing, health, metrics, problems, sudo
from ctiscraper.web.allowance import Allowance
from ctiscraper.web.api import (
    accounting,
    analyses,
    annotations,
    article_entities,
    articles,
    audit,
    dashboard,
    detections,
    enrichment,
    entities,
    events,
    installation,
    lookup,
    operations,
    questions,
    queue,
    reading,
    scoreboard,
    searches,
    source_work,
    sources,
    stories,
    techniques,
    tokens,
    users,
    verdicts,
    watchlist,
)
from ctiscraper.web.asked import QUESTIONS_A_MINUTE
from ctiscraper.web.attack import AttackShelf
from ctiscraper.web.changes import Comparisons
from ctiscraper.web.compression import Compression
from ctiscraper.web.dashboard import SECONDS as DASHBOARD_SECONDS
from ctiscraper.web.dashboard import TREND_SECONDS
from ctiscraper.web.deps import WebServices
from ctiscraper.web.doorman import Doorman
from ctiscraper.web.exchange import Access
from ctiscraper.web.flat import add_routes
from ctiscraper.web.forwarded import Forwarded
from ctiscraper.web.guarded import check_rules
from ctiscraper.web.installation import RetentionReport
from ctiscraper.web.live import Live
from ctiscraper.web.pages import (
    account,
    feeds,
    login,
    passkeys,
    password,
    setup,
    source_add,
    source_edit,
    source_past,
    theme,
)
from ctiscraper.web.pages import accounting as accounting_page
from ctiscraper.web.pages import annotations as annotation_forms
from ctiscraper.web.pages import articles as article_pages
from ctiscraper.web.pages import audit as audit_page
from ctiscraper.web.pages import dashboard as dashboard_page
from ctiscraper.web.pages import detections as detection_pages
from ctiscraper.web.pages import indicators as indicator_pages
from ctiscraper.web.pages import installation as installation_pages
from ctiscraper.web.pages import models as model_pages
from ctiscraper.web.pages import oidc as oidc_page
from ctiscraper.web.pages import operations as operations_page
from ctiscraper.web.pages import questions as question_pages
from ctiscraper.web.pages import scoreboard as scoreboard_page
from ctiscraper.web.pages import searches as search_pages
from ctiscraper.web.pages import sources as source_pages
from ctiscraper.web.pages import stories as story_pages
from ctiscraper.web.pages import techniques as technique_pages
from ctiscraper.web.pages import tokens as token_page
from ctiscraper.web.pages import triage as triage_forms
from ctiscraper.web.pages import users as users_page
from ctiscraper.web.pages import verdicts as verdict_forms
from ctiscraper.web.pages import watchlist as watchlist_page
from ctiscraper.web.recent import Recent
from ctiscraper.web.schemas import Problem
from ctiscraper.web.security import Guard
from ctiscraper.web.token_rate import TokenRate

# Annotations and reading stand before articles: a file's name ends in what the number of an article
# would take for its own.
_RESOURCES = (
    annotations,
    reading,
    analyses,
    articles,
    searches,
    article_entities,
    entities,
    techniques,
    lookup,
    verdicts,
    enrichment,
    stories,
    dashboard,
    events,
    sources,
    source_work,
    watchlist,
    detections,
    scoreboard,
    accounting,
    operations,
    queue,
    questions,
    installation,
    users,
    tokens,
    audit,
)
_PAGES = (
    dashboard_page,
    article_pages,
    search_pages,
    feeds,
    annotation_forms,
    model_pages,
    triage_forms,
    question_pages,
    indicator_pages,
    technique_pages,
    story_pages,
    verdict_forms,
    scoreboard_page,
    source_add,
    source_edit,
    source_past,
    source_pages,
    watchlist_page,
    detection_pages,
    accounting_page,
    installation_pages,
    operations_page,
    setup,
    login,
    password,
    account,
    passkeys,
    users_page,
    token_page,
    oidc_page,
    audit_page,
    theme,
)

LIST_SECONDS = 1.0
ACCOUNTS_SECONDS = 5.0
OPERATIONS_SECONDS = 2.0
DEGRADED_SECONDS = 10.0
SCORES_SECONDS = 60.0
RECHECKS_A_MINUTE = 10

_DESCRIPTION = """
What security researchers publish, collected, kept faithfully and ready to read.

Lists are newest first and paged by `cursor`; every answer carries `X-Request-ID`; errors are
problem JSON (RFC 9457). Unknown parameters and fields are refused with 422. Lists and articles
carry an `ETag`: send it back in `If-None-Match` to be told 304 when nothing changed. A write with
an `Idempotency-Key` is never made twice: sent again within a day it gives the first answer, or 409
while it is being answered (`Retry-After`) and where it is not known whether it took effect. Each
operation names the permission that it needs; a token is asked for with `Authorization: Bearer
cti_...`.
"""
_ERRORS: dict[int | str, dict[str, object]] = {
    status: {
        "description": description,
        "content": {
            "application/problem+json": {},
            "application/json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    }
    for status, description in (
        (400, "The question is too broad to answer in time"),
        (401, "Nobody is logged in, or the token is not valid"),
        (403, "Whoever asks may not do this, or the request comes from another site"),
        (404, "There is no such thing"),
        (409, "It contradicts what is stored"),
        (413, "The body is too large"),
        (421, "The host name asked for is not served here"),
        (422, "A parameter or field is wrong"),
        (429, "This token has asked too often: wait as Retry-After says"),
        (428, "Say which version of it was read"),
        (502, "The site of the source does not answer"),
        (503, "The database does not answer, or this process reads only"),
    )
}
# Named once it is described: FastAPI makes a validator of each model of each route.
_ERRORS[401]["model"] = Problem


class _Static(StaticFiles):
    """Static files under addresses that change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if scope["query_string"].startswith(b"v="):
            answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


def create_app(services: WebServices) -> FastAPI:
    """Return the application; its database must be open before the first request."""
    app = FastAPI(
        title="CTIScraper",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # What is sent to a collector, and when, is for our own spans to say.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    app.state.doorman = Doorman(services.database)
    app.state.token_rate = TokenRate()
    app.state.feed_allowance = Allowance(feeds.A_MINUTE, 60.0)
    app.state.recent = Recent[bytes](LIST_SECONDS)
    app.state.attack = AttackShelf()
    app.state.comparisons = Comparisons()
    app.state.questions = Allowance(QUESTIONS_A_MINUTE, 60.0)
    app.state.rechecks = Allowance(RECHECKS_A_MINUTE, 60.0)
    app.state.retention = Recent[RetentionReport](SCORES_SECONDS)
    app.state.scores = Recent[Scoreboard](SCORES_SECONDS)
    app.state.accounts = Recent[AccountingReport](ACCOUNTS_SECONDS)
    app.state.dashboard = Recent[Dashboard](DASHBOARD_SECONDS)
    app.state.trends = Recent[object](TREND_SECONDS)
    app.state.operations = Recent[OperationsReport](OPERATIONS_SECONDS)
    app.state.degraded = Recent[tuple[str, ...]](DEGRADED_SECONDS)
    app.state.live = Live(services.database)
    app.state.board = OperationsBoard(services.database, alive_seconds=services.lease_seconds)
    problems.install(app)
    sudo.install(app)
    app.router.routes.extend(_routes())
    app.mount("/static", _Static(directory=str(files("ctiscraper.web") / "static")))
    check_rules(app)
    describing.describe_access(app)
    app.add_middleware(Guard, allowed_hosts=services.allowed_hosts)
    app.add_middleware(Forwarded, hops=services.hops)
    app.add_middleware(Compression)
    # Added last, it stands outermost: what the guard refuses is told as well.
    app.add_middleware(Access)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route but the static files; they are the same for every application."""
    gathered = APIRouter(generate_unique_id_function=_operation_id)
    for resource in _RESOURCES:
        add_routes(gathered, resource.router, prefix="/api/v1", responses=_ERRORS)
    for beside in (describing, health, metrics):
        add_routes(gathered, beside.router)
    for page in _PAGES:
        add_routes(gathered, page.router, include_in_schema=False)
    # Looked at one after the other: what is asked for most comes first.
    first = "/api/v1/articles"
    return tuple(sorted(gathered.routes, key=lambda one: getattr(one, "path", "") != first))


def _operation_id(route: APIRoute) -> str:
    return route.name

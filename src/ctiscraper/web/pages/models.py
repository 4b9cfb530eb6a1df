"""What models say, on pages: forms beside an article, two compared, the operator's view."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.errors import ModelFault
from ctiscraper.fault_words import FAULTS
from ctiscraper.web.analysis_schemas import AskForm, ComparePage, JudgementForm, NoFields, RetryForm
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import ActorDep, ArticlesDep, DeskDep, OverviewDep, after_change
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.model_words import HEADS, WORDS, evaluated_tasks
from ctiscraper.web.render import render

router = Routes(route_class=GuardedRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1)]
AnalysisId = Annotated[int, Path(ge=1, le=2**63 - 1)]
_changes = [Depends(after_change)]


@router.post("/articles/{article_id}/analyses", dependencies=_changes)
async def ask_model(
    request: Request, desk: DeskDep, actor: ActorDep, article_id: ArticleId
) -> Response:
    """Have a model asked, and return to the article."""
    form = await read_form(request, AskForm)
    numbers = await desk.ask(
        article_id, form.tasks, model=form.model, actor=actor, again=form.again
    )
    tell(
        request,
        object_id=article_id,
        tasks=[task.value for task in form.tasks],
        model=form.model,
        analyses=list(numbers),
    )
    return _to(article_id)


@router.post("/articles/{article_id}/analyses/{analysis_id}/cancel", dependencies=_changes)
async def cancel_analysis(
    request: Request, desk: DeskDep, article_id: ArticleId, analysis_id: AnalysisId
) -> Response:
    """Ask no more."""
    await read_form(request, NoFields)
    await desk.analyses.cancel(analysis_id)
    tell(request, object_id=analysis_id)
    return _to(article_id)


@router.post("/articles/{article_id}/analyses/{analysis_id}/retry", dependencies=_changes)
async def retry_analysis(
    request: Request,
    desk: DeskDep,
    actor: ActorDep,
    article_id: ArticleId,
    analysis_id: AnalysisId,
) -> Response:
    """Ask once more."""
    await read_form(request, NoFields)
    await desk.retry(analysis_id, actor=actor)
    tell(request, object_id=analysis_id)
    return _to(article_id)


@router.post("/articles/{article_id}/analyses/{analysis_id}/feedback", dependencies=_changes)
async def judge_claim(
    request: Request,
    desk: DeskDep,
    actor: ActorDep,
    article_id: ArticleId,
    analysis_id: AnalysisId,
) -> Response:
    """Keep what somebody thinks of a claim."""
    form = await read_form(request, JudgementForm)
    await desk.analyses.judge(analysis_id, form.claim, good=form.thumb, actor=actor, seen=form.seen)
    tell(request, object_id=analysis_id, claim=form.claim, good=form.thumb)
    return _to(article_id, f"analysis-{analysis_id}")


@router.get("/articles/{article_id}/compare")
async def compare_models(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    desk: DeskDep,
    articles: ArticlesDep,
    overview: OverviewDep,
    actor: ActorDep,
    article_id: ArticleId,
    chosen: Annotated[ComparePage, Query()],
) -> Response:
    """Two models side by side on one article."""
    return render(
        "compare.html",
        {
            "pulse": await overview.pulse(),
            "article": await articles.get(article_id),
            "compared": await desk.compare(article_id, chosen.left, chosen.right, actor=actor),
            "configured": desk.use is not None,
            **WORDS,
        },
        scope=request.scope,
    )


@router.get("/operations/models")
async def models(request: Request, desk: DeskDep, overview: OverviewDep) -> Response:
    """Queue, server, budgets, cost, and how models did when they were evaluated."""
    return render(
        "models.html",
        {
            "pulse": await overview.pulse(),
            "report": await desk.report(),
            "waiting": await desk.analyses.page(limit=20),
            "faults": {fault.value: words for fault, words in FAULTS.items()},
            "off": FAULTS[ModelFault.OFF],
            "heads": HEADS,
            "evaluated": evaluated_tasks,
            **WORDS,
        },
        scope=request.scope,
    )


@router.post("/operations/models/cancel", dependencies=_changes)
async def cancel_all(request: Request, desk: DeskDep) -> Response:
    """Ask nothing more that waits."""
    await read_form(request, NoFields)
    tell(request, count=await desk.analyses.cancel_all())
    return RedirectResponse("/operations/models", HTTPStatus.SEE_OTHER)


@router.post("/operations/models/retry", dependencies=_changes)
async def retry_all(request: Request, desk: DeskDep) -> Response:
    """Ask once more all that failed, or what failed so."""
    form = await read_form(request, RetryForm)
    tell(request, count=await desk.retry_all(form.fault), fault=form.fault)
    return RedirectResponse("/operations/models", HTTPStatus.SEE_OTHER)


def _to(article_id: int, place: str = "models") -> Response:
    return RedirectResponse(f"/articles/{article_id}#{place}", HTTPStatus.SEE_OTHER)

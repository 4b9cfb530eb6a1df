"""What models say of articles: asked for, read, compared, judged; and what all of it costs."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.model_views import (
    AnalysisPage,
    AnalysisRow,
    ArticleAnalyses,
    Compared,
    ModelReport,
)
from ctiscraper.web.analysis_schemas import (
    AnalysisAsked,
    AnalysisParameters,
    CompareParameters,
    JudgementIn,
    RetryParameters,
)
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import ActorDep, DeskDep, after_change
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import Counted, NoParameters

router = Routes(tags=["models"], route_class=OnceRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]
AnalysisId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
_changes = [Depends(after_change)]
_None = Annotated[NoParameters, Query()]


@router.get(
    "/articles/{article_id}/analyses",
    response_model=ArticleAnalyses,
    summary="What models said of an article",
)
async def list_article_analyses(
    request: Request, desk: DeskDep, actor: ActorDep, article_id: ArticleId, _: _None
) -> Response:
    """Of its present text first; each claim with the words of the text that prove it."""
    return tagged(request, encoded(await desk.of_article(article_id, actor=actor)))


@router.post(
    "/articles/{article_id}/analyses",
    response_model=ArticleAnalyses,
    status_code=202,
    dependencies=_changes,
    summary="Have a model asked about an article",
)
async def ask_model(
    request: Request, desk: DeskDep, actor: ActorDep, article_id: ArticleId, given: AnalysisAsked
) -> Response:
    """It is asked before what waits by itself; what has an answer already keeps it."""
    numbers = await desk.ask(
        article_id, given.tasks, model=given.model, actor=actor, again=given.again
    )
    tell(
        request,
        object_id=article_id,
        tasks=[task.value for task in given.tasks],
        model=given.model,
        analyses=list(numbers),
    )
    return JsonAnswer(await desk.of_article(article_id, actor=actor), 202)


@router.get(
    "/articles/{article_id}/analyses/compare",
    response_model=Compared,
    summary="Two models on one article",
)
async def compare_models(
    request: Request,
    desk: DeskDep,
    actor: ActorDep,
    article_id: ArticleId,
    given: Annotated[CompareParameters, Query()],
) -> Response:
    """Of its present text, task by task."""
    found = await desk.compare(article_id, given.left, given.right, actor=actor)
    return tagged(request, encoded(found))


@router.get("/analyses", response_model=AnalysisPage, summary="Analyses, the newest first")
async def list_analyses(
    request: Request, desk: DeskDep, parameters: Annotated[AnalysisParameters, Query()]
) -> Response:
    """Of all articles; one that is asked anew keeps its place."""
    page = await desk.analyses.page(
        state=parameters.state, cursor=parameters.cursor, limit=parameters.limit
    )
    return tagged(request, encoded(page))


@router.post(
    "/analyses/cancel",
    response_model=Counted,
    dependencies=_changes,
    summary="Ask nothing more that waits or is being answered",
)
async def cancel_analyses(request: Request, desk: DeskDep, _: _None) -> Response:
    """New articles are asked about all the same."""
    count = await desk.analyses.cancel_all()
    tell(request, count=count)
    return JsonAnswer({"count": count})


@router.post(
    "/analyses/retry",
    response_model=Counted,
    dependencies=_changes,
    summary="Ask once more all that failed",
)
async def retry_analyses(
    request: Request, desk: DeskDep, given: Annotated[RetryParameters, Query()]
) -> Response:
    """With all their attempts, behind what people ask one by one; `fault` leaves out others."""
    count = await desk.retry_all(given.fault)
    tell(request, count=count, fault=given.fault)
    return JsonAnswer({"count": count})


@router.get("/analyses/{analysis_id}", response_model=AnalysisRow, summary="One analysis")
async def get_analysis(
    request: Request, desk: DeskDep, actor: ActorDep, analysis_id: AnalysisId, _: _None
) -> Response:
    """With what the model answered where that could not be used."""
    return tagged(request, encoded(await desk.analyses.get(analysis_id, actor=actor)))


@router.post(
    "/analyses/{analysis_id}/cancel",
    response_model=AnalysisRow,
    dependencies=_changes,
    summary="Ask no more",
)
async def cancel_analysis(
    desk: DeskDep, actor: ActorDep, analysis_id: AnalysisId, _: _None
) -> Response:
    """A question that is being answered is broken off."""
    await desk.analyses.cancel(analysis_id)
    return JsonAnswer(await desk.analyses.get(analysis_id, actor=actor))


@router.post(
    "/analyses/{analysis_id}/retry",
    response_model=AnalysisRow,
    dependencies=_changes,
    summary="Ask once more",
)
async def retry_analysis(
    desk: DeskDep, actor: ActorDep, analysis_id: AnalysisId, _: _None
) -> Response:
    """With all its attempts, whatever it had before."""
    await desk.retry(analysis_id, actor=actor)
    return JsonAnswer(await desk.analyses.get(analysis_id, actor=actor))


@router.post(
    "/analyses/{analysis_id}/feedback",
    response_model=AnalysisRow,
    dependencies=_changes,
    summary="Say what you think of a claim",
)
async def judge_claim(
    request: Request,
    desk: DeskDep,
    actor: ActorDep,
    analysis_id: AnalysisId,
    given: JudgementIn,
) -> Response:
    """It feeds the sets that models are evaluated by; said again it replaces the last."""
    await desk.analyses.judge(
        analysis_id,
        given.claim,
        good=given.good,
        actor=actor,
        note=given.note,
        seen=given.seen,
    )
    tell(request, claim=given.claim, good=given.good)
    return JsonAnswer(await desk.analyses.get(analysis_id, actor=actor))


@router.get("/models", response_model=ModelReport, summary="The state of all that models do")
async def get_models(request: Request, desk: DeskDep, _: _None) -> Response:
    """Queue, server, budgets, cost, thumbs and evaluations; without a model it says so."""
    return tagged(request, encoded(await desk.report()))

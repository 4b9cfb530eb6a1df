"""Detections as pages: those of an article, all of them, and one to be changed and decided."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.analyses import ModelDesk
from ctiscraper.analysis.analysed import RULES
from ctiscraper.db.articles import Articles
from ctiscraper.detect.drafted import Checked, DraftState, Grade, Origin, Refused, Target
from ctiscraper.detect.stored import Detection
from ctiscraper.errors import ConflictError, InputError, NotFoundError, StaleError
from ctiscraper.model_views import AnalysisView
from ctiscraper.share.bundle import archive_of, file_name
from ctiscraper.web.auditing import pass_over, tell
from ctiscraper.web.deps import (
    ActorDep,
    ArticlesDep,
    DeskDep,
    DetectionDraftsDep,
    DetectionsDep,
    OverviewDep,
    after_change,
)
from ctiscraper.web.detection_schemas import (
    DecisionForm,
    DetectionPageFilters,
    DetectionView,
    DraftedNote,
    NoFields,
    RuleForm,
    RulesForm,
)
from ctiscraper.web.excerpts import excerpts
from ctiscraper.web.files import handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.model_words import WORDS, rule_number
from ctiscraper.web.render import render

router = Routes(route_class=GuardedRoute)
_changes = [Depends(after_change)]

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1)]
AnalysisId = Annotated[int, Path(ge=1, le=2**63 - 1)]
DetectionId = Annotated[int, Path(ge=1, le=2**63 - 1)]

LEVELS = ("informational", "low", "medium", "high", "critical")
TARGETS = {
    Target.SPLUNK: "Splunk",
    Target.ELASTICSEARCH: "Elasticsearch",
    Target.ESQL: "ES|QL",
    Target.KQL: "KQL",
}
_REFUSED_SHOWN = 100
_DONE = {
    "saved": "The rule is saved and was checked anew.",
    "decided": "It is decided.",
    "": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What somebody made of a rule that is not kept, and what is found out about that."""

    yaml: str
    version: int
    checked: Checked | None = None
    problem: str = ""
    conflict: bool = False


@router.get("/articles/{article_id}/detection")
async def article_detections(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    articles: ArticlesDep,
    drafts: DetectionDraftsDep,
    overview: OverviewDep,
    desk: DeskDep,
    article_id: ArticleId,
    told: Annotated[DraftedNote, Query()],
) -> Response:
    """The detections drafted from an article, each with the words that it rests on."""
    shown = _Article(article_id, added=told.added)
    return await _of_article(request, articles, drafts, overview, desk, shown)


@dataclass(frozen=True, slots=True)
class _Article:
    """Which article, and what drafting from it gave a moment ago."""

    id: int
    added: int | None = None
    refused: tuple[Refused, ...] = ()


@router.post("/articles/{article_id}/detection")
async def draft_article(  # noqa: PLR0913 - a route names what it is given
    *,
    request: Request,
    articles: ArticlesDep,
    detections: DetectionsDep,
    overview: OverviewDep,
    desk: DeskDep,
    article_id: ArticleId,
    by: ActorDep,
) -> Response:
    """Draft detections, and show them with what gave none."""
    await read_form(request, NoFields)
    drafted = await detections.draft(article_id, by=by)
    tell(request, object_id=article_id, added=drafted.added)
    shown = _Article(article_id, drafted.added, drafted.refused)
    return await _of_article(request, articles, detections.drafts, overview, desk, shown)


@router.post("/articles/{article_id}/detection/model", dependencies=_changes)
async def ask_for_rules(
    request: Request, desk: DeskDep, by: ActorDep, article_id: ArticleId
) -> Response:
    """Have a model asked for rules, and return to what was drafted."""
    form = await read_form(request, RulesForm)
    number = await desk.ask_for_rules(article_id, model=form.model, actor=by, again=form.again)
    tell(request, object_id=article_id, model=form.model, analysis=number)
    return _to_models(article_id)


@router.post("/articles/{article_id}/detection/model/{analysis_id}/cancel", dependencies=_changes)
async def cancel_rules(
    request: Request, desk: DeskDep, article_id: ArticleId, analysis_id: AnalysisId
) -> Response:
    """Ask a model for no rules after all."""
    await read_form(request, NoFields)
    await _rules(desk, article_id, analysis_id)
    await desk.analyses.cancel(analysis_id)
    tell(request, object_id=analysis_id)
    return _to_models(article_id)


@router.post("/articles/{article_id}/detection/model/{analysis_id}/keep")
async def keep_rules(  # noqa: PLR0913 - a route names what it is given
    *,
    request: Request,
    articles: ArticlesDep,
    detections: DetectionsDep,
    overview: OverviewDep,
    desk: DeskDep,
    article_id: ArticleId,
    analysis_id: AnalysisId,
    by: ActorDep,
) -> Response:
    """Add a model's rules to the drafts, and show them with what does not hold."""
    await read_form(request, NoFields)
    asked = await _rules(desk, article_id, analysis_id)
    drafted = await detections.keep_by_model(asked, by=by)
    tell(request, object_id=article_id, analysis=analysis_id, added=drafted.added)
    shown = _Article(article_id, drafted.added, drafted.refused)
    return await _of_article(request, articles, detections.drafts, overview, desk, shown)


async def _rules(desk: ModelDesk, article_id: int, analysis_id: int) -> AnalysisView:
    """Return what was asked for rules of this article. Raises NotFoundError."""
    found = (await desk.analyses.get(analysis_id)).analysis
    if found.task != RULES or found.article_id != article_id:
        raise NotFoundError(f"no model was asked for rules of article {article_id} by this number")
    return found


def _to_models(article_id: int) -> Response:
    return RedirectResponse(f"/articles/{article_id}/detection#models", HTTPStatus.SEE_OTHER)


async def _of_article(
    request: Request,
    articles: Articles,
    drafts: DetectionDraftsDep,
    overview: OverviewDep,
    desk: ModelDesk,
    shown: _Article,
) -> Response:
    article = await articles.get(shown.id)
    found = [await drafts.get(one.id) for one in await drafts.of_article(shown.id)]
    return render(
        "detection_article.html",
        {
            "pulse": await overview.pulse(),
            "article": article,
            "found": [(one, excerpts(article.text, one.evidence)) for one in found],
            "added": shown.added,
            "refused": shown.refused[:_REFUSED_SHOWN],
            "unshown": max(0, len(shown.refused) - _REFUSED_SHOWN),
            "models": await desk.rules_of(shown.id),
            "kept": frozenset(one.summary.rule_id for one in found),
            "rule_number": rule_number,
            **WORDS,
        },
        scope=request.scope,
    )


@router.get("/detections")
async def detection_list(
    request: Request,
    drafts: DetectionDraftsDep,
    overview: OverviewDep,
    filters: Annotated[DetectionPageFilters, Query()],
) -> Response:
    """All detections, narrowed."""
    page = await drafts.page(filters.query(), cursor=filters.cursor)
    return render(
        "detections.html",
        {
            "pulse": await overview.pulse(),
            "page": page,
            "filters": filters,
            "chosen": {name: str(value) for name, value in filters.chosen().items()},
            "states": list(DraftState),
            "origins": list(Origin),
            "grades": list(Grade),
            "levels": LEVELS,
        },
        scope=request.scope,
    )


@router.get("/detections/export.zip")
async def export_archive(
    request: Request,
    drafts: DetectionDraftsDep,
    filters: Annotated[DetectionPageFilters, Query()],
) -> Response:
    """The accepted rules that the list has, as an archive."""
    found = await drafts.accepted(filters.query())
    tell(request, rules=len(found))
    files = [(file_name(one.title, one.id), text) for one, text in found]
    packed = await asyncio.to_thread(archive_of, files)
    return handed_over(packed, "application/zip", "ctiscraper-detections.zip")


@router.get("/detections/{detection_id}.yml")
async def rule_file(drafts: DetectionDraftsDep, detection_id: DetectionId) -> Response:
    """One rule as a file."""
    found = await drafts.get(detection_id)
    name = file_name(found.summary.title, detection_id)
    return handed_over(found.yaml, "application/yaml; charset=utf-8", name)


@router.get("/detections/{detection_id}")
async def detection(
    request: Request,
    articles: ArticlesDep,
    drafts: DetectionDraftsDep,
    overview: OverviewDep,
    detection_id: DetectionId,
    view: Annotated[DetectionView, Query()],
) -> Response:
    """One detection: its text, what it rests on, what it matches, and its queries."""
    found = await drafts.get(detection_id)
    return await _shown(request, articles, overview, found, view)


@router.post("/detections/{detection_id}")
async def change_detection(
    *,
    request: Request,
    articles: ArticlesDep,
    detections: DetectionsDep,
    overview: OverviewDep,
    detection_id: DetectionId,
    by: ActorDep,
) -> Response:
    """Check what was typed, or save it; what cannot be saved is shown again as it was typed."""
    form = await read_form(request, RuleForm)
    text = form.text()
    typed = _Typed(yaml=text, version=form.version)
    view = DetectionView()
    try:
        if form.action == "check":
            pass_over(request)
            checked = await detections.check_for(detection_id, text)
            typed = _Typed(yaml=text, version=form.version, checked=checked)
        else:
            made = await detections.edit(detection_id, text, version=form.version, by=by)
            tell(request, version=made.summary.version)
            return RedirectResponse(f"/detections/{detection_id}?done=saved", 303)
    except StaleError as error:
        present = await detections.drafts.get(detection_id)
        typed = _Typed(
            yaml=text, version=present.summary.version, problem=str(error), conflict=True
        )
    except InputError as error:
        typed = _Typed(yaml=text, version=form.version, problem=str(error))
    found = await detections.drafts.get(detection_id)
    return await _shown(request, articles, overview, found, view, typed=typed)


@router.post("/detections/{detection_id}/decision")
async def decide(
    *,
    request: Request,
    articles: ArticlesDep,
    drafts: DetectionDraftsDep,
    overview: OverviewDep,
    detection_id: DetectionId,
    by: ActorDep,
) -> Response:
    """Accept, reject or open again, if it is still as it was shown."""
    form = await read_form(request, DecisionForm)
    before = await drafts.get(detection_id)
    try:
        made = await drafts.decide(detection_id, form.state, version=form.version, by=by)
    except ConflictError as error:
        typed = _Typed(
            yaml=before.yaml, version=before.summary.version, problem=str(error), conflict=True
        )
        return await _shown(request, articles, overview, before, DetectionView(), typed=typed)
    tell(request, before={"state": before.summary.state}, after={"state": made.summary.state})
    return RedirectResponse(f"/detections/{detection_id}?done=decided", 303)


async def _shown(
    request: Request,
    articles: Articles,
    overview: OverviewDep,
    found: Detection,
    view: DetectionView,
    *,
    typed: _Typed | None = None,
) -> Response:
    article = await articles.get(found.summary.article.id)
    checked = typed.checked if typed is not None and typed.checked else found.checked
    status = HTTPStatus.OK
    if typed is not None and typed.problem:
        status = HTTPStatus.CONFLICT if typed.conflict else HTTPStatus.UNPROCESSABLE_ENTITY
    return render(
        "detection.html",
        {
            "pulse": await overview.pulse(),
            "d": found,
            "article": article,
            "excerpts": excerpts(article.text, found.evidence),
            "checked": checked,
            "typed": typed,
            "yaml": typed.yaml if typed is not None else found.yaml,
            "version": typed.version if typed is not None else found.summary.version,
            "done": _DONE[view.done],
            "targets": TARGETS,
            "target": view.target,
            "query": next((one for one in checked.queries if one.target is view.target), None),
        },
        scope=request.scope,
        status=int(status),
    )

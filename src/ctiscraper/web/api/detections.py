"""Detections: Sigma rules drafted from articles, checked, changed, decided and handed on."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Query, Request
from starlette.responses import Response

from ctiscraper.detect.drafted import Checked
from ctiscraper.detect.drafted import Query as RuleQuery
from ctiscraper.detect.stored import Detection, DetectionPage, DetectionSummary
from ctiscraper.detecting import Drafting
from ctiscraper.model_views import ArticleAnalyses
from ctiscraper.share.bundle import archive_of, file_name
from ctiscraper.web.analysis_schemas import RulesAsked
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import pass_over, tell
from ctiscraper.web.deps import (
    ActorDep,
    ArticlesDep,
    DeskDep,
    DetectionDraftsDep,
    DetectionsDep,
    after_change,
)
from ctiscraper.web.detection_schemas import (
    DecisionIn,
    DetectionFilters,
    DetectionParameters,
    RuleIn,
    RuleText,
    RuleToConvert,
    VersionParameters,
)
from ctiscraper.web.files import gives, handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import NoParameters

router = Routes(tags=["detections"], route_class=OnceRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]
AnalysisId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
DetectionId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
Nothing = Annotated[NoParameters, Query()]
_YAML, _ZIP = "application/yaml", "application/zip"
_TAG = re.compile(r'\s*(?:W/)?"v([1-9][0-9]{0,9})"\s*')


@router.get(
    "/articles/{article_id}/detections",
    response_model=tuple[DetectionSummary, ...],
    summary="The detections drafted from an article",
)
async def list_article_detections(
    request: Request,
    articles: ArticlesDep,
    drafts: DetectionDraftsDep,
    article_id: ArticleId,
    _: Nothing,
) -> Response:
    """In the order in which they were drafted."""
    await articles.get(article_id)
    return tagged(request, encoded(await drafts.of_article(article_id)))


@router.post(
    "/articles/{article_id}/detections",
    response_model=Drafting,
    status_code=201,
    summary="Draft detections from an article",
)
async def draft_detections(
    request: Request, detections: DetectionsDep, article_id: ArticleId, by: ActorDep
) -> Response:
    """Only rules that are valid, match what the article shows and nothing ordinary.

    What gave none is told with its reason. What people changed or decided stays.
    """
    drafted = await detections.draft(article_id, by=by)
    tell(request, object_id=article_id, added=drafted.added)
    return JsonAnswer(drafted, 201)


@router.post(
    "/articles/{article_id}/detections/model",
    response_model=ArticleAnalyses,
    status_code=202,
    dependencies=[Depends(after_change)],
    summary="Have a model asked for detections from an article",
)
async def ask_for_rules(
    request: Request, desk: DeskDep, actor: ActorDep, article_id: ArticleId, given: RulesAsked
) -> Response:
    """What it is asked is an analysis like others: read, cancelled and asked again as they are.

    Its claims are the rules that the article bears out, each in `fields.rule`. None is a
    detection before somebody adds it.
    """
    number = await desk.ask_for_rules(article_id, model=given.model, actor=actor, again=given.again)
    tell(request, object_id=article_id, model=given.model, analysis=number)
    return JsonAnswer(await desk.rules_of(article_id, actor=actor), 202)


@router.post(
    "/analyses/{analysis_id}/detections",
    response_model=Drafting,
    status_code=201,
    summary="Add a model's rules to the detections of their article",
)
async def keep_rules(
    *,
    request: Request,
    desk: DeskDep,
    detections: DetectionsDep,
    analysis_id: AnalysisId,
    by: ActorDep,
    _: Nothing,
) -> Response:
    """Those that hold on the article as it is now, marked as made by a model."""
    asked = (await desk.analyses.get(analysis_id)).analysis
    drafted = await detections.keep_by_model(asked, by=by)
    tell(request, object_id=asked.article_id, analysis=analysis_id, added=drafted.added)
    return JsonAnswer(drafted, 201)


@router.get("/detections", response_model=DetectionPage, summary="Detections, the newest first")
async def list_detections(
    request: Request,
    drafts: DetectionDraftsDep,
    parameters: Annotated[DetectionParameters, Query()],
) -> Response:
    """Narrowed by article, state, origin, level, grade, category and technique."""
    page = await drafts.page(parameters.query(), cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page))


@router.post("/detections/check", response_model=Checked, summary="Check a rule")
async def check_rule(detections: DetectionsDep, given: RuleIn) -> Response:
    """By pySigma, on the events of an article if one is named, and on ordinary ones.

    Nothing is kept. A text that is no rule has that as its issue.
    """
    return JsonAnswer(await detections.check(given.yaml, article_id=given.article))


@router.post("/detections/convert", response_model=RuleQuery, summary="Convert a rule")
async def convert_rule(detections: DetectionsDep, given: RuleToConvert) -> Response:
    """Into one query language; `failure` says why it cannot be. Nothing is kept."""
    return JsonAnswer(await detections.convert(given.yaml, given.target))


@router.get(
    "/detections/export.zip",
    responses=gives(_ZIP),
    response_class=Response,
    summary="The accepted detections as an archive",
)
async def export_detections(
    request: Request,
    drafts: DetectionDraftsDep,
    parameters: Annotated[DetectionFilters, Query()],
) -> Response:
    """A file of YAML each, narrowed as the list is."""
    found = await drafts.accepted(parameters.query())
    tell(request, rules=len(found))
    files = [(file_name(one.title, one.id), text) for one, text in found]
    packed = await asyncio.to_thread(archive_of, files)
    return handed_over(packed, _ZIP, "ctiscraper-detections.zip")


@router.get(
    "/detections/{detection_id}.yml",
    responses=gives(_YAML),
    response_class=Response,
    summary="A detection as a Sigma rule",
)
async def get_rule(drafts: DetectionDraftsDep, detection_id: DetectionId, _: Nothing) -> Response:
    """As it is now, accepted or not."""
    found = await drafts.get(detection_id)
    name = file_name(found.summary.title, detection_id)
    return handed_over(found.yaml, f"{_YAML}; charset=utf-8", name)


@router.get("/detections/{detection_id}", response_model=Detection, summary="One detection")
async def get_detection(
    drafts: DetectionDraftsDep, detection_id: DetectionId, _: Nothing
) -> Response:
    """Its text, the words that it rests on, and all that was found out about it.

    Its `ETag` goes into `If-Match` of a change.
    """
    return _detection(await drafts.get(detection_id))


@router.put(
    "/detections/{detection_id}", response_model=Detection, summary="Change a detection's rule"
)
async def edit_detection(
    *,
    request: Request,
    detections: DetectionsDep,
    detection_id: DetectionId,
    given: RuleText,
    parameters: Annotated[VersionParameters, Query()],
    by: ActorDep,
) -> Response:
    """Checked anew; what was decided of it before holds no more.

    Needs `If-Match` or `version`; whoever was slower is told who was quicker (409).
    """
    version = _version(request, parameters)
    made = await detections.edit(detection_id, given.yaml, version=version, by=by)
    tell(request, version=made.summary.version)
    return _detection(made)


@router.post(
    "/detections/{detection_id}/decision",
    response_model=Detection,
    summary="Accept or reject a detection",
)
async def decide_detection(
    request: Request,
    drafts: DetectionDraftsDep,
    detection_id: DetectionId,
    given: DecisionIn,
    by: ActorDep,
) -> Response:
    """Only a sound rule is accepted; `draft` opens it again."""
    before = await drafts.get(detection_id)
    made = await drafts.decide(detection_id, given.state, version=given.version, by=by)
    if before.summary.state is made.summary.state:
        pass_over(request)
    tell(request, before={"state": before.summary.state}, after={"state": made.summary.state})
    return _detection(made)


def _detection(found: Detection) -> Response:
    headers = {"etag": f'"v{found.summary.version}"', "cache-control": "private, no-cache"}
    return JsonAnswer(found, headers=headers)


def _version(request: Request, parameters: VersionParameters) -> int:
    """Return the version that the caller has read. Raises HTTPException."""
    if parameters.version is not None:
        return parameters.version
    found = _TAG.fullmatch(request.headers.get("if-match", ""))
    if found is None:
        raise HTTPException(
            HTTPStatus.PRECONDITION_REQUIRED,
            "say which version of the rule you read: send its ETag in If-Match, or ?version=",
        )
    return int(found[1])

"""What the team decided of values and domains: made, listed, undone."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import Response

from ctiscraper.entity_views import TeamVerdict, VerdictPage
from ctiscraper.share.tabular import VERDICTS
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.auditing import tell_of_verdict
from ctiscraper.web.deps import ActorDep, VerdictsDep, after_change
from ctiscraper.web.entity_schemas import VerdictIn, VerdictParameters
from ctiscraper.web.flat import Routes
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.tables import EXPORTED, Export, Format, streamed

router = Routes(prefix="/verdicts", tags=["verdicts"], route_class=OnceRoute)

VerdictId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
_changes = [Depends(after_change)]


@router.get("", response_model=VerdictPage, responses=EXPORTED, summary="Decisions, latest first")
async def list_verdicts(
    request: Request, verdicts: VerdictsDep, parameters: Annotated[VerdictParameters, Query()]
) -> Response:
    """Undone ones too, unless only those that hold are asked for."""
    standing = parameters.standing

    async def ask(cursor: str | None, limit: int) -> tuple[Sequence[TeamVerdict], str | None]:
        page = await verdicts.page(cursor=cursor, limit=limit, standing=standing)
        return page.verdicts, page.next

    form = parameters.form(request)
    if form is not Format.JSON:
        most = parameters.limit if "limit" in parameters.model_fields_set else None
        export = Export.of(parameters, form, "verdicts")
        return await streamed(VERDICTS, ask, export, cursor=parameters.cursor, most=most)
    page = await verdicts.page(cursor=parameters.cursor, limit=parameters.limit, standing=standing)
    return tagged(request, encoded(page))


@router.post(
    "",
    response_model=TeamVerdict,
    status_code=201,
    dependencies=_changes,
    summary="Decide of a value, a domain, or a value in one source",
)
async def make_verdict(
    request: Request, verdicts: VerdictsDep, given: VerdictIn, actor: ActorDep
) -> Response:
    """It holds for all articles, past and future; one of the same scope and value is undone."""
    made = await verdicts.make(given.decision(), actor=actor)
    tell_of_verdict(request, made)
    return JsonAnswer(made, 201)


@router.delete(
    "/{verdict_id}", response_model=TeamVerdict, dependencies=_changes, summary="Undo a decision"
)
async def undo_verdict(
    request: Request,
    verdicts: VerdictsDep,
    verdict_id: VerdictId,
    actor: ActorDep,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """It stays on record, and holds no more; undoing it twice changes nothing."""
    undone, held = await verdicts.undo(verdict_id, actor=actor)
    tell_of_verdict(request, undone, changed=held)
    return JsonAnswer(undone)

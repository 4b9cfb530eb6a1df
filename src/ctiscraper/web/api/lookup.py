"""Many values at once: which of them do articles name, and what is held of them."""

import json
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from ctiscraper.entity_views import LookupReport
from ctiscraper.lookup import look_up_text, look_up_values
from ctiscraper.share.tabular import LOOKUP
from ctiscraper.web.answers import JsonAnswer
from ctiscraper.web.deps import EntitiesDep
from ctiscraper.web.entity_schemas import LookupIn
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.tables import EXPORTED, Export, Format, FormParameters, written

router = Routes(prefix="/lookup", tags=["entities"], route_class=GuardedRoute)

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": LookupIn.model_json_schema()},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


@router.post(
    "",
    response_model=LookupReport,
    responses=EXPORTED,
    openapi_extra=_BODY,
    summary="Look up to 10,000 values up",
)
async def look_up(
    request: Request, entities: EntitiesDep, parameters: Annotated[FormParameters, Query()]
) -> Response:
    """A list of `values`, or a `text` (a log, a report) that names them; defanged or not.

    A value that is no observable is taken for a name, such as an actor's. `state` is `known`,
    `benign` or `unknown`. A body of `text/plain` is a text.
    """
    form = parameters.form(request)
    given = await _given(request)
    if given.values is not None:
        report = await look_up_values(entities, given.values)
    else:
        report = await look_up_text(entities, given.text or "")
    if form is not Format.JSON:
        return written(LOOKUP, report.answers, Export.of(parameters, form, "lookup"))
    return JsonAnswer(report, headers={"vary": "accept"})


async def _given(request: Request) -> LookupIn:
    """Return what is asked for. Raises RequestValidationError."""
    body = await request.body()
    if request.headers.get("content-type", "").lower().startswith("text/plain"):
        return LookupIn(text=body.decode("utf-8-sig", "replace"))
    try:
        return LookupIn.model_validate(json.loads(body))
    except (ValueError, RecursionError) as error:
        faults = (
            error.errors(include_context=False, include_url=False)
            if isinstance(error, ValidationError)
            else [{"loc": (), "msg": f"the body is no JSON: {error}"}]
        )
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from error

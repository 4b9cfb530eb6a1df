"""What articles name: the list, one thing in full, and the articles that name it."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.entity_views import (
    EntityDetail,
    EntityPage,
    EntitySighting,
    EntitySummary,
    SightingPage,
)
from ctiscraper.share.tabular import ENTITIES, SIGHTINGS
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.deps import EntitiesDep
from ctiscraper.web.entity_schemas import EntityParameters, SightingParameters
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.tables import EXPORTED, Export, Format, streamed

router = Routes(prefix="/entities", tags=["entities"], route_class=GuardedRoute)

EntityId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]


@router.get("", response_model=EntityPage, responses=EXPORTED, summary="What articles name")
async def list_entities(
    request: Request, entities: EntitiesDep, parameters: Annotated[EntityParameters, Query()]
) -> Response:
    """The newest known first; `articles` and `sources` count who names a thing.

    Follow `next` for more. As CSV or NDJSON the answer is the whole list from `cursor` on, or as
    many as `limit` says.
    """
    query = parameters.query()

    async def ask(cursor: str | None, limit: int) -> tuple[Sequence[EntitySummary], str | None]:
        page = await entities.page(query, cursor=cursor, limit=limit)
        return page.entities, page.next

    form = parameters.form(request)
    if form is not Format.JSON:
        most = parameters.limit if "limit" in parameters.model_fields_set else None
        export = Export.of(parameters, form, "entities")
        return await streamed(ENTITIES, ask, export, cursor=parameters.cursor, most=most)
    page = await entities.page(query, cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page))


@router.get("/{entity_id}", response_model=EntityDetail, summary="One thing in full")
async def get_entity(
    request: Request,
    entities: EntitiesDep,
    entity_id: EntityId,
    _: Annotated[NoParameters, Query()],
) -> Response:
    """Which sources named it and when, what stands beside it, and what the team decided of it."""
    return tagged(request, encoded(await entities.get(entity_id)))


@router.get(
    "/{entity_id}/articles",
    response_model=SightingPage,
    responses=EXPORTED,
    summary="The articles that name a thing, newest first",
)
async def list_sightings(
    request: Request,
    entities: EntitiesDep,
    entity_id: EntityId,
    parameters: Annotated[SightingParameters, Query()],
) -> Response:
    """Each with the words around its first place: `excerpt[start:end]` is the thing."""

    async def ask(cursor: str | None, limit: int) -> tuple[Sequence[EntitySighting], str | None]:
        page = await entities.sightings(entity_id, cursor=cursor, limit=limit)
        return page.sightings, page.next

    form = parameters.form(request)
    if form is not Format.JSON:
        most = parameters.limit if "limit" in parameters.model_fields_set else None
        export = Export.of(parameters, form, f"entity-{entity_id}-articles")
        return await streamed(SIGHTINGS, ask, export, cursor=parameters.cursor, most=most)
    page = await entities.sightings(entity_id, cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page))

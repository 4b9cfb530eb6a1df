"""The things that articles name: lists, one in full, and the answer to many at once."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.db.packs import Packs
from ctiscraper.enrich.context import sentence_at
from ctiscraper.entity_views import EntityPage, EntitySighting, EntitySummary
from ctiscraper.errors import QueryError
from ctiscraper.packs.cve import CveFacts
from ctiscraper.web.deps import EntitiesDep, OverviewDep
from ctiscraper.web.files import handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.kind_words import GROUPS, NOT_JUDGED
from ctiscraper.web.matrix import address_of
from ctiscraper.web.named import domains_of, reason_list
from ctiscraper.web.page_forms import EntityFilters, SightingParameters
from ctiscraper.web.pasted import MOST_SHOWN, look_up, read_text, to_csv
from ctiscraper.web.readers import MatrixDep, PacksDep
from ctiscraper.web.render import render
from ctiscraper.web.verdict_words import VERDICTS, ReasonWords

router = Routes(prefix="/indicators", route_class=GuardedRoute)

EntityId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """An article that names a thing: the sentence, parted where its words stand in it."""

    sighting: EntitySighting
    before: str
    words: str
    after: str
    reasons: tuple[ReasonWords, ...]


@router.get("")
async def entity_list(
    request: Request,
    entities: EntitiesDep,
    overview: OverviewDep,
    filters: Annotated[EntityFilters, Query()],
) -> Response:
    """The things that articles name, the newest known first."""
    page, problem = EntityPage(entities=(), next=None), ""
    try:
        page = await entities.page(filters.query(), cursor=filters.cursor)
    except QueryError as error:
        problem = str(error)
    return render(
        "indicators.html",
        {
            "pulse": await overview.pulse(),
            "page": page,
            "problem": problem,
            "filters": filters,
            "chosen": filters.chosen(),
            "groups": GROUPS,
            "verdicts": VERDICTS,
            "sources": await overview.sources(),
        },
        scope=request.scope,
        status=int(HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK),
    )


@router.post("/lookup")
async def look_up_text(request: Request, entities: EntitiesDep, overview: OverviewDep) -> Response:
    """What is known of everything that a pasted text names."""
    text = await read_text(request)
    found = await look_up(entities, text)
    return render(
        "lookup.html",
        {
            "pulse": await overview.pulse(),
            "text": text,
            "found": found,
            "most": MOST_SHOWN,
        },
        scope=request.scope,
    )


@router.post("/lookup.csv")
async def look_up_text_as_csv(request: Request, entities: EntitiesDep) -> Response:
    """The same as a table for other programs."""
    found = await look_up(entities, await read_text(request))
    return handed_over(await asyncio.to_thread(to_csv, found), "text/csv", "lookup.csv")


@router.get("/{entity_id}")
async def entity(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    entities: EntitiesDep,
    packs: PacksDep,
    matrix: MatrixDep,
    overview: OverviewDep,
    entity_id: EntityId,
    chosen: Annotated[SightingParameters, Query()],
) -> Response:
    """One thing with all that is known of it."""
    found = await entities.get(entity_id)
    summary = found.summary
    page = await entities.sightings(entity_id, cursor=chosen.cursor, limit=30)
    return render(
        "indicator.html",
        {
            "pulse": await overview.pulse(),
            "entity": summary,
            "found": found,
            "page": page,
            "quoted": [_quoted(one) for one in page.sightings],
            "verdicts": VERDICTS,
            "is_judged": summary.kind not in NOT_JUDGED,
            "domains": domains_of(summary.kind, summary.value),
            "sources": [one.source for one in found.by_source],
            "vulnerability": await _facts(packs, summary),
            "tactics": matrix.tactics_of(summary.value) if summary.kind == "technique" else (),
            "described_at": _described_at(summary),
        },
        scope=request.scope,
    )


async def _facts(packs: Packs, entity: EntitySummary) -> CveFacts | None:
    if entity.kind != "cve":
        return None
    return next(iter((await packs.cve([entity.value])).values()), None)


def _described_at(entity: EntitySummary) -> str:
    return address_of(entity.value) if entity.kind == "technique" else ""


def _quoted(sighting: EntitySighting) -> Quoted:
    text, start, end = sighting.excerpt, sighting.start, min(sighting.end, len(sighting.excerpt))
    first, last = sentence_at(text, start, end)
    return Quoted(
        sighting=sighting,
        before=text[min(first, start) : start],
        words=text[start:end],
        after=text[end : max(last, end)],
        reasons=reason_list(sighting.reasons),
    )

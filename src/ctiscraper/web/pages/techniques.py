"""The techniques that the articles of a search or a time name, as the ATT&CK matrix."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.db.techniques import NamedTechniques
from ctiscraper.errors import QueryError, SearchSyntaxError
from ctiscraper.web.deps import OverviewDep
from ctiscraper.web.files import handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.matrix import DOMAINS, layer_name
from ctiscraper.web.page_forms import MatrixFilters
from ctiscraper.web.readers import MatrixDep, TechniquesDep
from ctiscraper.web.render import render
from ctiscraper.web.who import Who, of_reader

router = Routes(prefix="/techniques", route_class=GuardedRoute)

Filters = Annotated[MatrixFilters, Query()]

_NOTHING = NamedTechniques(counts=(), articles=0, copies=False, capped=False)


@router.get("")
async def technique_matrix(
    request: Request,
    techniques: TechniquesDep,
    matrix: MatrixDep,
    overview: OverviewDep,
    who: Who,
    filters: Filters,
) -> Response:
    """How many of the asked articles name each technique, by tactic."""
    named, problem, status = _NOTHING, "", HTTPStatus.OK
    try:
        named = await techniques.named(of_reader(filters.query(), who))
    except SearchSyntaxError as mistake:
        problem, status = str(mistake), HTTPStatus.UNPROCESSABLE_ENTITY
    except QueryError as error:
        problem, status = str(error), HTTPStatus.BAD_REQUEST
    return render(
        "techniques.html",
        {
            "pulse": await overview.pulse(),
            "named": named,
            "problem": problem,
            "columns": matrix.columns(named.counts, filters.matrix),
            "elsewhere": matrix.elsewhere(named.counts, filters.matrix),
            "version": matrix.versions.get(filters.matrix, ""),
            "domains": DOMAINS,
            "filters": filters,
            "chosen": filters.chosen(),
            "sources": await overview.sources(),
        },
        scope=request.scope,
        status=int(status),
    )


@router.get("/layer.json")
async def technique_layer(
    techniques: TechniquesDep, matrix: MatrixDep, who: Who, filters: Filters
) -> Response:
    """The same counts as a file for the ATT&CK Navigator."""
    named = await techniques.named(of_reader(filters.query(), who))
    layer = matrix.layer(named.counts, filters.matrix, layer_name(named.articles))
    return handed_over(layer, "application/json", f"{filters.matrix}.json")

"""The techniques that the articles of a search or a time name, as the ATT&CK matrix."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ctiscraper.db.article_filters import FOUND_MOST
from ctiscraper.web.deps import ArticlesDep, OverviewDep
from ctiscraper.web.files import handed_over
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.matrix import DOMAINS, layer_name
from ctiscraper.web.page_forms import MatrixFilters
from ctiscraper.web.readers import MatrixDep, TechniquesDep
from ctiscraper.web.render import render
from ctiscraper.web.who import Who, of_reader

router = APIRouter(prefix="/techniques", route_class=GuardedRoute)

Filters = Annotated[MatrixFilters, Query()]


@router.get("")
async def technique_matrix(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    articles: ArticlesDep,
    techniques: TechniquesDep,
    matrix: MatrixDep,
    overview: OverviewDep,
    who: Who,
    filters: Filters,
) -> Response:
    """How many of the asked articles name each technique, by tactic."""
    numbers = await articles.matching(of_reader(filters.query(), who))
    counts = await techniques.counts(numbers)
    return render(
        "techniques.html",
        {
            "pulse": await overview.pulse(),
            "articles": len(numbers),
            "most": FOUND_MOST,
            "counts": counts,
            "columns": matrix.columns(counts, filters.matrix),
            "elsewhere": matrix.elsewhere(counts, filters.matrix),
            "version": matrix.versions.get(filters.matrix, ""),
            "domains": DOMAINS,
            "filters": filters,
            "chosen": filters.chosen(),
            "sources": await overview.sources(),
        },
        scope=request.scope,
    )


@router.get("/layer.json")
async def technique_layer(
    articles: ArticlesDep, techniques: TechniquesDep, matrix: MatrixDep, who: Who, filters: Filters
) -> Response:
    """The same counts as a file for the ATT&CK Navigator."""
    numbers = await articles.matching(of_reader(filters.query(), who))
    counts = await techniques.counts(numbers)
    layer = matrix.layer(counts, filters.matrix, layer_name(len(numbers)))
    return handed_over(layer, "application/json", f"{filters.matrix}.json")

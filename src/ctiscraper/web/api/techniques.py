"""The techniques that the articles of a search or a time name, and as a layer of the Navigator."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.db.techniques import TechniqueCount
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.matrix import layer_name
from ctiscraper.web.readers import MatrixDep, TechniquesDep
from ctiscraper.web.schemas import ArticleFilters, LayerParameters
from ctiscraper.web.who import Who, of_reader

router = Routes(prefix="/techniques", tags=["techniques"], route_class=GuardedRoute)


@router.get(
    "",
    response_model=tuple[TechniqueCount, ...],
    summary="Techniques, those of most articles first",
)
async def list_techniques(
    request: Request,
    techniques: TechniquesDep,
    who: Who,
    parameters: Annotated[ArticleFilters, Query()],
) -> Response:
    """How many of the articles that the filters leave name each technique.

    Of all, of a source and of whole days (UTC) near-duplicates count; of any other list the newest
    15,000 count, without them unless `source` is given.
    """
    named = await techniques.named(of_reader(parameters.query(), who))
    return tagged(request, encoded(named.counts))


@router.get("/layer", summary="The same as a layer of the ATT&CK Navigator")
async def get_layer(
    request: Request,
    techniques: TechniquesDep,
    matrix: MatrixDep,
    who: Who,
    parameters: Annotated[LayerParameters, Query()],
) -> Response:
    """A file of format 4.5; scores are how many articles name each technique."""
    named = await techniques.named(of_reader(parameters.query(), who))
    layer = matrix.layer(named.counts, parameters.matrix, layer_name(named.articles))
    answer = tagged(request, layer)
    answer.headers["content-disposition"] = f'attachment; filename="{parameters.matrix}.json"'
    return answer

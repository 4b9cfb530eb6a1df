"""The techniques that the articles of a search or a time name, and as a layer of the Navigator."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ctiscraper.db.techniques import TechniqueCount
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.deps import ArticlesDep
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.matrix import layer_name
from ctiscraper.web.readers import MatrixDep, TechniquesDep
from ctiscraper.web.schemas import ArticleFilters, LayerParameters
from ctiscraper.web.who import Who, of_reader

router = APIRouter(prefix="/techniques", tags=["techniques"], route_class=GuardedRoute)


@router.get(
    "",
    response_model=tuple[TechniqueCount, ...],
    summary="Techniques, those of most articles first",
)
async def list_techniques(
    request: Request,
    articles: ArticlesDep,
    techniques: TechniquesDep,
    who: Who,
    parameters: Annotated[ArticleFilters, Query()],
) -> Response:
    """How many of the articles that the filters leave, 15,000 at most, name each technique."""
    numbers = await articles.matching(of_reader(parameters.query(), who))
    return tagged(request, encoded(await techniques.counts(numbers)))


@router.get("/layer", summary="The same as a layer of the ATT&CK Navigator")
async def get_layer(
    request: Request,
    articles: ArticlesDep,
    techniques: TechniquesDep,
    matrix: MatrixDep,
    who: Who,
    parameters: Annotated[LayerParameters, Query()],
) -> Response:
    """A file of format 4.5; scores are how many articles name each technique."""
    numbers = await articles.matching(of_reader(parameters.query(), who))
    counts = await techniques.counts(numbers)
    layer = matrix.layer(counts, parameters.matrix, layer_name(len(numbers)))
    answer = tagged(request, layer)
    answer.headers["content-disposition"] = f'attachment; filename="{parameters.matrix}.json"'
    return answer

"""What one article names, with the words that say so, and the articles that name the same."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.entity_views import ArticleEvidence, Neighbour, SimilarArticle
from ctiscraper.evidence import evidence_of
from ctiscraper.share.tabular import EVIDENCE
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.asked import MeaningDep
from ctiscraper.web.deps import ArticlesDep, EntitiesDep, Services
from ctiscraper.web.entity_schemas import (
    EvidenceParameters,
    NeighbourParameters,
    SimilarParameters,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.tables import EXPORTED, Export, Format, written

router = Routes(prefix="/articles", tags=["entities"], route_class=GuardedRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]


@router.get(
    "/{article_id}/entities",
    response_model=ArticleEvidence,
    responses=EXPORTED,
    summary="What an article names, in the order of its text",
)
async def list_article_entities(
    request: Request,
    given: Services,
    article_id: ArticleId,
    parameters: Annotated[EvidenceParameters, Query()],
) -> Response:
    """Each with its first `places`: words, sentence and the heading of the section.

    `record` tells by which extractors, with what left out, and what that changed.
    """
    form = parameters.form(request)
    kinds = [one.value for one in parameters.kind]
    found = await evidence_of(given.database, article_id, kinds=kinds, places=parameters.places)
    if form is not Format.JSON:
        export = Export.of(parameters, form, f"article-{article_id}-entities")
        return written(EVIDENCE, found.entities, export)
    return tagged(request, encoded(found))


@router.get(
    "/{article_id}/neighbours",
    response_model=tuple[Neighbour, ...],
    summary="The articles that name the same rare things",
)
async def list_neighbours(
    request: Request,
    articles: ArticlesDep,
    entities: EntitiesDep,
    article_id: ArticleId,
    parameters: Annotated[NeighbourParameters, Query()],
) -> Response:
    """Those first that share most of what few articles name; `shared` names it."""
    await articles.get(article_id)
    found = await entities.neighbours(article_id, limit=parameters.limit)
    return tagged(request, encoded(found))


@router.get(
    "/{article_id}/similar",
    response_model=tuple[SimilarArticle, ...],
    summary="Articles that have to do with this one",
)
async def list_similar(
    request: Request,
    meaning: MeaningDep,
    article_id: ArticleId,
    parameters: Annotated[SimilarParameters, Query()],
) -> Response:
    """By the rare things and words that both have, named in `things` and `words`, rarest first.

    Where texts have vectors, also by what both mean: `closeness` tells how near they are.
    Its near-duplicates and the articles of its own story are left out.
    """
    found = await meaning.similar(article_id, limit=parameters.limit)
    return tagged(request, encoded(found))

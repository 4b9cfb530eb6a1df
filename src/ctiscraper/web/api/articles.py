"""Articles: the list, one in full, its revisions and what changed."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.db.articles import Articles
from ctiscraper.db.meaning import Mode
from ctiscraper.share.tabular import ARTICLES
from ctiscraper.views import (
    ArticleDetail,
    ArticlePage,
    ArticleQuery,
    ArticleSummary,
    RevisionRef,
    RevisionText,
)
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.asked import meaning_of
from ctiscraper.web.changes import Changes
from ctiscraper.web.deps import ArticlesDep, ComparisonsDep, recent_of, services_of
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.parameters import described, read_parameters
from ctiscraper.web.schemas import ArticleParameters, NoParameters, RevisionParameters
from ctiscraper.web.tables import EXPORTED, Ask, Export, Format, streamed
from ctiscraper.web.who import of_reader, who_asks

router = Routes(prefix="/articles", tags=["articles"], route_class=GuardedRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
Nothing = Annotated[NoParameters, Query()]


@router.get(
    "",
    response_model=ArticlePage,
    responses=EXPORTED,
    openapi_extra=described(ArticleParameters),
    summary="Articles, newest or best first",
)
async def list_articles(request: Request) -> Response:
    """Near-duplicates are folded into the article that came first, unless `source` is given.

    With `order=score` the best of `days` come first. Follow `next` for more. `found` counts what
    `q` or `tag` matched, up to 15,000. A search that is wrong is answered with 422 and its
    `position`; one that ran out of time says in `searched_to` how far it came. A list may be a
    second old. As CSV or NDJSON the answer is the whole list from `cursor` on, or as many as
    `limit` says.
    """
    parameters, who = read_parameters(request, ArticleParameters), who_asks(request)
    query = of_reader(parameters.query(), who)
    articles = Articles(services_of(request).database)
    if parameters.mode != "words":
        return await _by_meaning(request, query, parameters)
    form = parameters.form(request)
    if form is not Format.JSON:
        most = parameters.limit if "limit" in parameters.model_fields_set else None
        export = Export.of(parameters, form, "articles")
        return await streamed(
            ARTICLES, _pages(articles, query), export, cursor=parameters.cursor, most=most
        )

    async def make() -> bytes:
        return await articles.encoded_page(
            query,
            cursor=parameters.cursor,
            limit=parameters.limit,
            shown=parameters.shown(),
        )

    key = (who.user_id, request.scope["query_string"])
    return tagged(request, await recent_of(request).get(key, make))


async def _by_meaning(
    request: Request, query: ArticleQuery, parameters: ArticleParameters
) -> Response:
    """What is near in meaning, in any form. Raises UnavailableError, QueryError and ModelError."""
    meaning = await meaning_of(services_of(request))
    form, mode = parameters.form(request), Mode(parameters.mode)

    async def ask(cursor: str | None, limit: int) -> tuple[Sequence[ArticleSummary], str | None]:
        page = await meaning.page(query, mode, cursor=cursor, limit=limit)
        return page.articles, page.next

    if form is not Format.JSON:
        most = parameters.limit if "limit" in parameters.model_fields_set else None
        export = Export.of(parameters, form, "articles")
        return await streamed(ARTICLES, ask, export, cursor=parameters.cursor, most=most)
    page = await meaning.page(query, mode, cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page))


def _pages(articles: Articles, query: ArticleQuery) -> Ask[ArticleSummary]:
    async def ask(cursor: str | None, limit: int) -> tuple[Sequence[ArticleSummary], str | None]:
        page = await articles.page(query, cursor=cursor, limit=limit)
        return page.articles, page.next

    return ask


@router.get("/{article_id}", response_model=ArticleDetail, summary="One article in full")
async def get_article(
    request: Request, articles: ArticlesDep, article_id: ArticleId, _: Nothing
) -> Response:
    """`text` is what every offset refers to; `html` is sanitised."""
    return tagged(request, encoded(await articles.get(article_id)))


@router.get(
    "/{article_id}/revisions",
    response_model=tuple[RevisionRef, ...],
    summary="The revisions of an article, the current one first",
)
async def list_revisions(
    request: Request, articles: ArticlesDep, article_id: ArticleId, _: Nothing
) -> Response:
    """Return which texts the article had, and when."""
    article = await articles.get(article_id)
    return tagged(request, encoded(article.revisions))


@router.get(
    "/{article_id}/revisions/{number}",
    response_model=RevisionText,
    summary="The words of one revision",
)
async def get_revision(
    request: Request, articles: ArticlesDep, article_id: ArticleId, number: Number, _: Nothing
) -> Response:
    """Return what the article said then."""
    return tagged(request, encoded(await articles.revision(article_id, number)))


@router.get(
    "/{article_id}/changes",
    response_model=Changes,
    summary="What changed between two revisions",
)
async def get_changes(
    request: Request,
    articles: ArticlesDep,
    comparisons: ComparisonsDep,
    article_id: ArticleId,
    parameters: Annotated[RevisionParameters, Query()],
) -> Response:
    """By default the last change. Lines, with the words that differ marked.

    Of long texts only the first 3,000 lines are compared, which `cut` tells. Where telling what is
    the same would have cost too much, lines are changed as a whole, which `coarse` tells.
    """
    after = parameters.after or (await articles.get(article_id)).revision
    before = parameters.before or max(1, after - 1)
    old = await articles.revision(article_id, before)
    new = await articles.revision(article_id, after)
    return tagged(request, encoded(await comparisons.one(old.text, new.text)))

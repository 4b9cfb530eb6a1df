"""The reader: the list of articles, one article, and what changed in it."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import groupby
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from ctiscraper.db.articles import Articles
from ctiscraper.db.saved_searches import SavedSearches
from ctiscraper.db.searched import Shown
from ctiscraper.errors import SearchSyntaxError
from ctiscraper.query.write import narrowed
from ctiscraper.scoring import Scoring
from ctiscraper.types import Extraction, Tier
from ctiscraper.views import (
    ArticleDetail,
    ArticlePage,
    ArticleSummary,
    SavedSearch,
    WatchEntry,
)
from ctiscraper.web.changes import compare
from ctiscraper.web.deps import (
    ArticlesDep,
    EntitiesDep,
    OverviewDep,
    RecordsDep,
    SavedSearchesDep,
    ScoringDep,
    SimilarDep,
    StoryPagesDep,
)
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.named import marked_body, named
from ctiscraper.web.readers import EvidenceDep
from ctiscraper.web.render import day_name, render
from ctiscraper.web.saved import as_search, reader_of
from ctiscraper.web.schemas import PageFilters, RevisionParameters
from ctiscraper.web.search_words import HELP
from ctiscraper.web.verdict_words import VERDICTS

router = APIRouter(route_class=GuardedRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Filters = Annotated[PageFilters, Query()]

# How the pipeline begins the note of an article that it kept from the feed alone.
REFUSAL = "feed text: "

# Of what a look at a text changed; the counts are of all.
_MOST_NAMED = 100

PERIODS = {1: "The best of today", 7: "The best of 7 days", 30: "The best of 30 days"}

Day = tuple[str, list[ArticleSummary]]


@router.get("/")
async def article_list(
    request: Request,
    articles: ArticlesDep,
    overview: OverviewDep,
    scoring: ScoringDep,
    saved: SavedSearchesDep,
    filters: Filters,
) -> Response:
    """The newest articles, by day, those of a search, or the best of some days."""
    page, mistake = await _found(articles, filters)
    chosen = filters.chosen()
    return render(
        "articles.html",
        {
            "pulse": await overview.pulse(),
            "days": _sections(page.articles, _heading(filters)),
            "page": page,
            "facets": page.facets,
            "saved": await _saved(request, saved),
            "as_search": None if mistake else as_search(filters),
            "filters": filters,
            "mistake": mistake,
            "help": HELP,
            "watched": await _watched(scoring, filters.watch),
            "chosen": chosen,
            "narrowed": lambda term: narrowed(filters.q or "", term),
            "trail": urlencode(chosen),
            "sources": await overview.sources(),
            "languages": await articles.languages(),
            "tiers": list(Tier),
            "methods": list(Extraction),
        },
        scope=request.scope,
        status=int(HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK),
    )


async def _found(
    articles: Articles, filters: PageFilters
) -> tuple[ArticlePage, SearchSyntaxError | None]:
    """The page that is asked for, or what is wrong with the search."""
    try:
        query = filters.query()
    except SearchSyntaxError as mistake:
        return ArticlePage(articles=(), next=None), mistake
    searched = query.q is not None
    shown = Shown(facets=searched and query.days is None, snippets=searched)
    return await articles.page(query, cursor=filters.cursor, shown=shown), None


@router.get("/articles/{article_id}")
async def article(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    articles: ArticlesDep,
    entities: EntitiesDep,
    evidence: EvidenceDep,
    records: RecordsDep,
    stories: StoryPagesDep,
    similar: SimilarDep,
    overview: OverviewDep,
    article_id: ArticleId,
    filters: Filters,
) -> Response:
    """One article; the list it was opened from leads on to its neighbours."""
    found = await articles.get(article_id)
    mentions = await entities.of_article(article_id)
    looked = await records.of_article(article_id, most_named=_MOST_NAMED)
    newer, older = await _neighbours(articles, filters, found)
    return render(
        "article.html",
        {
            "pulse": await overview.pulse(),
            "article": found,
            "body": await asyncio.to_thread(marked_body, found, mentions),
            "named": named(mentions, await evidence.decisions(article_id)),
            "looked": looked if looked and looked.revision == found.revision else None,
            "stories": await stories.stories_of(article_id),
            "similar": await similar.to_article(article_id),
            "verdicts": VERDICTS,
            "refusal": _refusal(found.notes),
            "newer": newer,
            "older": older,
            "filters": filters,
            "chosen": filters.chosen(),
            "trail": urlencode(filters.chosen()),
        },
        scope=request.scope,
    )


@router.get("/articles/{article_id}/changes")
async def article_changes(
    request: Request,
    articles: ArticlesDep,
    overview: OverviewDep,
    article_id: ArticleId,
    chosen: Annotated[RevisionParameters, Query()],
) -> Response:
    """What changed between two revisions."""
    found = await articles.get(article_id)
    after = chosen.after or found.revision
    before = chosen.before or max(1, after - 1)
    old = await articles.revision(article_id, before)
    new = await articles.revision(article_id, after)
    return render(
        "changes.html",
        {
            "pulse": await overview.pulse(),
            "article": found,
            "old": old,
            "new": new,
            "changes": await asyncio.to_thread(compare, old.text, new.text),
        },
        scope=request.scope,
    )


async def _saved(request: Request, saved: SavedSearches) -> tuple[SavedSearch, ...]:
    """The searches that lead on from the list."""
    user_id = reader_of(request)
    return () if user_id is None else await saved.of_user(user_id)


async def _watched(scoring: Scoring, number: int | None) -> WatchEntry | None:
    """The entry of the watchlist that a list is narrowed to; None once it is removed."""
    entries = await scoring.watchlist.entries() if number is not None else ()
    return next((entry for entry in entries if entry.id == number), None)


async def _neighbours(
    articles: Articles, filters: PageFilters, article: ArticleDetail
) -> tuple[ArticleSummary | None, ArticleSummary | None]:
    """The articles beside one; a search that is wrong or has another order leads nowhere."""
    try:
        query = filters.query()
    except SearchSyntaxError:
        return None, None
    return (None, None) if query.ranked else await articles.neighbours(query, article)


def _heading(filters: PageFilters) -> str | None:
    """What stands over a list that is not by day."""
    if filters.by_score:
        return PERIODS[filters.by_score]
    return "The most relevant" if filters.q and filters.order == "relevance" else None


def _sections(articles: Sequence[ArticleSummary], heading: str | None) -> list[Day]:
    """The articles under their days, or all under one heading when the best come first."""
    if heading is not None:
        return [(heading, list(articles))] if articles else []
    now = datetime.now(UTC)
    return [
        (day, list(members))
        for day, members in groupby(articles, key=lambda a: day_name(a.listed_at, now))
    ]


def _refusal(notes: Iterable[str]) -> str:
    """Why the page was not read, as the pipeline noted it."""
    found = (note.removeprefix(REFUSAL) for note in notes if note.startswith(REFUSAL))
    return next(found, "")

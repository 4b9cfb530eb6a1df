"""The reader: the list of articles, one article, and what changed in it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Query, Request
from starlette.responses import Response

from ctiscraper.db.articles import Articles
from ctiscraper.db.changing import Changes
from ctiscraper.db.meaning import Mode
from ctiscraper.db.saved_searches import SavedSearches
from ctiscraper.db.searched import Shown
from ctiscraper.db.triage import Triage
from ctiscraper.errors import ModelError, QueryError, SearchSyntaxError, UnavailableError
from ctiscraper.identity import Principal
from ctiscraper.meaning import Meaning
from ctiscraper.query.write import narrowed
from ctiscraper.scoring import Scoring
from ctiscraper.triage_views import Visit
from ctiscraper.types import Extraction, Tier
from ctiscraper.views import (
    ArticleDetail,
    ArticlePage,
    ArticleSummary,
    SavedSearch,
    SearchNote,
    WatchEntry,
)
from ctiscraper.web.annotated import AnnotatedDep
from ctiscraper.web.asked import MeaningDep
from ctiscraper.web.deps import (
    ArticlesDep,
    ComparisonsDep,
    DeskDep,
    EntitiesDep,
    OverviewDep,
    RecordsDep,
    SavedSearchesDep,
    ScoringDep,
    StoryPagesDep,
)
from ctiscraper.web.files import handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.markdown import markdown_of
from ctiscraper.web.model_words import WORDS, quoted_places
from ctiscraper.web.named import marked_body, named
from ctiscraper.web.pages.triage import changed_note
from ctiscraper.web.reader_deps import ChangesDep, ReadingDep, TriageDep
from ctiscraper.web.reader_list import VIEWS, sections, to_rows
from ctiscraper.web.readers import EvidenceDep
from ctiscraper.web.render import BY_CHOICE, choice_of, render
from ctiscraper.web.saved import as_search, reader_of
from ctiscraper.web.schemas import PageFilters, RevisionParameters
from ctiscraper.web.search_words import HELP
from ctiscraper.web.triage_forms import TriageTold
from ctiscraper.web.triage_words import STATES, undone_words
from ctiscraper.web.verdict_words import VERDICTS
from ctiscraper.web.who import Who, of_reader

router = Routes(route_class=GuardedRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Filters = Annotated[PageFilters, Query()]

# How the pipeline begins the note of an article that it kept from the feed alone.
REFUSAL = "feed text: "

# Of what a look at a text changed; the counts are of all.
_MOST_NAMED = 100

PERIODS = {1: "The best of today", 7: "The best of 7 days", 30: "The best of 30 days"}

NOWHERE = Visit(since=None, new=0)

_NOTHING = ArticlePage(articles=(), next=None)
# How many days of articles a search that takes too long may be narrowed to.
_SHORTER = (7, 30)


@dataclass(frozen=True, slots=True)
class _Found:
    """The page that is asked for, or why there is none: its notes say it where it is no mistake."""

    page: ArticlePage
    mistake: SearchSyntaxError | None = None
    is_unanswered: bool = False

    @property
    def status(self) -> int:
        """The status of the page."""
        if self.mistake is not None:
            return int(HTTPStatus.UNPROCESSABLE_ENTITY)
        return int(HTTPStatus.BAD_REQUEST if self.is_unanswered else HTTPStatus.OK)


@router.get("/")
async def article_list(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    articles: ArticlesDep,
    meaning: MeaningDep,
    overview: OverviewDep,
    scoring: ScoringDep,
    saved: SavedSearchesDep,
    reading: ReadingDep,
    triage: TriageDep,
    changes: ChangesDep,
    who: Who,
    filters: Filters,
    told: Annotated[TriageTold, Query()],
) -> Response:
    """The newest articles, by day, those of a search, or the best of some days."""
    visit = NOWHERE if who.user_id is None else await reading.visit(who.user_id)
    found = await _found(articles, meaning, filters, who)
    page, mistake = found.page, found.mistake
    chosen = filters.chosen()
    numbers = [one.id for one in page.articles]
    standings = await triage.standings(who.user_id, numbers)
    by_story = choice_of(request, BY_CHOICE) == "story"
    rows = to_rows(page.articles, standings, by_story=by_story)
    return render(
        "articles.html",
        {
            "pulse": await overview.pulse(),
            "sections": sections(rows, _heading(filters), datetime.now(UTC)),
            "standings": standings,
            "visit": visit,
            "views": VIEWS,
            "note": await _note(changes, triage, who, told),
            "states": STATES,
            "people": await triage.people(),
            "page": page,
            "facets": page.facets,
            "saved": await _saved(request, saved),
            "as_search": None if mistake or filters.mode is not Mode.WORDS else as_search(filters),
            "filters": filters,
            "mistake": mistake,
            "shorter": _shorter(filters) if found.is_unanswered else None,
            "help": HELP,
            "by_meaning": meaning.embedding is not None,
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
        status=found.status,
    )


async def _note(
    changes: Changes, triage: Triage, who: Principal, told: TriageTold
) -> Mapping[str, object] | None:
    """What a form did before it led here, as it is kept: an address alone proves nothing."""
    number = told.changed if told.undone is None else told.undone
    if number is None:
        return None
    undone = await changes.undone(who, number)
    if undone is not None:
        return {"said": undone_words(undone), "change": None}
    change = await changes.get(who, number)
    if change is not None and told.undone is not None and change.undone_at is not None:
        # By an older version of the program beside this one, which kept no numbers.
        return {"said": "Undone.", "change": None}
    return None if change is None else await changed_note(triage, change)


async def _found(
    articles: Articles, meaning: Meaning, filters: PageFilters, who: Principal
) -> _Found:
    """The page that is asked for, or why there is none."""
    try:
        query = of_reader(filters.query(), who)
    except SearchSyntaxError as mistake:
        return _Found(_NOTHING, mistake)
    searched = query.q is not None
    shown = Shown(facets=searched and query.days is None, snippets=searched)
    try:
        if filters.mode is not Mode.WORDS:
            return _Found(await meaning.page(query, filters.mode, cursor=filters.cursor))
        return _Found(await articles.page(query, cursor=filters.cursor, shown=shown))
    except (UnavailableError, ModelError, QueryError) as error:
        # The page stays, with its box and a way on.
        length = len(query.q.text) if query.q is not None else 0
        note = SearchNote(message=str(error), position=0, length=length)
        page = replace(_NOTHING, notes=(note,))
        return _Found(page, is_unanswered=isinstance(error, QueryError))


def _shorter(filters: PageFilters) -> list[tuple[int, date]]:
    """How many days a list may be narrowed to, and with which each begins."""
    today = datetime.now(UTC).date()
    days = [(days, today - timedelta(days=days)) for days in _SHORTER]
    first, last = filters.since or date.min, filters.until or date.max
    return [(count, day) for count, day in days if first < day <= last]


@router.get("/articles/{article_id}.md")
async def article_as_markdown(
    articles: ArticlesDep, entities: EntitiesDep, article_id: ArticleId
) -> Response:
    """One article as a file of Markdown."""
    found = await articles.get(article_id)
    mentions = await entities.of_article(article_id)
    written = await asyncio.to_thread(markdown_of, found, mentions)
    return handed_over(written, "text/markdown; charset=utf-8", f"article-{article_id}.md")


@router.get("/articles/{article_id}")
async def article(  # noqa: PLR0913, PLR0917 - a route names what it is given
    request: Request,
    articles: ArticlesDep,
    entities: EntitiesDep,
    evidence: EvidenceDep,
    records: RecordsDep,
    stories: StoryPagesDep,
    meaning: MeaningDep,
    overview: OverviewDep,
    annotated: AnnotatedDep,
    changes: ChangesDep,
    desk: DeskDep,
    who: Who,
    article_id: ArticleId,
    filters: Filters,
    told: Annotated[TriageTold, Query()],
) -> Response:
    """One article; the list it was opened from leads on to its neighbours."""
    found = await articles.get(article_id)
    mentions = await entities.of_article(article_id)
    looked = await records.of_article(article_id, most_named=_MOST_NAMED)
    newer, older = await _neighbours(articles, filters, found, who)
    beside = await annotated.of_article(found, who, is_opened=_is_opened(request))
    models = await desk.of_article(article_id, actor=who.signature)
    quotes = quoted_places(models)
    body = await asyncio.to_thread(marked_body, found, mentions, beside.placed, quotes)
    return render(
        "article.html",
        {
            "pulse": await overview.pulse(),
            "article": found,
            "body": body,
            "models": models,
            "quoted": body.quoted,
            **WORDS,
            "named": named(mentions, await evidence.decisions(article_id)),
            "looked": looked if looked and looked.revision == found.revision else None,
            "stories": await stories.stories_of(article_id),
            "similar": await meaning.similar(article_id),
            "beside": beside,
            "note": await _note(changes, annotated.triage, who, told),
            "states": STATES,
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


def _is_opened(request: Request) -> bool:
    """Whether somebody looks at the page now: a browser may fetch it ahead."""
    return "prefetch" not in request.headers.get("sec-purpose", "")


@router.get("/articles/{article_id}/changes")
async def article_changes(
    request: Request,
    articles: ArticlesDep,
    overview: OverviewDep,
    comparisons: ComparisonsDep,
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
            "changes": await comparisons.one(old.text, new.text),
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
    articles: Articles, filters: PageFilters, article: ArticleDetail, who: Principal
) -> tuple[ArticleSummary | None, ArticleSummary | None]:
    """The articles beside one; a search that is wrong or has another order leads nowhere.

    Nor does one that takes too long: the article is there to be read all the same.
    """
    try:
        query = of_reader(filters.query(), who)
        is_ranked = query.ranked or filters.mode is not Mode.WORDS
        return (None, None) if is_ranked else await articles.neighbours(query, article)
    except (SearchSyntaxError, QueryError):
        return None, None


def _heading(filters: PageFilters) -> str | None:
    """What stands over a list that is not by day."""
    if filters.by_score:
        return PERIODS[filters.by_score]
    if filters.mode is not Mode.WORDS:
        return "The nearest in meaning" if filters.mode is Mode.MEANING else "Words and meaning"
    return "The most relevant" if filters.q and filters.order == "relevance" else None


def _refusal(notes: Iterable[str]) -> str:
    """Why the page was not read, as the pipeline noted it."""
    found = (note.removeprefix(REFUSAL) for note in notes if note.startswith(REFUSAL))
    return next(found, "")

"""Saved searches as pages and API give them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus

from fastapi import HTTPException, Request

from ctiscraper.access.feeds import feed_key, new_feed_token
from ctiscraper.asking import understand
from ctiscraper.db.saved_news import News, news_of
from ctiscraper.db.saved_searches import SavedSearches
from ctiscraper.db.session import Database
from ctiscraper.errors import SearchSyntaxError
from ctiscraper.identity import Permission, Principal
from ctiscraper.query.tree import FieldName, Question
from ctiscraper.query.write import narrowed, written_term
from ctiscraper.views import SavedSearch
from ctiscraper.web.auditing import tell
from ctiscraper.web.saved_schemas import FeedAddresses
from ctiscraper.web.schemas import PageFilters
from ctiscraper.web.who import require


def person_of(request: Request) -> int:
    """Return who asks. Raises HTTPException for a token that belongs to nobody."""
    user_id = reader_of(request)
    if user_id is None:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            "Searches are kept by people: this token belongs to nobody. Take one of a user.",
        )
    return user_id


def reader_of(request: Request) -> int | None:
    """Return who asks, None for a token that belongs to nobody."""
    principal = request.state.principal
    assert isinstance(principal, Principal), "the guard has let somebody in"
    return principal.user_id


async def with_news(
    database: Database, user_id: int, searches: tuple[SavedSearch, ...]
) -> tuple[SavedSearch, ...]:
    """Return saved searches with what is new to each, or why one finds nothing any more."""
    # What others share may take long to read: meanwhile other requests go on.
    questions, mistakes = await asyncio.to_thread(_understood, searches)
    news = await news_of(database, user_id, questions)
    return tuple(
        _told(search, news.get(search.id, News(new=None)), mistakes.get(search.id, ""))
        for search in searches
    )


def _understood(searches: tuple[SavedSearch, ...]) -> tuple[dict[int, Question], dict[int, str]]:
    """Return by their numbers what searches ask for, and why others ask for nothing."""
    questions: dict[int, Question] = {}
    mistakes: dict[int, str] = {}
    for search in searches:
        try:
            questions[search.id] = understand(search.query)
        except SearchSyntaxError as mistake:
            mistakes[search.id] = str(mistake)
    return questions, mistakes


def _told(search: SavedSearch, news: News, mistake: str) -> SavedSearch:
    return replace(search, new=news.new, more=news.more, notes=news.notes, mistake=mistake)


async def new_feed(
    request: Request, saved: SavedSearches, user_id: int, search_id: int
) -> FeedAddresses:
    """Return the addresses of a new feed; those from before lead nowhere.

    It gives whole articles, so who makes it may read them. Raises NotFoundError, HTTPException.
    """
    require(request.state.principal, Permission.ARTICLE_READ)
    token = new_feed_token()
    key = feed_key(token)
    assert key is not None, "a token has a token's form"
    await saved.follow(user_id, search_id, key, made_by=request.state.principal.token_id)
    # It lets in for as long as nobody ends it.
    tell(request, action="search.feed", object_id=search_id, anyway=True)
    start = f"{str(request.base_url).rstrip('/')}/feeds/{token}"
    return FeedAddresses(atom=f"{start}.atom", json_feed=f"{start}.json")


def as_search(filters: PageFilters) -> str | None:
    """Return a list's search with its filters in words, None for what words do not say."""
    if not filters.q or filters.by_score or filters.watch is not None or filters.method is not None:
        return None
    terms = " ".join(_terms(filters))
    return narrowed(filters.q, terms) if terms else filters.q


def _terms(filters: PageFilters) -> Iterator[str]:
    # Of the last of all days there is no day after.
    end = filters.until if filters.until != date.max else None
    fields = {
        FieldName.SOURCE: filters.source,
        FieldName.TIER: filters.tier,
        FieldName.LANG: filters.language,
        FieldName.TAG: filters.tag,
        FieldName.AFTER: filters.since,
        FieldName.BEFORE: end and end + timedelta(days=1),
    }
    for name, value in fields.items():
        if value is not None:
            yield written_term(name, ":", str(value))
    if filters.min_score is not None:
        yield written_term(FieldName.SCORE, ">=", str(filters.min_score))

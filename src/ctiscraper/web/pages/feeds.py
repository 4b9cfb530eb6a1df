"""Feeds of saved searches: the token in the address lets in, and decides what is given."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated

import xxhash
from fastapi import Path, Request
from starlette.responses import PlainTextResponse, Response

from ctiscraper.access.feeds import feed_key
from ctiscraper.asking import understand
from ctiscraper.db.articles import Articles
from ctiscraper.db.feed_items import FeedItem, FeedItems, Stamp
from ctiscraper.db.saved_searches import Followed, SavedSearches
from ctiscraper.errors import QueryError, SearchSyntaxError
from ctiscraper.extract.sanitise import sanitise
from ctiscraper.identity import GRANTS, Permission
from ctiscraper.share.syndication import ATOM_TYPE, JSON_TYPE, Entry, Feed, atom, json_feed
from ctiscraper.views import ArticleQuery, SavedSearch
from ctiscraper.web.allowance import Allowance
from ctiscraper.web.answers import matches
from ctiscraper.web.deps import Services, WebServices
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import is_web_link, with_query
from ctiscraper.web.search_words import sentence

router = Routes(prefix="/feeds", route_class=GuardedRoute)

MOST = 100
A_MINUTE = 60
_AGAIN_SECONDS = 300
# Beyond so many characters of texts the items that follow have their summary alone.
LONGEST_TEXTS = 4_000_000
# Changes with the form of what is written, so that readers take it anew.
_FORM = 1

Token = Annotated[str, Path(min_length=1, max_length=200)]
Write = Callable[[Feed], bytes]


@router.get("/{token}.atom")
async def atom_feed(request: Request, given: Services, token: Token) -> Response:
    """What a saved search finds, as Atom."""
    return await _feed(request, given, token, _Kind(atom, ATOM_TYPE))


@router.get("/{token}.json")
async def jsonfeed(request: Request, given: Services, token: Token) -> Response:
    """What a saved search finds, as JSON Feed."""
    return await _feed(request, given, token, _Kind(json_feed, JSON_TYPE))


@dataclass(frozen=True, slots=True)
class _Kind:
    write: Write
    media_type: str


async def _feed(request: Request, given: WebServices, token: str, kind: _Kind) -> Response:
    key = feed_key(token)
    followed = await SavedSearches(given.database).followed(key) if key else None
    # Who guesses is held up by where he is.
    asking = key if followed else request.client and request.client.host
    waiting = _allowance(request).take(asking)
    if waiting:
        again = {"retry-after": str(int(waiting) + 1)}
        return _plain(HTTPStatus.TOO_MANY_REQUESTS, "Ask for this feed less often.", again)
    if followed is None or Permission.ARTICLE_READ not in GRANTS[followed.role]:
        return _plain(HTTPStatus.NOT_FOUND, "There is no such feed.")
    return await _answer(request, given, followed, kind)


async def _answer(
    request: Request, given: WebServices, followed: Followed, kind: _Kind
) -> Response:
    try:
        ids = await _found(given, followed)
    except SearchSyntaxError as mistake:
        said = f"The search of this feed cannot be understood any more: {mistake}."
        return _plain(HTTPStatus.CONFLICT, said)
    except QueryError as error:
        # The next time it may do: a reader shall not take the feed for gone.
        again = {"retry-after": str(_AGAIN_SECONDS)}
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE, sentence(str(error)), again)
    items = FeedItems(given.database)
    stamps = await items.stamps(ids)
    changed_at = _changed_at(followed.search, stamps)
    headers = {
        "etag": _tag(request, kind, followed.search, stamps),
        "last-modified": format_datetime(changed_at, usegmt=True),
        "cache-control": "private, no-cache",
    }
    if _is_held(request, headers["etag"], changed_at):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    articles = await items.items([one.id for one in stamps])
    feed = await asyncio.to_thread(_to_feed, request, followed.search, articles, changed_at)
    return Response(kind.write(feed), headers=headers, media_type=kind.media_type)


async def _found(given: WebServices, followed: Followed) -> list[int]:
    search = followed.search
    query = ArticleQuery(
        q=understand(search.query),
        ranked=search.sort == "relevance",
        reader=followed.user_id,
    )
    page = await Articles(given.database).page(query, limit=MOST)
    return [one.id for one in page.articles]


def _changed_at(search: SavedSearch, stamps: Sequence[Stamp]) -> datetime:
    """When the newest of it changed, in whole seconds as headers tell them."""
    changed = max((search.changed_at, *(one.changed_at for one in stamps)))
    return changed.astimezone(UTC).replace(microsecond=0)


def _tag(request: Request, kind: _Kind, search: SavedSearch, stamps: Sequence[Stamp]) -> str:
    # Links in it lead to the host that was asked.
    parts: list[object] = [_FORM, kind.media_type, str(request.base_url), search.changed_at]
    parts += [(one.id, one.revision, one.changed_at, one.score) for one in stamps]
    return f'"{xxhash.xxh3_64_hexdigest(repr(parts).encode())}"'


def _is_held(request: Request, tag: str, changed_at: datetime) -> bool:
    """Whether the caller holds this already (RFC 9110 13.2.2)."""
    held = request.headers.get("if-none-match")
    if held is not None:
        return matches(held, tag)
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except (ValueError, OverflowError):
        return False
    return changed_at <= (since if since.tzinfo else since.replace(tzinfo=UTC))


def _to_feed(
    request: Request, search: SavedSearch, articles: Sequence[FeedItem], changed_at: datetime
) -> Feed:
    host = str(request.base_url).rstrip("/")
    order = None if search.sort == "newest" else search.sort
    entries: list[Entry] = []
    length = 0
    for article in articles:
        length += len(article.html)
        entries.append(_entry(host, article, whole=length <= LONGEST_TEXTS))
    return Feed(
        uid=search.uid,
        title=search.name,
        subtitle=f"Articles for {search.query}",
        home=f"{host}{with_query('/', {'q': search.query, 'order': order})}",
        address=str(request.url.replace(query="")),
        changed_at=changed_at,
        entries=tuple(entries),
    )


def _entry(host: str, article: FeedItem, *, whole: bool) -> Entry:
    page = f"{host}/articles/{article.id}"
    return Entry(
        title=article.title,
        url=article.url if is_web_link(article.url) else page,
        page=page,
        source=article.source,
        tier=article.tier,
        tlp=article.tlp,
        authors=article.authors,
        tags=article.tags,
        language=article.language,
        summary=article.summary,
        html=sanitise(article.html) if whole else "",
        published_at=article.published_at,
        changed_at=article.changed_at,
        score=article.score,
    )


def _plain(status: HTTPStatus, said: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{said}\n", status, headers)


def _allowance(request: Request) -> Allowance:
    kept = request.app.state.feed_allowance
    assert isinstance(kept, Allowance)
    return kept

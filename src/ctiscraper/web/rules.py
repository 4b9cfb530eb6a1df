"""What each route asks of whoever calls it: a route that is not here does not start."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from ctiscraper.identity import Permission


class Public(Enum):
    """That a route is for anyone."""

    ANYONE = "anyone"


Rule = Permission | Public

PUBLIC_MOUNTS = frozenset({"/static"})

_ANYONE = Public.ANYONE
_READ = Permission.ARTICLE_READ
_EXPORT = Permission.ARTICLE_EXPORT
_VERDICT = Permission.VERDICT_WRITE
_STORY = Permission.STORY_WRITE
_SOURCES = Permission.SOURCE_READ
_SOURCE = Permission.SOURCE_WRITE
_WATCH = Permission.WATCHLIST_WRITE
_OPERATIONS = Permission.OPERATIONS_READ
_QUEUE = Permission.QUEUE_WRITE

_API: Mapping[str, Rule] = {
    "GET /dashboard": _READ,
    "GET /trends": _READ,
    "GET /events": _READ,
    "GET /articles": _READ,
    "GET /articles/{article_id}": _READ,
    "GET /articles/{article_id}/revisions": _READ,
    "GET /articles/{article_id}/revisions/{number}": _READ,
    "GET /articles/{article_id}/changes": _READ,
    "GET /articles/{article_id}/entities": _READ,
    "GET /articles/{article_id}/neighbours": _READ,
    "GET /articles/{article_id}/stories": _READ,
    "GET /entities": _READ,
    "GET /entities/{entity_id}": _READ,
    "GET /entities/{entity_id}/articles": _READ,
    "GET /techniques": _READ,
    "GET /techniques/layer": _EXPORT,
    "POST /lookup": _READ,
    "GET /verdicts": _READ,
    "POST /verdicts": _VERDICT,
    "DELETE /verdicts/{verdict_id}": _VERDICT,
    "GET /enrichment/failures": _OPERATIONS,
    "POST /enrichment/retry": Permission.ARTICLE_REPROCESS,
    "GET /stories": _READ,
    "GET /stories/{story_id}": _READ,
    "POST /stories/split": _STORY,
    "POST /stories/{story_id}/merge": _STORY,
    "POST /stories/{story_id}/articles": _STORY,
    "POST /stories/decisions/{decision_id}/undo": _STORY,
    "GET /sources": _SOURCES,
    "POST /sources": _SOURCE,
    "POST /sources/preview": _SOURCE,
    "POST /sources/import": _SOURCE,
    "GET /sources/export.opml": _SOURCES,
    "GET /sources/{key}": _SOURCES,
    "PATCH /sources/{key}": _SOURCE,
    "DELETE /sources/{key}": _SOURCE,
    "POST /sources/{key}/check": _SOURCE,
    "GET /watchlist": _READ,
    "POST /watchlist": _WATCH,
    "POST /watchlist/import": _WATCH,
    "GET /watchlist/export.csv": _EXPORT,
    "GET /watchlist/{entry_id}": _READ,
    "DELETE /watchlist/{entry_id}": _WATCH,
    "GET /scoreboard": _SOURCES,
    "GET /accounting": _OPERATIONS,
    "GET /operations": _OPERATIONS,
    "GET /queue": _OPERATIONS,
    "GET /queue/reasons": _OPERATIONS,
    "POST /queue/retry": _QUEUE,
    "POST /queue/discard": _QUEUE,
    "POST /queue/release": _QUEUE,
    "POST /queue/reprocess": Permission.ARTICLE_REPROCESS,
    "GET /openapi.json": _READ,
}
_PAGES: Mapping[str, Rule] = {
    "GET /health": _ANYONE,
    "GET /health/live": _ANYONE,
    "GET /health/ready": _ANYONE,
    "GET /metrics": _OPERATIONS,
    "GET /": _READ,
    "GET /dashboard": _READ,
    "GET /articles/{article_id}": _READ,
    "GET /articles/{article_id}/changes": _READ,
    "GET /indicators": _READ,
    "GET /indicators/{entity_id}": _READ,
    "POST /indicators/lookup": _READ,
    "POST /indicators/lookup.csv": _EXPORT,
    "GET /techniques": _READ,
    "GET /techniques/layer.json": _EXPORT,
    "GET /stories": _READ,
    "GET /stories/{story_id}": _READ,
    "POST /stories/{story_id}/split": _STORY,
    "POST /stories/{story_id}/merge": _STORY,
    "POST /stories/{story_id}/articles": _STORY,
    "POST /stories/{story_id}/decisions/{decision_id}/undo": _STORY,
    "POST /verdicts": _VERDICT,
    "POST /verdicts/undo": _VERDICT,
    "GET /sources": _SOURCES,
    "GET /sources/add": _SOURCE,
    "POST /sources/preview": _SOURCE,
    "POST /sources/add": _SOURCE,
    "GET /sources/{key}": _SOURCES,
    "POST /sources/{key}/check": _SOURCE,
    "POST /sources/{key}/change": _SOURCE,
    "POST /sources/{key}/remove": _SOURCE,
    "GET /watchlist": _READ,
    "POST /watchlist/add": _WATCH,
    "POST /watchlist/import": _WATCH,
    "POST /watchlist/{entry_id}/remove": _WATCH,
    "GET /accounting": _OPERATIONS,
    "POST /accounting/items": _QUEUE,
    "GET /operations": _OPERATIONS,
    "POST /theme": _ANYONE,
}

API = "/api/v1"


def _under_api(name: str) -> str:
    method, _, path = name.partition(" ")
    return f"{method} {API}{path}"


RULES: Mapping[str, Rule] = MappingProxyType(
    {**{_under_api(name): rule for name, rule in _API.items()}, **_PAGES}
)

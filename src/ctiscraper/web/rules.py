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
_OWN = Permission.SELF_WRITE
_READ = Permission.ARTICLE_READ
_EXPORT = Permission.ARTICLE_EXPORT
_ANNOTATE = Permission.ARTICLE_ANNOTATE
_SELF = Permission.SELF_WRITE
_VERDICT = Permission.VERDICT_WRITE
_STORY = Permission.STORY_WRITE
_SOURCES = Permission.SOURCE_READ
_SOURCE = Permission.SOURCE_WRITE
_WATCH = Permission.WATCHLIST_WRITE
_OPERATIONS = Permission.OPERATIONS_READ
_QUEUE = Permission.QUEUE_WRITE
_USERS = Permission.USER_READ
_USER = Permission.USER_WRITE
_SELF = Permission.SELF_WRITE
_AUDIT = Permission.AUDIT_READ

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
    "GET /articles/{article_id}/similar": _READ,
    "GET /articles/{article_id}/stories": _READ,
    "GET /searches": _READ,
    "POST /searches": _OWN,
    "GET /searches/{search_id}": _READ,
    "PATCH /searches/{search_id}": _OWN,
    "DELETE /searches/{search_id}": _OWN,
    "POST /searches/{search_id}/seen": _OWN,
    "POST /searches/{search_id}/feed": _OWN,
    "DELETE /searches/{search_id}/feed": _OWN,
    "GET /articles/{article_id}.md": _EXPORT,
    "GET /articles/{article_id}/standing": _READ,
    "GET /articles/{article_id}/notes": _READ,
    "POST /articles/{article_id}/notes": _ANNOTATE,
    "GET /articles/{article_id}/highlights": _READ,
    "POST /articles/{article_id}/highlights": _ANNOTATE,
    "GET /notes/{note_id}": _READ,
    "PUT /notes/{note_id}": _ANNOTATE,
    "DELETE /notes/{note_id}": _ANNOTATE,
    "DELETE /highlights/{highlight_id}": _ANNOTATE,
    "GET /reading": _READ,
    "POST /reading/changes": _SELF,
    "POST /reading/changes/{change_id}/undo": _SELF,
    "POST /triage/changes": _ANNOTATE,
    "POST /triage/changes/{change_id}/undo": _ANNOTATE,
    "GET /triage/tags": _READ,
    "GET /triage/people": _READ,
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
    "POST /sources/{key}/undo": _SOURCE,
    "GET /sources/export.yaml": _SOURCES,
    "GET /sources/{key}/settings": _SOURCES,
    "GET /sources/{key}/checks": _SOURCES,
    "GET /sources/{key}/changes": _SOURCES,
    "GET /sources/{key}/requests": _SOURCES,
    "GET /sources/{key}/robots": _SOURCES,
    "POST /sources/{key}/rehearsal": _SOURCE,
    "POST /sources/{key}/mend": _SOURCE,
    "POST /sources/{key}/mend/apply": _SOURCE,
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
    "POST /queue/all": _QUEUE,
    "POST /queue/reprocess": Permission.ARTICLE_REPROCESS,
    "GET /users": _USERS,
    "POST /users": _USER,
    "GET /users/{user_id}": _USERS,
    "PATCH /users/{user_id}": _USER,
    "POST /users/{user_id}/password": _USER,
    "DELETE /users/{user_id}/sessions": _USER,
    "DELETE /users/{user_id}/access": _USER,
    "GET /tokens": _SELF,
    "POST /tokens": _SELF,
    "DELETE /tokens/{token_id}": _SELF,
    "GET /audit": _AUDIT,
    "GET /audit/export": _AUDIT,
    "GET /packs": _OPERATIONS,
    "GET /retention": _OPERATIONS,
    "GET /settings": Permission.SETTINGS_READ,
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
    "GET /searches": _READ,
    "POST /searches": _OWN,
    "GET /searches/{search_id}": _READ,
    "POST /searches/{search_id}/change": _OWN,
    "POST /searches/{search_id}/move": _OWN,
    "POST /searches/{search_id}/remove": _OWN,
    "POST /searches/{search_id}/feed": _OWN,
    "POST /searches/{search_id}/unfollow": _OWN,
    # The token in their address decides.
    "GET /feeds/{token}.atom": _ANYONE,
    "GET /feeds/{token}.json": _ANYONE,
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
    "GET /sources/import": _SOURCE,
    "POST /sources/import": _SOURCE,
    "GET /sources/export.{form}": _SOURCES,
    "GET /sources/scoreboard": _SOURCES,
    "GET /sources/{key}": _SOURCES,
    "GET /sources/{key}/edit": _SOURCE,
    "POST /sources/{key}/edit": _SOURCE,
    "GET /sources/{key}/history": _SOURCES,
    "GET /sources/{key}/requests": _SOURCES,
    "POST /sources/{key}/mend": _SOURCE,
    "POST /sources/{key}/mend/apply": _SOURCE,
    "POST /sources/{key}/check": _SOURCE,
    "POST /sources/{key}/pause": _SOURCE,
    "POST /sources/{key}/resume": _SOURCE,
    "POST /sources/{key}/undo": _SOURCE,
    "POST /sources/{key}/remove": _SOURCE,
    "GET /watchlist": _READ,
    "POST /watchlist/add": _WATCH,
    "POST /watchlist/import": _WATCH,
    "POST /watchlist/{entry_id}/remove": _WATCH,
    "GET /accounting": _OPERATIONS,
    "POST /accounting/items": _QUEUE,
    "POST /accounting/all": _QUEUE,
    "GET /operations": _OPERATIONS,
    "GET /setup": _ANYONE,
    "POST /setup": _ANYONE,
    "GET /login": _ANYONE,
    "POST /login": _ANYONE,
    "POST /login/code": _ANYONE,
    "POST /login/passkey": _ANYONE,
    "POST /login/passkey/options": _ANYONE,
    "GET /password": _ANYONE,
    "POST /password": _ANYONE,
    "POST /logout": _SELF,
    "GET /sudo": _SELF,
    "POST /sudo": _SELF,
    "GET /account": _SELF,
    "POST /account/name": _SELF,
    "POST /account/password": _SELF,
    "POST /account/sessions/end": _SELF,
    "POST /account/totp/begin": _SELF,
    "POST /account/totp/confirm": _SELF,
    "POST /account/totp/remove": _SELF,
    "POST /account/passkeys/options": _SELF,
    "POST /account/passkeys/add": _SELF,
    "POST /account/passkeys/remove": _SELF,
    "GET /users": _USERS,
    "POST /users/add": _USER,
    "POST /users/{user_id}/role": _USER,
    "POST /users/{user_id}/state": _USER,
    "POST /users/{user_id}/access/end": _USER,
    "POST /users/{user_id}/password": _USER,
    "GET /tokens": _SELF,
    "POST /tokens/make": _SELF,
    "POST /tokens/{token_id}/revoke": _SELF,
    "GET /audit": _AUDIT,
    "GET /oidc/start": _ANYONE,
    "GET /oidc/again": _SELF,
    "GET /oidc/callback": _ANYONE,
    "GET /oidc/balancer": _ANYONE,
    "GET /operations/packs": _OPERATIONS,
    "GET /operations/retention": _OPERATIONS,
    "GET /settings": Permission.SETTINGS_READ,
    "POST /theme": _ANYONE,
    "POST /view": _ANYONE,
    "GET /articles/{article_id}.md": _EXPORT,
    "POST /reading": _SELF,
    "POST /reading/undo": _SELF,
    "POST /triage": _ANNOTATE,
    "POST /triage/undo": _ANNOTATE,
    "POST /articles/{article_id}/notes": _ANNOTATE,
    "POST /articles/{article_id}/notes/{note_id}": _ANNOTATE,
    "POST /articles/{article_id}/notes/{note_id}/remove": _ANNOTATE,
    "POST /articles/{article_id}/highlights": _ANNOTATE,
    "POST /articles/{article_id}/highlights/{highlight_id}/remove": _ANNOTATE,
}

API = "/api/v1"


def _under_api(name: str) -> str:
    method, _, path = name.partition(" ")
    return f"{method} {API}{path}"


RULES: Mapping[str, Rule] = MappingProxyType(
    {**{_under_api(name): rule for name, rule in _API.items()}, **_PAGES}
)

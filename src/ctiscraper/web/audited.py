"""What goes into the audit log: of each route that changes or hands out something, its action."""

from collections.abc import Mapping
from types import MappingProxyType

from ctiscraper.identity import Permission
from ctiscraper.web.rules import API, RULES, Rule

# Nobody's business but his own: what a person has read, starred and saved.
_UNNOTED = frozenset(
    {
        Permission.ARTICLE_READ,
        Permission.SOURCE_READ,
        Permission.OPERATIONS_READ,
        Permission.SELF_WRITE,
    }
)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

# The first part of an action is the kind of its object; the object's id is what the address names.
_API: Mapping[str, str] = {
    "GET /techniques/layer": "technique.export",
    "POST /articles/{article_id}/analyses": "analysis.ask",
    "POST /analyses/cancel": "analysis.cancel_all",
    "POST /analyses/retry": "analysis.retry_all",
    "POST /analyses/{analysis_id}/cancel": "analysis.cancel",
    "POST /analyses/{analysis_id}/retry": "analysis.retry",
    "POST /analyses/{analysis_id}/feedback": "analysis.judge",
    "POST /verdicts": "verdict.make",
    "DELETE /verdicts/{verdict_id}": "verdict.undo",
    "POST /enrichment/retry": "enrichment.retry",
    "POST /stories/split": "story.split",
    "POST /stories/{story_id}/merge": "story.merge",
    "POST /stories/{story_id}/articles": "story.move",
    "POST /stories/decisions/{decision_id}/undo": "story.undo",
    "POST /sources": "source.add",
    "POST /sources/preview": "source.preview",
    "POST /sources/import": "source.import",
    "GET /sources/export.opml": "source.export",
    "PATCH /sources/{key}": "source.change",
    "DELETE /sources/{key}": "source.remove",
    "POST /sources/{key}/check": "source.check",
    "POST /watchlist": "watchlist.add",
    "POST /watchlist/import": "watchlist.import",
    "GET /watchlist/export.csv": "watchlist.export",
    "DELETE /watchlist/{entry_id}": "watchlist.remove",
    "POST /queue/retry": "queue.retry",
    "POST /queue/discard": "queue.discard",
    "POST /queue/release": "queue.release",
    "POST /queue/reprocess": "article.reprocess",
    "POST /tokens": "token.make",
    "DELETE /tokens/{token_id}": "token.revoke",
    "GET /audit/export": "audit.export",
    "GET /articles/{article_id}.md": "article.export",
    "POST /articles/{article_id}/notes": "article.note",
    "POST /articles/{article_id}/highlights": "article.highlight",
    "PUT /notes/{note_id}": "note.change",
    "DELETE /notes/{note_id}": "note.remove",
    "DELETE /highlights/{highlight_id}": "highlight.remove",
    "POST /triage/changes": "triage.change",
    "POST /triage/changes/{change_id}/undo": "triage.undo",
    "GET /sources/export.yaml": "source.export",
    "POST /sources/{key}/undo": "source.undo",
    "POST /sources/{key}/rehearsal": "source.rehearse",
    "POST /sources/{key}/mend": "source.diagnose",
    "POST /sources/{key}/mend/apply": "source.mend",
    "POST /queue/all": "queue.all",
    "POST /users": "user.add",
    "PATCH /users/{user_id}": "user.change",
    "POST /users/{user_id}/password": "user.password",
    "DELETE /users/{user_id}/sessions": "user.end_sessions",
    "DELETE /users/{user_id}/access": "user.end_access",
    "POST /articles/{article_id}/detections": "detection.draft",
    "POST /articles/{article_id}/detections/model": "detection.ask",
    "POST /analyses/{analysis_id}/detections": "detection.draft",
    "GET /detections/export.zip": "detection.export",
    "GET /detections/{detection_id}.yml": "detection.export",
    "PUT /detections/{detection_id}": "detection.change",
    "POST /detections/{detection_id}/decision": "detection.decide",
}
_PAGES: Mapping[str, str] = {
    "POST /indicators/lookup.csv": "lookup.export",
    "GET /techniques/layer.json": "technique.export",
    "POST /articles/{article_id}/analyses": "analysis.ask",
    "POST /articles/{article_id}/analyses/{analysis_id}/cancel": "analysis.cancel",
    "POST /articles/{article_id}/analyses/{analysis_id}/retry": "analysis.retry",
    "POST /articles/{article_id}/analyses/{analysis_id}/feedback": "analysis.judge",
    "POST /operations/models/cancel": "analysis.cancel_all",
    "POST /operations/models/retry": "analysis.retry_all",
    "POST /stories/{story_id}/split": "story.split",
    "POST /stories/{story_id}/merge": "story.merge",
    "POST /stories/{story_id}/articles": "story.move",
    "POST /stories/{story_id}/decisions/{decision_id}/undo": "story.undo",
    "POST /verdicts": "verdict.make",
    "POST /verdicts/undo": "verdict.undo",
    "POST /sources/preview": "source.preview",
    "POST /sources/add": "source.add",
    "POST /sources/{key}/check": "source.check",
    "POST /sources/{key}/remove": "source.remove",
    "POST /watchlist/add": "watchlist.add",
    "POST /watchlist/import": "watchlist.import",
    "POST /watchlist/{entry_id}/remove": "watchlist.remove",
    "POST /accounting/items": "queue.act",
    "POST /tokens/make": "token.make",
    "POST /tokens/{token_id}/revoke": "token.revoke",
    "GET /articles/{article_id}.md": "article.export",
    "POST /articles/{article_id}/notes": "article.note",
    "POST /articles/{article_id}/notes/{note_id}": "note.change",
    "POST /articles/{article_id}/notes/{note_id}/remove": "note.remove",
    "POST /articles/{article_id}/highlights": "article.highlight",
    "POST /articles/{article_id}/highlights/{highlight_id}/remove": "highlight.remove",
    "POST /triage": "triage.change",
    "POST /triage/undo": "triage.undo",
    "GET /sources/export.{form}": "source.export",
    "POST /sources/import": "source.import",
    "POST /sources/{key}/edit": "source.change",
    "POST /sources/{key}/mend": "source.diagnose",
    "POST /sources/{key}/mend/apply": "source.mend",
    "POST /sources/{key}/pause": "source.pause",
    "POST /sources/{key}/resume": "source.resume",
    "POST /sources/{key}/undo": "source.undo",
    "POST /accounting/all": "queue.all",
    "POST /users/add": "user.add",
    "POST /users/{user_id}/role": "user.role",
    "POST /users/{user_id}/state": "user.state",
    "POST /users/{user_id}/access/end": "user.end_access",
    "POST /users/{user_id}/password": "user.password",
    "POST /articles/{article_id}/detection": "detection.draft",
    "POST /articles/{article_id}/detection/model": "detection.ask",
    "POST /articles/{article_id}/detection/model/{analysis_id}/cancel": "analysis.cancel",
    "POST /articles/{article_id}/detection/model/{analysis_id}/keep": "detection.draft",
    "GET /detections/export.zip": "detection.export",
    "GET /detections/{detection_id}.yml": "detection.export",
    "POST /detections/{detection_id}": "detection.change",
    "POST /detections/{detection_id}/decision": "detection.decide",
}


def _under_api(name: str) -> str:
    method, _, path = name.partition(" ")
    return f"{method} {API}{path}"


AUDITED: Mapping[str, str] = MappingProxyType(
    {**{_under_api(name): action for name, action in _API.items()}, **_PAGES}
)


def action_of(name: str, rules: Mapping[str, Rule] = RULES) -> str | None:
    """Return the action of a route by its "METHOD /path", None when it is not noted.

    A change that nobody has named is noted all the same, under its own route.
    """
    if name in AUDITED:
        return AUDITED[name]
    method, _, path = name.partition(" ")
    rule = rules.get(name)
    if method in _SAFE or not isinstance(rule, Permission) or rule in _UNNOTED:
        return None
    return f"{rule.partition(':')[0]}.{method.lower()} {path}"

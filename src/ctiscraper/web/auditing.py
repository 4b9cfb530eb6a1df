"""How routes tell the audit log what they did: one place for the pages and the API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import structlog
from fastapi import Request
from starlette.responses import Response

from ctiscraper.audit_views import Actor, ActorKind, Deed
from ctiscraper.collect.source_fields import settings_to_mapping
from ctiscraper.db.audit import Audit
from ctiscraper.entity_views import TeamVerdict
from ctiscraper.errors import StorageError
from ctiscraper.identity import Principal
from ctiscraper.types import SourceSettings
from ctiscraper.views import WatchEntry
from ctiscraper.web.audited import action_of
from ctiscraper.web.exchange import route_of

_log = structlog.get_logger(__name__)

_DONE = frozenset(range(200, 400)) - {HTTPStatus.NOT_MODIFIED}
# Such an answer was given, and noted, before.
_REPLAYED = "idempotency-replayed"


@dataclass(slots=True, kw_only=True)
class _Told:
    """What a route has said of its own doing; `anyway` when part of it is done though refused."""

    action: str | None = None
    object_id: str | None = None
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    detail: dict[str, object] = field(default_factory=dict)
    anyway: bool = False
    passed_over: bool = False
    by: Actor | None = None

    @property
    def is_done(self) -> bool:
        """Whether something was changed, however the request ends."""
        return self.anyway or self.before is not None or self.after is not None


def tell(
    request: Request,
    *,
    action: str | None = None,
    object_id: object = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    anyway: bool = False,
    **detail: object,
) -> None:
    """Let the entry of this request say more than its address does, should it be answered well.

    It is made however the request ends when it says how something was or is, or with `anyway`: so
    tell these once the change is made, and before anything else may fail.
    """
    told = _told(request)
    told.action = action or told.action
    told.object_id = told.object_id if object_id is None else str(object_id)
    told.before = told.before if before is None else before
    told.after = told.after if after is None else after
    told.detail |= detail
    told.anyway = told.anyway or anyway


def tell_of_entry(request: Request, action: str, user_id: int, name: str) -> None:
    """Let the entry of this request say who was let in, by his name on record."""
    tell(request, action=action, object_id=user_id)
    _told(request).by = replace(actor_of(request), kind=ActorKind.USER, name=name, user_id=user_id)


@contextmanager
def in_steps(request: Request, **detail: object) -> Iterator[None]:
    """Let the entry of this request say `detail`, and be made even where its steps break off."""
    told = _told(request)
    told.detail |= detail
    try:
        yield
    except StorageError:
        told.detail["whole"], told.anyway = False, True
        raise


def pass_over(request: Request) -> None:
    """Make no entry of this request: nothing was changed by it."""
    _told(request).passed_over = True


def tell_of_source(
    request: Request,
    key: str,
    before: SourceSettings | None,
    after: SourceSettings | None,
    *,
    reason: str = "",
) -> None:
    """Let the entry of this request say how a source was and is; None is one that is not here."""
    tell(
        request,
        object_id=key,
        before=None if before is None else settings_to_mapping(before),
        after=None if after is None else settings_to_mapping(after),
    )
    if reason:
        tell(request, reason=reason)


def tell_of_verdict(request: Request, verdict: TeamVerdict, *, changed: bool = True) -> None:
    """Let the entry of this request say what was decided, or holds no more."""
    if not changed:
        pass_over(request)
    elif verdict.undone_at is None:
        tell(request, object_id=verdict.id, after=verdict.decided)
    else:
        tell(request, object_id=verdict.id, before=verdict.decided)


def tell_of_watch(request: Request, entry: WatchEntry, *, removed: bool = False) -> None:
    """Let the entry of this request say what is watched for, or is no more."""
    if removed:
        tell(request, object_id=entry.id, before=entry.watched)
    else:
        tell(request, object_id=entry.id, after=entry.watched)


async def settle(request: Request, answer: Response | None) -> None:
    """Note what a request did, once it was answered well; None is one that failed.

    Raises StorageError: what cannot be noted is not handed out, and is told as not done.
    """
    told = _told(request)
    action = told.action or action_of(f"{request.method} {route_of(request.scope)}")
    if action is None or told.passed_over or not (told.is_done or _is_well(answer)):
        return
    named = " ".join(str(value) for value in request.path_params.values())
    await note(
        request,
        Deed(
            action=action,
            object_kind=action.partition(".")[0],
            object_id=named if told.object_id is None else told.object_id,
            before=told.before,
            after=told.after,
            detail=told.detail,
        ),
        by=told.by,
    )


def _is_well(answer: Response | None) -> bool:
    return answer is not None and answer.status_code in _DONE and _REPLAYED not in answer.headers


async def note(request: Request, deed: Deed, *, by: Actor | None = None) -> None:
    """Add an entry, at once. Raises StorageError."""
    actor = by or actor_of(request)
    try:
        await Audit(request.app.state.services.database).note(actor, deed)
    except StorageError:
        _log.error(
            "audit.lost",
            action=deed.action,
            object_id=deed.object_id,
            actor=actor.name,
            user_id=actor.user_id,
            token_id=actor.token_id,
        )
        raise


def actor_of(request: Request) -> Actor:
    """Return who asks, and from where."""
    ip = request.client.host if request.client else ""
    request_id = str(request.state.request_id)
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        return Actor(kind=ActorKind.NOBODY, name="", ip=ip, request_id=request_id)
    return Actor(
        kind=ActorKind.USER if principal.token_id is None else ActorKind.TOKEN,
        name=principal.signature,
        user_id=principal.user_id,
        token_id=principal.token_id or "",
        ip=ip,
        request_id=request_id,
    )


def _told(request: Request) -> _Told:
    told = getattr(request.state, "audit", None)
    if not isinstance(told, _Told):
        told = request.state.audit = _Told()
    return told

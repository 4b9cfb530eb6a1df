"""Writes with an `Idempotency-Key` are made once (draft-ietf-httpapi-idempotency-key-header).

A write commits in transactions of its own, and its answer is kept after that: a process that ends
in between leaves a write that may or may not have taken effect. It is never made again under its
key; whoever asks again is told that it is not known.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import structlog
from fastapi import HTTPException, Request
from starlette.responses import Response

from ctiscraper.db.once import CLAIM_SECONDS, Answered, Held, Once
from ctiscraper.errors import StorageError
from ctiscraper.identity import Principal
from ctiscraper.loop import end_task
from ctiscraper.web.guarded import GuardedRoute, Handler
from ctiscraper.web.problems import is_refusal

HEADER = "idempotency-key"
REPLAYED = "idempotency-replayed"
RETRY_SECONDS = 1
# Several renewals may fail before a claim lapses.
RENEW_SECONDS = CLAIM_SECONDS / 4
_UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_OK = range(200, 300)
_REFUSED = range(400, 500)
# What belongs to the one exchange and not to the answer.
_OF_THE_EXCHANGE = {"content-length", "date", "x-request-id", "traceparent"}
_LOST = (
    "a request with this Idempotency-Key was begun and ended without an answer: it is not known "
    "whether it took effect. Look at what it was to change (the audit log names what was changed, "
    "by whom and when), then send what is still missing with a new key"
)

log = structlog.get_logger()


class OnceRoute(GuardedRoute):
    """A route whose writes, when they carry a key, give the first answer again."""

    def unguarded(self) -> Handler:
        """Return the handler, which asks for the key first where the method writes."""
        handler = super().unguarded()
        if not _UNSAFE & (self.methods or set()):
            return handler

        async def once(request: Request) -> Response:
            given = request.headers.get(HEADER)
            if given is None:
                return await handler(request)
            return await _once(request, _key_of(given), handler)

        return once


async def _once(request: Request, key: str, handler: Handler) -> Response:
    """Return the answer of a write that is made now, or was made before."""
    kept = Once(request.app.state.services.database)
    key = f"{_owner(request)} {key}"
    held = await kept.claim(key, await _hash_of(request))
    if held.claim is None:
        return _not_mine(held)
    try:
        async with _renewed(kept, key, held.claim):
            answer = await handler(request)
    except BaseException as error:
        await _end(kept, key, held.claim, refused=is_refusal(error))
        raise
    if answer.status_code not in _OK:
        await _end(kept, key, held.claim, refused=answer.status_code in _REFUSED)
        return answer
    headers = {k: v for k, v in answer.headers.items() if k not in _OF_THE_EXCHANGE}
    body = bytes(answer.body)
    try:
        await kept.keep(
            key, held.claim, Answered(status=answer.status_code, headers=headers, body=body)
        )
    except StorageError as error:
        # It is made: whoever waits for it hears so, and one who asks again that it is not known.
        log.warning("answer_not_kept", detail=error.detail)
    return answer


@asynccontextmanager
async def _renewed(kept: Once, key: str, claim: UUID) -> AsyncIterator[None]:
    """Hold a claim for as long as the block lasts."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(StorageError):
                await kept.renew(key, claim)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        await end_task(task)


async def _end(kept: Once, key: str, claim: UUID, *, refused: bool) -> None:
    """Let a write that was refused be tried again; of any other nobody knows what it did."""
    # Without a database the claim lapses, and it is not known either.
    with suppress(StorageError):
        await (kept.release(key, claim) if refused else kept.lose(key, claim))


def _not_mine(held: Held) -> Response:
    if not held.same:
        raise HTTPException(
            422, "this Idempotency-Key came with another request before; take a new one"
        )
    if held.lost:
        raise HTTPException(409, _LOST)
    if held.answer is None:
        raise HTTPException(
            409,
            "a request with this Idempotency-Key is being answered; ask again in a moment",
            {"retry-after": str(RETRY_SECONDS)},
        )
    headers = {**held.answer.headers, REPLAYED: "true"}
    return Response(held.answer.body, held.answer.status, headers)


def _key_of(given: str) -> str:
    found = _KEY.fullmatch(given.strip())
    if found is None:
        raise HTTPException(
            422, "an Idempotency-Key has 1 to 255 visible ASCII characters, such as a UUID"
        )
    return found[1]


def _owner(request: Request) -> str:
    """Return whose keys these are: another's may read the same."""
    principal = request.state.principal
    assert isinstance(principal, Principal), "no write is for anyone"
    if principal.user_id is not None:
        return f"user {principal.user_id}"
    return f"token {principal.token_id}"


async def _hash_of(request: Request) -> bytes:
    """Return the hash of what a request asks for: method, address and body."""
    target = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(target.encode() + await request.body()).digest()

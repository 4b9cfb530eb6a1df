"""Writes with an `Idempotency-Key` are made once (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
import re

from fastapi import HTTPException, Request
from starlette.responses import Response

from ctiscraper.db.once import Answered, Held, Once
from ctiscraper.identity import Principal
from ctiscraper.web.guarded import GuardedRoute, Handler

HEADER = "idempotency-key"
REPLAYED = "idempotency-replayed"
RETRY_SECONDS = 1
_UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_OK = range(200, 300)
# What belongs to the one exchange and not to the answer.
_OF_THE_EXCHANGE = {"content-length", "date", "x-request-id", "traceparent"}


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
        answer = await handler(request)
    except BaseException:
        await kept.release(key, held.claim)
        raise
    if answer.status_code not in _OK:
        await kept.release(key, held.claim)
        return answer
    headers = {k: v for k, v in answer.headers.items() if k not in _OF_THE_EXCHANGE}
    body = bytes(answer.body)
    await kept.keep(
        key, held.claim, Answered(status=answer.status_code, headers=headers, body=body)
    )
    return answer


def _not_mine(held: Held) -> Response:
    if not held.same:
        raise HTTPException(
            422, "this Idempotency-Key came with another request before; take a new one"
        )
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

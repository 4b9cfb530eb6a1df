"""Server-sent events: what happens while a page is open."""

import re
from contextlib import ExitStack
from typing import Annotated

from fastapi import Header, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ctiscraper.identity import Permission, Principal
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute, key_of
from ctiscraper.web.live import LISTENERS_OF_ONE, Listener, Live, TooManyListenersError

router = Routes(tags=["events"], route_class=GuardedRoute)

_EVENT_ID = re.compile(r"[0-9]{1,18}")
_HEADERS = {
    "cache-control": "no-store",
    # Nginx passes on at once what it would gather otherwise.
    "x-accel-buffering": "no",
}


class EventParameters(BaseModel):
    """Where a stream goes on."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        None, description="the id of the last event that was seen"
    )


@router.get(
    "/events",
    response_class=StreamingResponse,
    summary="What happens, as it happens",
    responses={
        200: {"description": "Events without an end", "content": {"text/event-stream": {}}},
        429: {"description": "This user listens in six places already"},
    },
)
async def get_events(
    request: Request,
    parameters: Annotated[EventParameters, Query()],
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Server-sent events: `articles` with how many were `added`, and `work` with its progress.

    The id of an event resumes behind it, as `after` or in `Last-Event-ID`. A comment comes every
    15 seconds; `end` says that the session is over.
    """
    live, principal = request.app.state.live, request.state.principal
    assert isinstance(live, Live)
    assert isinstance(principal, Principal)
    stack = ExitStack()
    try:
        one = stack.enter_context(
            live.listener(
                principal.user_id or principal.token_id,
                key_of(request),
                sees_work=principal.may(Permission.OPERATIONS_READ),
                resumes=_number(last_event_id, parameters.after),
            )
        )
    except TooManyListenersError as error:
        raise _refused(error) from error
    return _Events(live, one, stack)


class _Events(StreamingResponse):
    """A stream whose listener has his place for as long as the answer lasts."""

    def __init__(self, live: Live, one: Listener, stack: ExitStack) -> None:
        super().__init__(live.stream(one), headers=_HEADERS, media_type="text/event-stream")
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until somebody ends it."""
        with self._stack:
            await super().__call__(scope, receive, send)


def _number(last_event_id: str | None, after: int | None) -> int | None:
    """Where a stream goes on: behind what the browser saw last, else where the page says."""
    known = last_event_id is not None and _EVENT_ID.fullmatch(last_event_id)
    return int(known[0]) if known else after


def _refused(error: TooManyListenersError) -> HTTPException:
    if error.of_one:
        words = f"You listen in {LISTENERS_OF_ONE} places already: close a page, or wait a moment."
        return HTTPException(429, words, {"retry-after": "30"})
    return HTTPException(
        503, "Too many pages listen here just now; try again in a moment.", {"retry-after": "30"}
    )

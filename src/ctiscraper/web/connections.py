"""Whose connections are open, and for how long each may let itself be waited for."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import cast

import h11
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ctiscraper.web.security import HEADERS

_HEALTH = "/health"
_BUSY = {**HEADERS, "cache-control": "no-store", "connection": "close", "retry-after": "5"}
_HEAD_MOST = 16 * 1024
_LATE = b"The request took too long to arrive."


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many may be connected, in all and from one address, and what they are given time for.

    A body has the time of a head, and more as long as `body_rate` bytes of it come a second.
    """

    most: int = 2_000
    of_one: int = 100
    at_work: int = 500
    head_seconds: float = 10.0
    body_rate: int = 1_000
    answer_seconds: float = 30.0
    close_seconds: float = 5.0


@dataclass(eq=False, slots=True)
class Guest:
    """A connection from when it was accepted; `party` is whose it is, unless a trusted proxy's."""

    party: str | None
    hang_up: Callable[[], object] = field(default=lambda: None)


class Crowd:
    """All connections of one server.

    Where there is no room for another, the one goes that has let itself be waited for longest:
    whoever asks in earnest has said so within moments.
    """

    def __init__(
        self, limits: Limits | None = None, *, hops: Iterable[IPv4Network | IPv6Network] = ()
    ) -> None:
        self.limits = limits or Limits()
        self._hops = tuple(hops)
        self._parties: dict[str | None, dict[Guest, None]] = {}
        self._guests: set[Guest] = set()
        # Both in the order in which they began.
        self._awaited: dict[Guest, None] = {}
        self._sending: dict[Guest, None] = {}
        self._put_out = 0

    @property
    def at_work(self) -> int:
        """How many have asked for something and not been answered yet."""
        return len(self._guests) - len(self._awaited) - len(self._sending)

    def admit(self, address: str) -> Guest | None:
        """Return a new guest, whose request is awaited, or None when there is no room for him."""
        party = self._party(address)
        own = self._parties.get(party, {})
        if party is not None and len(own) >= self.limits.of_one and not self._make_room(own):
            return None
        if len(self._guests) >= self.limits.most and not self.make_room():
            return None
        guest = Guest(party)
        self._parties.setdefault(party, own)[guest] = None
        self._guests.add(guest)
        self._awaited[guest] = None
        return guest

    def leave(self, guest: Guest) -> None:
        """Forget a guest, whether he is here or not."""
        self._guests.discard(guest)
        self._awaited.pop(guest, None)
        self._sending.pop(guest, None)
        own = self._parties.get(guest.party, {})
        own.pop(guest, None)
        if not own:
            self._parties.pop(guest.party, None)

    def wait_for(self, guest: Guest) -> None:
        """Note that a guest is waited for: to ask, or to read on."""
        self._move(guest, self._awaited)

    def receive_from(self, guest: Guest) -> None:
        """Note that a guest sends the body of a request."""
        self._move(guest, self._sending)

    def work_for(self, guest: Guest) -> None:
        """Note that a guest is waiting for us."""
        self._move(guest, None)

    def make_room(self) -> bool:
        """Put out who is awaited longest; return whether there was anybody."""
        found = next(iter(self._awaited), None) or next(iter(self._sending), None)
        return self._oust(found)

    def count_put_out(self) -> int:
        """Return how many had to go or were not let in since the last call."""
        count, self._put_out = self._put_out, 0
        return count

    def _make_room(self, own: Iterable[Guest]) -> bool:
        """Put out one of these; return whether there was anybody."""
        idle = (guest for guest in own if guest in self._awaited)
        sending = (guest for guest in own if guest in self._sending)
        return self._oust(next(idle, None) or next(sending, None))

    def _oust(self, guest: Guest | None) -> bool:
        self._put_out += 1
        if guest is None:
            return False
        self.leave(guest)
        guest.hang_up()
        return True

    def _move(self, guest: Guest, to: dict[Guest, None] | None) -> None:
        if guest not in self._guests or (to is not None and guest in to):
            return
        self._awaited.pop(guest, None)
        self._sending.pop(guest, None)
        if to is not None:
            to[guest] = None

    def _party(self, address: str) -> str | None:
        """Return whose address this is: a household or a server has 2^64 of the new kind."""
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return address
        if isinstance(ip, IPv6Address):
            ip = ip.ipv4_mapped or ip
        if any(ip in hop for hop in self._hops):
            return None
        return f"{int(ip) >> 64:x}::/64" if isinstance(ip, IPv6Address) else str(ip)


class Busy:
    """The layer that refuses requests while too many are worked at; health is always told."""

    def __init__(self, app: ASGIApp, crowd: Crowd) -> None:
        self.app = app
        self._crowd = crowd

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_full = self._crowd.at_work > self._crowd.limits.at_work
        if is_full and scope["type"] == "http" and not scope["path"].startswith(_HEALTH):
            answer = PlainTextResponse("Service Unavailable", 503, _BUSY)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


class _OneLength(h11.Connection):
    """What is read of a connection, without requests that say twice where they end.

    Who stands before us may have believed the other of the two, and taken the rest for the next
    request (RFC 9112, 6.3).
    """

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return what came. Raises RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("a request with a length and a transfer coding")
        return event


class Connection(H11Protocol):
    """One guest's connection, which ends when he takes too long to ask, to send or to read.

    The library's own timer starts with the first answer, so that whoever asks for nothing, or
    never to the end, would stay for ever.
    """

    def __init__(
        self, config: Config, server_state: ServerState, guest: Guest, crowd: Crowd
    ) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self.conn = _OneLength(h11.SERVER, config.h11_max_incomplete_event_size or _HEAD_MOST)
        self._guest, self._crowd, self._limits = guest, crowd, crowd.limits
        self._awaits: type | None = None
        self._since = 0.0
        self._received = 0
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None

    @property
    def is_made(self) -> bool:
        """Whether requests can come, or could."""
        return self.transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the head of a request."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._guest.hang_up = self.transport.abort
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the guest go."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._crowd.leave(self._guest)
        for timer in (self._patience, self._unread, self._ending):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether the request is whole now."""
        if self.transport.is_closing():
            return
        if self.timeout_keep_alive_task is not None:
            # The next request begins here, not when the last was answered.
            self._awaits = None
        self._received += len(data)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end."""
        super().on_response_complete()
        self._follow()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that nobody used again."""
        super().timeout_keep_alive_handler()
        self._end_within(self._limits.answer_seconds)

    def pause_writing(self) -> None:
        """Wait for a guest who does not read what he is sent; not for ever."""
        super().pause_writing()
        self._crowd.wait_for(self._guest)
        self._unread = self.loop.call_later(self._limits.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, for he has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
        self._follow()

    def _follow(self) -> None:
        """See who waits for whom now."""
        if self.transport.is_closing():
            self._crowd.wait_for(self._guest)
            self._end_within(self._limits.answer_seconds)
            return
        state = self.conn.their_state
        awaits = state if state in {h11.IDLE, h11.SEND_BODY} else None
        if awaits is not self._awaits:
            self._awaits, self._since, self._received = awaits, self.loop.time(), 0
        if awaits is None:
            self._crowd.work_for(self._guest)
        elif awaits is h11.SEND_BODY:
            self._crowd.receive_from(self._guest)
        else:
            self._crowd.wait_for(self._guest)
        self._watch()

    def _watch(self) -> None:
        """Have somebody look when the time of what is awaited is over."""
        if self._awaits is not None and self._patience is None:
            self._patience = self.loop.call_at(self._due(), self._look)

    def _due(self) -> float:
        body = self._received / self._limits.body_rate if self._awaits is h11.SEND_BODY else 0.0
        return self._since + self._limits.head_seconds + body

    def _look(self) -> None:
        """End the connection when its guest is late."""
        self._patience = None
        if self._awaits is None or self.timeout_keep_alive_task is not None:
            return
        if self.flow.read_paused:
            # It is we who do not read.
            self._since = self.loop.time()
        if self._due() > self.loop.time():
            self._watch()
            return
        if self._awaits is h11.IDLE and self.conn.trailing_data[0]:
            self._say_late()
        self.transport.close()
        self._end_within(self._limits.close_seconds)

    def _say_late(self) -> None:
        headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
        length = ("content-length", str(len(_LATE)))
        answer = h11.Response(status_code=408, headers=[*headers, length], reason="Request Timeout")
        for event in (answer, h11.Data(data=_LATE), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def _end_within(self, seconds: float) -> None:
        """Cut off a closed connection whose guest does not take what is still to be read."""
        if self._ending is None:
            self._ending = self.loop.call_later(seconds, self.transport.abort)

"""An answer whose body is read as it comes, within one time for the whole of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpcore2

from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.http.connection import Connection
from ctiscraper.http.faults import exchange_error
from ctiscraper.http.guard import Target
from ctiscraper.http.intake import FetchLimits, Intake, header_map

_REDIRECTS = range(300, 400)


class Streamed:
    """One answer; its body can be read once."""

    def __init__(self, target: Target, limits: FetchLimits) -> None:
        """Begin to count the seconds."""
        self._target = target
        self._limits = limits
        self._deadline = asyncio.get_running_loop().time() + limits.seconds
        self._response: httpcore2.Response | None = None
        self._intake: Intake | None = None
        self.connection: Connection | None = None
        self.status = 0
        self.headers: dict[str, str] = {}

    def begin(self, connection: Connection, response: httpcore2.Response) -> None:
        """Take the head of the answer. Raises FetchError for a redirect, and what is no body."""
        self.connection = connection
        self._response = response
        self.status = response.status
        self.headers = header_map(response)
        if response.status in _REDIRECTS:
            raise FetchError(
                Reason.REDIRECT_REFUSED,
                f"it answers {response.status}, and asks to be sought elsewhere",
                scope=Scope.ITEM,
                transient=False,
                url=self._target.href,
                status=response.status,
            )
        self._intake = Intake(response, self._limits)

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Hold what is done within the deadline, and name what broke. Raises FetchError."""
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        except TimeoutError as error:
            detail = f"no whole answer in {self._limits.seconds:g} s"
            raise FetchError(Reason.TIMEOUT, detail, url=self._target.href) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            broken = exchange_error(error)
            broken.url = self._target.href
            raise broken from error
        except FetchError as error:
            error.url = error.url or self._target.href
            raise

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body, decoded, as it comes. Raises FetchError."""
        response, intake = self._response, self._intake
        assert response is not None, "begun"
        assert intake is not None, "begun"
        async with aclosing(response.aiter_stream()) as stream:
            while True:
                # Each wait by itself: the time between them is the reader's, and is not cut.
                async with self.in_time():
                    piece = await anext(stream, None)
                    if piece is None:
                        intake.finish()
                        break
                    part = intake.take(piece)
                yield part

    async def body(self) -> bytes:
        """Return the whole body. Raises FetchError."""
        async with aclosing(self.pieces()) as pieces:
            return b"".join([piece async for piece in pieces])

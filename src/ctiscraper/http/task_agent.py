"""The agent of ECS beside a task: asked not to end the task while it has work in hand."""

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpcore2
import msgspec

from ctiscraper.errors import FetchError, Reason, Scope, SettingsError

# Where the agent of a task is: its address is the same in every task, and reachable from it alone.
_AGENT = frozenset({"169.254.170.2", "127.0.0.1", "localhost"})
_PATH = "/task-protection/v1/state"
_SECONDS = 5.0
_OK = 200


class TaskAgent:
    """The agent at the address that ECS gives in ECS_AGENT_URI. Raises SettingsError."""

    def __init__(self, uri: str) -> None:
        """Take the address; only that of an agent will do."""
        parts = urlsplit(uri)
        if parts.scheme != "http" or parts.hostname not in _AGENT:
            raise SettingsError("ECS_AGENT_URI should be what ECS sets: http://169.254.170.2/...")
        self._url = uri.rstrip("/") + _PATH
        self._pool = httpcore2.AsyncConnectionPool(max_connections=1, retries=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self._pool.aclose()

    async def protect(self, minutes: int) -> None:
        """Ask that the task be left alone for so many minutes, 0 for no longer.

        Raises FetchError.
        """
        wanted: dict[str, object] = {"ProtectionEnabled": minutes > 0}
        if minutes > 0:
            wanted["ExpiresInMinutes"] = minutes
        try:
            answer = await self._pool.request(
                "PUT",
                self._url,
                headers=[("content-type", "application/json")],
                content=msgspec.json.encode(wanted),
                extensions={
                    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), _SECONDS)
                },
            )
        except (
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
        ) as gone:
            raise FetchError(
                Reason.CONNECT, f"the agent of ECS does not answer: {gone}", scope=Scope.OURS
            ) from gone
        if answer.status != _OK:
            said = answer.content[:200].decode("utf-8", "replace")
            raise FetchError(
                Reason.UNEXPECTED_STATUS,
                f"the agent of ECS answered {answer.status}: {said}",
                scope=Scope.OURS,
                status=answer.status,
            )

"""The doorbell over Redis: rings through Celery, and tells how Redis is."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ctiscraper.config import Settings
from ctiscraper.tasks.app import (
    COLLECT,
    PATIENCE,
    TICK_SECONDS,
    credentials_of,
    make_app,
    tls_options,
    without_login,
)
from ctiscraper.tasks.bell import BellState
from ctiscraper.tasks.redis_faults import what_is_wrong
from ctiscraper.tracing import carrier
from ctiscraper.types import Tier

log = structlog.get_logger()

# After a ring that failed the next ones are saved for so long: nobody may wait for Redis.
PAUSE_SECONDS = 5.0
# A list that nobody makes. Redis adds to no such list, but refuses it as it would a ring: full, a
# replica, not allowed to.
NO_LIST = "ctiscraper-look"


class RedisBell:
    """The bell over Redis. Rings go out from a thread of their own, one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = make_app(settings)
        self._app.conf.broker_transport_options["socket_timeout"] = PATIENCE
        self._client = client_of(settings)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bell")
        self._ringing: set[Tier] = set()
        self._silent_until = 0.0
        self._failed = 0
        self._failed_at: float | None = None
        self._failure = ""

    def ring(self, tier: Tier) -> None:
        """Say that a tier has work; returns at once, whatever becomes of it."""
        if tier in self._ringing or time.monotonic() < self._silent_until:
            return
        self._ringing.add(tier)
        self._thread.submit(self._send, tier, carrier())

    def _send(self, tier: Tier, headers: dict[str, str]) -> None:
        try:
            self._app.send_task(
                COLLECT,
                kwargs={"tier": tier.value},
                queue=tier.value,
                expires=TICK_SECONDS,
                retry=False,
                ignore_result=True,
                headers=headers,
            )
        except (OperationalError, RedisError, OSError) as error:
            self._note(error)
        finally:
            self._ringing.discard(tier)

    def _note(self, error: BaseException) -> None:
        """Count a ring that was not taken, and ring no more for a while."""
        self._failed_at = time.monotonic()
        self._silent_until = self._failed_at + PAUSE_SECONDS
        self._failed += 1
        self._failure = what_is_wrong(self._settings, error)
        log.warning("bell_not_heard", detail=self._failure, failed=self._failed)

    async def look(self) -> BellState:
        """Return how the bell is, and whether it can be rung, asked of Redis now."""
        try:
            async with asyncio.timeout(PATIENCE):
                waiting = {tier.value: await _length(self._client, tier) for tier in Tier}
                await self._client.execute_command("LPUSHX", NO_LIST, "")  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            detail = what_is_wrong(self._settings, error)
            return self._state(BellState(configured=True, reachable=False, detail=detail))
        return self._state(BellState(configured=True, reachable=True, waiting=waiting))

    def _state(self, seen: BellState) -> BellState:
        """Return what was seen with the rings that were not taken."""
        since = None if self._failed_at is None else time.monotonic() - self._failed_at
        return replace(seen, failed=self._failed, failed_seconds=since, failure=self._failure)

    async def aclose(self) -> None:
        """Let go of its connections; a ring under way is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        with suppress(RedisError, OSError):
            await self._client.aclose()
        await asyncio.to_thread(self._app.close)


async def _length(client: Redis, tier: Tier) -> int:
    answer = client.llen(tier.value)
    return answer if isinstance(answer, int) else int(await answer)


def client_of(settings: Settings) -> Redis:
    """Return a client of the settings' Redis; it connects when first asked."""
    assert settings.redis_url is not None, "asked only with a Redis"
    options: dict[str, Any] = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
    if settings.redis_url.startswith("rediss://"):
        options |= tls_options(settings)
    url = settings.redis_url
    if credentials := credentials_of(settings):
        url, options["credential_provider"] = without_login(url), credentials
    client: Redis = Redis.from_url(url, **options)
    return client

"""The ears of a worker process: Celery in a thread, which wakes the loop when the bell rings."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, Self

import structlog
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection
from redis.exceptions import RedisError

from ctiscraper.config import Settings
from ctiscraper.tasks.app import SHIFT_SECONDS, make_app
from ctiscraper.tasks.redis_faults import what_is_wrong
from ctiscraper.tracing import resume, span
from ctiscraper.types import Tier

log = structlog.get_logger()

STOP_SECONDS = 3.0
# How long a message that cannot be served keeps its thread before it looks at the world again.
_SLACK = 5.0
# Celery remembers for hours which rings came too late, 50,000 of them; nobody here asks for that.
MOST_REMEMBERED = 50

Serve = Callable[[float], Coroutine[Any, Any, None]]


class Listener(Consumer):
    """Celery's consumer, which says of a Redis that fails what `say` does."""

    def __init__(self, *parts: Any, say: Callable[[BaseException], str], **more: Any) -> None:  # noqa: ANN401 - Celery's own
        self._say = say
        super().__init__(*parts, **more)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Return the connection once it stands, however long that takes."""
        try:
            tries = self.app.conf.broker_connection_max_retries
            conn.ensure_connection(self._tell, tries, callback=maybe_shutdown)
        except RedisError as error:
            # An answer, but not the one that is needed: Celery ends, and is run anew.
            self._tell(error, _SLACK)
            raise
        self.first_connection_attempt = False
        return conn

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Say why there is no connection yet."""
        self._tell(exc, 0.0)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Say why there is no connection any more, and let go of what came over it."""
        self._tell(exc, 0.0)
        super().on_connection_error_after_connected(exc)

    def _tell(self, error: Exception, seconds: float) -> None:
        log.warning("redis_away", detail=self._say(error), again_seconds=seconds)


class Ears:
    """Listens to the bell for as long as the block lasts; what it hears, the loop serves.

    `serve` is awaited in the loop that opened the block, with the seconds that a message may
    keep the ears busy: a worker that has its hands full leaves the next message to others.
    """

    def __init__(self, settings: Settings, serve: Serve, tiers: Sequence[Tier] = ()) -> None:
        self._serve = serve
        self._consumer = partial(Listener, say=partial(what_is_wrong, settings))
        self._tiers = tuple(tiers) or tuple(Tier)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Event()
        self._app = make_app(settings, self._hear)
        self._controller: WorkController | None = None
        self._thread = threading.Thread(target=self._listen, name="ears", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        state.should_stop = None
        state.revoked.maxlen = state.successful_requests.maxlen = MOST_REMEMBERED
        # Celery's threads look their tasks up in the default application.
        self._app.set_default()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hear nothing more; what Redis still holds for us is a bell that others hear."""
        # The way in which Celery itself asks its loop to end, with the exit code. Said first: a
        # thread that is about to end by itself takes it back.
        state.should_stop = 0  # type: ignore[assignment]  # typed as what it is at first
        self._closing.set()
        await asyncio.to_thread(self._thread.join, STOP_SECONDS)
        await asyncio.to_thread(self._app.close)

    def _listen(self) -> None:
        """Run Celery until told to stop, anew when it fails: PostgreSQL is looked at meanwhile."""
        # A line for each ring, every few seconds, would drown what is worth reading.
        logging.getLogger("celery").setLevel(logging.WARNING)
        while not self._closing.is_set():
            self._controller = WorkController(
                app=self._app,
                consumer_cls=self._consumer,
                pool_cls="threads",
                concurrency=1,
                queues=[tier.value for tier in self._tiers],
                loglevel="WARNING",
                without_mingle=True,
                without_gossip=True,
            )
            self._controller.start()
            if not self._closing.wait(_SLACK):
                log.warning("ears_restarted", exitcode=self._controller.exitcode)
        # One for all of the process: whoever listens next would end at once.
        state.should_stop = None

    def _hear(self, headers: Mapping[str, str], tier: str) -> None:
        """Serve a message in the event loop, and come back when there is no more to do."""
        if self._closing.is_set() or self._loop is None:
            return
        served = asyncio.run_coroutine_threadsafe(self._shift(tier, headers), self._loop)
        with contextlib.suppress(TimeoutError, CancelledError):
            served.result(SHIFT_SECONDS + _SLACK)
        log.debug("bell_served", tier=tier)

    async def _shift(self, tier: str, headers: Mapping[str, str]) -> None:
        """Look for work at once, in the trace of whoever rang."""
        with resume(headers), span("shift", kind="consumer", tier=tier):
            await self._serve(SHIFT_SECONDS)

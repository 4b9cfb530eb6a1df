"""The beat: rings the bell for each tier every few seconds, for as long as the block lasts."""

import asyncio
import logging
import threading
from functools import cached_property, partial
from typing import Any, Self

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, Service
from kombu import Connection, Producer
from redis import Redis
from redis.exceptions import RedisError

from ctiscraper.config import Settings
from ctiscraper.tasks.app import PATIENCE, make_app, without_login

_log = logging.getLogger("celery.beat")

STOP_SECONDS = 10.0
# While nobody listens more rings than these say nothing new, and would fill Redis.
MOST_UNHEARD = 12


class Ringer(Scheduler):
    """Celery's scheduler, which leaves a queue alone that holds enough rings.

    Once `over` is set it no longer waits for a Redis that is away: its thread ends.
    """

    def __init__(self, app: Celery, *, over: threading.Event | None = None, **more: Any) -> None:  # noqa: ANN401 - Celery's own
        self._over = over or threading.Event()
        super().__init__(app, **more)

    @cached_property
    def _redis(self) -> Redis:
        """A connection of its own: the producer's may be closed after any error."""
        tls: dict[str, Any] = self.app.conf.broker_use_ssl or {}
        url: str = self.app.conf.broker_url
        if credentials := self.app.conf.get("redis_credentials"):
            url, tls = without_login(url), {**tls, "credential_provider": credentials}
        client: Redis = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, **tls
        )
        return client

    @property
    def producer(self) -> Producer:
        """What rings, once Redis can be reached; waiting for that holds up no other scheduler.

        Celery's own is a cached property, whose lock is one for all of a class (before Python
        3.12, and in kombu).
        """
        # Where Celery keeps its own, and takes it from when the connection is lost.
        kept: Producer | None = self.__dict__.get("producer")
        if kept is None:
            kept = self.Producer(self._ensure_connected(), auto_declare=False)  # type: ignore[attr-defined]  # left out there
            self.__dict__["producer"] = kept
        return kept

    def apply_entry(self, entry: ScheduleEntry, producer: Producer | None = None) -> None:
        """Ring for one tier."""
        assert entry.options is not None, "each of ours names its queue"
        if self._unheard(entry.options["queue"]) < MOST_UNHEARD:
            super().apply_entry(entry, producer=producer)

    def close(self) -> None:
        """Let go of the connections."""
        super().close()
        self._redis.close()

    def _ensure_connected(self) -> Connection:
        """Return the connection once it stands; Celery's own waits on whatever it is told."""
        return self.connection.ensure_connection(
            _tell, self.app.conf.broker_connection_max_retries, callback=self._unless_over
        )

    def _unless_over(self) -> None:
        if self._over.is_set():
            # What Celery's beat takes as its end.
            raise SystemExit

    def _unheard(self, queue: str) -> int:
        """Return how many rings a queue holds; none where that cannot be told, and one is tried."""
        try:
            return int(self._redis.llen(queue))
        except (RedisError, OSError):
            return 0


def _tell(error: Exception, seconds: float) -> None:
    _log.error("beat: Connection error: %s. Trying again in %s seconds...", error, seconds)


class Beat:
    """Celery's beat in a thread. Its few entries stand in the code and nothing of it is kept.

    Any number of them may run: a bell that rings twice brings no more work than one. One that
    cannot reach Redis tries on, and workers look by themselves meanwhile.
    """

    def __init__(self, settings: Settings) -> None:
        self._app = make_app(settings)
        self._over = threading.Event()
        ringer = partial(Ringer, over=self._over)
        self._service = Service(self._app, scheduler_cls=ringer)  # type: ignore[arg-type]  # called, as a class is
        self._thread = threading.Thread(target=self._service.start, name="beat", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ring no more."""
        self._over.set()
        await asyncio.to_thread(self._service.stop, wait=False)
        await asyncio.to_thread(self._thread.join, STOP_SECONDS)
        await asyncio.to_thread(self._app.close)

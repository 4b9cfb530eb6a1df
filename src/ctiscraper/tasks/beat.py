"""The beat: rings the bell for each tier every few seconds, for as long as the block lasts."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, Self

import structlog
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, SchedulingError, Service
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from ctiscraper.config import Settings
from ctiscraper.errors import UnavailableError
from ctiscraper.tasks.app import PATIENCE, make_app, without_login
from ctiscraper.tasks.redis_faults import what_is_wrong

log = structlog.get_logger()

STOP_SECONDS = 10.0
# A beat gives a sign at each tick, every few seconds, and every second while it waits for Redis.
SILENT_SECONDS = 60.0
LOOK_SECONDS = 1.0
# While nobody listens more rings than these say nothing new, and would fill Redis.
MOST_UNHEARD = 12


class Ringer(Scheduler):
    """Celery's scheduler, which leaves a queue alone that holds enough rings.

    Once `over` is set it no longer waits for a Redis that is away: its thread ends. `say` puts an
    error into words, `sign` is called for as long as it goes on.
    """

    def __init__(
        self,
        app: Celery,
        *,
        over: threading.Event | None = None,
        say: Callable[[BaseException], str] = str,
        sign: Callable[[], object] = bool,
        **more: Any,  # noqa: ANN401 - Celery's own
    ) -> None:
        self._over = over or threading.Event()
        self._say = say
        self._sign = sign
        self._failed = 0
        super().__init__(app, **more)

    def tick(self, *parts: Any, **more: Any) -> float:  # noqa: ANN401 - Celery's own
        """Ring where that is due, and return the seconds until it next is."""
        self._sign()
        return super().tick(*parts, **more)

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
        if self._unheard(entry.options["queue"]) >= MOST_UNHEARD:
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            self._failed += 1
            log.warning("bell_not_heard", detail=self._say(error), failed=self._failed)

    def close(self) -> None:
        """Let go of the connections."""
        super().close()
        self._redis.close()

    def _ensure_connected(self) -> Connection:
        """Return the connection once it stands; Celery's own waits on whatever it is told."""
        return self.connection.ensure_connection(
            self._tell, self.app.conf.broker_connection_max_retries, callback=self._unless_over
        )

    def _tell(self, error: Exception, seconds: float) -> None:
        log.warning("redis_away", detail=self._say(error), again_seconds=seconds)

    def _unless_over(self) -> None:
        self._sign()
        if self._over.is_set():
            # What Celery's beat takes as its end.
            raise SystemExit

    def _unheard(self, queue: str) -> int:
        """Return how many rings a queue holds; none where that cannot be told, and one is tried."""
        try:
            return int(self._redis.llen(queue))
        except (RedisError, OSError):
            return 0


class Beat:
    """Celery's beat in a thread. Its few entries stand in the code and nothing of it is kept.

    Any number of them may run: a bell that rings twice brings no more work than one. One that
    cannot reach Redis tries on, and workers look by themselves meanwhile.
    """

    def __init__(self, settings: Settings) -> None:
        self._say = partial(what_is_wrong, settings)
        self._app = make_app(settings)
        # A Redis that takes a connection and says nothing would hold the thread for ever.
        self._app.conf.broker_transport_options["socket_timeout"] = PATIENCE
        self._over = threading.Event()
        self._seen = time.monotonic()
        self._fault = "its thread gave no sign"
        ringer = partial(Ringer, over=self._over, say=self._say, sign=self._give_sign)
        self._service = Service(self._app, scheduler_cls=ringer)  # type: ignore[arg-type]  # called, as a class is
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    @property
    def well(self) -> bool:
        """Whether it goes on: its thread lives and gave a sign lately, with Redis or without."""
        return self._thread.is_alive() and time.monotonic() - self._seen < SILENT_SECONDS

    async def watch(self) -> None:
        """Go on for as long as it is well, and raise UnavailableError then."""
        while self.well:  # noqa: ASYNC110 - a thread that dies tells nobody
            await asyncio.sleep(LOOK_SECONDS)
        raise UnavailableError(f"the beat no longer rings: {self._fault}; start it again")

    def _give_sign(self) -> None:
        self._seen = time.monotonic()

    def _run(self) -> None:
        self._fault = "its thread has ended; the log says why"
        try:
            self._service.start()
        except (OperationalError, RedisError, OSError) as error:
            self._fault = self._say(error)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ring no more."""
        self._over.set()
        await asyncio.to_thread(self._service.stop, wait=False)
        await asyncio.to_thread(self._thread.join, STOP_SECONDS)
        await asyncio.to_thread(self._app.close)

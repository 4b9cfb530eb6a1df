"""The beat: rings the bell for each tier every few seconds, for as long as the block lasts."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from celery.beat import Scheduler, Service

from ctiscraper.config import Settings
from ctiscraper.tasks.app import make_app

STOP_SECONDS = 10.0


class Beat:
    """Celery's beat in a thread. Its few entries stand in the code and nothing of it is kept.

    Any number of them may run: a bell that rings twice brings no more work than one. One that
    cannot reach Redis tries on, and workers look by themselves meanwhile.
    """

    def __init__(self, settings: Settings) -> None:
        self._app = make_app(settings)
        self._service = Service(self._app, scheduler_cls=Scheduler)
        self._thread = threading.Thread(target=self._service.start, name="beat", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ring no more."""
        await asyncio.to_thread(self._service.stop, wait=False)
        await asyncio.to_thread(self._thread.join, STOP_SECONDS)
        await asyncio.to_thread(self._app.close)

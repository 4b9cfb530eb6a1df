"""The queue of models for whoever asks them: what was answered is written once it can be."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from ctiscraper.db.model_queue import Claimed, Kept, ModelQueue
from ctiscraper.db.model_spending import Limits, Spent
from ctiscraper.errors import ModelFault, StorageError

# An outage that takes longer costs the answer: its text is asked about again.
LONGEST_SECONDS = 900.0
AGAIN_SECONDS = 5.0

log = structlog.get_logger()


class PatientQueue(ModelQueue):
    """A queue whose answers outlast an outage of the database; their leases are renewed meanwhile.

    An answer took minutes, and may have been paid for.
    """

    async def finish(
        self, claimed: Claimed, kept: Kept, spent: Spent, *, server: str, limits: Limits
    ) -> bool:
        """Keep an answer, as soon as that can be."""
        write = super().finish
        return await self._at_last(
            claimed, lambda: write(claimed, kept, spent, server=server, limits=limits)
        )

    async def fail(  # noqa: PLR0913 - each is stored beside the row
        self,
        claimed: Claimed,
        fault: ModelFault,
        detail: str,
        spent: Spent,
        *,
        transient: bool,
        raw: str = "",
        server: str = "",
        limits: Limits | None = None,
    ) -> bool:
        """Let it be asked again later, or end it, as soon as that can be."""
        write = super().fail
        return await self._at_last(
            claimed,
            lambda: write(
                claimed,
                fault,
                detail,
                spent,
                transient=transient,
                raw=raw,
                server=server,
                limits=limits,
            ),
        )

    async def _at_last(self, claimed: Claimed, write: Callable[[], Awaitable[bool]]) -> bool:
        until = time.monotonic() + LONGEST_SECONDS
        while True:
            try:
                return await write()
            except StorageError as error:
                if time.monotonic() >= until:
                    raise
                log.warning("answer_waits", analysis=claimed.id, detail=error.detail)
            await asyncio.sleep(AGAIN_SECONDS)
            if not await self._is_held(claimed):
                # Or it was written, and only the answer to that was lost: it is paid for once.
                return False

    async def _is_held(self, claimed: Claimed) -> bool:
        """Whether it is this worker's still; where that cannot be told it may be."""
        try:
            async with self._database.connection() as conn:
                cursor = await conn.execute(
                    "SELECT FROM model_analysis WHERE id = %s AND lease = %s AND state = 'running'",
                    (claimed.id, claimed.lease),
                )
                return await cursor.fetchone() is not None
        except StorageError:
            return True

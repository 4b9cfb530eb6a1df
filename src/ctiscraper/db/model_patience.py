"""The queue of models for whoever asks them: what was answered is written once it can be."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from ctiscraper.db.model_queue import Claimed, Kept, ModelQueue
from ctiscraper.db.model_spending import Limits, Spent
from ctiscraper.db.session import was_cut_off
from ctiscraper.errors import ModelFault, StorageError

# An outage that takes longer costs the answer: its text is asked about again. What the database
# fails at otherwise is not to hold the place of others.
OUTAGE_SECONDS = 900.0
FAULT_SECONDS = 60.0
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
        began = time.monotonic()
        held: bool | None = True
        # It is written again only where it is known to be ours still: else it may have been
        # written, with the answer to that lost, and would be paid for twice.
        while held is not False:
            try:
                if held:
                    return await write()
                held = await self._is_held(claimed)
                continue
            except StorageError as error:
                longest = OUTAGE_SECONDS if was_cut_off(error) else FAULT_SECONDS
                if time.monotonic() - began >= longest:
                    raise
                log.warning("answer_waits", analysis=claimed.id, detail=error.detail)
                held = None
            await asyncio.sleep(AGAIN_SECONDS)
        return False

    async def _is_held(self, claimed: Claimed) -> bool:
        """Whether it is this worker's still."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT FROM model_analysis WHERE id = %s AND lease = %s AND state = 'running'",
                (claimed.id, claimed.lease),
            )
            return await cursor.fetchone() is not None

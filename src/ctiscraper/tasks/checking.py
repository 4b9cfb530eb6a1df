"""Checks as a worker makes them: each ends somehow, and what cut it off is not held against it."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from ctiscraper.bootstrap import Services
from ctiscraper.db.checks import SourceLease
from ctiscraper.errors import FetchError, ParseError, Reason, Scope, StorageError
from ctiscraper.types import CheckSummary

log = structlog.get_logger()


@dataclass(slots=True)
class Checking:
    """Who makes checks, and those that could not be given back yet."""

    services: Services
    _owed: dict[UUID, SourceLease] = field(default_factory=dict)

    @property
    def owes(self) -> bool:
        """Whether there are checks that could not be given back yet."""
        return bool(self._owed)

    async def check(
        self, due: SourceLease, *, seconds: float
    ) -> tuple[CheckSummary | None, FetchError | None]:
        """Return what a check found, and the error when its host failed, as the pipeline does.

        What we cut off ourselves is given back: told to stop, or our database away. Raises
        StorageError.
        """
        try:
            return await self._check(due, seconds)
        except (StorageError, asyncio.CancelledError):
            self._owed[due.owner] = due
            with contextlib.suppress(StorageError):
                await self.repay()
            raise

    async def _check(
        self, due: SourceLease, seconds: float
    ) -> tuple[CheckSummary | None, FetchError | None]:
        """Take a check through the pipeline; one that does not end has failed.

        This is the boundary of a task: what nobody foresaw is a failed check, no more.
        """
        pipeline, key = self.services.pipeline, due.source.settings.key
        failed: FetchError | ParseError
        try:
            async with asyncio.timeout(seconds):
                return await pipeline.check(due)
        except TimeoutError:
            log.warning("check_without_end", source=key)
            detail = f"no end within {seconds:g} s"
            failed = FetchError(Reason.TIMEOUT, detail, scope=Scope.ITEM)
        except StorageError:
            raise
        except Exception as error:
            log.exception("check_failed", source=key)
            failed = ParseError(Reason.INTERNAL, f"{type(error).__name__}: {error}")
        return await pipeline.fail_check(due, failed), None

    async def repay(self) -> None:
        """Give back the checks that are owed. Raises StorageError."""
        for owner, due in tuple(self._owed.items()):
            await self.services.checks.give_back(due, seconds=self.services.settings.lease_seconds)
            self._owed.pop(owner, None)

"""One check of one source, now."""

import asyncio
from datetime import datetime

from ctiscraper.bootstrap import Services
from ctiscraper.db.sources import checked_url
from ctiscraper.errors import ConflictError, FetchError, Scope
from ctiscraper.tasks.checking import Checking
from ctiscraper.tasks.resting import count_fault
from ctiscraper.types import Source, host_of

PATIENCE = 120.0
LOOK_AGAIN = 0.3


def refuse_paused(source: Source) -> None:
    """Refuse to check a source that is paused: raise ConflictError with the command to wake it."""
    if not source.settings.active:
        key = source.settings.key
        raise ConflictError(
            f"the source '{key}' is paused: 'ctiscraper sources edit {key} --set active=true' "
            "wakes it"
        )


async def check_source(services: Services, key: str) -> FetchError | None:
    """Check a source now, or wait until the worker that is at it has; give its host's error.

    Raises NotFoundError, and ConflictError for one that is paused or when it takes too long.
    """
    source = await services.sources.get(key)
    refuse_paused(source)
    await services.sources.check_now(key)
    try:
        async with asyncio.timeout(PATIENCE):
            return await _checked(services, source, source.last_checked_at)
    except TimeoutError as error:
        raise ConflictError(
            f"the source '{key}' was not checked within {PATIENCE:.0f} s: its host is slow, or "
            "asked for a pause; the check is made as soon as that is over"
        ) from error


async def _checked(
    services: Services, source: Source, before: datetime | None
) -> FetchError | None:
    host, checking = host_of(checked_url(source.settings)), Checking(services)
    while True:
        lease = await services.checks.claim(host, seconds=services.settings.lease_seconds)
        if lease is not None:
            _, error = await checking.check(lease, seconds=PATIENCE)
            if error is None:
                await services.hosts.succeeded(host)
            elif error.scope is Scope.HOST:
                await count_fault(services.hosts, error, host)
            if lease.source.id == source.id:
                return error
        elif (await services.sources.by_id(source.id)).last_checked_at != before:
            return None
        else:
            await asyncio.sleep(LOOK_AGAIN)

"""What a host's own faults cost it: they are counted, and it is left alone for a while."""

from ctiscraper.collect.schedule import breaker_delay
from ctiscraper.db.hosts import Hosts
from ctiscraper.errors import FetchError, Reason
from ctiscraper.types import host_of

# How long a host is let be that says we ask too often, and not when we may again.
TOO_OFTEN_SECONDS = 60.0


async def count_fault(hosts: Hosts, error: FetchError, asked: str) -> str:
    """Return the host whose fault it was, now left alone for as long as it wants or its breaker.

    `asked` is the host that was asked, for an error that names no address. What it answered just
    before counts for it. Raises StorageError.
    """
    host = host_of(error.url) or asked
    if error.answered:
        await hosts.succeeded(host)
    failures = await hosts.failed(host, error.reason, error.detail)
    asked_for = error.retry_after or 0.0
    if error.reason is Reason.RATE_LIMITED:
        asked_for = asked_for or TOO_OFTEN_SECONDS
    rest = max(breaker_delay(failures), asked_for)
    if rest > 0:
        await hosts.rest(host, rest)
    return host

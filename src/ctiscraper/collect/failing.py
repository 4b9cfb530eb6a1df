"""What becomes of an item whose page could not be had: pure decisions."""

from ctiscraper.errors import FetchError, ParseError, Scope, StorageError
from ctiscraper.types import MAX_ATTEMPTS, FetchJob, Retry

# How often a host's own faults may put one item back before its feed text must do.
HOST_TRIES = 10
HOST_DELAY = 60.0
MOST_DELAY = 6 * 3600.0
OURS_DELAY = 30.0
PARSER_DELAY = 2.0

Failure = FetchError | ParseError | StorageError


def retry_of(job: FetchJob, error: Failure, jitter: float) -> Retry | None:
    """Return how an item goes back to the queue, None when trying again is no use.

    Our own faults burn nothing. A host's faults burn no attempt, but not for ever. An item
    that kills its parser pays with an attempt each time.
    """
    if isinstance(error, StorageError):
        return _ours(error, jitter)
    if isinstance(error, ParseError):
        if not error.transient or job.attempts >= MAX_ATTEMPTS:
            return None
        return Retry(reason=error.reason, detail=error.detail, delay=PARSER_DELAY * job.attempts)
    if error.scope is Scope.OURS:
        return _ours(error, jitter)
    if not error.transient or job.host_tries + 1 >= HOST_TRIES:
        return None
    backoff = min(MOST_DELAY, HOST_DELAY * 2.0**job.host_tries) * (0.5 + jitter)
    return Retry(
        reason=error.reason,
        detail=error.detail,
        delay=max(error.retry_after or 0.0, backoff),
        refund=True,
        host_try=True,
    )


def _ours(error: FetchError | StorageError, jitter: float) -> Retry:
    return Retry(
        reason=error.reason,
        detail=error.detail,
        delay=OURS_DELAY * (0.5 + jitter),
        refund=True,
    )

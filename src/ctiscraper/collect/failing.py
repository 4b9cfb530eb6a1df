"""What becomes of an item whose page could not be had: pure decisions."""

from dataclasses import replace

from ctiscraper.errors import FetchError, ParseError, Reason, Scope, StorageError
from ctiscraper.types import MAX_ATTEMPTS, FetchJob, Retry

# How often a host's own faults may put one item back before its feed text must do.
HOST_TRIES = 10
HOST_DELAY = 60.0
MOST_DELAY = 6 * 3600.0
# A turn that is too far away is waited for twice as long each time, but no longer than this: to ask
# for it costs the host that leads there a request.
MOST_BUSY_DELAY = 3600.0
_MOST_DOUBLINGS = 6
OURS_DELAY = 30.0
PARSER_DELAY = 2.0

Failure = FetchError | ParseError | StorageError


def retry_of(job: FetchJob, error: Failure, jitter: float) -> Retry | None:
    """Return how an item goes back to the queue, None when trying again is no use.

    Our own faults burn nothing, nor does a turn at a host that is too far away, which is waited for
    ever longer. A host's faults burn no attempt, but not for ever. An item that kills its parser
    pays with an attempt each time.
    """
    if isinstance(error, ParseError):
        if not error.transient or job.attempts >= MAX_ATTEMPTS:
            return None
        return Retry(reason=error.reason, detail=error.detail, delay=PARSER_DELAY * job.attempts)
    if isinstance(error, StorageError) or error.scope is Scope.OURS:
        return _free(error, OURS_DELAY * (0.5 + jitter))
    if error.reason is Reason.HOST_BUSY:
        before = min(job.busy_turns, _MOST_DOUBLINGS)
        wait = min(MOST_BUSY_DELAY, (error.retry_after or HOST_DELAY) * 2.0**before)
        return replace(_free(error, wait * (0.5 + jitter)), busy_turns=before + 1)
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


def _free(error: FetchError | StorageError, delay: float) -> Retry:
    return Retry(reason=error.reason, detail=error.detail, delay=delay, refund=True)

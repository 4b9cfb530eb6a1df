"""The search for the feed of a site: which places gave none, and which hosts to ask no more."""

from ctiscraper.collect.candidates import FeedCandidate
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.types import Discovery, Page, host_of


class FeedSearch:
    """Where a feed was looked for in vain so far, and what stood in the way."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests = page.requests
        self._tried: list[str] = []
        self._answered = {host_of(page.final_url)}
        self._down: set[tuple[str, Discovery]] = set()
        self._fault: FetchError | None = None
        self._busy: FetchError | None = None

    def passes_over(self, candidate: FeedCandidate) -> bool:
        """Return whether a host that failed is to be asked for this no more."""
        return (host_of(candidate.url), candidate.discovery) in self._down

    def miss(self, candidate: FeedCandidate, error: FetchError | ParseError) -> None:
        """Account for a place that gave nothing. Raises FetchError where we ourselves are away."""
        self.requests += error.requests
        self._tried.append(f"{candidate.url} ({error.reason})")
        if isinstance(error, FetchError) and error.scope is Scope.OURS:
            error.requests = self.requests
            raise error
        if isinstance(error, FetchError) and error.reason is Reason.HOST_BUSY:
            self._busy = error
        elif isinstance(error, FetchError) and error.scope is Scope.HOST:
            self._fail(candidate, error)
        elif isinstance(error, ParseError):
            self._answer(host_of(candidate.url))
        elif error.status is not None:
            self._answer(host_of(error.url or candidate.url))

    def _fail(self, candidate: FeedCandidate, error: FetchError) -> None:
        host = host_of(error.url or candidate.url)
        error.answered = error.answered or host in self._answered
        self._fault = self._fault or error
        # Some sites have a fault of their own at each place that they do not know.
        guessed = candidate.found == "path" and error.reason is Reason.SERVER_ERROR
        if guessed and error.retry_after is None:
            self._down.add((host, candidate.discovery))
        else:
            self._down.update((host, kind) for kind in Discovery)

    def _answer(self, host: str) -> None:
        self._answered.add(host)
        if self._fault is not None and host_of(self._fault.url) == host:
            self._fault = None

    def fault_beside(self, page: Page) -> FetchError | None:
        """Return what another host failed with than the one that has what was looked for."""
        self._answer(host_of(page.final_url))
        return self._fault

    def failure(self) -> FetchError | ParseError:
        """Return why nothing was found: what was not asked is not known to be no feed."""
        words = "tried " + (", ".join(self._tried) or "nothing")
        cause = self._fault or self._busy
        if cause is None:
            return no_announcements(
                Reason.NOT_A_FEED,
                f"{self._page.final_url} is a page and names no feed that works; {words}"
                "; set discovery to listing and give a selector for its article links",
                self.requests,
            )
        error = FetchError(
            cause.reason,
            f"{cause.detail}; {words}",
            scope=cause.scope,
            transient=cause.transient,
            status=cause.status,
            retry_after=cause.retry_after,
            url=cause.url,
        )
        error.requests, error.answered = self.requests, cause.answered
        return error


def no_announcements(reason: Reason, detail: str, requests: int) -> ParseError:
    """Return the error of what announces nothing, with the requests that it took."""
    error = ParseError(reason, detail)
    error.requests = requests
    return error

"""What the API offers of queue; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from ctiscraper.client.queue_types import (
    AllItems,
    Extractor,
    FailedNumbers,
    FailedPage,
    ItemNumbers,
    QueuePage,
    ReasonCount,
    ReprocessIn,
)
from ctiscraper.client.shared_types import Counted
from ctiscraper.client.transport import Transport


class QueueCalls(Transport):
    """The operations of queue."""

    def list_failures(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> FailedPage:
        """Articles not looked through, and why.

        The latest failures first; what waits is told by `/api/v1/operations`.

        Needs `operations:read`.
        """
        return self.call(
            "GET", "/enrichment/failures", FailedPage, query={"cursor": cursor, "limit": limit}
        )

    def retry_failures(
        self,
        *,
        articles: tuple[int, ...] | UnsetType | None = UNSET,
    ) -> Counted:
        """Look through them once more.

        In the background, with all their attempts.

        Needs `article:reprocess`.
        """
        return self.call(
            "POST", "/enrichment/retry", Counted, body=FailedNumbers(articles=articles)
        )

    def list_items(
        self,
        *,
        state: Literal["dead", "failed", "filtered", "duplicate"] | None = None,
        source: str | None = None,
        reason: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> QueuePage:
        """Ended items, newest first.

        Each with its cause and a sample of what the source announced.

        Needs `operations:read`.
        """
        return self.call(
            "GET",
            "/queue",
            QueuePage,
            query={
                "state": state,
                "source": source,
                "reason": reason,
                "cursor": cursor,
                "limit": limit,
            },
        )

    def list_reasons(
        self,
        *,
        state: Literal["dead", "failed", "filtered", "duplicate"] | None = None,
    ) -> tuple[ReasonCount, ...]:
        """Why items ended, most often first.

        Counted over the newest 10,000 items of the state.

        Needs `operations:read`.
        """
        return self.call("GET", "/queue/reasons", tuple[ReasonCount, ...], query={"state": state})

    def retry_items(
        self,
        *,
        ids: tuple[int, ...],
    ) -> Counted:
        """Try items once more.

        Dead and failed items go back to the queue with all their attempts.

        Needs `queue:write`.
        """
        return self.call("POST", "/queue/retry", Counted, body=ItemNumbers(ids=ids))

    def discard_items(
        self,
        *,
        ids: tuple[int, ...],
    ) -> Counted:
        """Set items aside for good.

        Dead and failed items become filtered, and stay counted.

        Needs `queue:write`.
        """
        return self.call("POST", "/queue/discard", Counted, body=ItemNumbers(ids=ids))

    def release_items(
        self,
        *,
        ids: tuple[int, ...],
    ) -> Counted:
        """Let items through.

        Filtered items go back to the queue and pass the gates of their source.

        Needs `queue:write`.
        """
        return self.call("POST", "/queue/release", Counted, body=ItemNumbers(ids=ids))

    def act_on_all(
        self,
        *,
        state: Literal["dead", "failed", "filtered", "duplicate"],
        action: Literal["retry", "discard", "release"],
        source: str | UnsetType | None = UNSET,
        reason: str | UnsetType | None = UNSET,
    ) -> Counted:
        """Act on all of a kind.

        Every item of a state, and of a source or a cause; the answer says how many it was.

        Needs `queue:write`.
        """
        return self.call(
            "POST",
            "/queue/all",
            Counted,
            body=AllItems(state=state, action=action, source=source, reason=reason),
        )

    def reprocess_articles(
        self,
        *,
        source: str | UnsetType | None = UNSET,
        articles: tuple[int, ...] | UnsetType | None = UNSET,
        only: tuple[Extractor, ...] | UnsetType | None = UNSET,
        since: datetime | UnsetType | None = UNSET,
    ) -> Counted:
        """Read stored articles again, or look through them again.

        By source, by article, or both, from their kept bytes; nothing is fetched.

        With `only` their texts stay, and what they name is found anew by these extractors, in
        the background; `since` is the time an article is listed under.

        Needs `article:reprocess`.
        """
        return self.call(
            "POST",
            "/queue/reprocess",
            Counted,
            body=ReprocessIn(source=source, articles=articles, only=only, since=since),
        )

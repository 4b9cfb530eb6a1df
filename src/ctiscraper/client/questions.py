"""What the API offers of questions; written from the description of the API, not by hand."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ctiscraper.client.questions_types import Answer, QuestionAsked
from ctiscraper.client.shared_types import Tier
from ctiscraper.client.transport import Transport


class QuestionsCalls(Transport):
    """The operations of questions."""

    def ask_question(
        self,
        *,
        question: str,
        source: str | UnsetType | None = UNSET,
        tier: Tier | UnsetType | None = UNSET,
        since: datetime | UnsetType | None = UNSET,
        until: datetime | UnsetType | None = UNSET,
        passages_only: bool | UnsetType = UNSET,
    ) -> Answer:
        """Ask the collection.

        Each sentence cites one of `passages`, counted from 1, and quotes it literally.

        `state` is `answered`; `refused` where nothing in the collection answers; `passages`
        where no model is asked; or `failed`, and `fault` says why. An answer that broke off is
        `answered`, with the sentences that came until then, and `fault` says why: one in one
        piece may take 45 s, and a slow model is better asked by the stream. No question is
        stored.

        Needs `article:read`.
        """
        return self.call(
            "POST",
            "/questions",
            Answer,
            body=QuestionAsked(
                question=question,
                source=source,
                tier=tier,
                since=since,
                until=until,
                passages_only=passages_only,
            ),
        )

    def stream_answer(
        self,
        *,
        question: str,
        source: str | UnsetType | None = UNSET,
        tier: Tier | UnsetType | None = UNSET,
        since: datetime | UnsetType | None = UNSET,
        until: datetime | UnsetType | None = UNSET,
        passages_only: bool | UnsetType = UNSET,
    ) -> bytes:
        """Ask the collection, and be answered while the answer comes.

        Server-sent events: `passages`, each `sentence` once it is proved, then `answer`.

        `fault` comes in place of `answer` where there is none.

        Needs `article:read`.
        """
        return self.call(
            "POST",
            "/questions/stream",
            bytes,
            body=QuestionAsked(
                question=question,
                source=source,
                tier=tier,
                since=since,
                until=until,
                passages_only=passages_only,
            ),
        )

"""What the API offers of techniques; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from ctiscraper.client.shared_types import Extraction, Tier
from ctiscraper.client.techniques_types import TechniqueCount
from ctiscraper.client.transport import Transport


class TechniquesCalls(Transport):
    """The operations of techniques."""

    def list_techniques(  # noqa: PLR0913 - the fields of the API
        self,
        *,
        source: str | None = None,
        tier: Tier | None = None,
        language: str | None = None,
        method: Extraction | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        q: str | None = None,
        watch: int | None = None,
        min_score: float | None = None,
        order: Literal["newest", "relevance", "score"] | None = None,
        days: Literal[1, 7, 30] | None = None,
        entity: int | None = None,
    ) -> tuple[TechniqueCount, ...]:
        """Techniques, those of most articles first.

        How many of the articles that the filters leave name each technique.

        Of all, of a source and of whole days (UTC) near-duplicates count; of any other list the
        newest 15,000 count, without them unless `source` is given.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/techniques",
            tuple[TechniqueCount, ...],
            query={
                "source": source,
                "tier": tier,
                "language": language,
                "method": method,
                "tag": tag,
                "since": since,
                "until": until,
                "q": q,
                "watch": watch,
                "min_score": min_score,
                "order": order,
                "days": days,
                "entity": entity,
            },
        )

    def get_layer(  # noqa: PLR0913 - the fields of the API
        self,
        *,
        source: str | None = None,
        tier: Tier | None = None,
        language: str | None = None,
        method: Extraction | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        q: str | None = None,
        watch: int | None = None,
        min_score: float | None = None,
        order: Literal["newest", "relevance", "score"] | None = None,
        days: Literal[1, 7, 30] | None = None,
        entity: int | None = None,
        matrix: Literal["enterprise-attack", "mobile-attack", "ics-attack"] | None = None,
    ) -> None:
        """The same as a layer of the ATT&CK Navigator.

        A file of format 4.5; scores are how many articles name each technique.

        Needs `article:export`.
        """
        self.call(
            "GET",
            "/techniques/layer",
            None,
            query={
                "source": source,
                "tier": tier,
                "language": language,
                "method": method,
                "tag": tag,
                "since": since,
                "until": until,
                "q": q,
                "watch": watch,
                "min_score": min_score,
                "order": order,
                "days": days,
                "entity": entity,
                "matrix": matrix,
            },
        )

"""What the API offers of articles; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal

from ctiscraper.client.articles_types import (
    ArticleDetail,
    ArticlePage,
    Changes,
    RevisionRef,
    RevisionText,
)
from ctiscraper.client.shared_types import Extraction, Tier
from ctiscraper.client.transport import Transport, path_part


class ArticlesCalls(Transport):
    """The operations of articles."""

    def list_articles(  # noqa: PLR0913 - the fields of the API
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
        cursor: str | None = None,
        limit: int | None = None,
        mode: Literal["words", "meaning", "both"] | None = None,
        facets: bool | None = None,
    ) -> ArticlePage:
        """Articles, newest or best first.

        Near-duplicates are folded into the article that came first, unless `source` is given.

        With `order=score` the best of `days` come first. Follow `next` for more. `found` counts
        what `q` or `tag` matched, up to 15,000. A search that is wrong is answered with 422 and
        its `position`; one that ran out of time says in `searched_to` how far it came. A list
        may be a second old. As CSV or NDJSON the answer is the whole list from `cursor` on, or
        as many as `limit` says.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/articles",
            ArticlePage,
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
                "cursor": cursor,
                "limit": limit,
                "mode": mode,
                "facets": facets,
            },
        )

    def get_article(
        self,
        article_id: int,
    ) -> ArticleDetail:
        """One article in full.

        `text` is what every offset refers to; `html` is sanitised.

        Needs `article:read`.
        """
        return self.call("GET", f"/articles/{path_part(article_id)}", ArticleDetail)

    def list_revisions(
        self,
        article_id: int,
    ) -> tuple[RevisionRef, ...]:
        """The revisions of an article, the current one first.

        Return which texts the article had, and when.

        Needs `article:read`.
        """
        return self.call(
            "GET", f"/articles/{path_part(article_id)}/revisions", tuple[RevisionRef, ...]
        )

    def get_revision(
        self,
        article_id: int,
        number: int,
    ) -> RevisionText:
        """The words of one revision.

        Return what the article said then.

        Needs `article:read`.
        """
        return self.call(
            "GET", f"/articles/{path_part(article_id)}/revisions/{path_part(number)}", RevisionText
        )

    def get_changes(
        self,
        article_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
    ) -> Changes:
        """What changed between two revisions.

        By default the last change. Lines, with the words that differ marked.

        Of long texts only the first 3,000 lines are compared, which `cut` tells. Where telling
        what is the same would have cost too much, lines are changed as a whole, which `coarse`
        tells.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            f"/articles/{path_part(article_id)}/changes",
            Changes,
            query={"before": before, "after": after},
        )

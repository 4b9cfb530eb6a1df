"""What the API offers of entities; written from the description of the API, not by hand."""

from typing import Literal

from ctiscraper.client.entities_types import (
    ArticleEvidence,
    EntityDetail,
    EntityPage,
    LookupReport,
    Neighbour,
    SightingPage,
    SimilarArticle,
)
from ctiscraper.client.shared_types import Kind, Name, VerdictInput
from ctiscraper.client.transport import Transport, path_part


class EntitiesCalls(Transport):
    """The operations of entities."""

    def list_article_entities(
        self,
        article_id: int,
        *,
        kind: tuple[Kind | Name, ...] | None = None,
        places: int | None = None,
    ) -> ArticleEvidence:
        """What an article names, in the order of its text.

        Each with its first `places`: words, sentence and the heading of the section.

        `record` tells by which extractors, with what left out, and what that changed.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            f"/articles/{path_part(article_id)}/entities",
            ArticleEvidence,
            query={"kind": kind, "places": places},
        )

    def list_neighbours(
        self,
        article_id: int,
        *,
        limit: int | None = None,
    ) -> tuple[Neighbour, ...]:
        """The articles that name the same rare things.

        Those first that share most of what few articles name; `shared` names it.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            f"/articles/{path_part(article_id)}/neighbours",
            tuple[Neighbour, ...],
            query={"limit": limit},
        )

    def list_similar(
        self,
        article_id: int,
        *,
        limit: int | None = None,
    ) -> tuple[SimilarArticle, ...]:
        """Articles that have to do with this one.

        By the rare things and words that both have, named in `things` and `words`, rarest
        first.

        Where texts have vectors, also by what both mean: `closeness` tells how near they are.
        Its near-duplicates and the articles of its own story are left out.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            f"/articles/{path_part(article_id)}/similar",
            tuple[SimilarArticle, ...],
            query={"limit": limit},
        )

    def list_entities(  # noqa: PLR0913 - the fields of the API
        self,
        *,
        kind: tuple[Kind | Name, ...] | None = None,
        verdict: tuple[VerdictInput, ...] | None = None,
        q: str | None = None,
        under: str | None = None,
        source: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> EntityPage:
        """What articles name.

        The newest known first; `articles` and `sources` count who names a thing.

        Follow `next` for more. As CSV or NDJSON the answer is the whole list from `cursor` on,
        or as many as `limit` says.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/entities",
            EntityPage,
            query={
                "kind": kind,
                "verdict": verdict,
                "q": q,
                "under": under,
                "source": source,
                "cursor": cursor,
                "limit": limit,
            },
        )

    def get_entity(
        self,
        entity_id: int,
    ) -> EntityDetail:
        """One thing in full.

        Which sources named it and when, what stands beside it, and what the team decided of it.

        Needs `article:read`.
        """
        return self.call("GET", f"/entities/{path_part(entity_id)}", EntityDetail)

    def list_sightings(
        self,
        entity_id: int,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> SightingPage:
        """The articles that name a thing, newest first.

        Each with the words around its first place: `excerpt[start:end]` is the thing.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            f"/entities/{path_part(entity_id)}/articles",
            SightingPage,
            query={"cursor": cursor, "limit": limit},
        )

    def look_up(
        self,
        content: bytes,
        media_type: Literal["application/json", "text/plain"] = "application/json",
    ) -> LookupReport:
        """Look up to 10,000 values up.

        A list of `values`, or a `text` (a log, a report) that names them; defanged or not.

        A value that is no observable is taken for a name, such as an actor's. `state` is
        `known`, `benign` or `unknown`. A body of `text/plain` is a text.

        Needs `article:read`.
        """
        return self.call("POST", "/lookup", LookupReport, body=content, media_type=media_type)

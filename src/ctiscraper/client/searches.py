"""What the API offers of searches; written from the description of the API, not by hand."""

from typing import Literal

from msgspec import UNSET, UnsetType

from ctiscraper.client.searches_types import (
    FeedAddresses,
    SavedSearch,
    SavedSearchChange,
    SavedSearchIn,
)
from ctiscraper.client.transport import Transport, path_part


class SearchesCalls(Transport):
    """The operations of searches."""

    def list_searches(
        self,
    ) -> tuple[SavedSearch, ...]:
        """The searches that you keep or see.

        Your own in your order, then those that others share.

        `new` counts what came since you looked, of the newest 1,000 articles; with `more` it is
        at least so much.

        Needs `article:read`.
        """
        return self.call("GET", "/searches", tuple[SavedSearch, ...])

    def add_search(
        self,
        *,
        name: str,
        query: str,
        sort: Literal["newest", "relevance"] | UnsetType = UNSET,
        shared: bool | UnsetType = UNSET,
    ) -> SavedSearch:
        """Keep a search.

        One that cannot be understood is answered with 422 and the `position` of the mistake.

        Needs `self:write`.
        """
        return self.call(
            "POST",
            "/searches",
            SavedSearch,
            body=SavedSearchIn(name=name, query=query, sort=sort, shared=shared),
        )

    def get_search(
        self,
        search_id: int,
    ) -> SavedSearch:
        """One saved search.

        Return it with what is new to it.

        Needs `article:read`.
        """
        return self.call("GET", f"/searches/{path_part(search_id)}", SavedSearch)

    def change_search(
        self,
        search_id: int,
        *,
        name: str | UnsetType | None = UNSET,
        query: str | UnsetType | None = UNSET,
        sort: Literal["newest", "relevance"] | UnsetType | None = UNSET,
        shared: bool | UnsetType | None = UNSET,
        place: int | UnsetType | None = UNSET,
    ) -> SavedSearch:
        """Change one of your searches.

        Its name, query or order, whether it is shared, and its `place` in your list.

        Needs `self:write`.
        """
        return self.call(
            "PATCH",
            f"/searches/{path_part(search_id)}",
            SavedSearch,
            body=SavedSearchChange(name=name, query=query, sort=sort, shared=shared, place=place),
        )

    def remove_search(
        self,
        search_id: int,
    ) -> None:
        """Forget one of your searches.

        Every feed of it ends.

        Needs `self:write`.
        """
        self.call("DELETE", f"/searches/{path_part(search_id)}", None)

    def see_search(
        self,
        search_id: int,
    ) -> None:
        """Say that you looked at its articles.

        What is stored until now is not new to you any more.

        Needs `self:write`.
        """
        self.call("POST", f"/searches/{path_part(search_id)}/seen", None)

    def make_feed(
        self,
        search_id: int,
    ) -> FeedAddresses:
        """Make the addresses of a feed, or new ones.

        They are shown this once; those from before lead nowhere any more.

        What a token makes leads nowhere once that is revoked or has expired.

        Needs `self:write`.
        """
        return self.call("POST", f"/searches/{path_part(search_id)}/feed", FeedAddresses)

    def end_feed(
        self,
        search_id: int,
    ) -> None:
        """End your feed of a search.

        Its addresses lead nowhere any more.

        Needs `self:write`.
        """
        self.call("DELETE", f"/searches/{path_part(search_id)}/feed", None)

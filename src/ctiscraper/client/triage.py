"""What the API offers of triage; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.transport import Transport, path_part
from ctiscraper.client.triage_types import (
    ArticleFilters,
    Change,
    PersonRef,
    ReaderStanding,
    ReadingChangeIn,
    Tagged,
    TriageChangeIn,
    TriageState,
    Undone,
    Visit,
)


class TriageCalls(Transport):
    """The operations of triage."""

    def get_reading(
        self,
    ) -> Visit:
        """What came since your last visit.

        A visit ends when the list was not looked at for half an hour; asking here is none.

        Needs `article:read`.
        """
        return self.call("GET", "/reading", Visit)

    def get_standing(
        self,
        article_id: int,
    ) -> ReaderStanding:
        """What an article is to you and to the team.

        Whether it is read, new and starred; its state, assignee and tags.

        Needs `article:read`.
        """
        return self.call("GET", f"/articles/{path_part(article_id)}/standing", ReaderStanding)

    def change_reading(
        self,
        *,
        articles: tuple[int, ...] | UnsetType | None = UNSET,
        search: ArticleFilters | UnsetType | None = UNSET,
        read: bool | UnsetType | None = UNSET,
        starred: bool | UnsetType | None = UNSET,
    ) -> Change:
        """Read, unread, star or take stars.

        For half an hour the change can be undone. A `search` asks for `article:read` too.

        Needs `self:write`.
        """
        return self.call(
            "POST",
            "/reading/changes",
            Change,
            body=ReadingChangeIn(articles=articles, search=search, read=read, starred=starred),
        )

    def undo_reading(
        self,
        change_id: int,
    ) -> Undone:
        """Take back a change of what you read or starred.

        Once, and within half an hour; by whoever made it.

        Needs `self:write`.
        """
        return self.call("POST", f"/reading/changes/{path_part(change_id)}/undo", Undone)

    def change_triage(
        self,
        *,
        articles: tuple[int, ...] | UnsetType | None = UNSET,
        search: ArticleFilters | UnsetType | None = UNSET,
        state: TriageState | UnsetType | None = UNSET,
        assignee: int | UnsetType | None = UNSET,
        tag: str | UnsetType | None = UNSET,
        untag: str | UnsetType | None = UNSET,
    ) -> Change:
        """Set the state, the assignee or a tag.

        For half an hour the change can be undone. A `search` asks for `article:read` too.

        Needs `article:annotate`.
        """
        return self.call(
            "POST",
            "/triage/changes",
            Change,
            body=TriageChangeIn(
                articles=articles,
                search=search,
                state=state,
                assignee=assignee,
                tag=tag,
                untag=untag,
            ),
        )

    def undo_triage(
        self,
        change_id: int,
    ) -> Undone:
        """Take back a change of the team's articles.

        What somebody changed since stays as he left it, and is counted in `left`.

        Needs `article:annotate`.
        """
        return self.call("POST", f"/triage/changes/{path_part(change_id)}/undo", Undone)

    def list_tags(
        self,
        *,
        beginning: str | None = None,
        limit: int | None = None,
    ) -> tuple[Tagged, ...]:
        """The team's tags.

        The most frequent first.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/triage/tags",
            tuple[Tagged, ...],
            query={"beginning": beginning, "limit": limit},
        )

    def list_people(
        self,
    ) -> tuple[PersonRef, ...]:
        """Those to whom articles may be given.

        Everybody who may annotate, by name.

        Needs `article:read`.
        """
        return self.call("GET", "/triage/people", tuple[PersonRef, ...])

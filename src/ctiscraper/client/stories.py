"""What the API offers of stories; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.stories_types import (
    MergeIn,
    MoveIn,
    SplitIn,
    StoriesOfArticle,
    StoryDetail,
    StoryNumber,
    StoryPage,
)
from ctiscraper.client.transport import Transport, path_part


class StoriesCalls(Transport):
    """The operations of stories."""

    def list_stories(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> StoryPage:
        """Stories, newest first.

        Those of more than one article, by their last article. Follow `next` for more.

        Needs `article:read`.
        """
        return self.call("GET", "/stories", StoryPage, query={"cursor": cursor, "limit": limit})

    def get_story(
        self,
        story_id: int,
    ) -> StoryDetail:
        """One story in full.

        Who told it first, when the others came, and what each added.

        A number that was merged into another story leads to that one: `id` says which it is.

        Needs `article:read`.
        """
        return self.call("GET", f"/stories/{path_part(story_id)}", StoryDetail)

    def get_stories_of_article(
        self,
        article_id: int,
    ) -> StoriesOfArticle:
        """The story of an article, and those it touches.

        `story` is null while the article stands alone.

        Needs `article:read`.
        """
        return self.call("GET", f"/articles/{path_part(article_id)}/stories", StoriesOfArticle)

    def split_story(
        self,
        *,
        reason: str | UnsetType = UNSET,
        articles: tuple[int, ...],
    ) -> StoryNumber:
        """Give articles of a story one of their own.

        No later run joins them with the others again.

        Needs `story:write`.
        """
        return self.call(
            "POST", "/stories/split", StoryNumber, body=SplitIn(reason=reason, articles=articles)
        )

    def merge_stories(
        self,
        story_id: int,
        *,
        reason: str | UnsetType = UNSET,
        other: int,
    ) -> StoryNumber:
        """Join another story to this one.

        The number of the other story leads here from now on.

        Needs `story:write`.
        """
        return self.call(
            "POST",
            f"/stories/{path_part(story_id)}/merge",
            StoryNumber,
            body=MergeIn(reason=reason, other=other),
        )

    def move_article(
        self,
        story_id: int,
        *,
        reason: str | UnsetType = UNSET,
        article: int,
    ) -> StoryNumber:
        """Put an article into this story.

        No later run moves it.

        Needs `story:write`.
        """
        return self.call(
            "POST",
            f"/stories/{path_part(story_id)}/articles",
            StoryNumber,
            body=MoveIn(reason=reason, article=article),
        )

    def undo_decision(
        self,
        decision_id: int,
    ) -> None:
        """Take back a split, merge or move.

        Articles go where they were before.

        Needs `story:write`.
        """
        self.call("POST", f"/stories/decisions/{path_part(decision_id)}/undo", None)

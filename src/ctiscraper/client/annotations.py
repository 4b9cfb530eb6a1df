"""What the API offers of annotations; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.annotations_types import (
    Highlight,
    Note,
    NoteIn,
    PlacedHighlight,
    WordsToMark,
)
from ctiscraper.client.transport import Transport, path_part


class AnnotationsCalls(Transport):
    """The operations of annotations."""

    def get_markdown(
        self,
        article_id: int,
    ) -> bytes:
        """An article as Markdown.

        The text with its tables and code; before it what is known, indicators defanged.

        Needs `article:export`.
        """
        return self.call("GET", f"/articles/{path_part(article_id)}.md", bytes)

    def list_notes(
        self,
        article_id: int,
    ) -> tuple[Note, ...]:
        """The notes on an article, the oldest first.

        Plain text, with who wrote and who changed it.

        Needs `article:read`.
        """
        return self.call("GET", f"/articles/{path_part(article_id)}/notes", tuple[Note, ...])

    def add_note(
        self,
        article_id: int,
        *,
        body: str,
    ) -> Note:
        """Write a note on an article.

        Everybody who may annotate may change it.

        Needs `article:annotate`.
        """
        return self.call(
            "POST", f"/articles/{path_part(article_id)}/notes", Note, body=NoteIn(body=body)
        )

    def get_note(
        self,
        note_id: int,
    ) -> Note:
        """One note.

        Its `ETag` goes into `If-Match` of a change.

        Needs `article:read`.
        """
        return self.call("GET", f"/notes/{path_part(note_id)}", Note)

    def edit_note(
        self,
        note_id: int,
        *,
        version: int | None = None,
        body: str,
    ) -> Note:
        """Change a note.

        Needs `If-Match` or `version`; whoever was slower is told who was quicker (409).

        Needs `article:annotate`.
        """
        return self.call(
            "PUT",
            f"/notes/{path_part(note_id)}",
            Note,
            query={"version": version},
            body=NoteIn(body=body),
        )

    def remove_note(
        self,
        note_id: int,
        *,
        version: int | None = None,
    ) -> Note:
        """Remove a note.

        Needs `If-Match` or `version`, as a change does.

        Needs `article:annotate`.
        """
        return self.call("DELETE", f"/notes/{path_part(note_id)}", Note, query={"version": version})

    def list_highlights(
        self,
        article_id: int,
    ) -> tuple[PlacedHighlight, ...]:
        """The words marked in an article, in the order of its text.

        Found again in the present text; `start` and `end` are null where the words went.

        Needs `article:read`.
        """
        return self.call(
            "GET", f"/articles/{path_part(article_id)}/highlights", tuple[PlacedHighlight, ...]
        )

    def add_highlight(  # noqa: PLR0913 - the fields of the API
        self,
        article_id: int,
        *,
        revision: int,
        start: int | UnsetType | None = UNSET,
        end: int | UnsetType | None = UNSET,
        quote: str | UnsetType | None = UNSET,
        before: str | UnsetType = UNSET,
        after: str | UnsetType = UNSET,
    ) -> Highlight:
        """Mark words of an article.

        The words are kept with their place, so that they are found in later revisions.

        Needs `article:annotate`.
        """
        return self.call(
            "POST",
            f"/articles/{path_part(article_id)}/highlights",
            Highlight,
            body=WordsToMark(
                revision=revision, start=start, end=end, quote=quote, before=before, after=after
            ),
        )

    def remove_highlight(
        self,
        highlight_id: int,
    ) -> Highlight:
        """Take a mark from words.

        Return what was marked.

        Needs `article:annotate`.
        """
        return self.call("DELETE", f"/highlights/{path_part(highlight_id)}", Highlight)

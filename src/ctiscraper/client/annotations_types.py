"""Types of annotations; written from the description of the API, not by hand."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType


class Highlight(Struct, frozen=True, kw_only=True):
    """Words of an article that somebody marked.

    They stood at `start` of the text of `revision`, between `before` and `after`.
    """

    id: int
    article_id: int
    author: str
    revision: int
    start: int
    quote: str
    before: str
    after: str
    made_at: datetime


class Note(Struct, frozen=True, kw_only=True):
    """A note on an article; whoever edits it names the version that he read."""

    id: int
    article_id: int
    author: str
    body: str
    version: int
    made_at: datetime
    edited_at: datetime | None
    edited_by: str | None


class NoteIn(Struct, frozen=True, kw_only=True):
    """The words of a note, plain text."""

    body: str


class PlacedHighlight(Struct, frozen=True, kw_only=True):
    """A highlight in the present text: where it stands, or None where its words went."""

    highlight: Highlight
    start: int | None
    end: int | None


class WordsToMark(Struct, frozen=True, kw_only=True):
    """Words of an article's present text: their place, or the words and what is around them."""

    revision: int
    start: int | UnsetType | None = UNSET
    end: int | UnsetType | None = UNSET
    quote: str | UnsetType | None = UNSET
    before: str | UnsetType = UNSET
    after: str | UnsetType = UNSET

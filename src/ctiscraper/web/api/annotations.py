"""Notes on articles, words marked in them, and an article as Markdown."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Query, Request
from starlette.responses import Response

from ctiscraper.enrich.quotes import find_again
from ctiscraper.errors import InputError
from ctiscraper.triage_views import Highlight, Note, PlacedHighlight
from ctiscraper.web.annotated import placed
from ctiscraper.web.answers import JsonAnswer, encoded, tagged
from ctiscraper.web.deps import ArticlesDep, EntitiesDep
from ctiscraper.web.files import gives, handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.markdown import markdown_of
from ctiscraper.web.once import OnceRoute
from ctiscraper.web.reader_deps import HighlightsDep, NotesDep, after_triage
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.triage_schemas import NoteIn, NoteParameters, WordsToMark
from ctiscraper.web.who import Who

router = Routes(tags=["annotations"], route_class=OnceRoute)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[42])]
RowNumber = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[7])]
Nothing = Annotated[NoParameters, Query()]
_changes = [Depends(after_triage)]
_TAG = re.compile(r'\s*(?:W/)?"v([1-9][0-9]{0,9})"\s*')


@router.get(
    "/articles/{article_id}.md",
    responses=gives("text/markdown"),
    response_class=Response,
    summary="An article as Markdown",
)
async def get_markdown(
    articles: ArticlesDep, entities: EntitiesDep, article_id: ArticleId, _: Nothing
) -> Response:
    """The text with its tables and code; before it what is known, indicators defanged."""
    found = await articles.get(article_id)
    mentions = await entities.of_article(article_id)
    written = await asyncio.to_thread(markdown_of, found, mentions)
    return handed_over(written, "text/markdown; charset=utf-8", f"article-{article_id}.md")


@router.get(
    "/articles/{article_id}/notes",
    response_model=tuple[Note, ...],
    summary="The notes on an article, the oldest first",
)
async def list_notes(
    request: Request, articles: ArticlesDep, notes: NotesDep, article_id: ArticleId, _: Nothing
) -> Response:
    """Plain text, with who wrote and who changed it."""
    await articles.get(article_id)
    return tagged(request, encoded(await notes.of_article(article_id)))


@router.post(
    "/articles/{article_id}/notes",
    response_model=Note,
    status_code=201,
    dependencies=_changes,
    summary="Write a note on an article",
)
async def add_note(notes: NotesDep, who: Who, article_id: ArticleId, given: NoteIn) -> Response:
    """Everybody who may annotate may change it."""
    return _note(await notes.add(who, article_id, given.body), 201)


@router.get("/notes/{note_id}", response_model=Note, summary="One note")
async def get_note(notes: NotesDep, note_id: RowNumber, _: Nothing) -> Response:
    """Its `ETag` goes into `If-Match` of a change."""
    return _note(await notes.get(note_id))


@router.put("/notes/{note_id}", response_model=Note, dependencies=_changes, summary="Change a note")
async def edit_note(
    request: Request,
    notes: NotesDep,
    who: Who,
    note_id: RowNumber,
    given: NoteIn,
    parameters: Annotated[NoteParameters, Query()],
) -> Response:
    """Needs `If-Match` or `version`; whoever was slower is told who was quicker (409)."""
    version = _version(request, parameters)
    return _note(await notes.edit(who, note_id, given.body, version=version))


@router.delete(
    "/notes/{note_id}", response_model=Note, dependencies=_changes, summary="Remove a note"
)
async def remove_note(
    request: Request,
    notes: NotesDep,
    note_id: RowNumber,
    parameters: Annotated[NoteParameters, Query()],
) -> Response:
    """Needs `If-Match` or `version`, as a change does."""
    return JsonAnswer(await notes.remove(note_id, version=_version(request, parameters)))


@router.get(
    "/articles/{article_id}/highlights",
    response_model=tuple[PlacedHighlight, ...],
    summary="The words marked in an article, in the order of its text",
)
async def list_highlights(
    request: Request,
    articles: ArticlesDep,
    highlights: HighlightsDep,
    article_id: ArticleId,
    _: Nothing,
) -> Response:
    """Found again in the present text; `start` and `end` are null where the words went."""
    article = await articles.get(article_id)
    marked = await highlights.of_article(article_id)
    return tagged(request, encoded(await asyncio.to_thread(placed, article.text, marked)))


@router.post(
    "/articles/{article_id}/highlights",
    response_model=Highlight,
    status_code=201,
    dependencies=_changes,
    summary="Mark words of an article",
)
async def add_highlight(
    articles: ArticlesDep,
    highlights: HighlightsDep,
    who: Who,
    article_id: ArticleId,
    given: WordsToMark,
) -> Response:
    """The words are kept with their place, so that they are found in later revisions."""
    place = (given.start, given.end)
    if given.quote is not None:
        article = await articles.get(article_id)
        place = find_again(article.text, given.quote, before=given.before, after=given.after) or (
            None,
            None,
        )
    start, end = place
    if start is None or end is None:
        raise InputError("these words do not stand in the text")
    made = await highlights.add(who, article_id, start, end, revision=given.revision)
    return JsonAnswer(made, 201)


@router.delete(
    "/highlights/{highlight_id}",
    response_model=Highlight,
    dependencies=_changes,
    summary="Take a mark from words",
)
async def remove_highlight(
    highlights: HighlightsDep, highlight_id: RowNumber, _: Nothing
) -> Response:
    """Return what was marked."""
    return JsonAnswer(await highlights.remove(highlight_id))


def _note(note: Note, status: int = 200) -> Response:
    headers = {"etag": f'"v{note.version}"', "cache-control": "private, no-cache"}
    return JsonAnswer(note, status, headers)


def _version(request: Request, parameters: NoteParameters) -> int:
    """Return the version that the caller has read. Raises HTTPException."""
    if parameters.version is not None:
        return parameters.version
    found = _TAG.fullmatch(request.headers.get("if-match", ""))
    if found is None:
        raise HTTPException(
            HTTPStatus.PRECONDITION_REQUIRED,
            "say which version of the note you read: send its ETag in If-Match, or ?version=",
        )
    return int(found[1])

"""The forms of an article's page: its notes, and the words that are marked in it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.enrich.quotes import find_again
from ctiscraper.errors import ConflictError, InputError
from ctiscraper.triage_views import Note
from ctiscraper.web.deps import ArticlesDep, OverviewDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.reader_deps import HighlightsDep, NotesDep, after_triage
from ctiscraper.web.render import render
from ctiscraper.web.triage_forms import HighlightForm, NoteForm
from ctiscraper.web.who import Who

router = Routes(
    prefix="/articles/{article_id}", dependencies=[Depends(after_triage)], route_class=GuardedRoute
)

ArticleId = Annotated[int, Path(ge=1, le=2**63 - 1)]
RowNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.post("/notes")
async def add_note(
    request: Request, notes: NotesDep, overview: OverviewDep, who: Who, article_id: ArticleId
) -> Response:
    """Keep a note, and return to where it stands; one that cannot be kept is shown again."""
    form = await read_form(request, NoteForm)
    try:
        note = await notes.add(who, article_id, form.body)
    except (InputError, ConflictError) as error:
        return await _again(request, overview, article_id, form, str(error))
    return _to(article_id, f"note-{note.id}")


@router.post("/notes/{note_id}")
async def edit_note(
    request: Request,
    notes: NotesDep,
    overview: OverviewDep,
    who: Who,
    article_id: ArticleId,
    note_id: RowNumber,
) -> Response:
    """Give a note other words; when somebody was quicker both are shown, and nothing is lost."""
    form = await read_form(request, NoteForm)
    try:
        await notes.edit(who, note_id, form.body, version=form.version)
    except (InputError, ConflictError) as error:
        present = await notes.get(note_id)
        return await _again(request, overview, article_id, form, str(error), present)
    return _to(article_id, f"note-{note_id}")


@router.post("/notes/{note_id}/remove")
async def remove_note(
    request: Request, notes: NotesDep, article_id: ArticleId, note_id: RowNumber
) -> Response:
    """Remove a note, if it is still as it was shown."""
    form = await read_form(request, NoteForm)
    await notes.remove(note_id, version=form.version)
    return _to(article_id, "notes")


@router.post("/highlights")
async def add_highlight(
    request: Request,
    articles: ArticlesDep,
    highlights: HighlightsDep,
    who: Who,
    article_id: ArticleId,
) -> Response:
    """Mark words of an article, found in its text by what stands around them."""
    form = await read_form(request, HighlightForm)
    article = await articles.get(article_id)
    place = find_again(article.text, form.words, before=form.before, after=form.after)
    if place is None:
        raise InputError(
            "these words do not stand in the text so: mark words of one paragraph, item or cell"
        )
    made = await highlights.add(who, article_id, *place, revision=form.revision)
    return _to(article_id, f"h-{made.id}")


@router.post("/highlights/{highlight_id}/remove")
async def remove_highlight(
    highlights: HighlightsDep, article_id: ArticleId, highlight_id: RowNumber
) -> Response:
    """Take a mark from words."""
    await highlights.remove(highlight_id)
    return _to(article_id, "highlights")


def _to(article_id: int, place: str) -> Response:
    return RedirectResponse(f"/articles/{article_id}#{place}", HTTPStatus.SEE_OTHER)


async def _again(
    request: Request,
    overview: OverviewDep,
    article_id: int,
    form: NoteForm,
    problem: str,
    present: Note | None = None,
) -> Response:
    return render(
        "note.html",
        {
            "pulse": await overview.pulse(),
            "article_id": article_id,
            "body": form.body,
            "problem": problem,
            "present": present,
        },
        scope=request.scope,
        status=HTTPStatus.CONFLICT if present else HTTPStatus.UNPROCESSABLE_ENTITY,
    )

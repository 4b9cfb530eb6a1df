"""The reader's forms: read and star, state, assignee and tags, and the way back."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from ctiscraper.db.articles import Articles
from ctiscraper.db.triage import Triage
from ctiscraper.errors import QueryError
from ctiscraper.identity import Principal
from ctiscraper.triage_views import Change
from ctiscraper.web.deps import ArticlesDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.problems import error_page
from ctiscraper.web.reader_deps import ReadingDep, TriageDep, after_triage, found_by
from ctiscraper.web.redirects import local_path
from ctiscraper.web.render import render, with_query
from ctiscraper.web.search_words import sentence
from ctiscraper.web.triage_forms import Chosen, ReadingForm, TriageForm, UndoForm
from ctiscraper.web.triage_words import STATES, change_words, undone_words
from ctiscraper.web.who import Reader, Who

router = Routes(route_class=GuardedRoute)

_changes = [Depends(after_triage)]


@router.post("/reading", dependencies=_changes)
async def change_reading(
    request: Request, articles: ArticlesDep, reading: ReadingDep, triage: TriageDep, who: Reader
) -> Response:
    """Read, unread, star or take stars, of the chosen, of a search or of one article."""
    form = await read_form(request, ReadingForm)
    if form.act == "everything":
        return await _answer(request, triage, who, form, await reading.read_everything(who))
    try:
        ids, capped = await _articles_of(articles, form, who)
    except QueryError as error:
        return _unanswered(request, form, error)
    if form.act in {"read", "unread"}:
        change = await reading.mark(who, ids, read=form.act == "read", capped=capped)
    elif form.act in {"star", "unstar"}:
        change = await reading.star(who, ids, starred=form.act == "star", capped=capped)
    else:
        raise _fault("act", "choose what to do")
    return await _answer(request, triage, who, form, change)


@router.post("/triage", dependencies=_changes)
async def change_triage(
    request: Request, articles: ArticlesDep, triage: TriageDep, who: Who
) -> Response:
    """Set the state, the assignee or a tag of the chosen, or of a search."""
    form = await read_form(request, TriageForm)
    try:
        meant = await _articles_of(articles, form, who)
    except QueryError as error:
        return _unanswered(request, form, error)
    change = await _changed(triage, who, form, meant)
    return await _answer(request, triage, who, form, change)


@router.post("/reading/undo", dependencies=_changes)
async def undo_reading(
    request: Request, reading: ReadingDep, triage: TriageDep, who: Reader
) -> Response:
    """Take back what a reader did a moment ago."""
    form = await read_form(request, UndoForm)
    undone = await reading.undo(who, form.change)
    return await _undone(request, triage, who, form, undone_words(undone))


@router.post("/triage/undo", dependencies=_changes)
async def undo_triage(request: Request, triage: TriageDep, who: Who) -> Response:
    """Take back what the team's articles were made to be a moment ago."""
    form = await read_form(request, UndoForm)
    undone = await triage.undo(who, form.change)
    return await _undone(request, triage, who, form, undone_words(undone))


async def _articles_of(
    articles: Articles, form: Chosen, who: Principal
) -> tuple[Sequence[int], bool]:
    """Return which articles a form means, and whether its search has more."""
    if not form.whole:
        if not form.articles:
            raise _fault("articles", "choose at least one article")
        return form.articles, False
    try:
        query = form.query()
    except ValidationError as error:
        raise _fault("search", "this is no search of a list") from error
    if query.days is not None:
        raise _fault("search", "of a list by score articles are chosen one by one")
    return await found_by(articles, query, who)


def _unanswered(request: Request, form: Chosen, error: QueryError) -> Response:
    """Return that which articles a search means could not be found out, and the way back to it."""
    return error_page(
        request.scope,
        HTTPStatus.BAD_REQUEST,
        f"Nothing was changed. {sentence(str(error))}",
        back=local_path(form.here),
    )


async def _changed(
    triage: Triage, who: Principal, form: TriageForm, meant: tuple[Sequence[int], bool]
) -> Change:
    ids, capped = meant
    if form.act == "state" and form.state is not None:
        return await triage.set_state(who, ids, form.state, capped=capped)
    if form.act == "assign":
        given = int(form.assignee) if form.assignee else None
        return await triage.assign(who, ids, given, capped=capped)
    if not form.tag.strip():
        raise _fault("act", "choose what to do, or name a tag")
    if form.act == "untag":
        return await triage.untag(who, ids, form.tag, capped=capped)
    return await triage.tag(who, ids, form.tag, capped=capped)


async def _answer(
    request: Request, triage: Triage, who: Principal, form: Chosen, change: Change
) -> Response:
    """Return what changed of the articles shown, or the way back to the page."""
    if not form.part:
        return RedirectResponse(_back(form.here, {"changed": change.id}), HTTPStatus.SEE_OTHER)
    return await _rows(request, triage, who, form.shown, await changed_note(triage, change))


async def _undone(
    request: Request, triage: Triage, who: Principal, form: UndoForm, said: str
) -> Response:
    if not form.part:
        return RedirectResponse(_back(form.here, {"undone": form.change}), HTTPStatus.SEE_OTHER)
    return await _rows(request, triage, who, form.shown, {"said": said, "change": None})


async def changed_note(triage: Triage, change: Change) -> Mapping[str, object]:
    """Return what the note of a change says, and how it is undone."""
    person = None
    if change.field == "assignee" and change.value:
        person = await triage.person(int(change.value))
    own = change.field in {"read", "star", "read_through"}
    open_still = change.undone_at is None and bool(change.articles)
    return {
        "said": change_words(change, person),
        "change": change if open_still else None,
        "undo": "/reading/undo" if own else "/triage/undo",
    }


async def _rows(
    request: Request,
    triage: Triage,
    who: Principal,
    shown: Sequence[int],
    note: Mapping[str, object],
) -> Response:
    return render(
        "rows.html",
        {
            "standings": await triage.standings(who.user_id, shown),
            "note": note,
            "states": STATES,
            "people": await triage.people() if len(shown) == 1 else (),
            "back": "/",
        },
        scope=request.scope,
    )


def _back(here: str, values: Mapping[str, object]) -> str:
    """Return the page to return to, told what was done; what it was told before is left out."""
    parts = urlsplit(local_path(here))
    kept = [
        part
        for part in parts.query.split("&")
        if part and part.partition("=")[0] not in {"changed", "undone"}
    ]
    path = f"{parts.path}?{'&'.join(kept)}&" if kept else f"{parts.path}?"
    return path + with_query("", values).removeprefix("?")


def _fault(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", field), "msg": message, "type": "missing"}])

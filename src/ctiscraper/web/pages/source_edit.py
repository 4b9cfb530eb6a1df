"""Every setting of a source in a form, tried before it is saved; and fixes for one in trouble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.errors import CatalogError, StaleError
from ctiscraper.mending import Diagnosis
from ctiscraper.rehearsal import Rehearsal, Trial
from ctiscraper.sourcing import Preview, edited
from ctiscraper.types import Source, Tier
from ctiscraper.views import ChangeRow
from ctiscraper.web.answers import encoded
from ctiscraper.web.auditing import pass_over, tell_of_source
from ctiscraper.web.changes import Changes, Comparisons
from ctiscraper.web.deps import (
    ActorDep,
    ComparisonsDep,
    MendingDep,
    OverviewDep,
    PastDep,
    RehearsalsDep,
    SourcesDep,
    SourcingDep,
    after_change,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.growing import live
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import fragment, render
from ctiscraper.web.schemas import Key
from ctiscraper.web.source_form import FIELDS, GROUPS, changes_of, field_of, typed_of
from ctiscraper.web.source_forms import EditForm, FixForm

router = Routes(prefix="/sources", route_class=GuardedRoute)

SourceKey = Annotated[Key, Path()]
_changes = [Depends(after_change)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What the form shows beside its fields."""

    version: int
    reason: str = ""
    problems: Sequence[str] = ()
    since: Sequence[ChangeRow] = ()
    rehearsal: Rehearsal | None = None
    text_changes: Sequence[Changes | None] = ()
    looking: bool = False
    wrong: Mapping[str, str] = field(default_factory=dict)


@router.get("/{key}/edit")
async def edit_page(
    request: Request, sources: SourcesDep, overview: OverviewDep, key: SourceKey
) -> Response:
    """Every setting of a source, with its meaning and its bounds."""
    version = await sources.version(key)
    source = await sources.get(key)
    return await _form(
        request, overview, source, typed_of(source.settings), _Shown(version=version)
    )


@router.post("/{key}/edit", dependencies=_changes)
async def edit_source(  # noqa: PLR0913 - one parameter for each part that it works with
    *,
    request: Request,
    sources: SourcesDep,
    overview: OverviewDep,
    past: PastDep,
    comparisons: ComparisonsDep,
    rehearsals: RehearsalsDep,
    sourcing: SourcingDep,
    key: SourceKey,
    actor: ActorDep,
) -> Response:
    """Try an edit on the last articles, look at the site with it, or save it."""
    given = await read_form(request, EditForm)
    source = await sources.get(key)
    typed = {name: given.typed.get(name, "") for name in FIELDS}
    since = await past.changes_since(key, given.version)
    shown = _Shown(version=given.version, reason=given.reason, since=since)
    try:
        settings = edited(source.settings, changes_of(typed))
    except CatalogError as error:
        return await _form(request, overview, source, typed, _wrong(shown, error))
    if given.action in {"try", "look"}:
        pass_over(request)
    if given.action == "try":
        rehearsal = await rehearsals.rehearse(source.settings, settings)
        changed = await _text_changes(rehearsal.trials, comparisons)
        shown = replace(shown, rehearsal=rehearsal, text_changes=changed)
        return await _form(request, overview, source, typed, shown)
    if given.action == "look":
        page = await _form(request, overview, source, typed, replace(shown, looking=True))
        return live(page, sourcing.looking(settings), lambda seen: _looked(request, seen))
    try:
        await sources.update(
            key, settings, actor=actor, reason=given.reason, expected=given.version
        )
    except StaleError:
        return await _conflict(request, overview, sources, source, typed, shown)
    tell_of_source(request, key, source.settings, settings, reason=given.reason)
    return RedirectResponse(f"/sources/{key}?done=saved", 303)


@router.post("/{key}/mend")
async def mend_page(
    request: Request,
    sources: SourcesDep,
    overview: OverviewDep,
    mending: MendingDep,
    key: SourceKey,
) -> Response:
    """What was tried at the site of a source in trouble, and what of it works."""
    version = await sources.version(key)
    source = await sources.get(key)

    def shown(diagnosis: Diagnosis) -> str:
        context = {
            "source": source,
            "version": version,
            "tried": diagnosis.tried,
            "proposals": [(one, encoded(one.changes).decode()) for one in diagnosis.proposals],
        }
        return fragment("_mended.html", context, scope=request.scope)

    context = {"pulse": await overview.pulse(), "source": source}
    page = render("mend_source.html", context, scope=request.scope)
    return live(page, mending.diagnosing(source), shown)


@router.post("/{key}/mend/apply", dependencies=_changes)
async def apply_fix(
    request: Request, sources: SourcesDep, mending: MendingDep, key: SourceKey, actor: ActorDep
) -> Response:
    """Put a fix in place, after it was tried once more."""
    form = await read_form(request, FixForm)
    source = await sources.get(key)
    settings = await mending.confirm(source, form.changes)
    await sources.update(
        key,
        settings,
        actor=actor,
        reason=form.reason or "a fix was proposed",
        expected=form.version,
    )
    tell_of_source(request, key, source.settings, settings, reason=form.reason)
    return RedirectResponse(f"/sources/{key}?done=mended", 303)


async def _text_changes(
    trials: Sequence[Trial], comparisons: Comparisons
) -> tuple[Changes | None, ...]:
    """How the text of each article would change, None where it would not."""
    texts = [(trial.before.text, trial.after.text) for trial in trials]
    compared = iter(await comparisons.all([(was, now) for was, now in texts if was and was != now]))
    return tuple(next(compared) if was and was != now else None for was, now in texts)


def _wrong(shown: _Shown, error: CatalogError) -> _Shown:
    words = [problem.partition(": ")[2] or problem for problem in error.problems]
    by_field = {field_of(problem): words[i] for i, problem in enumerate(error.problems)}
    wrong = {name: said for name, said in by_field.items() if name}
    return replace(shown, problems=words, wrong=wrong)


def _looked(request: Request, preview: Preview) -> str:
    context = {
        "preview": preview,
        "kept": "",
        "tiers": list(Tier),
        "tier": preview.settings.tier,
        "saving": False,
    }
    return fragment("_looked.html", context, scope=request.scope)


async def _conflict(
    request: Request,
    overview: OverviewDep,
    sources: SourcesDep,
    source: Source,
    typed: Mapping[str, str],
    shown: _Shown,
) -> Response:
    """Return the form as it was typed, with what the other one changed."""
    version = await sources.version(source.settings.key)
    kept = replace(shown, version=version)
    return await _form(request, overview, source, typed, kept, status=409)


async def _form(
    request: Request,
    overview: OverviewDep,
    source: Source,
    typed: Mapping[str, str],
    shown: _Shown,
    *,
    status: int = 200,
) -> Response:
    return render(
        "edit_source.html",
        {
            "pulse": await overview.pulse(),
            "source": source,
            "held": typed_of(source.settings),
            "typed": typed,
            "groups": GROUPS,
            "fields": FIELDS,
            "shown": shown,
            "conflict": status == 409,  # noqa: PLR2004 - HTTP's conflict
        },
        scope=request.scope,
        status=422 if shown.problems else status,
    )

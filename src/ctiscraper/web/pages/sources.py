"""Sources: how each stands and why, one with its settings and past, and what is done with it."""

from dataclasses import fields
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.sourcing import edited
from ctiscraper.types import Health, SourceSettings
from ctiscraper.views import SourceOverview
from ctiscraper.web.auditing import tell_of_source
from ctiscraper.web.deps import (
    AccountsSoonDep,
    ActorDep,
    OverviewDep,
    SourcesDep,
    after_change,
    recheck_allowed,
)
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render
from ctiscraper.web.schemas import Key, ReasonGiven
from ctiscraper.web.source_forms import SourcePageFilters, VersionForm

router = Routes(prefix="/sources", route_class=GuardedRoute)

SourceKey = Annotated[Key, Path()]
_changes = [Depends(after_change)]

# Those that need a look come first.
_ORDER = (Health.FAILING, Health.BLOCKED, Health.GONE, Health.OFFLINE, Health.NEW, Health.OK)
_SHOWN_APART = {"key", "name", "url", "feed_url", "robots", "selectors", "tier", "active"}


@router.get("")
async def source_list(
    request: Request,
    overview: OverviewDep,
    accounts: AccountsSoonDep,
    chosen: Annotated[SourcePageFilters, Query()],
) -> Response:
    """Every source, those in trouble first."""
    sources = await overview.sources()
    return render(
        "sources.html",
        {
            "pulse": await overview.pulse(),
            "done": chosen.words,
            "sources": sorted(sources, key=_rank),
            "accounts": {entry.source.key: entry.accounting for entry in accounts.sources},
        },
        scope=request.scope,
    )


@router.get("/{key}")
async def source(
    request: Request,
    overview: OverviewDep,
    key: SourceKey,
    chosen: Annotated[SourcePageFilters, Query()],
) -> Response:
    """One source."""
    found = await overview.source(key)
    return render(
        "source.html",
        {
            "pulse": await overview.pulse(),
            "source": found,
            "overview": found.overview,
            "settings": found.settings,
            "rest": _settings_rows(found.settings),
            "done": chosen.words,
            "undoable": bool(found.changes) and found.changes[0].action == "update",
        },
        scope=request.scope,
    )


@router.post("/{key}/check", dependencies=[Depends(recheck_allowed), Depends(after_change)])
async def check_source(sources: SourcesDep, key: SourceKey) -> Response:
    """Make a source due at once, ten times a minute at most."""
    await sources.check_now(key)
    return RedirectResponse(f"/sources/{key}?done=checking", 303)


@router.post("/{key}/pause", dependencies=_changes)
async def pause_source(
    request: Request, sources: SourcesDep, key: SourceKey, actor: ActorDep
) -> Response:
    """Ask the source no more, until somebody resumes it."""
    return await _switch(request, sources, key, actor=actor, active=False)


@router.post("/{key}/resume", dependencies=_changes)
async def resume_source(
    request: Request, sources: SourcesDep, key: SourceKey, actor: ActorDep
) -> Response:
    """Ask the source again, at once."""
    return await _switch(request, sources, key, actor=actor, active=True)


@router.post("/{key}/undo", dependencies=_changes)
async def undo_change(
    request: Request, sources: SourcesDep, key: SourceKey, actor: ActorDep
) -> Response:
    """Put the settings back to what they were before the last change."""
    form = await read_form(request, VersionForm)
    before = await sources.get(key)
    await sources.undo(key, actor=actor, reason=form.reason, expected=form.version)
    after = await sources.get(key)
    tell_of_source(request, key, before.settings, after.settings, reason=form.reason)
    return RedirectResponse(f"/sources/{key}?done=undone", 303)


@router.post("/{key}/remove", dependencies=_changes)
async def remove_source(
    request: Request, sources: SourcesDep, key: SourceKey, actor: ActorDep
) -> Response:
    """Stop collecting a source; its articles stay."""
    form = await read_form(request, ReasonGiven)
    source = await sources.get(key)
    await sources.remove(key, actor=actor, reason=form.reason)
    tell_of_source(request, key, source.settings, None, reason=form.reason)
    return RedirectResponse("/sources?done=removed", 303)


async def _switch(
    request: Request, sources: SourcesDep, key: str, *, actor: str, active: bool
) -> Response:
    form = await read_form(request, ReasonGiven)
    source = await sources.get(key)
    if source.settings.active != active:
        settings = edited(source.settings, {"active": active})
        await sources.update(key, settings, actor=actor, reason=form.reason)
        tell_of_source(request, key, source.settings, settings, reason=form.reason)
    return RedirectResponse(f"/sources/{key}?done={'resumed' if active else 'paused'}", 303)


def _rank(source: SourceOverview) -> int:
    return _ORDER.index(source.health) if source.health in _ORDER else len(_ORDER)


def _settings_rows(settings: SourceSettings) -> list[tuple[str, str]]:
    """The remaining settings that differ from their default, in words."""
    rows = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in _SHOWN_APART or value == field.default:
            continue
        rows.append((field.name.replace("_", " ").capitalize(), _in_words(field.name, value)))
    return rows


def _in_words(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g} s" if name == "crawl_delay" else f"{value:g}"
    return str(value)

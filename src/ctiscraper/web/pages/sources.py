"""Sources: how each stands and why, and one with its settings and past."""

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from ctiscraper.collect.source_fields import settings_to_mapping
from ctiscraper.errors import CatalogError, ConflictError, FetchError, ParseError
from ctiscraper.sourcing import Preview, edited
from ctiscraper.types import Health, SourceSettings, Tier
from ctiscraper.views import SourceOverview
from ctiscraper.web.answers import encoded
from ctiscraper.web.auditing import tell, tell_of_source
from ctiscraper.web.deps import (
    AccountsDep,
    OverviewDep,
    SourcesDep,
    SourcingDep,
    after_change,
)
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.problems import told
from ctiscraper.web.render import render
from ctiscraper.web.schemas import AddForm, ChangeForm, Key, ReasonGiven

ACTOR = "web"

router = APIRouter(prefix="/sources", route_class=GuardedRoute)

SourceKey = Annotated[Key, Path()]

# Those that need a look come first.
_ORDER = (Health.FAILING, Health.BLOCKED, Health.GONE, Health.OFFLINE, Health.NEW, Health.OK)
_ASKED = {"url", "tier"}
_SHOWN_APART = {"key", "name", "url", "feed_url", "robots", "selectors", "tier", "active"}


@router.get("")
async def source_list(request: Request, overview: OverviewDep, accounts: AccountsDep) -> Response:
    """Every source, those in trouble first."""
    sources = await overview.sources()
    return render(
        "sources.html",
        {
            "pulse": await overview.pulse(),
            "sources": sorted(sources, key=_rank),
            "accounts": {entry.source.key: entry.accounting for entry in accounts.sources},
        },
        scope=request.scope,
    )


@router.get("/add")
async def add_page(request: Request, overview: OverviewDep) -> Response:
    """Where a new source begins: any address of it."""
    return await _add_page(request, overview, None)


@router.post("/preview")
async def preview_source(
    request: Request, sourcing: SourcingDep, overview: OverviewDep
) -> Response:
    """What the source would bring, or why it brings nothing."""
    form = await read_form(request, AddForm)
    try:
        settings = await sourcing.propose(web_address(form.url), tier=form.tier.value)
        tell(request, url=form.url)
        preview = await sourcing.preview(settings)
    except CatalogError as error:
        return await _add_page(request, overview, form, problem="; ".join(error.problems))
    except (FetchError, ParseError) as error:
        return await _add_page(request, overview, form, problem=told(error))
    return await _add_page(request, overview, form, preview=preview)


@router.post("/add", dependencies=[Depends(after_change)])
async def add_source(request: Request, sourcing: SourcingDep, overview: OverviewDep) -> Response:
    """Save a source as its preview showed it."""
    form = await read_form(request, AddForm)
    given = {**form.settings, "tier": form.tier.value}
    if form.name:
        given["name"] = form.name
    try:
        settings = await sourcing.propose(web_address(form.url), **given)
        source = await sourcing.add(settings, actor=ACTOR)
        tell_of_source(request, source.settings.key, None, source.settings)
    except CatalogError as error:
        return await _add_page(request, overview, form, problem="; ".join(error.problems))
    except ConflictError as error:
        return await _add_page(request, overview, form, problem=str(error))
    return RedirectResponse(f"/sources/{source.settings.key}", 303)


@router.get("/{key}")
async def source(
    request: Request, overview: OverviewDep, key: SourceKey, *, checking: bool = False
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
            "checking": checking,
            "tiers": list(Tier),
        },
        scope=request.scope,
    )


@router.post("/{key}/check", dependencies=[Depends(after_change)])
async def check_source(sources: SourcesDep, key: SourceKey) -> Response:
    """Make a source due at once."""
    await sources.check_now(key)
    return RedirectResponse(f"/sources/{key}?checking=true", 303)


@router.post("/{key}/change", dependencies=[Depends(after_change)])
async def change_source(request: Request, sources: SourcesDep, key: SourceKey) -> Response:
    """Change what a page can: the tier, and whether the source is collected."""
    form = await read_form(request, ChangeForm)
    source = await sources.get(key)
    changes = {"tier": form.tier.value, "active": form.active}
    settings = edited(source.settings, changes)
    await sources.update(key, settings, actor=ACTOR, reason=form.reason)
    tell_of_source(request, key, source.settings, settings, reason=form.reason)
    return RedirectResponse(f"/sources/{key}", 303)


@router.post("/{key}/remove", dependencies=[Depends(after_change)])
async def remove_source(request: Request, sources: SourcesDep, key: SourceKey) -> Response:
    """Stop collecting a source; its articles stay."""
    form = await read_form(request, ReasonGiven)
    source = await sources.get(key)
    await sources.remove(key, actor=ACTOR, reason=form.reason)
    tell_of_source(request, key, source.settings, None, reason=form.reason)
    return RedirectResponse("/sources", 303)


def web_address(typed: str) -> str:
    """Return what was typed as an address; without a scheme it is taken as https."""
    typed = typed.strip()
    return typed if "://" in typed else f"https://{typed}"


async def _add_page(
    request: Request,
    overview: OverviewDep,
    form: AddForm | None,
    *,
    preview: Preview | None = None,
    problem: str = "",
) -> Response:
    kept = settings_to_mapping(preview.settings) if preview else {}
    return render(
        "add_source.html",
        {
            "pulse": await overview.pulse(),
            "form": form,
            "preview": preview,
            "kept": encoded({name: kept[name] for name in kept if name not in _ASKED}).decode(),
            "problem": problem,
            "tiers": list(Tier),
        },
        scope=request.scope,
        status=422 if problem else 200,
    )


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

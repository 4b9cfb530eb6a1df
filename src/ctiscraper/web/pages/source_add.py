"""A new source is looked at before it is one; many come and leave in files."""

from asyncio import CancelledError, shield
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import RedirectResponse, Response

from ctiscraper.audit_views import Deed
from ctiscraper.collect.source_fields import settings_to_mapping
from ctiscraper.errors import CatalogError, ConflictError, ParseError
from ctiscraper.sourcing import ImportReport, Preview, Sourcing
from ctiscraper.types import Tier
from ctiscraper.web.answers import encoded
from ctiscraper.web.auditing import note, pass_over, tell_of_source
from ctiscraper.web.deps import ActorDep, OverviewDep, SourcingDep, after_change
from ctiscraper.web.files import handed_over
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.growing import live
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.multipart import Sent, read_parts
from ctiscraper.web.problems import told
from ctiscraper.web.render import fragment, render
from ctiscraper.web.schemas import NoParameters
from ctiscraper.web.search_words import sentence
from ctiscraper.web.source_forms import AddForm

router = Routes(prefix="/sources", route_class=GuardedRoute)

_ASKED = {"url", "tier"}
# A file up to this length goes along with what it would bring; a longer one is chosen again.
CARRIED_MOST = 200_000
ROWS_SHOWN = 500


@router.get("/add")
async def add_page(request: Request, overview: OverviewDep) -> Response:
    """Where a new source begins: any address of it."""
    return await _add_page(request, overview, None)


@router.post("/preview")
async def preview_source(
    request: Request, sourcing: SourcingDep, overview: OverviewDep
) -> Response:
    """What is done while the site is asked, then what the source would bring, or why nothing."""
    form = await read_form(request, AddForm)
    given: dict[str, object] = {"feed_url": form.feed} if form.feed else {}
    if form.tier is not None:
        given["tier"] = form.tier.value
    try:
        settings = await sourcing.propose(web_address(form.url), **given)
    except CatalogError as error:
        return await _add_page(request, overview, form, problem=sentence("; ".join(error.problems)))

    def shown(preview: Preview) -> str:
        return _looked(request, preview, form.tier)

    return live(
        await _add_page(request, overview, form, looking=True), sourcing.looking(settings), shown
    )


@router.post("/add", dependencies=[Depends(after_change)])
async def add_source(
    request: Request, sourcing: SourcingDep, overview: OverviewDep, actor: ActorDep
) -> Response:
    """Save a source as its preview showed it."""
    form = await read_form(request, AddForm)
    given = dict(form.settings)
    if form.tier is not None:
        given["tier"] = form.tier.value
    if form.name:
        given["name"] = form.name
    try:
        settings = await sourcing.propose(web_address(form.url), **given)
        source = await sourcing.add(settings, actor=actor)
        tell_of_source(request, source.settings.key, None, source.settings)
    except CatalogError as error:
        return await _add_page(request, overview, form, problem=sentence("; ".join(error.problems)))
    except ConflictError as error:
        return await _add_page(request, overview, form, problem=sentence(error))
    return RedirectResponse(f"/sources/{source.settings.key}?done=added", 303)


@router.get("/import")
async def import_page(
    request: Request, overview: OverviewDep, _: Annotated[NoParameters, Query()]
) -> Response:
    """Where a file with sources is handed over."""
    return await _import_page(request, overview)


@router.post("/import", dependencies=[Depends(after_change)])
async def import_sources(
    request: Request, sourcing: SourcingDep, overview: OverviewDep, actor: ActorDep
) -> Response:
    """What a file would bring, or brought, row by row, told while it comes in."""
    sent = await _sent(request)
    dry = sent.values.get("action") != "import"
    try:
        rows = sourcing.read_file(sent.body, name=sent.name)
    except (CatalogError, ParseError) as error:
        problems = error.problems if isinstance(error, CatalogError) else [told(error)]
        return await _import_page(request, overview, sent, problems=problems)

    def shown(report: ImportReport) -> str:
        context = {"report": report, "most": ROWS_SHOWN, "text": _carried(sent), "name": sent.name}
        return fragment("_imported.html", context, scope=request.scope)

    # The answer begins before the first row is added: who adds them makes the entry.
    pass_over(request)
    steps = sourcing.importing(rows, actor=actor, dry_run=dry)
    if not dry:
        steps = _noted(request, steps, sent.name)
    return live(await _import_page(request, overview, sent, working=True), steps, shown)


async def _noted(
    request: Request, steps: AsyncIterator[str | ImportReport], file: str
) -> AsyncIterator[str | ImportReport]:
    """Yield the steps of an import, with an entry at its end or where it breaks off."""
    imported = Deed(action="source.import", object_kind="source")
    report: ImportReport | None = None
    try:
        async for step in steps:
            if isinstance(step, ImportReport):
                report = step
                counts = {name: step.count(name) for name in ("added", "known")}
                await note(request, replace(imported, detail={"file": file, **counts}))
            yield step
    except (Exception, CancelledError, GeneratorExit):
        if report is None:
            # Rows were added, and stay, also where the browser has gone.
            broken_off = replace(imported, detail={"file": file, "whole": False})
            await shield(note(request, broken_off))
        raise


@router.get("/export.{form}")
async def export_sources(
    sourcing: SourcingDep, form: str, _: Annotated[NoParameters, Query()]
) -> Response:
    """Every source as OPML or as a catalogue file."""
    return await exported(sourcing, form)


async def exported(sourcing: Sourcing, form: str) -> Response:
    """Return every source as a file: `opml`, or `yaml` for the catalogue."""
    if form == "yaml":
        body: str | bytes = await sourcing.export_catalog()
        return handed_over(body, "application/yaml", "ctiscraper-sources.yaml")
    if form == "opml":
        return handed_over(await sourcing.export_opml(), "text/x-opml", "ctiscraper-sources.opml")
    fault = {"loc": ("path", "form"), "msg": "sources leave as opml or yaml", "type": "form"}
    raise RequestValidationError([fault])


def web_address(typed: str) -> str:
    """Return what was typed as an address; without a scheme it is taken as https."""
    typed = typed.strip()
    return typed if "://" in typed else f"https://{typed}"


async def _sent(request: Request) -> Sent:
    """Return the file of a form, or the text of its box where no file was chosen."""
    sent = await read_parts(request)
    if not sent.body.strip():
        sent = Sent(values=sent.values, body=sent.values.get("text", "").encode(), name="text")
    if not sent.body.strip():
        fault = {"loc": ("body", "file"), "msg": "choose a file, or paste its text", "type": "file"}
        raise RequestValidationError([fault])
    return sent


def _carried(sent: Sent) -> str:
    """Return the text of a file that is short enough to be sent again without choosing it."""
    if len(sent.body) > CARRIED_MOST:
        return ""
    try:
        return sent.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""


async def _import_page(
    request: Request,
    overview: OverviewDep,
    sent: Sent | None = None,
    *,
    problems: list[str] | None = None,
    working: bool = False,
) -> Response:
    return render(
        "import_sources.html",
        {
            "pulse": await overview.pulse(),
            "text": _carried(sent) if sent and not working else "",
            "problems": problems or [],
            "working": working,
        },
        scope=request.scope,
        status=422 if problems else 200,
    )


def _looked(request: Request, preview: Preview, tier: Tier | None) -> str:
    """Return what was seen of a source, with the form that saves it."""
    kept = settings_to_mapping(preview.settings)
    proposed = preview.tier.tier if preview.tier else preview.settings.tier
    return fragment(
        "_looked.html",
        {
            "preview": preview,
            "kept": encoded({name: kept[name] for name in kept if name not in _ASKED}).decode(),
            "tiers": list(Tier),
            "tier": tier or proposed,
            "saving": True,
        },
        scope=request.scope,
    )


async def _add_page(
    request: Request,
    overview: OverviewDep,
    form: AddForm | None,
    *,
    looking: bool = False,
    problem: str = "",
) -> Response:
    return render(
        "add_source.html",
        {
            "pulse": await overview.pulse(),
            "form": form,
            "looking": looking,
            "problem": problem,
            "tiers": list(Tier),
        },
        scope=request.scope,
        status=422 if problem else 200,
    )

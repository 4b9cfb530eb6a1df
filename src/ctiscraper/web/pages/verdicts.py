"""The team's decisions, as the forms of pages send them."""

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import RedirectResponse, Response

from ctiscraper.db.evidence import Judged
from ctiscraper.db.verdicts import Decision, Scope
from ctiscraper.web.auditing import tell_of_verdict
from ctiscraper.web.deps import ActorDep, VerdictsDep, after_change
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.named import domains_above
from ctiscraper.web.page_forms import UndoForm, VerdictForm
from ctiscraper.web.readers import EvidenceDep
from ctiscraper.web.redirects import local_path

router = Routes(prefix="/verdicts", dependencies=[Depends(after_change)], route_class=GuardedRoute)


@router.post("")
async def make_verdict(
    request: Request, verdicts: VerdictsDep, evidence: EvidenceDep, actor: ActorDep
) -> Response:
    """Keep a decision and return to where it was made."""
    form = await read_form(request, VerdictForm)
    judged = await evidence.judged(form.entity)
    tell_of_verdict(request, await verdicts.make(_decision(form, judged), actor=actor))
    return _back(form.here, form.entity)


@router.post("/undo")
async def undo_verdict(request: Request, verdicts: VerdictsDep, actor: ActorDep) -> Response:
    """Undo a decision and return to where that was asked."""
    form = await read_form(request, UndoForm)
    undone, held = await verdicts.undo(form.verdict, actor=actor)
    tell_of_verdict(request, undone, changed=held)
    return _back(form.here, form.entity)


def _decision(form: VerdictForm, judged: Judged) -> Decision:
    """Return what a form decides. Raises RequestValidationError for a domain of another thing."""
    scope, _, reach = form.scope.partition(" ")
    if scope == Scope.DOMAIN and reach not in domains_above(judged.host):
        fault = {
            "loc": ("body", "scope"),
            "msg": "choose the domain of this value, or one above it that someone registered",
            "type": "domain",
        }
        raise RequestValidationError([fault])
    return Decision(
        scope=Scope(scope),
        kind=judged.kind,
        value=reach if scope == Scope.DOMAIN else judged.value,
        verdict=form.verdict,
        reason=form.reason,
        source_key=reach if scope == Scope.SOURCE else None,
    )


def _back(here: str, entity: int) -> Response:
    return RedirectResponse(f"{local_path(here).partition('#')[0]}#e-{entity}", 303)

"""The accounts, and the items that ended without an article."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import RedirectResponse, Response

from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import AccountsSoonDep, ItemsDep, OverviewDep, QueueDep, after_change
from ctiscraper.web.ended import act
from ctiscraper.web.flat import Routes
from ctiscraper.web.forms import read_form
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render, with_query
from ctiscraper.web.schemas import AllItems, ItemsForm, QueuePageFilters

router = Routes(prefix="/accounting", route_class=GuardedRoute)

STATES = (
    ("dead", "Dead letters"),
    ("failed", "Failed"),
    ("filtered", "Quarantined"),
    ("duplicate", "Duplicates"),
)


@router.get("")
async def accounting(
    request: Request,
    overview: OverviewDep,
    accounts: AccountsSoonDep,
    items: ItemsDep,
    chosen: Annotated[QueuePageFilters, Query()],
) -> Response:
    """The invariant, and the ended items of one state."""
    state = chosen.state or "dead"
    page = await items.page(state, source=chosen.source, reason=chosen.reason, cursor=chosen.cursor)
    return render(
        "accounting.html",
        {
            "pulse": await overview.pulse(),
            "report": accounts,
            "state": state,
            "states": STATES,
            "chosen": chosen,
            "done": _done(chosen),
            "page": page,
            "reasons": await items.reasons(state),
            "counts": await items.counted(state, chosen.source, chosen.reason),
        },
        scope=request.scope,
    )


@router.post("/items", dependencies=[Depends(after_change)])
async def act_on_items(request: Request, queue: QueueDep) -> Response:
    """Retry, discard or release items, then show the list again with what was done."""
    form = await read_form(request, ItemsForm)
    action, ids = form.wish()
    if action is None:
        fault = {"loc": ("body", "ids"), "msg": "tick at least one item", "type": "missing"}
        raise RequestValidationError([fault])
    acts = {"retry": queue.retry, "discard": queue.discard, "release": queue.release}
    count = await acts[action](ids)
    tell(request, action=f"queue.{action}", items=ids, count=count)
    kept: dict[str, object] = {
        "state": form.state,
        "source": form.source,
        "reason": form.reason,
        "action": action,
        "count": count,
    }
    return RedirectResponse(with_query("/accounting", kept), 303)


@router.post("/all", dependencies=[Depends(after_change)])
async def act_on_all(request: Request, queue: QueueDep, items: ItemsDep) -> Response:
    """Do the same with every item that the list has, on this page and the further ones."""
    form = await read_form(request, AllItems)
    count = await act(request, queue, items, form)
    kept: dict[str, object] = {"state": form.state, "action": form.action, "count": count}
    return RedirectResponse(with_query("/accounting", kept), 303)


def _done(chosen: QueuePageFilters) -> str:
    if chosen.action is None or chosen.count is None:
        return ""
    items = "1 item" if chosen.count == 1 else f"{chosen.count:,} items"
    went = {
        "retry": "went back to the queue",
        "discard": "set aside; see Quarantined",
        "release": "released to the queue",
    }
    return f"{items} {went[chosen.action]}."

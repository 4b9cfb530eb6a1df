"""The audit log as a page."""

from typing import Annotated

import msgspec
from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.audit_views import AuditEntry
from ctiscraper.web.access_schemas import AuditPageFilters
from ctiscraper.web.api.audit import AuditDep
from ctiscraper.web.deps import OverviewDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.render import render

router = Routes(prefix="/audit", route_class=GuardedRoute)

_PAIR = 2


@router.get("")
async def audit_log(
    request: Request,
    audit: AuditDep,
    overview: OverviewDep,
    filters: Annotated[AuditPageFilters, Query()],
) -> Response:
    """Who did what, the latest first."""
    page = await audit.page(filters.query(), cursor=filters.cursor)
    return render(
        "audit.html",
        {
            "pulse": await overview.pulse(),
            "page": page,
            "actions": await audit.actions(),
            "filters": filters,
            "chosen": filters.chosen(),
            "exported": filters.exported(),
            "changes": changes_in_words,
        },
        scope=request.scope,
        headers={"cache-control": "no-store"},
    )


def changes_in_words(entry: AuditEntry) -> list[tuple[str, str, str | None]]:
    """Return what changed: name, how it was (or a detail), and how it is; None for a detail."""
    rows: list[tuple[str, str, str | None]] = []
    has_sides = bool(entry.before_hash or entry.after_hash)
    for name, value in msgspec.json.decode(entry.changes).items():
        if has_sides and isinstance(value, list) and len(value) == _PAIR:
            rows.append((name, _words(value[0]), _words(value[1])))
        else:
            rows.append((name, _words(value), None))
    return rows


def _words(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

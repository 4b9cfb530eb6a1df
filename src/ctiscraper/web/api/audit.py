"""The audit log: read in pages, and handed out whole."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from ctiscraper.audit_views import AuditEntry, AuditPage
from ctiscraper.db.audit import Audit
from ctiscraper.share.tabular import AUDIT
from ctiscraper.web.access_schemas import AuditExportParameters, AuditParameters
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.auditing import tell
from ctiscraper.web.deps import over
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.tables import EXPORTED, Export, Format, streamed

router = Routes(prefix="/audit", tags=["access"], route_class=GuardedRoute)

AuditDep = Annotated[Audit, Depends(over(Audit))]


@router.get("", response_model=AuditPage, summary="Who did what, latest first")
async def list_audit(
    request: Request, audit: AuditDep, parameters: Annotated[AuditParameters, Query()]
) -> Response:
    """Entries are never changed or removed; each holds the hash of the one before it."""
    page = await audit.page(parameters.query(), cursor=parameters.cursor, limit=parameters.limit)
    return tagged(request, encoded(page), about_people=True)


@router.get(
    "/export",
    responses=EXPORTED,
    response_class=Response,
    summary="The same as a file, all of it",
)
async def export_audit(
    request: Request, audit: AuditDep, parameters: Annotated[AuditExportParameters, Query()]
) -> Response:
    """NDJSON holds each entry as it was hashed; in CSV what a spreadsheet would run is quoted."""
    query = parameters.query()

    async def ask(cursor: str | None, limit: int) -> tuple[Sequence[AuditEntry], str | None]:
        page = await audit.page(query, cursor=cursor, limit=limit)
        return page.entries, page.next

    tell(request, format=parameters.format, query=request.url.query)
    export = Export(form=Format(parameters.format), defanged=False, name="ctiscraper-audit")
    return await streamed(AUDIT, ask, export, cursor=None, most=None)

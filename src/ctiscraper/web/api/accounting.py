"""The accounts: discovered = stored + duplicate + filtered + failed + dead + pending."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from ctiscraper.views import AccountingReport
from ctiscraper.web.answers import encoded, tagged
from ctiscraper.web.deps import AccountsDep
from ctiscraper.web.flat import Routes
from ctiscraper.web.guarded import GuardedRoute
from ctiscraper.web.schemas import NoParameters

router = Routes(prefix="/accounting", tags=["accounting"], route_class=GuardedRoute)


@router.get("", response_model=AccountingReport, summary="The invariant in all and by source")
async def get_accounting(
    request: Request, accounts: AccountsDep, _: Annotated[NoParameters, Query()]
) -> Response:
    """Counted where each part is kept, so that a loss would show as an imbalance.

    May be five seconds old.
    """
    return tagged(request, encoded(accounts))

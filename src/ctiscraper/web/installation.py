"""The installation as it stands: its data packs, what it keeps how long, and its settings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from ctiscraper.db.packs import Packs
from ctiscraper.db.retention import KeptAmount, Outlived, Retention
from ctiscraper.errors import UnavailableError
from ctiscraper.types import Keep
from ctiscraper.web.deps import Services, WebServices
from ctiscraper.web.recent import Recent


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRow:
    """A data pack that is kept; `active` is the one in use."""

    name: str
    version: str
    source: str
    licence: str
    notice: str
    records: int
    size: int
    active: bool
    built_in: bool
    installed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """For how many days things are kept by tier (0 is for ever), how much, and what would go."""

    keep: Keep
    kept: KeptAmount
    outlived: Outlived


async def read_packs(packs: Packs) -> tuple[PackRow, ...]:
    """Return every pack that is kept, those of a name together, the one in use first."""
    return tuple(
        PackRow(
            name=pack.info.name,
            version=pack.info.version,
            source=pack.info.source,
            licence=pack.info.licence,
            notice=pack.info.notice,
            records=pack.records,
            size=pack.size,
            active=pack.active,
            built_in=pack.build is not None,
            installed_at=pack.installed_at,
        )
        for pack in await packs.all()
    )


async def read_retention(given: WebServices) -> RetentionReport:
    """Return what is kept how long, and what the next run would remove; nothing is deleted.

    Raises UnavailableError where the settings are not known.
    """
    if given.keep is None:
        raise UnavailableError("this process does not know the settings of retention")
    rows = Retention(given.database)
    return RetentionReport(
        keep=given.keep, kept=await rows.kept(), outlived=await rows.outlived(given.keep)
    )


async def _retention(request: Request, given: Services) -> RetentionReport:
    """Return the report, counted over many rows and so kept for a minute."""
    kept = request.app.state.retention
    assert isinstance(kept, Recent)
    report = await kept.get("all", lambda: read_retention(given))
    assert isinstance(report, RetentionReport)
    return report


RetentionDep = Annotated[RetentionReport, Depends(_retention)]

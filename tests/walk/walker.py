"""The product over a fake internet and a real PostgreSQL, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ctiscraper.bootstrap import Services, open_services
from ctiscraper.config import Settings
from ctiscraper.tasks.work import Tally, Worker
from ctiscraper.types import SourceSettings
from db.stage import Stage
from internet.world import FakeInternet


@dataclass
class Walk(Stage):
    """An installation that has sources on a fake internet."""

    services: Services = None  # type: ignore[assignment]  # set by `walking`
    net: FakeInternet = None  # type: ignore[assignment]  # set by `walking`

    async def collect(self) -> Tally:
        """Work until nothing is due any more."""
        return await Worker(self.services, once=True).run()

    async def add(self, *sources: SourceSettings) -> None:
        for source in sources:
            await self.sources.add(source, actor="test")

    async def all_due(self) -> None:
        """Make every source due, and let hosts that rest be asked again."""
        await self.run("UPDATE source_state SET next_check_at = now()")
        await self.run("UPDATE fetch_job SET run_after = now()")
        await self.run(
            "UPDATE host SET work_at = now(), open_until = NULL, next_allowed_at = now()"
        )

    async def reasons(self) -> dict[str, int]:
        rows = await self.rows(
            "SELECT coalesce(reason, state), count(*) FROM fetch_job GROUP BY 1 ORDER BY 1"
        )
        return {str(reason): int(str(count)) for reason, count in rows}


def settings_for(net: FakeInternet, folder: Path, **changes: object) -> Settings:
    values: dict[str, object] = {
        "data_dir": folder,
        "min_gap": 0.0,
        "egress_allow_cidrs": net.networks,
        "egress_allow_ports": net.ports,
        "concurrency": 20,
        # Recognisers take seconds to make; the walks that are about them turn this on.
        "enrich": False,
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]  # checked by pydantic


@asynccontextmanager
async def walking(
    conninfo: str, net: FakeInternet, folder: Path, **changes: object
) -> AsyncIterator[Walk]:
    async with open_services(settings_for(net, folder, **changes), conninfo) as services:
        walk = Walk(database=services.database, services=services, net=net)
        yield walk
        assert (await walk.accounting()).balanced, "discovered is the sum of all ends, always"

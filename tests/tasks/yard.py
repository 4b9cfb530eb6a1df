"""A worker over a real queue, its pipeline scripted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import make
from ctiscraper.bootstrap import Services
from ctiscraper.collect.failing import retry_of
from ctiscraper.config import Settings
from ctiscraper.db.checks import SourceLease
from ctiscraper.errors import FetchError, StorageError
from ctiscraper.loop import Threads
from ctiscraper.pipeline import Pipeline, Result
from ctiscraper.scoring import Scoring
from ctiscraper.sourcing import Sourcing
from ctiscraper.tasks.work import Tally, Worker
from ctiscraper.types import CheckSummary, FetchJob, Outcome, SourceSettings, Tier
from db.stage import Stage

if TYPE_CHECKING:
    from ctiscraper.detecting import Detections
    from ctiscraper.http import Client
    from ctiscraper.mending import Mending
    from ctiscraper.recognition import Recognition
    from ctiscraper.rehearsal import Rehearsals

Act = Callable[[FetchJob], Awaitable[FetchError | None]]


async def well(_: FetchJob) -> None:
    """The item goes well."""


def raises(error: Exception) -> Act:
    async def act(_: FetchJob) -> None:
        raise error

    return act


@dataclass
class Script:
    """A pipeline that does to each item what its host's act says, and ends it."""

    stage: Stage
    acts: dict[str, Act] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    fault: FetchError | None = None
    lost: int = 0
    linking: bool = False
    threads: Threads = field(default_factory=Threads)

    async def process(self, job: FetchJob, _: SourceSettings) -> Result:
        host = job.url.split("/")[2]
        error = await self.acts.get(host, well)(job)
        self.done.append(job.url)
        if error is not None and (retry := retry_of(job, error, 0.5)) is not None:
            await self.stage.queue.give_back(job, retry)
            return Result(None, error)
        await self.stage.queue.finish(job, "failed", "test", "", None)
        return Result(Outcome.FAILED, error)

    async def check(self, lease: SourceLease) -> tuple[CheckSummary | None, FetchError | None]:
        """Find nothing new, and what a host failed with."""
        self.checked.append(lease.source.settings.key)
        summary = make.summary(lease.source.settings.key)
        return await self.stage.checks.record(lease, summary, make.standing()), self.fault

    async def fail_check(self, lease: SourceLease, error: FetchError) -> CheckSummary | None:
        summary = replace(make.summary(), reason=error.reason, detail=error.detail)
        return await self.stage.checks.record(lease, summary, make.standing())

    async def put_back(self, job: FetchJob, error: StorageError) -> None:
        retry = retry_of(job, error, 0.5)
        assert retry is not None
        await self.stage.queue.give_back(job, retry)

    async def link(self) -> int:
        """Compare nothing; as often as `lost` says a cancellation goes astray here."""
        while self.lost:
            self.linking = True
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.lost -= 1
        return 0

    async def unlinked(self) -> int:
        return 0

    async def enrich(self) -> int:
        return 0

    async def unenriched(self) -> int:
        return 0

    async def tell_stories(self) -> int:
        return 0

    async def untold(self) -> int:
        return 0


class Ready:
    """Recognisers that need nothing."""

    async def refresh(self) -> bool:
        return True


def _unused() -> Sourcing:
    """A worker adds no sources."""
    return cast("Sourcing", None)


@dataclass
class Yard(Stage):
    """Hosts with items, and a worker for them."""

    folder: Path = field(default_factory=Path)

    def __post_init__(self) -> None:
        Stage.__post_init__(self)
        self.script = Script(self)
        self.services = Services(
            settings=Settings(data_dir=self.folder, lease_seconds=60, concurrency=10),
            database=self.database,
            client=cast("Client", _unused()),
            hosts=self.hosts,
            sources=self.sources,
            queue=self.queue,
            checks=self.checks,
            pipeline=cast("Pipeline", self.script),
            rehearsals=cast("Rehearsals", _unused()),
            mending=cast("Mending", _unused()),
            sourcing=_unused(),
            recognition=cast("Recognition", Ready()),
            scoring=Scoring(self.database),
            detections=cast("Detections", _unused()),
        )

    async def hold(self, host: str, items: int, tier: Tier = Tier.STANDARD) -> None:
        """Give a host so many items."""
        settings = make.settings(host.partition(".")[0], host, tier=tier)
        urls = [f"https://{host}/a/{n}" for n in range(items)]
        await self.announce([make.announced(url, host=host) for url in urls], settings)

    async def work(self, source_id: int | None = None) -> Tally:
        """Work until nothing is due."""
        return await Worker(self.services, once=True, source_id=source_id).run()

    async def check_again(self) -> None:
        """Check all sources, whatever their hosts ask for, and work until nothing is due."""
        await self.run("UPDATE source_state SET next_check_at = now()")
        await self.run("UPDATE host SET work_at = now(), open_until = NULL")
        await self.work()

    async def jobs(self, host: str) -> list[tuple[object, ...]]:
        return await self.rows(
            f"SELECT state, reason, attempts FROM fetch_job WHERE host = '{host}' ORDER BY id"
        )

    async def nothing_held(self) -> bool:
        held = await self.value(
            """
            SELECT (SELECT count(*) FROM fetch_job WHERE lease_owner IS NOT NULL)
                + (SELECT count(*) FROM host WHERE lease_owner IS NOT NULL)
                + (SELECT count(*) FROM worker_heartbeat)
            """
        )
        return held == 0

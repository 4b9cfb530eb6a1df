"""A small installation over one database, as tests of the rooms beside it need it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import make
from ctiscraper.db.checks import Checks
from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.hosts import Hosts
from ctiscraper.db.links import Links
from ctiscraper.db.queue import Queue
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.db.store import SnapshotRecord, Store, Stored
from ctiscraper.types import Accounting, Announced, ArticleContent, FetchJob, SourceSettings


@dataclass
class Stage:
    database: Database
    worker: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.sources = Sources(self.database)
        self.checks = Checks(self.database)
        self.hosts = Hosts(self.database)
        self.queue = Queue(self.database)
        self.store = Store(self.database)
        self.links = Links(self.database)
        self.enrichments = Enrichments(self.database)

    async def announce(
        self, items: Sequence[Announced], settings: SourceSettings | None = None
    ) -> tuple[int, int]:
        """Check a source that announces these; give how many were new and how many changed."""
        settings = settings or make.settings()
        if settings.key not in {s.settings.key for s in await self.sources.all()}:
            await self.sources.add(settings, actor="test")
        await self.run("UPDATE source_state SET next_check_at = now()")
        host = (settings.feed_url or settings.url).split("/")[2]
        lease = await self.checks.claim(host, seconds=60)
        assert lease is not None
        kept = await self.checks.record(lease, make.summary(settings.key), make.standing(), items)
        assert kept is not None
        return kept.discovered, kept.changed

    async def claim(self, host: str = "acme.example", seconds: float = 60) -> FetchJob:
        job = await self.queue.claim(host, self.worker, seconds=seconds)
        assert job is not None
        return job

    async def keep(
        self,
        job: FetchJob,
        content: ArticleContent,
        snapshot: SnapshotRecord | None = None,
        settings: SourceSettings | None = None,
    ) -> Stored | None:
        return await self.store.keep(
            job, settings or make.settings(), content, make.sha(content.url), snapshot
        )

    def snapshot(self, body: str) -> SnapshotRecord:
        return SnapshotRecord(
            sha256=make.sha(body), url="u", status=200, content_type="text/html", size=len(body)
        )

    async def run(self, statement: str) -> None:
        async with self.database.connection() as conn:
            await conn.execute(statement)

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.database.connection() as conn:
            cursor = await conn.execute(query)
            return [tuple(row) for row in await cursor.fetchall()]

    async def value(self, query: str) -> object:
        return (await self.rows(query))[0][0]

    async def accounting(self) -> Accounting:
        rows = await self.rows(
            """
            SELECT coalesce(sum(discovered), 0), coalesce(sum(stored), 0),
                coalesce(sum(duplicate), 0), coalesce(sum(filtered), 0),
                coalesce(sum(failed), 0), coalesce(sum(dead), 0),
                coalesce(sum(pending), 0)
            FROM accounting
            """
        )
        names = ("discovered", "stored", "duplicate", "filtered", "failed", "dead", "pending")
        return Accounting(**dict(zip(names, (int(str(v)) for v in rows[0]), strict=True)))

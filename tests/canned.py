"""A pipeline over a real database and real parsers, whose network is canned."""

from dataclasses import dataclass, field
from pathlib import Path

import make
from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder, Found
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.stories import Stories
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.pipeline import Pipeline, Result
from ctiscraper.scoring import Scoring
from ctiscraper.types import FetchJob, Page, Redirect, Source, SourceSettings
from db.stage import Stage
from inline import InlineSandbox

SITE = make.settings()
URL = "https://acme.example/a/1"
PROSE = "The loader waits for a minute before it asks its server for the second stage. "
HTML = (
    "<html lang='en'><head><title>A loader that waits</title></head><body><article>"
    f"<h1>A loader that waits</h1><p>{PROSE * 6}</p><p>{PROSE * 3}It came back.</p>"
    "</article></body></html>"
).encode()
REFUSED = FetchError(Reason.FORBIDDEN, "HTTP 403", scope=Scope.ITEM, transient=False, status=403)


def page(body: bytes = HTML, final_url: str = URL, hops: tuple[str, ...] = ()) -> Page:
    return Page(
        url=URL,
        final_url=final_url,
        status=200,
        headers={"content-type": "text/html; charset=utf-8", "etag": '"new"'},
        body=body,
        fetched_at=make.NOW,
        redirects=tuple(Redirect(url=hop, status=302, location=final_url) for hop in hops),
        requests=2,
    )


class CannedFetcher(Fetcher):
    """Gives one answer for every page."""

    def __init__(self) -> None:
        self.answer: Page | FetchError = page()
        self.asked: list[str] = []

    async def fetch_page(self, settings: SourceSettings, url: str) -> Page:
        assert settings.fetch_pages
        self.asked.append(url)
        if isinstance(self.answer, FetchError):
            raise self.answer
        return self.answer


class CannedFinder(Finder):
    """Finds one thing at every source."""

    def __init__(self) -> None:
        self.found: Found | FetchError | ParseError = FetchError(Reason.TIMEOUT)

    async def find(self, source: Source) -> Found:
        assert source.settings.active
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@dataclass
class Bench(Stage):
    """A pipeline whose network is canned."""

    folder: Path = field(default_factory=Path)

    def __post_init__(self) -> None:
        Stage.__post_init__(self)
        self.fetcher, self.finder, self.sandbox = CannedFetcher(), CannedFinder(), InlineSandbox()
        self.raw = FolderStore(self.folder / "raw")
        self.pipeline = Pipeline(
            fetcher=self.fetcher,
            finder=self.finder,
            sandbox=self.sandbox,
            sources=self.sources,
            checks=self.checks,
            queue=self.queue,
            store=self.store,
            links=self.links,
            enrichments=self.enrichments,
            scoring=Scoring(self.database),
            stories=Stories(self.database),
            raw=self.raw,
            clock=self.database.clock,
            chance=lambda: 0.5,
        )

    async def check(self) -> tuple[object, FetchError | None]:
        """What a check of the one source gives; it is made when it is not there."""
        if not await self.sources.all():
            await self.sources.add(SITE, actor="test")
        await self.run("UPDATE source_state SET next_check_at = now()")
        lease = await self.checks.claim("acme.example", seconds=60)
        assert lease is not None
        return await self.pipeline.check(lease)

    async def process(self, settings: SourceSettings = SITE, **entry: object) -> Result:
        """What becomes of one announced item."""
        item = make.announced(URL, entry=make.entry(URL, "A title", **entry))
        await self.announce([item])
        return await self.pipeline.process(await self.claim(), settings)

    async def again(self) -> FetchJob:
        """The one item, claimed once more."""
        await self.run("UPDATE fetch_job SET state = 'pending', run_after = now()")
        return await self.claim()

    async def job(self, columns: str = "state, reason, attempts") -> tuple[object, ...]:
        [row] = await self.rows(f"SELECT {columns} FROM fetch_job")
        return row

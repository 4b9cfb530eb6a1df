"""Settings become the parts that the doors use, opened and closed together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder
from ctiscraper.config import AGENT, Settings
from ctiscraper.db.checks import Checks
from ctiscraper.db.hosts import Hosts
from ctiscraper.db.links import Links
from ctiscraper.db.queue import Queue
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.db.store import Store
from ctiscraper.http import Client
from ctiscraper.messages import PARSERS, WARM_UP
from ctiscraper.pipeline import Pipeline
from ctiscraper.sandbox import Sandbox
from ctiscraper.sourcing import Sourcing


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one process."""

    settings: Settings
    database: Database
    hosts: Hosts
    sources: Sources
    queue: Queue
    checks: Checks
    pipeline: Pipeline
    sourcing: Sourcing


@asynccontextmanager
async def open_services(
    settings: Settings, conninfo: str, *, connections: int = 4, warm: bool = True
) -> AsyncIterator[Services]:
    """Yield the parts of a process that collects; unless `warm` parsers start when first needed.

    Raises StorageError and SettingsError.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(conninfo, size=connections))
        client = Client(settings.egress_policy(), clock=database.clock)
        stack.push_async_callback(client.aclose)
        sandbox = Sandbox(PARSERS, warm_up=WARM_UP)
        stack.push_async_callback(sandbox.aclose)
        if warm:
            await sandbox.start()
        hosts, sources = Hosts(database), Sources(database)
        queue, checks = Queue(database), Checks(database)
        fetcher = Fetcher(
            client,
            hosts,
            agent_token=AGENT,
            default_gap=settings.min_gap,
            clock=database.clock,
        )
        finder = Finder(fetcher, sandbox)
        pipeline = Pipeline(
            fetcher=fetcher,
            finder=finder,
            sandbox=sandbox,
            sources=sources,
            checks=checks,
            queue=queue,
            store=Store(database),
            links=Links(database),
            raw=FolderStore(settings.raw_dir),
            clock=database.clock,
        )
        sourcing = Sourcing(finder=finder, fetcher=fetcher, sandbox=sandbox, sources=sources)
        yield Services(settings, database, hosts, sources, queue, checks, pipeline, sourcing)

"""The sum of the product's own stages, each measured alone, against the whole of two workers.

Run: .venv/bin/python bench/stages.py [--hosts 40] [--items 50] [--port 18380]

CPU is counted with all that a stage makes others do: its parsers and PostgreSQL included, the
local internet left out. Every stage runs for all items before the next one begins, over all hosts
at a time and one item of a host after the other, as the workers do it.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import msgspec
import structlog
import uvloop

import rig
from ctiscraper.bootstrap import Services
from ctiscraper.collect.politeness import Errand
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.db.store import SnapshotRecord
from ctiscraper.extract.urls import url_key
from ctiscraper.http import FetchLimits
from ctiscraper.messages import PageMessage
from ctiscraper.types import (
    ArticleContent,
    ExtractionHints,
    FetchJob,
    Page,
    SourceSettings,
    host_of,
)

LEASE = 600.0
LIMITS = FetchLimits(max_bytes=20_000_000)
# What the product says it accepts; the local internet then answers in gzip, as for the workers.
ACCEPT = {"Accept": "text/html"}


@dataclass(slots=True)
class Item:
    """One article on its way through the stages."""

    job: FetchJob
    settings: SourceSettings
    page: Page | None = None
    sha: bytes = b""
    content: ArticleContent | None = None


@dataclass(slots=True)
class Measured:
    """CPU seconds by stage: this process and its parsers, and PostgreSQL."""

    made: rig.Installation
    parts: Services
    own: dict[str, float] = field(default_factory=dict)
    postgres: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncIterator[None]:
        own, postgres = self._own_cpu(), self.made.postgres_cpu()
        yield
        # What PostgreSQL writes behind its back belongs to the stage as well.
        await asyncio.sleep(0.3)
        self.own[name] = self._own_cpu() - own
        self.postgres[name] = self.made.postgres_cpu() - postgres

    def total(self) -> float:
        return sum(self.own.values()) + sum(self.postgres.values())

    def _own_cpu(self) -> float:
        """CPU of this process and of its parsers, all below the first of them."""
        return time.process_time() + rig.cpu_of_tree(self.parts.pipeline.sandbox.pids[0])


Work = Callable[[Item], Awaitable[None]]


async def for_all(by_host: dict[str, list[Item]], work: Work) -> None:
    """Do a stage for every item, hosts side by side."""

    async def of_host(items: list[Item]) -> None:
        for item in items:
            await work(item)

    await asyncio.gather(*(of_host(items) for items in by_host.values()))


async def announced(parts: Services) -> None:
    """Check every feed, as a worker does: ask, read, announce."""
    leases = await parts.hosts.lease(uuid4(), limit=1000, seconds=LEASE)

    async def check(host: str) -> None:
        while (due := await parts.checks.claim(host, seconds=LEASE)) is not None:
            await parts.pipeline.check(due)

    await asyncio.gather(*(check(lease.host) for lease in leases))
    await asyncio.gather(*(parts.hosts.release(lease) for lease in leases))


async def claimed(parts: Services) -> dict[str, list[Item]]:
    """Lease every host, and claim each of its items."""
    owner, found = uuid4(), dict[str, list[Item]]()
    by_id = {source.id: source.settings for source in await parts.sources.all()}

    async def drain(host: str) -> None:
        items: list[Item] = []
        while (job := await parts.queue.claim(host, owner, seconds=LEASE)) is not None:
            items.append(Item(job, by_id[job.source_id]))
        if items:
            found[host] = items

    leases = await parts.hosts.lease(owner, limit=1000, seconds=LEASE)
    await asyncio.gather(*(drain(lease.host) for lease in leases))
    return found


async def run_stages(parts: Services, measured: Measured) -> dict[str, list[Item]]:
    """Take every item through every stage, one stage at a time."""
    pipeline = parts.pipeline
    fetcher = pipeline.fetcher

    async def leave(item: Item) -> None:
        errand = Errand(item.settings, host_of(item.job.url))
        await fetcher._ask_leave(errand, item.job.url)  # noqa: SLF001 - a stage of its own

    async def fetch(item: Item) -> None:
        item.page = await fetcher._client.get(item.job.url, limits=LIMITS, headers=ACCEPT)  # noqa: SLF001 - without the leave

    async def keep_raw(item: Item) -> None:
        assert item.page is not None
        item.sha = await asyncio.to_thread(pipeline.raw.put, item.page.body)

    async def read(item: Item) -> None:
        assert item.page is not None
        message = PageMessage(
            body=item.page.body,
            url=item.page.final_url,
            hints=ExtractionHints(
                content_type=item.page.headers.get("content-type", ""),
                entry=item.job.entry,
                fetched_at=item.page.fetched_at,
            ),
        )
        answer = await pipeline.sandbox.call("article", msgspec.msgpack.encode(message))
        item.content = msgspec.msgpack.decode(answer, type=ArticleContent)

    async def store(item: Item) -> None:
        assert item.page is not None
        assert item.content is not None
        snapshot = SnapshotRecord(
            sha256=item.sha,
            url=item.page.final_url,
            status=item.page.status,
            content_type=item.page.headers.get("content-type", ""),
            size=len(item.page.body),
        )
        key = url_key(item.content.url)
        kept = await pipeline.store.keep(item.job, item.settings, item.content, key, snapshot)
        assert kept is not None

    async with measured.stage("check feeds"):
        await announced(parts)
    async with measured.stage("claim"):
        by_host = await claimed(parts)
    for name, work in (
        ("robots and pace", leave),
        ("fetch", fetch),
        ("keep raw bytes", keep_raw),
        ("extract in sandbox", read),
        ("store", store),
    ):
        async with measured.stage(name):
            await for_all(by_host, work)
    async with measured.stage("link near-duplicates"):
        while await pipeline.link():
            pass
    return by_host


async def alone(hosts: int, items: int) -> float:
    """Print each stage's CPU for an article; return the sum (ms)."""
    async with rig.installation(_ports()) as made, rig.services(made) as parts:
        await parts.sources.seed(tuple(rig.sources(hosts)))
        measured = Measured(made, parts)
        by_host = await run_stages(parts, measured)
        done = sum(map(len, by_host.values()))
    if done != hosts * items:
        raise SystemExit(f"{done} of {hosts * items} items went through the stages")
    print(f"stages alone, {done} articles: CPU ms an article, own process + PostgreSQL")
    for name, own in measured.own.items():
        both = (own + measured.postgres[name]) / done * 1e3
        print(
            f"  {name:22} {both:6.2f} = {own / done * 1e3:5.2f}"
            f" + {measured.postgres[name] / done * 1e3:5.2f}"
        )
    return measured.total() / done * 1e3


async def whole(hosts: int, items: int, workers: int) -> tuple[float, float]:
    """Return the CPU for an article (ms) of workers collecting all, less and with their start."""
    expected = hosts * items
    async with rig.installation(_ports()) as made, Database(made.conninfo) as database:
        for _ in range(workers):
            made.start_worker()
        await asyncio.sleep(6)
        start = made.worker_cpu()
        postgres = made.postgres_cpu()
        began = time.monotonic()
        await Sources(database).seed(tuple(rig.sources(hosts)))
        await rig.until_idle(database, expected=expected, seconds=600)
        spent = made.worker_cpu() - start + made.postgres_cpu() - postgres
        account = await rig.counts(database)
        print(
            f"the whole, {workers} workers: {account['stored'] + account['duplicate']} kept in"
            f" {time.monotonic() - began:.1f} s"
        )
        if account["stored"] + account["duplicate"] != expected:
            raise SystemExit(f"not all were kept: {account}")
    return spent / expected * 1e3, (spent + start) / expected * 1e3


def _ports() -> dict[str, str]:
    return {"CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,443,{rig.PORT}"}


async def main(options: argparse.Namespace) -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rig.PORT, rig.CONTROL = options.port, options.port - 1
    arguments = ("--hosts", str(options.hosts), "--items", str(options.items), "--prerender")
    with rig.internet(*arguments):
        parts = await alone(options.hosts, options.items)
        steady, with_start = await whole(options.hosts, options.items, options.workers)
    print(f"sum of the stages alone: {parts:.2f} ms an article")
    print(f"the whole: {steady:.2f} ms an article; {with_start:.2f} with the workers' own start")
    print(f"ratio: {steady / parts:.2f}; {with_start / parts:.2f} with the start (at most 1.5)")
    return 0 if with_start / parts <= 1.5 else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=18380)
    raise SystemExit(uvloop.run(main(parser.parse_args())))

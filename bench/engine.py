"""Collecting with the bell against collecting without, and two worker processes against one.

Run: .venv/bin/python bench/engine.py [--hosts 40] [--items 50] [--rounds 2]

The two ways take turns in one run. For the second question each worker process, its parsers
included, has a core to itself, as a task of one virtual CPU has, and PostgreSQL has as many cores
as there are workers: one worker and its database on one core against two on two. The same is done
with a loop that only counts, which shows what this machine's second core is worth at most.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil

import rig
from ctiscraper.config import load_settings
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.valkey import EmbeddedValkey

LEAST_SHARE = 0.85
LEAST_GAIN = 1.8
COUNT = 30_000_000
# The rate is that of the middle: neither of waking up nor of the last hosts.
FIRST, LAST = 0.1, 0.85


@dataclass(frozen=True, slots=True)
class Round:
    """One collection: articles a second, and CPU milliseconds an article."""

    rate: float
    cpu: float


@contextlib.asynccontextmanager
async def bell(ring: bool) -> AsyncIterator[dict[str, str]]:
    """Yield what an installation with or without a bell has in its environment."""
    if not ring:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        async with (
            EmbeddedValkey(Path(folder)) as server,
            Beat(load_settings(redis_url=server.url)),
        ):
            yield {"REDIS_URL": server.url}


async def collect(options: argparse.Namespace, *, workers: int, ring: bool, pin: bool) -> Round:
    """Return how fast so many workers collect everything once."""
    expected = options.hosts * options.items
    async with (
        bell(ring) as environment,
        rig.installation(environment) as made,
        Database(made.conninfo) as database,
    ):
        await made.start_workers(database, workers)
        if pin:
            for core, worker in enumerate(made.workers):
                bind(worker.pid, {core})
            bind(made.server.pid or 0, set(range(workers)))
        await Sources(database).seed(tuple(rig.sources(options.hosts)))
        await stored(database, round(FIRST * expected))
        began, cpu = time.monotonic(), made.worker_cpu() + made.postgres_cpu()
        seen = await stored(database, round(LAST * expected)) - round(FIRST * expected)
        seconds = time.monotonic() - began
        cpu = made.worker_cpu() + made.postgres_cpu() - cpu
        await rig.until_idle(database, expected=expected, seconds=600)
        counts = await rig.counts(database)
        if counts["stored"] + counts["duplicate"] != expected:
            raise SystemExit(f"not all were kept: {counts}")
    return Round(seen / seconds, cpu / seen * 1e3)


async def stored(database: Database, least: int) -> int:
    """Return how many articles there are, once there are at least so many."""
    while True:
        async with database.connection() as conn:
            cursor = await conn.execute("SELECT count(*) FROM article")
            row = await cursor.fetchone()
        if row and row[0] >= least:
            return int(row[0])
        await asyncio.sleep(0.05)


def bind(pid: int, cores: set[int]) -> None:
    """Keep a process, and all below it, on these cores."""
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        for thread in process.threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, cores)


def spin(core: int) -> None:
    os.sched_setaffinity(0, {core})
    total = 0
    for number in range(COUNT):
        total += number


def machine_gain() -> float:
    """Return how much more two cores count than one, in the same time."""

    def seconds(cores: int) -> float:
        processes = [multiprocessing.Process(target=spin, args=(core,)) for core in range(cores)]
        began = time.monotonic()
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return time.monotonic() - began

    return 2 * seconds(1) / seconds(2)


def print_round(name: str, measured: Round) -> None:
    print(f"  {name}: {measured.rate:.0f} articles/s, {measured.cpu:.2f} ms of CPU an article")


async def main(options: argparse.Namespace) -> int:
    arguments = ["--hosts", str(options.hosts), "--items", str(options.items), "--prerender"]
    with rig.internet(*arguments):
        plain, rung = [], []
        for _ in range(options.rounds):
            plain.append(await collect(options, workers=2, ring=False, pin=False))
            rung.append(await collect(options, workers=2, ring=True, pin=False))
            print_round("workers that look by themselves", plain[-1])
            print_round("workers that the bell wakes    ", rung[-1])
        share = statistics.median(r.rate for r in rung) / statistics.median(r.rate for r in plain)
        print(f"with the bell: {share:.1%} of the rate without (at least {LEAST_SHARE:.0%})")
        limit = machine_gain()
        gains = []
        for _ in range(options.rounds):
            one = await collect(options, workers=1, ring=True, pin=True)
            two = await collect(options, workers=2, ring=True, pin=True)
            print_round("one worker process, one core  ", one)
            print_round("two worker processes, two cores", two)
            gains.append(two.rate / one.rate)
        gain = statistics.median(gains)
        print(f"two against one: {gain:.2f} times (at least {LEAST_GAIN}); counting: {limit:.2f}")
    return 0 if share >= LEAST_SHARE and gain >= LEAST_GAIN else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    raise SystemExit(asyncio.run(main(parser.parse_args())))

"""Collect the same articles at the same time with no model, and with one whose server is silent.

Run: .venv/bin/python bench/models.py [--rounds 12] [--hosts 20] [--items 100] [--port 18080]

Two installations of one worker each start together, each on a processor of its own with all that
belongs to it, its database and its model worker. So what else the machine does meets both at once,
and what the model costs can be taken from collection only. They change places every half second:
processors differ by more than the bar is wide. A round begins when the articles of a first source
are stored on both sides and every slot of the model worker waits for the server. It is judged when
one side has nine tenths of all, while both are at full speed, by what came since it began.

It fails unless all articles are stored in every round, every question stays unanswered, and beside
the silent server throughput is at most 3 % lower and the CPU of workers 3 % higher. Both are means,
and the bar is held where the standard error does not reach over it either.
"""

import argparse
import asyncio
import contextlib
import math
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import rig
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.loop import alongside
from ctiscraper.types import SourceSettings

MOST_APART = 0.03
START_SECONDS, ROUND_SECONDS, PLACE_SECONDS = 60.0, 600.0, 0.5
SLOTS = 4
# Of the connections to the server one is the model worker's, which asks how it is.
FIRST_LOOK = 1
# Of what is expected, how much one side has when both are compared.
SHARE = 0.9
LEAST_ROUNDS = 2


class Silent:
    """A server that takes every connection, reads, and never says a word."""

    def __init__(self) -> None:
        self.asked = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        try:
            while await reader.read(65_536):
                pass
        finally:
            writer.close()


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[str, Silent]]:
    server = Silent()
    listening = await asyncio.start_server(server.take, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        listening.close()


@asynccontextmanager
async def model_worker(made: rig.Installation) -> AsyncIterator[int]:
    """Run one, and yield the number of its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ctiscraper.cli", "model-worker"],
        env={
            **os.environ,
            **made.environment,
            "DATABASE_URL": made.conninfo,
            "CTISCRAPER_DATA_DIR": str(made.folder / "data"),
            "CTISCRAPER_LOG_LEVEL": "error",
            "PYTHONPATH": str(rig.ROOT / "src"),
        },
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def tree(pid: int) -> Iterator[int]:
    """Yield the threads of a process and of all below it."""
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            yield int(thread.name)
            for child in (thread / "children").read_text("ascii").split():
                yield from tree(int(child))


def keep_to(processor: int, pid: int) -> None:
    """Keep a process, all below it and all that these start from now on to one processor."""
    for thread in tree(pid):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(thread, {processor})


@dataclass(frozen=True)
class Spent:
    """CPU seconds so far."""

    workers: float
    postgres: float
    model_worker: float


@dataclass
class Side:
    """One of the two installations."""

    made: rig.Installation
    database: Database
    models: int | None = None

    def keep_to(self, processor: int) -> None:
        for pid in (self.made.server.pid, self.models, *(one.pid for one in self.made.workers)):
            if pid is not None:
                keep_to(processor, pid)

    def spent(self) -> Spent:
        models = rig.cpu_of_tree(self.models) if self.models is not None else 0.0
        return Spent(self.made.worker_cpu(), self.made.postgres_cpu(), models)

    async def ended(self) -> int:
        """Return how many items are done with."""
        async with self.database.connection() as conn:
            cursor = await conn.execute("SELECT count(finished_at) FROM fetch_job")
            row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


Sides = tuple[Side, Side]


@dataclass(frozen=True)
class Done:
    """What one side did until both were compared, and in the end.

    `by_then` counts articles, and the milliseconds of CPU are for one of them.
    """

    by_then: int
    workers: float
    postgres: float
    model_worker: float
    stored: int
    waiting: int
    answered: int


async def open_side(stack: AsyncExitStack, environment: Mapping[str, str], *, models: bool) -> Side:
    made = await stack.enter_async_context(rig.installation(environment))
    database = await stack.enter_async_context(Database(made.conninfo))
    pid = await stack.enter_async_context(model_worker(made)) if models else None
    await made.start_workers(database, 1)
    return Side(made, database, pid)


async def changing_places(sides: Sides) -> None:
    """Keep each to a processor that is the other's a moment later, for ever."""
    first, second, *_ = sorted(os.sched_getaffinity(0))
    while True:
        for places in ((first, second), (second, first)):
            for side, processor in zip(sides, places, strict=True):
                side.keep_to(processor)
            await asyncio.sleep(PLACE_SECONDS)


async def until(holds: Callable[[], bool]) -> None:
    """Return once this holds."""
    async with asyncio.timeout(START_SECONDS):
        while not holds():
            await asyncio.sleep(0.1)


async def one(options: argparse.Namespace, address: str, server: Silent) -> tuple[Done, Done]:
    """Return what came of both, the one without a model first."""
    expected = options.hosts * options.items
    ports = {"CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,443,{rig.PORT}"}
    environment = {
        **ports,
        "CTISCRAPER_MODEL_URL": address,
        "CTISCRAPER_MODEL": "silent",
        "CTISCRAPER_MODEL_SLOTS": str(SLOTS),
        "CTISCRAPER_MODEL_SECONDS": "600",
    }
    listed = tuple(rig.sources(options.hosts))
    async with AsyncExitStack() as stack:
        before = server.asked
        without = await open_side(stack, ports, models=False)
        hanging = await open_side(stack, environment, models=True)
        sides = (without, hanging)
        await stack.enter_async_context(alongside(changing_places(sides)))
        await seed(sides, listed[:1], expected=options.items)
        await until(lambda: server.asked == before + FIRST_LOOK + SLOTS)
        at_first = [(await side.ended(), side.spent()) for side in sides]
        await asyncio.gather(*(Sources(side.database).seed(listed) for side in sides))
        at_last = await compared(sides, int(expected * SHARE))
        for side in sides:
            await rig.until_idle(side.database, expected=expected, seconds=ROUND_SECONDS)
        found = [
            await told_of(side, start, end)
            for side, start, end in zip(sides, at_first, at_last, strict=True)
        ]
    return found[0], found[1]


async def seed(sides: Sides, listed: tuple[SourceSettings, ...], *, expected: int) -> None:
    """Give both sides these sources, and return when all of them is stored."""
    for side in sides:
        await Sources(side.database).seed(listed)
    for side in sides:
        await rig.until_idle(side.database, expected=expected, seconds=ROUND_SECONDS)


async def compared(sides: Sides, count: int) -> list[tuple[int, Spent]]:
    """Return what both have done and spent once one of them has ended so many items."""
    async with asyncio.timeout(ROUND_SECONDS):
        while True:
            ended = [await side.ended() for side in sides]
            if max(ended) >= count:
                return [(one, side.spent()) for one, side in zip(ended, sides, strict=True)]
            await asyncio.sleep(0.2)


async def told_of(side: Side, first: tuple[int, Spent], last: tuple[int, Spent]) -> Done:
    (ended_before, start), (ended, end) = first, last
    by_then = ended - ended_before
    async with side.database.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT count(*) FILTER (WHERE state IN ('pending', 'running')),
                count(*) FILTER (WHERE state = 'done')
            FROM model_analysis
            """
        )
        row = await cursor.fetchone()
    assert row is not None
    counted = await rig.counts(side.database)
    return Done(
        by_then=by_then,
        workers=(end.workers - start.workers) / by_then * 1e3,
        postgres=(end.postgres - start.postgres) / by_then * 1e3,
        model_worker=(end.model_worker - start.model_worker) / by_then * 1e3,
        stored=counted["stored"] + counted["duplicate"],
        waiting=row[0],
        answered=row[1],
    )


def told(name: str, done: Done) -> None:
    print(
        f"{name:8} {done.by_then} when compared, {done.stored} in the end;"
        f" CPU ms an article: workers {done.workers:.2f}, PostgreSQL {done.postgres:.2f},"
        f" model worker {done.model_worker:.2f}; waiting {done.waiting}, answered {done.answered}",
        flush=True,
    )


async def main(options: argparse.Namespace) -> None:
    rig.PORT, rig.CONTROL = options.port, options.port - 1
    pairs = []
    arguments = ["--hosts", str(options.hosts), "--items", str(options.items), "--prerender"]
    with rig.internet(*arguments):
        async with silent() as (address, server):
            # The first round pays for files that nobody has read yet.
            for number in range(options.rounds + 1):
                rig.control("/reset")
                pair = await one(options, address, server)
                for name, done in zip(("without", "hanging"), pair, strict=True):
                    told(name if number else "warm-up", done)
                if number:
                    pairs.append(pair)
    judge(options, pairs)


def mean(name: str, found: list[float]) -> tuple[float, float]:
    """Return mean and standard error, and say them."""
    middle, error = statistics.fmean(found), statistics.stdev(found) / math.sqrt(len(found))
    print(
        f"{name}, hanging to without: {middle:.3f} (standard error {error:.3f}) of",
        ", ".join(f"{one:.3f}" for one in found),
    )
    return middle, error


def judge(options: argparse.Namespace, pairs: list[tuple[Done, Done]]) -> None:
    expected = options.hosts * options.items
    faults = [
        f"{done.stored} stored of {expected}"
        for pair in pairs
        for done in pair
        if done.stored != expected
    ]
    faults += ["a question was answered" for _, done in pairs if done.answered]
    faults += [
        f"{done.waiting} questions wait, of {expected} articles"
        for _, done in pairs
        if done.waiting < expected
    ]
    rate, rate_error = mean("articles", [b.by_then / a.by_then for a, b in pairs])
    cpu, cpu_error = mean("CPU of workers", [b.workers / a.workers for a, b in pairs])
    mean("CPU of PostgreSQL", [b.postgres / a.postgres for a, b in pairs])
    if rate - rate_error < 1 - MOST_APART:
        faults.append("throughput is more than 3 % less, or may be")
    if cpu + cpu_error > 1 + MOST_APART:
        faults.append("workers take more than 3 % more CPU, or may do so")
    if faults:
        raise SystemExit("failed: " + "; ".join(faults))
    print("held: collection does not notice a model whose server hangs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="two at least")
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--port", type=int, default=rig.PORT, help="of the local internet")
    options = parser.parse_args()
    if options.rounds < LEAST_ROUNDS:
        parser.error("of one round there is no standard error")
    asyncio.run(main(options))

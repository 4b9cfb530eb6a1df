"""Collect the same articles with no model, and with one whose server takes questions and is silent.

Run: .venv/bin/python bench/models.py [--rounds 5] [--hosts 20] [--items 100] [--workers 2]

Rounds of either kind take turns, so that what else the machine does is in both, and begin when all
processes have started. It fails unless all articles are stored in every round, every question stays
unanswered, and beside the silent server throughput is at most 3 % lower and the CPU of workers 3 %
higher, by the median of the pairs.
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import rig
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources

MOST_APART = 0.03
START_SECONDS = 60.0
# The connection by which a model worker asks a server how it is, before any question.
FIRST_LOOK = 1


@dataclass(frozen=True)
class Round:
    """What one round took; `asked` counts the connections to the silent server."""

    stored: int
    seconds: float
    workers: float
    postgres: float
    model_worker: float
    asked: int
    waiting: int
    answered: int


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
async def model_worker(made: rig.Installation, wanted: bool) -> AsyncIterator[Callable[[], float]]:
    """Run one if it is wanted, and yield what tells the CPU seconds that it took."""
    if not wanted:
        yield float
        return
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
        yield lambda: rig.cpu_of_tree(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def begun(server: Silent, before: int) -> None:
    """Return once a model worker has looked at the server: its start is not what is compared."""
    async with asyncio.timeout(START_SECONDS):
        while server.asked == before:
            await asyncio.sleep(0.1)


async def one(options: argparse.Namespace, address: str, server: Silent | None) -> Round:
    environment: Mapping[str, str] = {}
    if server is not None:
        environment = {
            "CTISCRAPER_MODEL_URL": address,
            "CTISCRAPER_MODEL": "silent",
            "CTISCRAPER_MODEL_SLOTS": "4",
            "CTISCRAPER_MODEL_SECONDS": "600",
        }
    expected = options.hosts * options.items
    before_asked = server.asked if server else 0
    async with (
        rig.installation(environment) as made,
        Database(made.conninfo) as database,
        model_worker(made, server is not None) as spent_by_models,
    ):
        if server is not None:
            await begun(server, before_asked)
        await made.start_workers(database, options.workers)
        before = made.worker_cpu(), made.postgres_cpu(), spent_by_models()
        async with database.connection() as conn:
            cursor = await conn.execute("SELECT clock_timestamp()")
            [began] = await cursor.fetchone() or [None]
        await Sources(database).seed(tuple(rig.sources(options.hosts)))
        await rig.until_idle(database, expected=expected, seconds=600)
        after = made.worker_cpu(), made.postgres_cpu(), spent_by_models()
        async with database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT extract(epoch FROM max(finished_at) - %s)::float8,
                    (SELECT count(*) FROM model_analysis WHERE state IN ('pending', 'running')),
                    (SELECT count(*) FROM model_analysis WHERE state = 'done')
                FROM fetch_job
                """,
                (began,),
            )
            row = await cursor.fetchone()
        assert row is not None
        counted = await rig.counts(database)
    return Round(
        stored=counted["stored"] + counted["duplicate"],
        seconds=float(row[0]),
        workers=after[0] - before[0],
        postgres=after[1] - before[1],
        model_worker=after[2] - before[2],
        asked=(server.asked if server else 0) - before_asked,
        waiting=int(row[1]),
        answered=int(row[2]),
    )


def told(name: str, done: Round, expected: int) -> None:
    print(
        f"{name:8} {done.stored} stored in {done.seconds:.1f} s,"
        f" {done.stored / done.seconds:.1f}/s;"
        f" CPU ms an article: workers {done.workers / expected * 1e3:.2f},"
        f" PostgreSQL {done.postgres / expected * 1e3:.2f},"
        f" model worker {done.model_worker / expected * 1e3:.2f};"
        f" asked {done.asked}, waiting {done.waiting}, answered {done.answered}",
        flush=True,
    )


async def main(options: argparse.Namespace) -> None:
    expected = options.hosts * options.items
    without: list[Round] = []
    hanging: list[Round] = []
    arguments = ["--hosts", str(options.hosts), "--items", str(options.items), "--prerender"]
    with rig.internet(*arguments):
        async with silent() as (address, server):
            # The first round pays for files that nobody has read yet.
            told("warm-up", await one(options, address, None), expected)
            for number in range(options.rounds):
                kinds = [("without", None, without), ("hanging", server, hanging)]
                for name, asked, kept in kinds if number % 2 == 0 else kinds[::-1]:
                    rig.control("/reset")
                    kept.append(await one(options, address, asked))
                    told(name, kept[-1], expected)
    judge(options, without, hanging)


def judge(options: argparse.Namespace, without: list[Round], hanging: list[Round]) -> None:
    expected = options.hosts * options.items
    pairs = list(zip(without, hanging, strict=True))
    faults = [
        f"{done.stored} stored of {expected}"
        for done in (*without, *hanging)
        if done.stored != expected
    ]
    faults += ["a question was answered" for done in hanging if done.answered]
    faults += [
        f"asked {done.asked}, waiting {done.waiting}"
        for done in hanging
        if done.asked <= FIRST_LOOK or done.waiting < expected
    ]
    ratios = {
        "throughput": [a.seconds / b.seconds for a, b in pairs],
        "CPU of workers": [b.workers / a.workers for a, b in pairs],
        "CPU of PostgreSQL": [b.postgres / a.postgres for a, b in pairs],
    }
    middle = {name: statistics.median(found) for name, found in ratios.items()}
    for name, found in ratios.items():
        print(f"{name}, hanging to without: median {middle[name]:.3f} of",
              ", ".join(f"{one:.3f}" for one in found))  # fmt: skip
    if middle["throughput"] < 1 - MOST_APART:
        faults.append("throughput is more than 3 % less")
    if middle["CPU of workers"] > 1 + MOST_APART:
        faults.append("workers take more than 3 % more CPU")
    if faults:
        raise SystemExit("failed: " + "; ".join(faults))
    print("held: collection does not notice a model whose server hangs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    asyncio.run(main(parser.parse_args()))

"""What every benchmark stands on: the local internet, a throw-away installation, CPU counted."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ctiscraper.bootstrap import Services, open_services
from ctiscraper.config import Settings, load_settings
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.sources import Sources
from ctiscraper.tasks.run import WorkOrder, work
from ctiscraper.types import SourceSettings, Tier

ROOT = Path(__file__).resolve().parents[1]
INTERNET = ROOT.parent / "shared" / "internet" / "inet.py"
PORT, CONTROL = 18080, 18079
# What an operator sets to let the collector reach the local internet, politeness off; what the
# stored texts name is left to the benchmarks of that, and to those that turn it on by `ENRICH`.
EGRESS = {
    "CTISCRAPER_EGRESS_ALLOW_CIDRS": "127.10.0.0/16",
    "CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,443,{PORT}",
    "CTISCRAPER_MIN_GAP": "0",
    "CTISCRAPER_CONTACT": "bench@example.org",
    "CTISCRAPER_ENRICH": "false",
}
ENRICH = {"CTISCRAPER_ENRICH": "true"}

# Prose in which there is nothing to be found.
FILLER = (
    "The group kept to its habits and moved on to other targets in the sector, where it met less "
    "resistance than before. Analysts followed its traces over several weeks and found that little "
    "had changed since the last report, neither the tools nor the order in which they are used. "
)
# So many has each database that is filled with articles.
SOURCES = 100
# A 2 GiB server's share of memory, as the plan's smallest instance has.
SMALL_SERVER = {"shared_buffers": "512MB", "max_wal_size": "8GB"}


@contextmanager
def internet(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the local internet for as long as the block lasts."""
    if not INTERNET.exists():
        raise SystemExit(f"this benchmark needs {INTERNET.name} in shared/internet")
    process = subprocess.Popen(
        [sys.executable, str(INTERNET), "--port", str(PORT), "--ctl", str(CONTROL), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("inet ready"):
            raise SystemExit(f"the local internet did not start: {line!r}")
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def control(path: str) -> dict[str, object]:
    """Return what the local internet's control port answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{CONTROL}{path}", timeout=10) as answer:
        found = json.loads(answer.read())
    return found if isinstance(found, dict) else {"list": found}


def sources(hosts: int, *, path: str = "/feed.xml", **changes: object) -> list[SourceSettings]:
    """Return a source for each host of the local internet."""
    made = []
    for n in range(hosts):
        base = f"http://127.10.{(n // 250) % 250}.{1 + n % 250}:{PORT}"
        values: dict[str, object] = {
            "key": f"host-{n}",
            "name": f"Host {n}",
            "url": f"{base}/",
            "feed_url": f"{base}{path}",
            "tier": Tier.STANDARD,
        }
        made.append(SourceSettings(**{**values, **changes}))  # type: ignore[arg-type]  # a builder
    return made


def cpu_of_tree(pid: int) -> float:
    """Return the CPU seconds of a process and all below it, the ended ones included."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used = max(times.user + times.system, _exact_cpu(process.pid))
                total += used + times.children_user + times.children_system
    return total


def _exact_cpu(pid: int) -> float:
    """Return the CPU seconds of a process's living threads to the nanosecond, 0 where unknown.

    The usual times are told in hundredths, which is much when a round takes a tenth of a second.
    """
    total = 0.0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, IndexError):
            total += int(thread.read_text("ascii").split()[0]) / 1e9
    return total


def memory_of_tree(pid: int) -> list[tuple[str, float]]:
    """Return name and proportional set size (MB) of a process and all below it."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = process.memory_full_info()
                found.append((process.name(), memory.pss / 1e6, memory.rss / 1e6))
    return [(f"{name} rss {rss:.0f}", pss) for name, pss, rss in found]


@dataclass
class Installation:
    """A product of its own in a scratch folder: database, settings, workers."""

    folder: Path
    environment: Mapping[str, str]
    server: EmbeddedPostgres
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    cpu_of_ended: float = 0.0

    @property
    def conninfo(self) -> str:
        return self.server.conninfo

    def settings(self) -> Settings:
        os.environ.update(self.environment)
        return load_settings(data_dir=self.folder / "data")

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker process like those of production."""
        worker = subprocess.Popen(
            [sys.executable, __file__, "worker", str(self.folder / "data"), self.conninfo],
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT / "src")},
        )
        self.workers.append(worker)
        return worker

    def start_command(self, workers: int) -> subprocess.Popen[bytes]:
        """Start `ctiscraper worker` as a service supervisor does; what it says goes to `log`."""
        program = Path(sys.executable).with_name("ctiscraper")
        settings = {**self.environment, "DATABASE_URL": self.conninfo}
        with self.log.open("ab") as said:
            worker = subprocess.Popen(
                [program, "worker", "--data", self.folder / "data", "--workers", str(workers)],
                env={**os.environ, **settings, "PYTHONPATH": str(ROOT / "src")},
                stderr=said,
            )
        self.workers.append(worker)
        return worker

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    async def start_workers(self, database: Database, count: int) -> None:
        """Start workers and wait until each has its parsers ready."""
        async with database.connection() as conn:
            await conn.execute("DELETE FROM worker_heartbeat")
            for _ in range(count):
                self.start_worker()
            while True:
                cursor = await conn.execute("SELECT count(*) FROM worker_heartbeat")
                row = await cursor.fetchone()
                if row is not None and row[0] >= count:
                    break
                await asyncio.sleep(0.1)
        await asyncio.sleep(2)

    def stop_workers(self) -> None:
        for worker in self.workers:
            # A frozen one hears nothing until it goes on.
            for number in (signal.SIGTERM, signal.SIGCONT):
                with contextlib.suppress(ProcessLookupError):
                    worker.send_signal(number)
        for worker in self.workers:
            worker.wait()
        self.workers.clear()

    def postgres_cpu(self) -> float:
        pid = self.server.pid
        return cpu_of_tree(pid) if pid else 0.0

    def worker_cpu(self) -> float:
        return sum(cpu_of_tree(worker.pid) for worker in self.workers)


@asynccontextmanager
async def installation(
    environment: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None
) -> AsyncIterator[Installation]:
    """Yield a migrated installation; everything of it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ctiscraper-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg", find_binaries(), options=dict(options or {}))
    await server.start()
    made = Installation(folder, {**EGRESS, **(environment or {})}, server)
    try:
        await asyncio.to_thread(upgrade, made.conninfo)
        yield made
    finally:
        made.stop_workers()
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def services(made: Installation) -> AsyncIterator[Services]:
    """Yield the parts of the product in this process."""
    async with open_services(made.settings(), made.conninfo) as parts:
        yield parts


@asynccontextmanager
async def filled(
    made: Installation, sizes: Sequence[int], fill: Callable[[Conn, int], Awaitable[None]]
) -> AsyncIterator[dict[int, Database]]:
    """Yield by its size a database for each, with sources, filled with so many articles."""
    async with Database(made.conninfo) as admin, admin.connection() as conn:
        for size in sizes:
            await conn.execute(f"CREATE DATABASE rows_{size}")
    async with AsyncExitStack() as stack:
        databases = {}
        for size in sizes:
            conninfo = made.server.conninfo_for(f"rows_{size}")
            await asyncio.to_thread(upgrade, conninfo)
            database = Database(conninfo, statement_seconds=3600)
            databases[size] = await stack.enter_async_context(database)
            await Sources(database).seed(tuple(sources(SOURCES)))
            started = time.monotonic()
            async with database.connection() as conn:
                await fill(conn, size)
                await conn.execute("CHECKPOINT")
            print(f"{size:,} articles filled in {time.monotonic() - started:.0f} s", flush=True)
        yield databases


async def timed(
    conn: Conn, query: str, values: Sequence[tuple[object, ...]], *, planning: bool
) -> list[float]:
    """Return, sorted, the server's own milliseconds for each of these, after one warm round."""
    spent: list[float] = []
    for _ in range(2):
        spent.clear()
        for row in values:
            cursor = await conn.execute(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {query}", row)
            found = await cursor.fetchone()
            assert found is not None
            plan = found[0][0]
            spent.append(plan["Execution Time"] + (plan["Planning Time"] if planning else 0))
    return sorted(spent)


def middle_and_late(spent: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile of sorted figures."""
    return spent[len(spent) // 2], spent[min(len(spent) - 1, int(len(spent) * 0.95))]


async def counts(database: Database) -> dict[str, int]:
    """Return the accounting of the whole installation."""
    names = ("discovered", "stored", "duplicate", "filtered", "failed", "dead", "pending")
    columns = ", ".join(f"coalesce(sum({name}), 0)::int" for name in names)
    async with database.connection() as conn:
        cursor = await conn.execute(f"SELECT {columns} FROM accounting")
        row = await cursor.fetchone()
    assert row is not None
    return dict(zip(names, row, strict=True))


async def until_idle(database: Database, *, expected: int, seconds: float) -> float:
    """Return the seconds until `expected` items are announced, ended and compared.

    Asks with little work for the server: its CPU is being counted.
    """
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        async with database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT (SELECT count(*) FROM fetch_job) >= %s AND NOT EXISTS
                    (SELECT 1 FROM fetch_job WHERE state IN ('pending', 'leased'))
                    AND NOT EXISTS (SELECT 1 FROM outbox)
                """,
                (expected,),
            )
            row = await cursor.fetchone()
        if row is not None and row[0]:
            return time.monotonic() - started
        await asyncio.sleep(0.5)
    raise SystemExit(f"not done after {seconds} s: {await counts(database)}")


if __name__ == "__main__" and sys.argv[1:2] == ["worker"]:
    import structlog
    import uvloop

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    uvloop.run(work(load_settings(data_dir=Path(sys.argv[2])), WorkOrder(conninfo=sys.argv[3])))

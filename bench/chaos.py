"""Kill and freeze workers at random moments, restart PostgreSQL, and count what is left.

Run: .venv/bin/python bench/chaos.py [--hosts 25] [--items 200] [--events 300] [--workers 4]
     .venv/bin/python bench/chaos.py --engine     10,000 articles of 50 hosts, six workers that
     hear the bell of two beats, 500 kills and freezes, three restarts of PostgreSQL, three times
     an emptied Redis and once none for a minute.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
from redis.asyncio import Redis as Client
from redis.exceptions import RedisError

import rig
from ctiscraper.config import load_settings
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.errors import StorageError
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.valkey import EmbeddedValkey

LEASE = 5.0
POISON = ("/a/7", "/a/11")
POISONED = "127.10.0.1"
# Who takes one of them is told of at once: what is stored is sent in one go, and kept whoever ends.
TOLD = (
    b"""
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NOTIFY taken; RETURN NULL; END'
    """,
    *(
        f"""
        CREATE TRIGGER tell_{number} AFTER UPDATE OF state ON fetch_job FOR EACH ROW
        WHEN (NEW.state = 'leased' AND NEW.host = '{POISONED}' AND NEW.url LIKE '%{path}')
        EXECUTE FUNCTION tell()
        """.encode()
        for number, path in enumerate(POISON)
    ),
)
# The share of pages that kills may cost a second time.
MOST_AGAIN = 0.03


def spread(events: int, times: int) -> set[int]:
    """Return the events, evenly apart, at which something happens so many times."""
    return {(n + 1) * events // (times + 1) for n in range(times)}


class Redis:
    """A Redis that is emptied, and away for a while."""

    def __init__(self, server: EmbeddedValkey) -> None:
        self.server = server

    async def flush(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            async with Client.from_url(self.server.url) as client:
                await client.flushall()

    async def be_away(self, seconds: float) -> None:
        """End the server as often as its keeper starts it, for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (pid := self.server.pid) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.02)


class Chaos:
    """The driver: it ends processes it started, by their numbers."""

    def __init__(
        self, made: rig.Installation, options: argparse.Namespace, redis: "Redis | None"
    ) -> None:
        self.made = made
        self.redis = redis
        self.outage: asyncio.Task[None] | None = None
        self.options = options
        self.random = random.Random(options.seed)
        self.events: Counter[str] = Counter()
        self.frozen: list[tuple[float, int]] = []
        self.done = False

    async def keep_workers(self) -> None:
        """Start a worker for each one that ended, as a supervisor does."""
        while not self.done:
            alive = [worker for worker in self.made.workers if worker.poll() is None]
            self.made.workers[:] = alive
            for _ in range(self.options.workers - len(alive)):
                self.made.start_worker()
            now = time.monotonic()
            for due, pid in [entry for entry in self.frozen if entry[0] <= now]:
                self.frozen.remove((due, pid))
                self._signal(pid, signal.SIGCONT)
            await asyncio.sleep(0.05)

    async def disturb(self) -> None:
        """Kill most, freeze some beyond their lease, and restart PostgreSQL now and then."""
        restarts = spread(self.options.events, self.options.restarts)
        flushes = spread(self.options.events, self.options.flushes)
        outage = self.options.events // 2 if self.options.outage else -1
        for event in range(self.options.events):
            await asyncio.sleep(self.random.uniform(0.2, 0.8))
            if event in restarts:
                self._signal(self.made.server.pid or 0, signal.SIGQUIT)
                self.events["postgresql immediate restart"] += 1
            if self.redis is not None and event in flushes:
                await self.redis.flush()
                self.events["redis emptied"] += 1
            if self.redis is not None and event == outage:
                self.outage = asyncio.create_task(self.redis.be_away(self.options.outage))
                self.events[f"redis away for {self.options.outage:.0f} s"] += 1
            worker = self.random.choice(self.made.workers)
            if worker.pid in {pid for _, pid in self.frozen} or self.random.random() < 0.85:
                self._signal(worker.pid, signal.SIGKILL)
                self.events["SIGKILL"] += 1
            else:
                self._signal(worker.pid, signal.SIGSTOP)
                self.frozen.append((time.monotonic() + LEASE * 1.5, worker.pid))
                self.events["SIGSTOP beyond the lease"] += 1

    async def poison(self) -> None:
        """End whichever worker holds a poison item, every time."""
        while not self.done:
            try:
                async with await psycopg.AsyncConnection.connect(self.made.conninfo) as conn:
                    await self._poison(conn)
            except psycopg.OperationalError:
                await asyncio.sleep(0.2)

    async def _poison(self, conn: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        await conn.set_autocommit(True)
        await conn.execute("LISTEN taken")
        while not self.done:
            cursor = await conn.execute(
                """
                SELECT DISTINCT h.pid FROM fetch_job j JOIN worker_heartbeat h USING (worker)
                WHERE j.state = 'leased' AND j.url LIKE ANY(%s) AND j.host = ANY(%s)
                """,
                ([f"%{path}" for path in POISON], [POISONED]),
            )
            alive = {worker.pid for worker in self.made.workers if worker.poll() is None}
            for (pid,) in await cursor.fetchall():
                if pid in alive:
                    self._signal(int(str(pid)), signal.SIGKILL)
                    self.events["killed by a poison item"] += 1
            async for _ in conn.notifies(timeout=0.02, stop_after=1):
                pass

    def _signal(self, pid: int, number: int) -> None:
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                self.events["was gone already"] += 1


async def _settled(made: rig.Installation, expected: int, seconds: float) -> None:
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            async with Database(made.conninfo, size=2) as database:
                await rig.until_idle(database, expected=expected, seconds=seconds)
                return
        except StorageError:
            await asyncio.sleep(0.5)


async def _report(database: Database, expected: int) -> bool:
    counts = await rig.counts(database)
    async with database.connection() as conn:

        async def value(query: str) -> int:
            cursor = await conn.execute(query)
            row = await cursor.fetchone()
            return int(row[0]) if row else 0

        articles = await value("SELECT count(*) FROM article")
        addresses = await value("SELECT count(DISTINCT url) FROM article")
        analysed = await value("SELECT count(*) FROM analysis")
        poison = await value("SELECT count(*) FROM fetch_job WHERE state = 'dead' AND attempts = 5")
        most = await value("SELECT max(attempts) FROM fetch_job WHERE state <> 'dead'")
    print("accounting", counts)
    print(
        f"articles {articles}, distinct addresses {addresses}, compared {analysed},"
        f" dead after exactly 5 attempts {poison}, most attempts of an innocent item {most}"
    )
    lost = expected - articles - counts["dead"]
    print(f"lost {lost}, doubled {articles - addresses}")
    return lost == 0 and articles == addresses == analysed and poison == counts["dead"] == 2


@contextlib.asynccontextmanager
async def bells(options: argparse.Namespace) -> AsyncIterator[Redis | None]:
    """Yield a Redis that two beats ring on, None without the engine."""
    if not options.engine:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedValkey(Path(folder)) as server:
            settings = load_settings(redis_url=server.url)
            async with Beat(settings), Beat(settings):
                yield Redis(server)


async def main(options: argparse.Namespace) -> None:
    expected = options.hosts * options.items
    arguments = ["--hosts", str(options.hosts), "--items", str(options.items), "--prerender"]
    environment = {"CTISCRAPER_LEASE_SECONDS": str(LEASE), "CTISCRAPER_CONCURRENCY": "4"}
    with rig.internet(*arguments):
        async with bells(options) as redis:
            if redis is not None:
                environment["REDIS_URL"] = redis.server.url
            async with rig.installation(environment) as made:
                good = await run(made, options, redis, expected)
    raise SystemExit(0 if good else 1)


async def run(
    made: rig.Installation, options: argparse.Namespace, redis: Redis | None, expected: int
) -> bool:
    """Return whether nothing was lost or doubled and little was fetched again."""
    async with Database(made.conninfo) as database:
        await Sources(database).seed(tuple(rig.sources(options.hosts)))
        async with database.connection() as conn:
            for statement in TOLD:
                await conn.execute(statement)
    chaos = Chaos(made, options, redis)
    started = time.monotonic()
    helpers = [asyncio.create_task(chaos.keep_workers()), asyncio.create_task(chaos.poison())]
    await chaos.disturb()
    if chaos.outage is not None:
        await chaos.outage
    await _settled(made, expected, 900)
    chaos.done = True
    await asyncio.gather(*helpers)
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s, {dict(chaos.events)}")
    requests = rig.control("/stats")["req"]
    assert isinstance(requests, dict)
    again = sum(count for kind, count in requests.items() if kind.startswith("page")) / expected - 1
    print("requests", requests, f"fetched again {again:.2%}")
    async with Database(made.conninfo) as database:
        return await _report(database, expected) and again <= MOST_AGAIN


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--events", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    hosts, events, workers = (50, 500, 6) if given.engine else (25, 300, 4)
    given.hosts = given.hosts or hosts
    given.events = given.events or events
    given.workers = given.workers or workers
    given.restarts, given.flushes, given.outage = (3, 3, 60.0) if given.engine else (2, 0, 0.0)
    asyncio.run(main(given))

"""Kill and freeze workers at random moments, restart PostgreSQL, and count what is left.

Run: .venv/bin/python bench/chaos.py [--hosts 25] [--items 200] [--events 300] [--workers 4]
     .venv/bin/python bench/chaos.py --engine     10,000 articles of 50 hosts, 500 kills and
     freezes, three restarts of PostgreSQL, three times an emptied Redis and once none for a minute.

With the engine three processes of `ctiscraper worker` with two workers each hear the bell of two
beats; parents are killed as their workers are, and some of the frozen never go on by themselves:
their parent's watchdog ends them. Without it four workers run by themselves and only look.
What stored texts name is looked for as in any installation; `--no-enrich` leaves that out.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
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
SETTLED_WITHIN = 900.0


# Of the processes that are killed under the engine so many are parents.
PARENTS = 0.25
# Of a worker that is younger (s) no sign of life may have been seen: its parent is patient then.
GROWN = 5.0
RESTART, FLUSH, OUTAGE = "postgresql immediate restart", "redis emptied", "redis away"


def timetable(options: argparse.Namespace) -> dict[int, str]:
    """Return what else happens at which event: each at a time of its own, evenly apart.

    Redis comes back from its absence before the next is due.
    """
    turns = itertools.zip_longest([RESTART] * options.restarts, [FLUSH] * options.flushes)
    kinds = [kind for turn in turns for kind in turn if kind]
    if options.outage:
        middle = len(kinds) // 2
        kinds[middle:middle] = [OUTAGE, "", ""]
    apart = options.events / (len(kinds) + 1)
    return {int((number + 1) * apart): kind for number, kind in enumerate(kinds) if kind}


class Redis:
    """A Redis that is emptied, and away for a while."""

    def __init__(self, server: EmbeddedValkey) -> None:
        self.server = server

    async def flush(self) -> None:
        """Return once Redis has said that it is empty."""
        while True:
            try:
                async with Client.from_url(self.server.url) as client:
                    await client.flushall()
            except (RedisError, OSError):
                await asyncio.sleep(0.1)
            else:
                return

    async def be_away(self, seconds: float) -> None:
        """End the server as often as its keeper starts it, for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (pid := self.server.pid) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.02)


class Chaos:
    """The driver: it ends processes it started, or that those have started, by their numbers."""

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
        self.left_frozen: set[int] = set()
        self.children: dict[int, psutil.Process] = {}
        self.done = False

    async def keep_workers(self) -> None:
        """Start a worker for each one that ended, as a supervisor does."""
        while not self.done:
            alive = [worker for worker in self.made.workers if worker.poll() is None]
            self.made.workers[:] = alive
            for _ in range(self.options.processes - len(alive)):
                if self.options.engine:
                    self.made.start_command(self.options.workers // self.options.processes)
                else:
                    self.made.start_worker()
            self._see_children()
            now = time.monotonic()
            for due, pid in [entry for entry in self.frozen if entry[0] <= now]:
                self.frozen.remove((due, pid))
                self._signal(pid, signal.SIGCONT)
            await asyncio.sleep(0.05)

    def _see_children(self) -> None:
        """Note the workers of each parent; one outlives a parent that was killed for a moment."""
        for parent in self.made.workers:
            for pid in _children(parent.pid) - self.children.keys():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child = psutil.Process(pid)
                    if "ctiscraper.tasks.run" in child.cmdline():
                        self.children[pid] = child
        self.children = {pid: child for pid, child in self.children.items() if _lives(child)}

    @property
    def working(self) -> list[int]:
        """The processes that work, without those that only watch over them."""
        if self.options.engine:
            return list(self.children)
        return [worker.pid for worker in self.made.workers if worker.poll() is None]

    async def disturb(self) -> None:
        """Kill most, freeze some beyond their lease, and let other things happen meanwhile."""
        others = timetable(self.options)
        for event in range(self.options.events):
            await asyncio.sleep(self.random.uniform(0.2, 0.8))
            if event in others:
                await self._happen(others[event])
            while not self._victims():
                await asyncio.sleep(0.05)
            self._strike()

    async def _happen(self, kind: str) -> None:
        """Let something happen that is no worker's end; it counts once it has."""
        if kind == RESTART:
            while self.made.server.pid is None:
                await asyncio.sleep(0.05)
            self._signal(self.made.server.pid, signal.SIGQUIT)
        elif kind == FLUSH and self.redis is not None:
            await self.redis.flush()
        elif kind == OUTAGE and self.redis is not None:
            self.outage = asyncio.create_task(self.redis.be_away(self.options.outage))
            kind = f"{OUTAGE} for {self.options.outage:.0f} s"
        self.events[kind] += 1

    def _victims(self) -> list[int]:
        """The workers that may be struck: all but one that waits for its watchdog."""
        return [pid for pid in self.working if pid not in self.left_frozen]

    def _parents(self) -> list[int]:
        """The parents that may be struck: their watchdog is not waited for."""
        left = self.left_frozen & self.children.keys()
        return [one.pid for one in self.made.workers if not left & _children(one.pid)]

    def _strike(self) -> None:
        """Kill or freeze one process."""
        pid = self.random.choice(self._victims())
        parents = self._parents()
        if self.options.engine and parents and self.random.random() < PARENTS:
            self._signal(self.random.choice(parents), signal.SIGKILL)
            self.events["SIGKILL of a parent"] += 1
        elif pid in {frozen for _, frozen in self.frozen} or self.random.random() < 0.85:
            self._signal(pid, signal.SIGKILL)
            self.events["SIGKILL"] += 1
        else:
            self._signal(pid, signal.SIGSTOP)
            self.events["SIGSTOP beyond the lease"] += 1
            self._leave_or_wake(pid)

    def _leave_or_wake(self, pid: int) -> None:
        """Let a frozen worker go on after its lease, or leave it, one at a time, to its parent."""
        child = self.children.get(pid)
        left = self.left_frozen & self.children.keys()
        if child is not None and not left and time.time() - child.create_time() > GROWN:
            self.left_frozen.add(pid)
            self.events["of them left to a watchdog"] += 1
        else:
            self.frozen.append((time.monotonic() + LEASE * 1.5, pid))

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
            for (pid,) in await cursor.fetchall():
                if pid in self.working:
                    self._signal(int(str(pid)), signal.SIGKILL)
                    self.events["killed by a poison item"] += 1
            async for _ in conn.notifies(timeout=0.02, stop_after=1):
                pass

    def _signal(self, pid: int, number: int) -> None:
        if pid:
            if number == signal.SIGKILL:
                # Until it is waited for it looks as if it were there.
                self.children.pop(pid, None)
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                self.events["was gone already"] += 1


def _children(pid: int) -> set[int]:
    """Return the children of a process, without a look at all others: a poison item waits."""
    found: set[int] = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(child) for child in listed.read_text("ascii").split()}
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _settled(made: rig.Installation, expected: int, seconds: float) -> None:
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            async with Database(made.conninfo, size=2) as database:
                await rig.until_idle(database, expected=expected, seconds=seconds)
                while await _untold(database) and time.monotonic() - started < seconds:
                    await asyncio.sleep(0.5)
                return
        except StorageError:
            await asyncio.sleep(0.5)


async def _untold(database: Database) -> int:
    """Return how many texts wait to be looked through; without enrichment nobody asks for it."""
    async with database.connection() as conn:
        cursor = await conn.execute("SELECT count(*) FROM enrichment_job")
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _report(database: Database, options: argparse.Namespace, expected: int) -> bool:
    counts = await rig.counts(database)
    async with database.connection() as conn:

        async def value(query: str) -> int:
            cursor = await conn.execute(query)
            row = await cursor.fetchone()
            return int(row[0]) if row else 0

        articles = await value("SELECT count(*) FROM article")
        addresses = await value("SELECT count(DISTINCT url) FROM article")
        done = "SELECT count(*) FROM analysis WHERE stage = '{}'"
        compared = await value(done.format("near_duplicate"))
        enriched = await value(done.format("enrichment"))
        poison = await value("SELECT count(*) FROM fetch_job WHERE state = 'dead' AND attempts = 5")
        most = await value("SELECT max(attempts) FROM fetch_job WHERE state <> 'dead'")
    print("accounting", counts)
    print(
        f"articles {articles}, distinct addresses {addresses}, compared {compared}, looked through"
        f" {enriched} (enrichment {'on' if options.enrich else 'off'}), dead after exactly"
        f" 5 attempts {poison}, most attempts of an innocent item {most}"
    )
    lost = expected - articles - counts["dead"]
    print(f"lost {lost}, doubled {articles - addresses}")
    looked = enriched == (articles if options.enrich else 0)
    whole = articles == addresses == compared and looked
    return lost == 0 and whole and poison == counts["dead"] == 2


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
    rig.PORT, rig.CONTROL = options.port, options.port - 1
    environment = {
        "CTISCRAPER_LEASE_SECONDS": str(LEASE),
        "CTISCRAPER_CONCURRENCY": "4",
        "CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,443,{rig.PORT}",
    }
    with rig.internet(*arguments):
        async with bells(options) as redis:
            if options.enrich:
                environment |= rig.ENRICH
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
    async with asyncio.TaskGroup() as group:
        for watch in (chaos.keep_workers(), chaos.poison()):
            group.create_task(watch)
        await chaos.disturb()
        if chaos.outage is not None:
            await chaos.outage
        await _settled(made, expected, SETTLED_WITHIN)
        chaos.done = True
    chaos.events["ended by a watchdog"] = _watchdogs(made)
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s, {dict(chaos.events)}")
    if options.engine:
        print(f"{options.processes} times ctiscraper worker, {options.workers} workers in all")
    requests = rig.control("/stats")["req"]
    assert isinstance(requests, dict)
    again = sum(count for kind, count in requests.items() if kind.startswith("page")) / expected - 1
    print("requests", requests, f"fetched again {again:.2%}")
    async with Database(made.conninfo) as database:
        return await _report(database, options, expected) and again <= MOST_AGAIN


def _watchdogs(made: rig.Installation) -> int:
    """Return how many workers parents say that they ended as wedged."""
    return made.log.read_bytes().count(b"worker_wedged") if made.log.exists() else 0


def chosen() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--events", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without Redis")
    parser.add_argument("--port", type=int, default=rig.PORT, help="of the local internet")
    parser.add_argument("--enrich", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    hosts, events, workers = (50, 500, 6) if given.engine else (25, 300, 4)
    given.hosts = given.hosts or hosts
    given.events = given.events or events
    given.workers = given.workers or workers
    given.processes = max(1, given.workers // 2) if given.engine else given.workers
    given.restarts, given.flushes = (3, 3) if given.engine else (2, 0)
    given.outage = given.outage if given.engine else 0.0
    return given


if __name__ == "__main__":
    asyncio.run(main(chosen()))

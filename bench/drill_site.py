"""An installation for drills: a server that asks for passwords, services as processes, readers."""

import asyncio
import contextlib
import http.client
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.cluster import SUPERUSER
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.types import Tier
from internet.world import FakeInternet
from people import person, session_of
from servers import OwnServer, own_server

# What a container of ours has from SIGTERM to SIGKILL (compose.yaml and the task definitions).
STOP_SECONDS = 60.0
PATIENCE = 120.0
NAME = "drill"
RULES = f"""
local all {SUPERUSER} trust
host all all 127.0.0.1/32 scram-sha-256
"""
PAGES = ("/", "/api/v1/articles?limit=5", "/sources", "/api/v1/sources", "/accounting")
# All readers of a drill come from one address, where Nginx lets an address ask 50 times a second.
WIDE = {"NGINX_RATE": "5000r/s", "NGINX_BURST": "5000", "NGINX_CONNECTIONS": "1000"}


@dataclass
class Service:
    """A process of the product, or of Nginx."""

    name: str
    process: "subprocess.Popen[bytes]"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Return the seconds it takes to end in order. Raises when it is late or ends otherwise."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        if code != 0:
            raise RuntimeError(f"{self.name} ended with {code}")
        return time.monotonic() - began

    def end(self) -> None:
        """Be sure that it is gone; asked first, since it ends what it started itself."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class DrillSite:
    """A migrated database whose user has a password, and the services that are started on it."""

    server: OwnServer
    folder: Path
    password: str
    session: str = ""
    services: list[Service] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def password_file(self) -> Path:
        return self.folder / "database-password"

    @property
    def environment(self) -> dict[str, str]:
        """What the settings of a service are read from."""
        return {
            "DATABASE_URL": f"postgresql://{NAME}@127.0.0.1:{self.server.port}/{NAME}",
            "DATABASE_PASSWORD_FILE": str(self.password_file),
            "CTISCRAPER_DATA_DIR": str(self.folder / "data"),
            "CTISCRAPER_ENRICH": "false",
            "CTISCRAPER_LEASE_SECONDS": "10",
            "CTISCRAPER_WORKERS": "1",
            **self.more,
        }

    def start(self, *arguments: str, source: Path | None = None) -> Service:
        """Start a command of the product, of another tree when one is given."""
        path = {"PYTHONPATH": str(source)} if source else {}
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ctiscraper.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment, **path},
                cwd=self.folder,
            )
        service = Service(" ".join(arguments), process)
        self.services.append(service)
        return service

    async def start_web(
        self, port: int, host: str = "127.0.0.1", source: Path | None = None
    ) -> Service:
        """Start a web process, and return it once it is ready to serve."""
        service = self.start("web", "--host", host, "--port", str(port), source=source)
        await until(lambda: is_ready(host, port), service)
        return service

    async def start_worker(self, *arguments: str, source: Path | None = None) -> Service:
        """Start a worker command, and return it once its worker has said that it is there."""
        before = self.value("SELECT count(*) FROM worker_heartbeat")
        service = self.start("worker", *arguments, source=source)
        await until(lambda: self.value("SELECT count(*) FROM worker_heartbeat") > before, service)
        return service

    def connect(self, **parts: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection of the superuser, unless `parts` say otherwise."""
        return psycopg.connect(self.server.conninfo(NAME, **parts), autocommit=True)

    def value(self, query: str) -> int:
        """Return the one number that a query gives."""
        with self.connect() as conn:
            row = conn.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def settled(self) -> bool:
        """Whether all that was announced has ended, and every source was looked at."""
        return bool(
            self.value(
                """
                SELECT (NOT EXISTS (SELECT 1 FROM source_state WHERE last_success_at IS NULL)
                    AND NOT EXISTS (SELECT 1 FROM fetch_job WHERE state IN ('pending', 'leased'))
                    AND NOT EXISTS (SELECT 1 FROM outbox))::int
                """
            )
        )

    def kept(self) -> dict[str, int]:
        """Return what became of all that was announced."""
        stored = "SELECT count(*) FROM article"
        return {
            "announced": self.value("SELECT coalesce(sum(discovered), 0) FROM accounting"),
            "stored": self.value(stored),
            "doubled": self.value("SELECT count(*) - count(DISTINCT url) FROM article"),
            "failed": self.value("SELECT coalesce(sum(failed + dead), 0) FROM accounting"),
        }


def is_ready(host: str, port: int) -> bool:
    """Return whether a web process serves."""
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        contextlib.closing(http.client.HTTPConnection(host, port, timeout=5)) as connection,
    ):
        connection.request("GET", "/health/ready", headers={"Host": "localhost"})
        answer = connection.getresponse()
        answer.read()
        return answer.status == HTTPStatus.OK
    return False


async def until(holds: Callable[[], object], service: Service | None = None) -> None:
    """Return once something holds. Raises when it never does, or the service ends meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(holds):
            if service is not None and service.process.poll() is not None:
                raise RuntimeError(f"{service.name} ended at its start")
            await asyncio.sleep(0.05)


def write_password(file: Path, password: str) -> None:
    """Put a password into a file as who mounts secrets does: whole, or not at all."""
    draft = file.with_suffix(".new")
    draft.write_text(password, "ascii")
    draft.replace(file)


@asynccontextmanager
async def drill_site(
    folder: Path, binaries: PgBinaries, *, net: FakeInternet | None = None
) -> AsyncIterator[DrillSite]:
    """Yield an installation whose processes are gone afterwards; it has no sources yet."""
    password = "first-password-of-the-drill"
    async with own_server(folder / "pg", binaries, max_connections="100") as server:
        server.give(_with_rules(server))
        server.run(
            "SELECT pg_reload_conf()",
            f"CREATE ROLE {NAME} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {NAME} OWNER {NAME}",
        )
        site = DrillSite(server, folder, password)
        if net is not None:
            site.more |= {
                "CTISCRAPER_MIN_GAP": "0",
                "CTISCRAPER_EGRESS_ALLOW_CIDRS": ",".join(map(str, net.networks)),
                "CTISCRAPER_EGRESS_ALLOW_PORTS": ",".join(map(str, net.ports)),
            }
        write_password(site.password_file, password)
        conninfo = server.conninfo(NAME, user=NAME, password=password, host="127.0.0.1")
        await asyncio.to_thread(upgrade, conninfo)
        try:
            yield site
        finally:
            for service in site.services:
                service.end()


def _with_rules(server: OwnServer) -> Path:
    rules = server.cluster.folder / "pg_hba.conf"
    rules.write_text(RULES, "ascii")
    return rules


async def add_sources(site: DrillSite, net: FakeInternet) -> None:
    """Let the sites of the fake internet be sources, every other one premium."""
    tiers = itertools.cycle((Tier.PREMIUM, Tier.BASIC))
    sources = tuple(replace(each, tier=next(tiers)) for each in net.sources())
    async with Database(site.server.conninfo(NAME), size=1) as database:
        await Sources(database).seed(sources)


async def let_in(site: DrillSite) -> None:
    """Let somebody in who reads; a session may ask as often as it likes, unlike a token."""
    async with Database(site.server.conninfo(NAME), size=1) as database:
        site.session = await session_of(database, await person(database))


@dataclass
class Readers:
    """Threads that ask for pages again and again, and what came of it."""

    address: tuple[str, int]
    session: str
    paths: Sequence[str] = PAGES
    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """How many requests have ended."""
        return sum(self.answers.values()) + len(self.failures)

    @property
    def failed(self) -> list[str]:
        """What went wrong: no answer, or another than was asked for."""
        wrong = [
            f"{n} times {status}" for status, n in self.answers.items() if status != HTTPStatus.OK
        ]
        return [*self.failures, *wrong]

    def more(self, count: int) -> None:
        """Let so many further threads ask."""
        for _ in range(count):
            thread = threading.Thread(target=self._ask_on, name="reader")
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Let nobody ask any more."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    async def until(self, asked: int) -> None:
        """Return once so many requests have ended."""
        async with asyncio.timeout(PATIENCE * 5):
            while self.asked < asked:
                await asyncio.sleep(0.02)

    def _ask_on(self) -> None:
        while not self._over.is_set():
            path = self.paths[next(self._turn) % len(self.paths)]
            try:
                status = self._ask(path)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{path}: {error!r}")
            else:
                self.answers[status] += 1

    def _ask(self, path: str) -> int:
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request("GET", path, headers={"Cookie": f"ctiscraper={self.session}"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


@contextmanager
def reading(
    port: int, session: str, *, threads: int = 4, paths: Sequence[str] = PAGES
) -> Iterator[Readers]:
    """Let threads read for as long as the block lasts."""
    readers = Readers(("127.0.0.1", port), session, paths)
    readers.more(threads)
    try:
        yield readers
    finally:
        readers.end()

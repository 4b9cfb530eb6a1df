"""New passwords for PostgreSQL and Redis while people read and workers collect."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from redis import AuthenticationError, Redis

from ctiscraper.db.binaries import PgBinaries
from deploy.edge import edge, free_port, wait_for
from drill_site import (
    NAME,
    WIDE,
    DrillSite,
    Readers,
    Service,
    add_sources,
    drill_site,
    let_in,
    reading,
    until,
    write_password,
)
from internet.world import FakeInternet

FIRST, SECOND = "first-password-of-redis", "second-password-of-redis"
RENEWED = "second-password-of-the-drill"


@dataclass(frozen=True, kw_only=True)
class RotationReport:
    """What readers and workers saw of it, and the connections before and after."""

    asked: int
    failed: list[str]
    kept: dict[str, int]
    expected: int
    survived: int
    connected_anew: int
    refused_by_database: int
    refused_by_redis: int
    heard_again: int
    old_is_refused: bool
    seconds: float


def redis_program() -> str | None:
    """Return a Redis or Valkey server of this machine, None where there is none."""
    return shutil.which("valkey-server") or shutil.which("redis-server")


@asynccontextmanager
async def redis_of(site: DrillSite, program: str) -> AsyncIterator[tuple[Redis, Path]]:
    """Yield a client of a Redis that asks for a password, and the file that holds it."""
    port, file = free_port(), site.folder / "redis-password"
    write_password(file, FIRST)
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(
        [*command, "--requirepass", FIRST, "--dir", str(site.folder)], stdout=subprocess.DEVNULL
    )
    service = Service("redis", process)
    # A connection of the drill's own, let in once; it sees both passwords come and go.
    client = Redis(port=port, password=FIRST)
    try:
        await asyncio.to_thread(wait_for, port, process)
        site.more |= {
            "REDIS_URL": f"redis://127.0.0.1:{port}/0",
            "REDIS_PASSWORD_FILE": str(file),
        }
        yield client, file
    finally:
        client.close()
        service.end()


async def rotation_drill(
    folder: Path, binaries: PgBinaries, redis: str, *, hosts: int, items: int, asked: int
) -> RotationReport:
    """Return what came of renewing both passwords amid so many requests and items."""
    async with (
        FakeInternet(hosts=hosts, items=items, latency=0.1) as net,
        drill_site(folder, binaries, net=net) as site,
        redis_of(site, redis) as (client, file),
    ):
        await let_in(site)
        await add_sources(site, net)
        port = free_port()
        await site.start_web(port)
        site.start("beat")
        worker = await site.start_worker()
        with (
            edge(folder, port, **WIDE) as door,
            reading(door.port, site.session, threads=1) as readers,
        ):
            await readers.until(asked // 3)
            began = time.monotonic()
            before = _backends(site)
            moment = site.value("SELECT extract(epoch FROM clock_timestamp())::bigint")
            _renew_database(site)
            renewed = _log_length(site)
            refused = _refused_by_redis(client)
            _renew_redis(client, file)
            seconds = time.monotonic() - began
            await _press_on(worker, readers, asked)
            await until(site.settled)
            await until(lambda: _since(site, moment))
            await until(lambda: _strangers(client))
            heard = len(_strangers(client))
            return RotationReport(
                asked=readers.asked,
                failed=readers.failed,
                kept=site.kept(),
                expected=hosts * items,
                survived=len(before & _backends(site)),
                connected_anew=_since(site, moment),
                refused_by_database=_refusals(site, renewed),
                refused_by_redis=_refused_by_redis(client) - refused,
                heard_again=heard,
                old_is_refused=_old_is_refused(site, client),
                seconds=seconds,
            )


async def _press_on(worker: Service, readers: Readers, asked: int) -> None:
    """Have connections made anew: a worker process ends, and more people read at a time."""
    for child in psutil.Process(worker.process.pid).children():
        os.kill(child.pid, signal.SIGKILL)
    readers.more(8)
    await readers.until(asked)


def _renew_database(site: DrillSite) -> None:
    """PostgreSQL knows one password a user: open connections stay, new ones wait for the file."""
    site.server.run(f"ALTER ROLE {NAME} PASSWORD '{RENEWED}'")
    write_password(site.password_file, RENEWED)


def _renew_redis(client: Redis, file: Path) -> None:
    """Let both in until everybody has the new one; then the old one goes, and all who had it."""
    client.acl_setuser("default", enabled=True, passwords=[f"+{SECOND}"])
    client.connection_pool.connection_kwargs["password"] = SECOND
    write_password(file, SECOND)
    client.acl_setuser("default", enabled=True, passwords=[f"-{FIRST}"])
    client.client_kill_filter(_type="normal", skipme=True)


def _strangers(client: Redis) -> list[object]:
    """Return the connections of Redis that are not the drill's."""
    own = client.client_id()
    found: list[dict[str, str]] = client.client_list()
    return [each for each in found if int(each["id"]) != own]


def _refused_by_redis(client: Redis) -> int:
    entry = client.info("errorstats").get("errorstat_WRONGPASS", {})
    return int(entry.get("count", 0))


def _backends(site: DrillSite) -> set[int]:
    with site.connect() as conn:
        query = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
        return {row[0] for row in conn.execute(query, (NAME,)).fetchall()}


def _since(site: DrillSite, moment: int) -> int:
    return site.value(
        f"""
        SELECT count(*) FROM pg_stat_activity WHERE usename = '{NAME}'
            AND backend_start > to_timestamp({moment} + 1)
        """
    )


def _log(site: DrillSite) -> Path:
    return site.server.folder / "log"


def _log_length(site: DrillSite) -> int:
    return _log(site).stat().st_size


def _refusals(site: DrillSite, start: int) -> int:
    said = _log(site).read_bytes()[start:]
    return said.count(b"password authentication failed")


def _old_is_refused(site: DrillSite, client: Redis) -> bool:
    """Return whether neither lets the first password in any more."""
    refused = 0
    try:
        site.connect(user=NAME, password=site.password, host="127.0.0.1").close()
    except psycopg.OperationalError:
        refused += 1
    with Redis(port=client.connection_pool.connection_kwargs["port"], password=FIRST) as old:
        try:
            old.ping()
        except AuthenticationError:
            refused += 1
    return refused == len(("database", "redis"))

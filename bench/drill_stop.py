"""Services are told to stop while people read and workers collect; and old beside new code."""

import asyncio
import io
import signal
import socket
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import psutil

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.server import schema_wanted
from deploy.edge import Edge, edge, exchange, free_port, render
from drill_rotation import redis_of
from drill_site import (
    WIDE,
    DrillSite,
    Readers,
    Service,
    add_sources,
    drill_site,
    let_in,
    reading,
    until,
)
from internet.world import FakeInternet

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = "src/ctiscraper/db/migrations/versions"
HOSTS = ("127.0.0.1", "127.0.0.2")
NAME = "web.drill"


@dataclass(kw_only=True)
class StopReport:
    """What was told to stop and how long each took, and what readers and workers saw of it."""

    seconds: list[tuple[str, float]] = field(default_factory=list)
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    expected: int = 0

    @property
    def whole(self) -> bool:
        """Whether no request failed, and nothing was lost or doubled."""
        good = {
            "announced": self.expected,
            "stored": self.expected,
            "doubled": 0,
            "failed": 0,
        }
        return not self.failed and self.kept == good

    def note(self, service: Service, seconds: float) -> None:
        """Note how long a service took to stop."""
        self.seconds.append((service.name.split()[0], seconds))


@contextmanager
def names(addresses: tuple[str, ...]) -> Iterator[int]:
    """Yield the port of a DNS server that gives every name these addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        thread = Thread(target=_answer, args=(listening, addresses))
        thread.start()
        port: int = listening.getsockname()[1]
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", port))
            thread.join()


def _answer(listening: socket.socket, addresses: tuple[str, ...]) -> None:
    """Answer until somebody sends nothing."""
    while True:
        asked, who = listening.recvfrom(512)
        if not asked:
            return
        end = asked.index(b"\0", 12) + 5
        wanted = addresses if asked[end - 4 : end - 2] == b"\0\x01" else ()
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
            for address in wanted
        )
        head = asked[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(wanted), 0, 0)
        listening.sendto(head + asked[12:end] + records, who)


async def stop_drill(
    folder: Path, binaries: PgBinaries, redis: str, *, hosts: int, items: int, asked: int
) -> StopReport:
    """Return what came of stopping every service once while the others go on."""
    async with (
        FakeInternet(hosts=hosts, items=items, latency=0.1) as net,
        drill_site(folder, binaries, net=net) as site,
        redis_of(site, redis),
    ):
        report = StopReport(expected=hosts * items)
        await let_in(site)
        port = free_port()
        webs = {host: await site.start_web(port, host) for host in HOSTS}
        workers = [await site.start_worker(), await site.start_worker()]
        beat = site.start("beat")
        given = {"NGINX_UPSTREAM": f"{NAME}:{port}", **WIDE}
        with (
            names(HOSTS) as dns,
            edge(folder, port, NGINX_LOCAL_RESOLVERS=f"127.0.0.1:{dns}", **given) as door,
        ):
            with reading(door.port, site.session) as readers:
                await readers.until(asked // 4)
                await add_sources(site, net)
                await until(lambda: site.value("SELECT count(*) FROM article"))
                for web, seconds in await _stop_one_by_one(site, webs, port, readers, asked // 8):
                    report.note(web, seconds)
                for worker in workers:
                    report.note(worker, await asyncio.to_thread(worker.stop))
                    await site.start_worker()
                report.note(beat, await asyncio.to_thread(beat.stop))
                site.start("beat")
                await until(site.settled)
                await readers.until(asked)
            report.asked, report.failed, report.kept = readers.asked, readers.failed, site.kept()
            report.note(Service("nginx", door.process), await _stop_nginx(door, site.session))
        return report


async def _stop_one_by_one(
    site: DrillSite, webs: dict[str, Service], port: int, readers: Readers, step: int
) -> list[tuple[Service, float]]:
    """Stop each web process while the other serves, and start it again."""
    stopped = []
    for host, web in webs.items():
        stopped.append((web, await asyncio.to_thread(web.stop)))
        await readers.until(readers.asked + step)
        await site.start_web(port, host)
        await readers.until(readers.asked + step)
    return stopped


async def _stop_nginx(door: Edge, session: str) -> float:
    """Return the seconds until Nginx is gone, although somebody listens to news through it."""
    asked = (
        f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\n"
        f"Cookie: ctiscraper={session}\r\n\r\n"
    ).encode()
    listener = asyncio.create_task(asyncio.to_thread(exchange, door.port, asked))
    # The news of a new page begin at once; Nginx writes a line for them only when they end.
    await asyncio.sleep(1)
    seconds = await asyncio.to_thread(Service("nginx", door.process).stop, signal.SIGQUIT)
    received = await listener
    if b"retry:" not in received:
        raise RuntimeError(f"nobody listened: {received!r}")
    return seconds


async def switch_drill(
    folder: Path, binaries: PgBinaries, *, asked: int, switches: int
) -> StopReport:
    """Return what readers saw of web processes that take turns behind Nginx."""
    async with drill_site(folder, binaries) as site:
        report = StopReport()
        await let_in(site)
        blue, green = free_port(), free_port()
        web = await site.start_web(blue)
        with edge(folder, blue, **WIDE) as door, reading(door.port, site.session) as readers:
            for turn in range(switches):
                await readers.until(asked * (turn + 1) // (switches + 1))
                other = await site.start_web(green)
                before = _workers_of(door)
                _point(door, green)
                # Nobody waits for the old ones once they have answered all that they took on.
                await until(lambda: not before & _workers_of(door))  # noqa: B023 - awaited in its turn
                report.note(web, await asyncio.to_thread(web.stop))
                web, blue, green = other, green, blue
            await readers.until(asked)
        report.asked, report.failed, report.kept = readers.asked, readers.failed, site.kept()
        return report


def _point(door: Edge, port: int) -> None:
    """Let Nginx read its settings anew, with another web process in them."""
    render(
        door.folder,
        NGINX_UPSTREAM=f"127.0.0.1:{port}",
        NGINX_LISTEN=f"127.0.0.1:{door.port}",
        NGINX_LISTEN_TLS=f"127.0.0.1:{door.tls_port}",
        NGINX_ROOT=str(ROOT / "src" / "ctiscraper" / "web"),
        NGINX_TLS_PORT=str(door.tls_port),
        **WIDE,
    )
    door.process.send_signal(signal.SIGHUP)


def _workers_of(door: Edge) -> set[int]:
    return {child.pid for child in psutil.Process(door.process.pid).children()}


def tree_before_newest_migration(folder: Path) -> tuple[Path, str] | None:
    """Return the sources of the last version with an older schema, and that schema's revision.

    None where the history does not reach so far.
    """
    newest = max(path.name for path in (ROOT / VERSIONS).glob("2*.py"))
    added = _git("log", "--format=%H", "--diff-filter=A", "--", f"{VERSIONS}/{newest}").split()
    if not added:
        return None
    try:
        packed = _git("archive", f"{added[-1].decode()}^", "src")
    except subprocess.CalledProcessError:
        return None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    names_there = [path.name for path in (folder / VERSIONS).glob("2*.py")]
    return folder / "src", max(names_there)[:13]


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True)
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class VersionsReport:
    """What two versions of the program did on the schema of the newer one."""

    older: str
    newer: str
    asked: dict[str, int]
    failed: list[str]
    collected: dict[str, int]
    kept: dict[str, int]
    expected: int


async def versions_drill(
    folder: Path, binaries: PgBinaries, tree: tuple[Path, str], *, items: int, asked: int
) -> VersionsReport:
    """Return what the version before and this one did side by side."""
    old, revision = tree
    async with (
        FakeInternet(hosts=2, items=items) as net,
        drill_site(folder, binaries, net=net) as site,
    ):
        await let_in(site)
        await add_sources(site, net)
        # The old one serves premium sources, the new one basic ones: each shows what it did.
        await site.start_worker("--tier", "premium", source=old)
        await site.start_worker("--tier", "basic")
        seen, failed = {}, []
        for name, source in (("older", old), ("newer", None)):
            port = free_port()
            await site.start_web(port, source=source)
            with reading(port, site.session, threads=2) as readers:
                await readers.until(asked)
            seen[name] = readers.asked
            failed += readers.failed
        await until(site.settled)
        by_tier = "SELECT count(*) FROM article WHERE tier = '{}'"
        return VersionsReport(
            older=revision,
            newer=schema_wanted(),
            asked=seen,
            failed=failed,
            collected={
                "older": site.value(by_tier.format("premium")),
                "newer": site.value(by_tier.format("basic")),
            },
            kept=site.kept(),
            expected=2 * items,
        )

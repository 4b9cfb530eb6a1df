"""People and programs on `ctiscraper stack` while it collects, and what a request costs.

Run: PYTHONPATH=tests:bench .venv/bin/python bench/load/run.py [--users 40] [--seconds 120]

All of it is on loopback and ends by itself. The exit code is 1 when a request failed or took too
long (`--p95`), or when less was collected meanwhile than 10,000 sources bring in their busiest
hour (bench/simulate_week.py).
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from ctiscraper.collect.catalog import default_catalog
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from deploy.edge import free_port
from drill_site import NAME, DrillSite, Service, add_sources, drill_site, is_ready, let_in, until
from internet.world import FakeInternet
from people import person, token_of
from rig import cpu_of_tree, memory_of_tree
from servers import chosen_binaries, reachable_folder

HERE = Path(__file__).parent
# Of 10,000 sources in the busiest hour of a simulated week.
CHECKS_A_SECOND, ARTICLES_A_SECOND = 0.62, 0.49
PARTS = ("web", "worker", "beat")


@dataclass(frozen=True, kw_only=True)
class Load:
    """How many use it for how long, what is collected meanwhile, and what is asked for."""

    users: int
    seconds: int
    hosts: int
    items: int
    p95_ms: float
    least: int


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """How locust ended, what it said, what was collected meanwhile and what all of it cost."""

    code: int
    said: str
    seconds: float
    articles: int
    checks: int
    lost: int
    cpu: dict[str, float]
    memory: dict[str, float]

    @property
    def good(self) -> bool:
        """Whether readers were served, and as much was collected as 10,000 sources bring."""
        return (
            self.code == 0
            and self.lost == 0
            and self.articles >= ARTICLES_A_SECOND * self.seconds
            and self.checks >= CHECKS_A_SECOND * self.seconds
        )


async def load(folder: Path, binaries: PgBinaries, wanted: Load) -> LoadReport:
    """Return what came of a load."""
    async with (
        FakeInternet(hosts=wanted.hosts, items=wanted.items, latency=0.2) as net,
        drill_site(folder, binaries, net=net) as site,
    ):
        # So polite that there is something to collect for as long as people read.
        gap = max(0.1, 1.2 * wanted.seconds / (wanted.items + 2))
        site.more["CTISCRAPER_MIN_GAP"] = f"{min(gap, 60):.2f}"
        await let_in(site)
        await _rest_of_the_world(site)
        port = free_port()
        stack = site.start("stack", "--port", str(port), "--workers", "1", "--json")
        await until(lambda: is_ready("127.0.0.1", port), stack)
        tokens = await _tokens(site, wanted)
        before, used = _collected(site), _cpu(stack)
        began = time.monotonic()
        asking = asyncio.create_task(asyncio.to_thread(_locust, site, port, tokens, wanted))
        await add_sources(site, net)
        done = await asking
        seconds = time.monotonic() - began
        after, spent = _collected(site), _cpu(stack)
        report = LoadReport(
            code=done.returncode,
            said=done.stdout + done.stderr,
            seconds=seconds,
            articles=after[0] - before[0],
            checks=after[1] - before[1],
            lost=site.value("SELECT count(*) FROM fetch_job WHERE state IN ('dead', 'failed')"),
            cpu={part: spent[part] - used[part] for part in PARTS},
            memory=_memory(stack),
        )
        await asyncio.to_thread(stack.stop)
        return report


async def _rest_of_the_world(site: DrillSite) -> None:
    """Let the catalogue that the stack brings be there already, all of it at rest."""
    resting = tuple(replace(each, active=False) for each in default_catalog())
    async with Database(site.server.conninfo(NAME), size=1) as database:
        await Sources(database).seed(resting)


async def _tokens(site: DrillSite, wanted: Load) -> list[str]:
    """Return a token for each user: none asks more often than a token may."""
    async with Database(site.server.conninfo(NAME), size=1) as database:
        admin = await person(database, login="programs")
        return [await token_of(database, admin) for _ in range(wanted.users)]


def _collected(site: DrillSite) -> tuple[int, int]:
    """Return the articles and the requests to sources until now."""
    return (
        site.value("SELECT count(*) FROM article"),
        site.value("SELECT coalesce(sum(requests), 0) FROM source_check"),
    )


def _locust(
    site: DrillSite, port: int, tokens: list[str], wanted: Load
) -> "subprocess.CompletedProcess[str]":
    """Return how locust ended."""
    command = [sys.executable, "-m", "locust", "-f", str(HERE / "locustfile.py"), "--headless"]
    command += ["--host", f"http://127.0.0.1:{port}", "-t", f"{wanted.seconds}s"]
    command += ["-u", str(wanted.users), "-r", str(max(1, wanted.users // 5)), "--only-summary"]
    told = {
        "LOAD_SESSION": site.session,
        "LOAD_TOKENS": ",".join(tokens),
        "LOAD_WORDS": "report,indicator,group,loader,campaign",
        "LOAD_LEAST": str(wanted.least),
        "LOAD_P95_MS": str(wanted.p95_ms),
    }
    return subprocess.run(
        command, env={**os.environ, **told}, capture_output=True, text=True, check=False
    )


def _services(stack: Service) -> dict[str, psutil.Process]:
    """Return the processes of the stack by the command that each runs."""
    found = {}
    for child in psutil.Process(stack.process.pid).children(recursive=True):
        # A parser may end just now.
        with suppress(psutil.NoSuchProcess):
            words = child.cmdline()
            if "ctiscraper.cli" in words:
                found[words[words.index("ctiscraper.cli") + 1]] = child
    return found


def _cpu(stack: Service) -> dict[str, float]:
    return {part: cpu_of_tree(process.pid) for part, process in _services(stack).items()}


def _memory(stack: Service) -> dict[str, float]:
    """Return the MB of each service, its children included."""
    return {
        part: sum(pss for _, pss in memory_of_tree(process.pid))
        for part, process in _services(stack).items()
    }


def main(given: argparse.Namespace) -> int:
    """Return the exit code, after a report."""
    wanted = Load(
        users=given.users,
        seconds=given.seconds,
        hosts=given.hosts,
        items=given.items,
        p95_ms=given.p95,
        least=given.users * given.seconds // 10,
    )
    with reachable_folder() as folder:
        report = asyncio.run(load(folder, chosen_binaries(), wanted))
    print(report.said)
    print(
        f"{report.seconds:.0f} s: {report.articles / report.seconds:.2f} articles and"
        f" {report.checks / report.seconds:.2f} checks a second, lost {report.lost}"
    )
    for part in PARTS:
        print(f"{part:7} {report.cpu[part]:7.1f} s of CPU, {report.memory[part]:6.0f} MB")
    print("good" if report.good else "NOT GOOD")
    return 0 if report.good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--p95", type=float, default=1_000.0)
    raise SystemExit(main(parser.parse_args()))

"""Hours of 200 sources with every fault of the local internet: memory, and the accounts.

Run: .venv/bin/python bench/soak.py [--minutes 150] [--hosts 200] [--workers 2] [--no-enrich]

Each fault is the feed of one host and the pages of another; the rest are well. Every half minute
all feeds have new items and all sources are due; after four times nothing is, so that the slowest
fault ends and memory can be compared: a worker's is the least resident set size of its process in
the last seconds of that rest. Its slope is that of the straight line nearest to the rests after the
first third, when every host has had its turn, and is told with its standard error.

The bar is held where the slope and its standard error together stay below it: a figure that is not
known well enough is missed, not passed. Rests that scatter by 1 MB, under five minutes from one to
the next, leave an error of 4 MB an hour after half an hour, 1.7 after one, .6 after two and .4
after two and a half; so a growth below half the bar is shown to be within it by the last only.

What stored texts name is looked for as in any installation; `--no-enrich` leaves that out.
"""

import argparse
import asyncio
import json
import math
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

import rig
from ctiscraper.config import load_settings
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.tasks.beat import Beat
from ctiscraper.tasks.valkey import EmbeddedValkey

ROUND_SECONDS, ROUNDS = 30.0, 4
# The slowest fault ends within 36 seconds; a worker gives free pages back every 20.
ENDS_SECONDS, REST_SECONDS, LOOK_SECONDS = 300.0, 25.0, 10
MOST_SLOPE = 1.0
# What a line takes of the rests before any of them can tell how well it fits.
FREE = 2
ITEMS = 5


def profiles(faults: list[str], hosts: int) -> dict[str, str]:
    """Return a fault for each host, until the faults or the hosts are used up."""
    places = [
        fault if fault.startswith("robots_") else f"{kind}_{fault}"
        for fault in faults
        for kind in (("",) if fault.startswith("robots_") else ("feed", "page"))
    ]
    return {str(host): place for host, place in enumerate(places[: hosts - hosts // 4])}


def slope(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Return slope and its standard error (MB an hour) of samples (seconds, MB)."""
    times, sizes = zip(*samples, strict=True)
    line = statistics.linear_regression(times, sizes)
    left = [y - line.intercept - line.slope * x for x, y in samples]
    spread = statistics.pvariance(times) * len(times)
    if len(times) <= FREE:
        # Two rests lie on a line whatever they are: nothing is known of how far it holds.
        return line.slope * 3600, math.inf
    error = (sum(part**2 for part in left) / (len(times) - FREE) / spread) ** 0.5
    return line.slope * 3600, error * 3600


def is_within(value: float, error: float) -> bool:
    """Return whether a slope is below the bar by all that is known of it."""
    return value + error < MOST_SLOPE


def memory(made: rig.Installation) -> dict[int, float]:
    """Return the resident set size (MB) of each worker."""
    for worker in made.workers:
        if worker.poll() is not None:
            raise SystemExit(f"a worker ended with {worker.returncode}")
    return {one.pid: psutil.Process(one.pid).memory_info().rss / 1e6 for one in made.workers}


async def least_memory(made: rig.Installation, seconds: int) -> dict[int, float]:
    """Return the least resident set size (MB) of each worker within some seconds."""
    least = memory(made)
    for _ in range(seconds):
        await asyncio.sleep(1)
        least = {pid: min(size, least[pid]) for pid, size in memory(made).items()}
    return least


async def rest(database: Database) -> None:
    """Let nothing be due, and return when what is under way has ended and memory was given back.

    However much else the machine does: what is still in hand would be counted as memory that grew.
    """
    async with database.connection() as conn:
        await conn.execute(
            "UPDATE source_state SET next_check_at = now() + interval '1 day' WHERE enabled"
        )
        await conn.execute("UPDATE host SET work_at = now() + interval '1 day'")
    async with asyncio.timeout(ENDS_SECONDS):
        while not await is_idle(database):
            await asyncio.sleep(1)
    await asyncio.sleep(REST_SECONDS)


async def is_idle(database: Database) -> bool:
    """Return whether nothing is asked for, read or compared."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT NOT EXISTS (SELECT 1 FROM fetch_job WHERE state = 'leased')
                AND NOT EXISTS (SELECT 1 FROM host WHERE lease_until > now())
                AND NOT EXISTS (SELECT 1 FROM outbox)
                AND NOT EXISTS (SELECT 1 FROM enrichment_job)
            """
        )
        row = await cursor.fetchone()
    return row == (True,)


async def due_again(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute("UPDATE source_state SET next_check_at = now() WHERE enabled")
        await conn.execute("UPDATE host SET work_at = now()")


async def soak(made: rig.Installation, database: Database, options: argparse.Namespace) -> bool:
    """Return whether memory stood still and the accounts were exact all the time."""
    rests: dict[int, list[tuple[float, float]]] = defaultdict(list)
    began = time.monotonic()
    exact = True
    while (now := time.monotonic() - began) < options.minutes * 60:
        for _ in range(ROUNDS):
            rig.control("/bump?n=1")
            await due_again(database)
            await asyncio.sleep(ROUND_SECONDS)
            counts = await rig.counts(database)
            exact = exact and counts["discovered"] == sum(counts.values()) - counts["discovered"]
        await rest(database)
        for pid, size in (await least_memory(made, LOOK_SECONDS)).items():
            rests[pid].append((time.monotonic() - began, size))
        sizes = ", ".join(f"{samples[-1][1]:.1f}" for samples in rests.values())
        print(f"{now / 60:5.1f} min: {sizes} MB; {counts}", flush=True)
    known = [samples[len(samples) // 3 :] for samples in rests.values()]
    slopes = [slope(samples) for samples in known]
    said = ", ".join(
        f"{value:.1f} (standard error {error:.2f}, {len(samples)} rests)"
        for (value, error), samples in zip(slopes, known, strict=True)
    )
    print("slope, MB an hour and worker:", said)
    requests = rig.control("/stats")["req"]
    assert isinstance(requests, dict)
    canary = requests.get("canary 0", 0)
    print(f"canary hits {canary},", "accounts exact" if exact else "ACCOUNTS WRONG")
    print("enrichment", "on" if options.enrich else "off")
    within = all(is_within(*one) for one in slopes)
    print("memory", "within" if within else "BEYOND, or not known well enough for", "the bar")
    return exact and not canary and within


async def main(options: argparse.Namespace) -> int:
    rig.PORT, rig.CONTROL = options.port, options.port - 1
    with rig.internet("--hosts", "1", "--items", "1"):
        faults = [str(name) for name in rig.control("/faults")["list"]]  # type: ignore[attr-defined]  # a JSON list
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "profiles.json"
        listed.write_text(json.dumps(profiles(faults, options.hosts)), "utf-8")
        arguments = ["--hosts", str(options.hosts), "--items", str(ITEMS)]
        with rig.internet(*arguments, "--profiles", str(listed), "--prerender"):
            async with EmbeddedValkey(Path(folder) / "valkey") as server:
                settings = load_settings(redis_url=server.url)
                environment = {
                    "REDIS_URL": server.url,
                    "CTISCRAPER_MIN_GAP": "0.1",
                    "CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,443,{rig.PORT}",
                }
                if options.enrich:
                    environment |= rig.ENRICH
                async with (
                    Beat(settings),
                    rig.installation(environment) as made,
                    Database(made.conninfo) as database,
                ):
                    await Sources(database).seed(tuple(rig.sources(options.hosts)))
                    for _ in range(options.workers):
                        made.start_worker()
                    return 0 if await soak(made, database, options) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=150)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=rig.PORT, help="of the local internet")
    parser.add_argument("--enrich", action=argparse.BooleanOptionalAction, default=True)
    raise SystemExit(asyncio.run(main(parser.parse_args())))

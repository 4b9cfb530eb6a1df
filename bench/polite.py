"""The rate of polite collection against what politeness allows, and what one bad host costs.

Run: .venv/bin/python bench/polite.py [--hosts 200] [--seconds 60]
"""

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import rig
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources

GAP = 1.0
BAD_HOSTS = {"hung": "page_hang", "slow": "page_slow_body", "429": "page_429"}


async def measure(
    options: argparse.Namespace, profiles: dict[str, str]
) -> tuple[float, float, float]:
    """Return pages a second of the good hosts, CPU share used, smallest gap seen (s)."""
    good = [n for n in range(options.hosts) if str(n) not in profiles]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests.log"
        listed = Path(folder) / "profiles.json"
        listed.write_text(json.dumps(profiles), "utf-8")
        arguments = [
            *("--hosts", str(options.hosts), "--items", str(options.items)),
            *("--latency", "200", "--log", str(log), "--profiles", str(listed), "--prerender"),
        ]
        with rig.internet(*arguments):
            async with (
                rig.installation({"CTISCRAPER_MIN_GAP": str(GAP)}) as made,
                Database(made.conninfo) as database,
            ):
                await Sources(database).seed(tuple(rig.sources(options.hosts)))
                for _ in range(options.workers):
                    made.start_worker()
                await asyncio.sleep(options.warm)
                begin = time.time()
                cpu = made.worker_cpu() + made.postgres_cpu()
                await asyncio.sleep(options.seconds)
                cpu = made.worker_cpu() + made.postgres_cpu() - cpu
                end = time.time()
        seen = defaultdict(list)
        for line in log.read_text("utf-8").splitlines():
            at, host, kind, _ = line.split(" ", 3)
            if kind in {"page", "feed", "robots"}:
                seen[int(host)].append(float(at))
    pages = sum(1 for host in good for at in seen[host] if begin <= at < end)
    gaps = [b - a for times in seen.values() for a, b in itertools.pairwise(times)]
    return pages / (end - begin), cpu / (end - begin), min(gaps)


async def main(options: argparse.Namespace) -> None:
    rate, cpu, gap = await measure(options, {})
    allowed = options.hosts / GAP
    print(
        f"{options.hosts} hosts: {rate:.1f} requests/s of {allowed:.0f} allowed"
        f" ({rate / allowed:.1%}), {cpu:.2f} cores used, smallest gap {gap:.3f} s"
    )
    for name, profile in BAD_HOSTS.items() if options.bad else ():
        with_bad, _, _ = await measure(options, {"0": profile})
        share = with_bad / (options.hosts - 1)
        print(
            f"  one {name} host: the others get {share:.3f} requests/s each,"
            f" {share / (rate / options.hosts):.1%} of before"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--items", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm", type=float, default=15)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-bad", dest="bad", action="store_false")
    asyncio.run(main(parser.parse_args()))

"""The drills: what goes wrong or is renewed in operation, done for real, and what it costs.

Run: PYTHONPATH=tests .venv/bin/python bench/drills.py restore [--rows 50000]
     PYTHONPATH=tests .venv/bin/python bench/drills.py rotate|stop [--hosts 40] [--items 50]
     PYTHONPATH=tests .venv/bin/python bench/drills.py switch [--asked 5000] [--switches 6]
     PYTHONPATH=tests .venv/bin/python bench/drills.py versions [--items 50] [--asked 500]

Each ends with 0 when nothing was lost, doubled or refused.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from drill_restore import RestoreReport, binaries_with_base_backup, restore_drill
from drill_rotation import redis_program, rotation_drill
from drill_stop import (
    StopReport,
    stop_drill,
    switch_drill,
    tree_before_newest_migration,
    versions_drill,
)
from servers import chosen_binaries, reachable_folder

# The plan's storage of the database, and what it allows for.
PLANNED_GB = 100.0
MOST_RPO_SECONDS, MOST_RTO_SECONDS = 300.0, 3600.0
# RDS keeps its log elsewhere at least so often.
RDS_LOG_SECONDS = 300.0
Given = argparse.Namespace
Drill = Callable[[Path, Given], Coroutine[object, object, bool]]


async def restore(folder: Path, given: Given) -> bool:
    """Print what a restore costs, and whether all came back."""
    binaries = binaries_with_base_backup()
    if binaries is None:
        raise SystemExit("pg_basebackup is not installed here (Debian: postgresql-15)")
    report = await restore_drill(folder, binaries, given.rows)
    print(f"PostgreSQL {binaries.version}, {report.rows:,} articles, {report.megabytes:.0f} MB")
    for step, seconds in report.seconds.items():
        print(f"{step:32} {seconds:7.1f} s")
    print("equal from logs:", report.equal_from_logs)
    print("equal from the dump:", report.equal_from_dump)
    _reckon(report)
    return report.equal_from_logs and report.equal_from_dump


def _reckon(report: RestoreReport) -> None:
    """Print what these rates make of the planned size."""
    for step in ("recovery to the second before", "dump restored"):
        rate = report.rate(step)
        hours = PLANNED_GB * 1000 / rate / 3600
        within = PLANNED_GB * min(1.0, MOST_RTO_SECONDS / 3600 / hours)
        print(
            f"{step}: {rate:.1f} MB/s; {PLANNED_GB:.0f} GB in {hours:.1f} h,"
            f" {within:.0f} GB within the RTO of {MOST_RTO_SECONDS / 60:.0f} min"
        )


async def rotate(folder: Path, given: Given) -> bool:
    """Print what came of new passwords under load."""
    report = await rotation_drill(
        folder, chosen_binaries(), _redis(), hosts=given.hosts, items=given.items, asked=given.asked
    )
    for name, value in vars_of(report).items():
        print(f"{name:24} {value}")
    return (
        not report.failed
        and report.kept["stored"] == report.expected
        and not (report.kept["failed"] or report.kept["doubled"])
        and not (report.refused_by_database or report.refused_by_redis)
        and bool(report.survived and report.connected_anew and report.heard_again)
        and report.old_is_refused
    )


def vars_of(report: object) -> dict[str, object]:
    """Return the parts of a report by their names."""
    return dict(vars(report))


async def stop(folder: Path, given: Given) -> bool:
    """Print how long each service took to stop, and what others noticed of it."""
    report = await stop_drill(
        folder, chosen_binaries(), _redis(), hosts=given.hosts, items=given.items, asked=given.asked
    )
    _print(report)
    return report.whole


async def switch(folder: Path, given: Given) -> bool:
    """Print what readers saw of web processes that take turns."""
    report = await switch_drill(
        folder, chosen_binaries(), asked=given.asked, switches=given.switches
    )
    _print(report)
    return not report.failed


async def versions(folder: Path, given: Given) -> bool:
    """Print what the version before did on the schema of this one."""
    older = folder / "older"
    older.mkdir()
    tree = tree_before_newest_migration(older)
    if tree is None:
        raise SystemExit("the history of this repository does not reach back far enough")
    report = await versions_drill(
        folder, chosen_binaries(), tree, items=given.items, asked=given.asked
    )
    for name, value in vars_of(report).items():
        print(f"{name:24} {value}")
    return (
        not report.failed
        and all(report.collected.values())
        and report.kept["stored"] == report.expected
    )


def _redis() -> str:
    found = redis_program()
    if found is None:
        raise SystemExit("no Redis is installed here (Debian: redis-server)")
    return found


def _print(report: StopReport) -> None:
    for name, seconds in report.seconds:
        print(f"{name:8} ended after {seconds:5.1f} s")
    print(f"{report.asked:,} requests, failed: {report.failed or 0}")
    print("kept:", report.kept, "expected:", report.expected)


DRILLS: dict[str, Drill] = {
    "restore": restore,
    "rotate": rotate,
    "stop": stop,
    "switch": switch,
    "versions": versions,
}


def main(given: Given) -> int:
    """Return the exit code of a drill."""
    with reachable_folder() as folder:
        good = asyncio.run(DRILLS[given.drill](folder, given))
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drill", choices=sorted(DRILLS))
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--asked", type=int, default=3_000)
    parser.add_argument("--switches", type=int, default=6)
    raise SystemExit(main(parser.parse_args()))

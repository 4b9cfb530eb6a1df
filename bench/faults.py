"""Collect every fault of the local internet in one worker: memory, time, reason, survival.

Run: .venv/bin/python bench/faults.py [--only WORD] [--port 18280]

Each fault is the feed of one host, the pages of another and, where it is one of robots.txt, the
robots.txt of a third. They are collected one after the other, those that only wait together at
the end. Memory is the most that the worker and its parsers took above what they took before.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

import rig
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.errors import Reason

CONTROLS = 2
ITEMS = 3
MOST_MB = 64.0
# An exchange, a parser's call, and the second in which a worker sees that something is due.
LIMIT = 30.0 + 5.0 + 1.0
PATIENCE = 120.0
SAMPLE_SECONDS = 0.02
# What ends by the clock alone: collected together, so that the run stays short.
WAITING = {"hang", "slow_body", "slow_headers", "robots_delay", "robots_redirect", "robots_500"}
KNOWN = {str(reason) for reason in Reason} - {str(Reason.INTERNAL)}


@dataclass(frozen=True, slots=True)
class Case:
    """A fault in its place, and the host that has it."""

    kind: str
    fault: str
    host: int

    @property
    def key(self) -> str:
        return f"host-{self.host}"

    @property
    def profile(self) -> str:
        return self.fault if self.kind == "robots" else f"{self.kind}_{self.fault}"


@dataclass(frozen=True, slots=True)
class Ending:
    """What a fault came to."""

    case: Case
    seconds: float
    worker_mb: float
    parser_mb: float
    outcome: str
    typed: bool
    together: bool = False

    @property
    def megabytes(self) -> float:
        return self.worker_mb + self.parser_mb

    @property
    def good(self) -> bool:
        return self.typed and self.seconds <= LIMIT and self.megabytes <= MOST_MB


def cases(faults: Sequence[str]) -> list[Case]:
    """A host for each fault in each place it can have."""
    places = [
        (kind, fault)
        for fault in faults
        for kind in (("robots",) if fault.startswith("robots_") else ("feed", "page"))
    ]
    return [Case(kind, fault, CONTROLS + n) for n, (kind, fault) in enumerate(places)]


def known_faults() -> list[str]:
    """The faults by name, as the local internet itself lists them."""
    with rig.internet("--hosts", "1", "--items", "1"):
        return [str(name) for name in rig.control("/faults")["list"]]  # type: ignore[attr-defined]  # a JSON list


class Memory:
    """The memory of a worker and its parsers, watched from a thread.

    The worker's own peak is the kernel's, the parsers' is sampled, as they may be killed.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.restart()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def parsers(self) -> float:
        """Return the proportional memory (MB) of all below the worker."""
        found = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in self._root.children(recursive=True):
                found += _field(process.pid, "smaps_rollup", "Pss")
        return found

    def worker(self) -> float:
        """Return the resident memory (MB) of the worker itself."""
        return _field(self._root.pid, "status", "VmRSS")

    def restart(self) -> None:
        """Forget the peaks so far; what is taken now is what counts as before."""
        with contextlib.suppress(OSError):
            # Resets the kernel's own record of the peak (proc(5)).
            Path(f"/proc/{self._root.pid}/clear_refs").write_text("5", "ascii")
        with self._lock:
            self._worker_before, self._parsers_before = self.worker(), self.parsers()
            self._parsers_peak = self._parsers_before

    def added(self) -> tuple[float, float]:
        """Return how far worker and parsers went above what they took before (MB)."""
        with self._lock:
            parsers = self._parsers_peak - self._parsers_before
        worker = _field(self._root.pid, "status", "VmHWM") - self._worker_before
        return max(worker, 0.0), max(parsers, 0.0)

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            now = self.parsers()
            with self._lock:
                self._parsers_peak = max(self._parsers_peak, now)


def _field(pid: int, file: str, name: str) -> float:
    """A field of a process's status, in MB; 0 when it has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text("ascii", "replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0


async def ending(database: Database, case: Case) -> tuple[str, set[str]] | None:
    """Return what a case has come to and its reasons, None while it runs: the check, its items."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT c.reason, c.discovered, s.id FROM source_check c
            JOIN source s ON s.id = c.source_id WHERE s.key = %s ORDER BY c.id LIMIT 1
            """,
            (case.key,),
        )
        check = await cursor.fetchone()
        if check is None:
            return None
        reason, discovered, source = check
        if reason is not None:
            return str(reason), {str(reason)}
        if not discovered:
            return "nothing new", set()
        cursor = await conn.execute(
            """
            SELECT state, reason, count(*), min(a.method), min(left(a.text, 40)) FROM fetch_job f
            LEFT JOIN article a ON a.job_id = f.id WHERE f.source_id = %s GROUP BY 1, 2
            """,
            (source,),
        )
        items = await cursor.fetchall()
    if not _enough(items, patient=case.kind == "feed"):
        return None
    said = [
        f"{n} {state}{':' + why if why else ''}{f' ({method}: {text!r})' if method else ''}"
        for state, why, n, method, text in sorted(items, key=str)
        if why or state not in {"pending", "leased"}
    ]
    return " ".join(said), {why for _, why, *_ in items if why}


def _enough(items: Sequence[tuple[Any, ...]], *, patient: bool) -> bool:
    """Whether all items came to something; one is enough where each costs its host's whole time."""
    open_ones = [why for state, why, *_ in items if state in {"pending", "leased"}]
    if patient:
        return None not in open_ones
    return any(state not in {"pending", "leased"} or why for state, why, *_ in items)


async def collect(database: Database, some: Sequence[Case]) -> list[tuple[Case, float, str, bool]]:
    """Return each case with its seconds, its outcome and whether that is a known one."""
    hosts = rig.sources(max(case.host for case in some) + 1)
    started = time.monotonic()
    await Sources(database).seed(tuple(hosts[case.host] for case in some))
    waiting, found = list(some), []
    while waiting and time.monotonic() - started < PATIENCE:
        await asyncio.sleep(0.05)
        for case in list(waiting):
            outcome = await ending(database, case)
            if outcome is not None:
                said, reasons = outcome
                found.append((case, time.monotonic() - started, said, reasons <= KNOWN))
                waiting.remove(case)
    return found + [(case, PATIENCE, "not ended", False) for case in waiting]


async def batch(
    database: Database, some: Sequence[Case], worker: subprocess.Popen[bytes], memory: Memory
) -> list[Ending]:
    memory.restart()
    found = await collect(database, some)
    worker_mb, parser_mb = memory.added()
    alive = worker.poll() is None
    return [
        Ending(
            case,
            seconds,
            worker_mb,
            parser_mb,
            outcome if alive else f"{outcome}, and the worker ended",
            alive and typed,
            together=len(some) > 1,
        )
        for case, seconds, outcome, typed in found
    ]


async def controls_again(database: Database) -> str:
    """Return how many items of the hosts without fault were kept, new ones included."""
    rig.control("/bump?n=2")
    async with database.connection() as conn:
        await conn.execute(
            "UPDATE source_state SET next_check_at = now() WHERE source_id IN"
            " (SELECT id FROM source WHERE key = ANY(%s))",
            ([f"host-{n}" for n in range(CONTROLS)],),
        )
        await conn.execute("UPDATE host SET work_at = now()")
        stored = 0
        for _ in range(200):
            cursor = await conn.execute(
                "SELECT count(*) FROM fetch_job f JOIN source s ON s.id = f.source_id"
                " WHERE s.key = ANY(%s) AND f.state = 'stored'",
                ([f"host-{n}" for n in range(CONTROLS)],),
            )
            row = await cursor.fetchone()
            stored = row[0] if row else 0
            if stored == CONTROLS * (ITEMS + 2):
                break
            await asyncio.sleep(0.1)
    return f"{stored} of {CONTROLS * (ITEMS + 2)}"


@contextlib.contextmanager
def faulty_internet(all_cases: Sequence[Case]) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        profiles = Path(folder) / "profiles.json"
        profiles.write_text(json.dumps({str(c.host): c.profile for c in all_cases}), "utf-8")
        hosts = max(case.host for case in all_cases) + 1
        arguments = ("--hosts", str(hosts), "--items", str(ITEMS), "--profiles", str(profiles))
        with rig.internet(*arguments):
            yield


def line(end: Ending) -> str:
    together = " (together)" if end.together else ""
    return (
        f"{end.case.kind:6} {end.case.fault:22} {end.seconds:6.1f} s"
        f" {end.worker_mb:6.1f} + {end.parser_mb:5.1f} MB"
        f"{together}  {end.outcome}{'' if end.good else '   MISS'}"
    )


async def run(
    all_cases: Sequence[Case], database: Database, made: rig.Installation
) -> list[Ending]:
    """Collect the hosts without fault first, then every case."""
    controls = [Case("feed", "none", n) for n in range(CONTROLS)]
    worker = made.start_worker()
    await asyncio.sleep(3)
    memory = Memory(worker.pid)
    await collect(database, controls)
    await asyncio.sleep(2)
    print(f"before the first: worker {memory.worker():.0f}, parsers {memory.parsers():.0f} MB")
    ends: list[Ending] = []
    with memory:
        for case in all_cases:
            if case.fault not in WAITING:
                ends += await batch(database, [case], worker, memory)
                print(line(ends[-1]), flush=True)
        if together := [case for case in all_cases if case.fault in WAITING]:
            for end in await batch(database, together, worker, memory):
                ends.append(end)
                print(line(end), flush=True)
    print(
        f"after the last: worker {memory.worker():.0f}, parsers {memory.parsers():.0f} MB;"
        f" worker alive: {worker.poll() is None}"
    )
    return ends


async def main(options: argparse.Namespace) -> int:
    rig.PORT, rig.CONTROL = options.port, options.port - 1
    # The canary's port is open to the collector, so that only its address is in the way.
    all_cases = [c for c in cases(known_faults()) if options.only in f"{c.kind}_{c.fault}"]
    ports = {"CTISCRAPER_EGRESS_ALLOW_PORTS": f"80,443,{options.port},{options.port - 1}"}
    with faulty_internet(all_cases):
        async with rig.installation(ports) as made, Database(made.conninfo) as database:
            started = time.monotonic()
            ends = await run(all_cases, database, made)
            kept = await controls_again(database)
            requests = rig.control("/stats")["req"]
            account = await rig.counts(database)
    assert isinstance(requests, dict)
    canary = requests.get("canary 0", 0)
    discovered = account.pop("discovered")
    balanced = discovered == sum(account.values())
    bad = [end for end in ends if not end.good]
    print(f"\n{len(ends)} cases in {time.monotonic() - started:.0f} s; {len(bad)} miss their bar")
    print(f"most memory added: {max(e.megabytes for e in ends):.1f} MB of {MOST_MB:g}")
    print(f"slowest: {max(e.seconds for e in ends):.1f} s of {LIMIT:g}")
    print(f"canary hits: {canary}; items of hosts without fault kept: {kept}")
    print(f"accounting: {discovered} discovered = {account}, balanced: {balanced}")
    return 0 if not bad and not canary and balanced else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only faults with this in kind_name")
    parser.add_argument("--port", type=int, default=18280)
    sys.exit(asyncio.run(main(parser.parse_args())))

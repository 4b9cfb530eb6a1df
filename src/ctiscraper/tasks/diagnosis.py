"""What a doctor would look at: each part of an installation, with a verdict and what to do."""

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ctiscraper.bootstrap import model_server, open_meaning, open_raw_store
from ctiscraper.config import AGENT, Settings
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.overview import Overview
from ctiscraper.db.progress import ProgressBoard
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.rollups import Rollups
from ctiscraper.db.server import ServerFacts, schema_wanted
from ctiscraper.db.session import Database
from ctiscraper.errors import FetchError, ModelError, Scope, SettingsError, StorageError
from ctiscraper.http import Client, FetchLimits, tls_context
from ctiscraper.models.probe import among
from ctiscraper.tasks.bell import bell_of
from ctiscraper.tasks.findings import (
    Finding,
    Verdict,
    finding,
    judge_clock,
    judge_schema,
    judge_storage,
    judge_vectors,
)
from ctiscraper.tasks.watch import judge_bell, judge_models

LEAST_DISK = 1 << 30
LITTLE_DISK = 5 << 30
# The program was written then: no right clock is earlier.
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ASKED_HOSTS = 3
# What a worker and the pages hold at most.
WORKER_CONNECTIONS, PAGE_CONNECTIONS = 2, 4
# What goes round beside them in the pages or in beat, each at times of its own.
ROUND_CONNECTIONS = 9
NETWORK_LIMITS = FetchLimits(max_bytes=600_000, seconds=8.0)

_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)([^\\\n]*)", re.MULTILINE)


def examine_machine(settings: Settings, lock: Path) -> list[Finding]:
    """Return what can be seen without a database: Python, packages, folder, disk, settings."""
    return [
        _python(),
        _packages(lock),
        _folder(settings.data_dir),
        _disk(settings.data_dir),
        _clock(datetime.now(UTC)),
        _contact(settings),
        _egress(settings),
    ]


async def examine_database(
    settings: Settings, facts: ServerFacts, database: Database | None
) -> list[Finding]:
    """Return how the server is, and with a schema also the workers and the invariant."""
    findings = [
        _server(facts),
        judge_clock((facts.now - datetime.now(UTC)).total_seconds()),
        _connections(settings, facts),
        *_moved(facts),
        judge_schema(facts.revision, schema_wanted()),
    ]
    if database is not None:
        findings += [
            await _workers(settings, database),
            await _storage(database),
            await _invariant(database),
            await _counts(database),
            *await _asking(database),
        ]
    return findings


async def examine_redis(settings: Settings) -> Finding:
    """Return whether Redis answers and would take a ring, if one is set."""
    bell = bell_of(settings)
    try:
        state = await bell.look()
    finally:
        await bell.aclose()
    if not state.configured:
        return finding("redis", Verdict.OK, "none is set: workers look for work by themselves")
    return judge_bell(state)


async def examine_model(settings: Settings) -> Finding:
    """Return whether the server of language models answers and has the model, if one is set."""
    part = "language model"
    try:
        server = model_server(settings)
    except SettingsError as error:
        return finding(part, Verdict.FAIL, str(error), "as it says")
    if server is None:
        return finding(part, Verdict.OK, "none is set, and nothing needs one")
    try:
        version = await server.version()
        models = await server.models()
    except ModelError as error:
        return finding(part, Verdict.WARN, error.detail, "all else works without it")
    finally:
        await server.close()
    words = f"{server.name}: {version}, {len(models)} models"
    if not settings.model:
        return finding(part, Verdict.WARN, f"{words}, none named", "set CTISCRAPER_MODEL")
    if among(models, settings.model) is None:
        advice = f"run 'ctiscraper model pull {settings.model}'"
        return finding(part, Verdict.WARN, f"{words}, not {settings.model!r}", advice)
    return finding(part, Verdict.OK, f"{words}, {settings.model!r} among them")


async def examine_meaning(settings: Settings, database: Database) -> Finding:
    """Return whether searches by meaning find anything, and by what."""
    part = "search by meaning"
    if settings.embedding == "none":
        return finding(part, Verdict.OK, "it is off: CTISCRAPER_EMBEDDING is none")
    try:
        async with open_meaning(settings, database) as meaning:
            assert meaning.embedding is not None, "none was seen to above"
            return judge_vectors(await meaning.embedding.progress())
    except SettingsError as error:
        return finding(part, Verdict.FAIL, str(error), "as it says")
    except ModelError as error:
        return finding(part, Verdict.WARN, error.detail, "articles are found by their words")


async def examine_network(settings: Settings, origins: Sequence[str]) -> Finding:
    """Return whether sites can be reached; what they answer is counted against nobody."""
    try:
        client = Client(settings.egress_policy())
    except SettingsError as error:
        return finding("network", Verdict.FAIL, str(error), "mend the setting it names")
    said = []
    try:
        for origin in origins[:ASKED_HOSTS]:
            try:
                page = await client.get(f"{origin}/robots.txt", limits=NETWORK_LIMITS)
            except FetchError as error:
                said.append(f"{origin}: {error.reason}")
                if error.scope is not Scope.OURS:
                    continue
            else:
                return finding("network", Verdict.OK, f"{origin} answered {page.status}")
    finally:
        await client.aclose()
    if not said:
        return finding("network", Verdict.WARN, "there is no source to ask", "add a source")
    return finding(
        "network",
        Verdict.WARN,
        "; ".join(said),
        "check the network, CTISCRAPER_PROXY and CTISCRAPER_CA_BUNDLE; collection goes on "
        "by itself once there is a way out",
    )


def examine_raw_store(settings: Settings) -> Finding:
    """Return whether raw bytes can be kept and read; a bucket is tried with an empty body.

    That one stays, under its own hash like any other.
    """
    try:
        with open_raw_store(settings) as store:
            if not isinstance(store, OutboxStore):
                return finding("raw store", Verdict.OK, f"the folder {store}")
            return _bucket(store)
    except SettingsError as error:
        return finding("raw store", Verdict.FAIL, str(error), "mend the setting it names")


def _bucket(store: OutboxStore) -> Finding:
    held = ""
    try:
        waiting = store.waiting()
        if waiting.items:
            held = f"; waiting in the outbox: {waiting.items} ({waiting.size:,} bytes)"
        if waiting.refused:
            held += f", {waiting.refused} of them as it refuses them (see the log)"
        kept = store.remote.get(store.remote.put(b""))
    except StorageError as error:
        verdict = Verdict.WARN if error.transient else Verdict.FAIL
        advice = "mend what it names; until it answers new bytes wait in the outbox"
        return finding("raw store", verdict, error.detail + held, advice)
    if kept is None:
        return finding(
            "raw store",
            Verdict.FAIL,
            f"{store.remote} does not give back what was put there",
            "see who else writes to this bucket under this prefix",
        )
    words = f"{store.remote} takes and gives bytes{held}"
    if not held:
        return finding("raw store", Verdict.OK, words)
    return finding("raw store", Verdict.WARN, words, "keep a worker running: it sends them")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return finding("python", Verdict.OK, f"{version} on {sys.platform}")


def _packages(lock: Path) -> Finding:
    if not lock.is_file():
        return finding("packages", Verdict.OK, "not run from a checkout: no lock to compare with")
    wrong = list(differences(lock.read_text("utf-8")))
    if not wrong:
        return finding("packages", Verdict.OK, "as the lock names them")
    shown = ", ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")  # noqa: PLR2004 - a line's worth
    return finding(
        "packages",
        Verdict.WARN,
        f"{len(wrong)} differ from the lock: {shown}",
        "remove the folder .venv and run ./ctiscraper again",
    )


def differences(lock: str) -> Iterable[str]:
    """Return the packages whose installed version is none that the lock has for them."""
    versions: dict[str, list[str]] = {}
    everywhere = set()
    for name, version, marker in _PINNED.findall(lock):
        # With markers there is a version for each Python or system, or none for this one.
        versions.setdefault(name, []).append(version)
        if ";" not in marker:
            everywhere.add(name)
    for name, wanted in versions.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name in everywhere:
                yield f"{name} is missing"
            continue
        if installed not in wanted:
            yield f"{name} {installed} instead of {' or '.join(wanted)}"


def _folder(data_dir: Path) -> Finding:
    place = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    words = str(data_dir) if place == data_dir else f"{data_dir}, to be made in {place}"
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return finding("data folder", Verdict.OK, words)
    return finding(
        "data folder",
        Verdict.FAIL,
        f"{words}: not writable for this user",
        "give it to this user, or choose another with --data or CTISCRAPER_DATA_DIR",
    )


def _disk(data_dir: Path) -> Finding:
    place = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free = shutil.disk_usage(place).free
    words = f"{free / (1 << 30):.1f} GiB free"
    if free >= LITTLE_DISK:
        return finding("disk", Verdict.OK, words)
    verdict = Verdict.FAIL if free < LEAST_DISK else Verdict.WARN
    return finding("disk", verdict, words, "make room, or choose another data folder")


def _clock(now: datetime) -> Finding:
    if now >= EPOCH:
        return finding("clock", Verdict.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")
    return finding(
        "clock",
        Verdict.FAIL,
        f"{now:%Y-%m-%d} is before this program was written",
        "set the clock: certificates and dates are judged by it",
    )


def _contact(settings: Settings) -> Finding:
    words = f"robots.txt knows us as {AGENT}; we call ourselves {settings.user_agent}"
    if settings.contact:
        return finding("contact", Verdict.OK, words)
    return finding(
        "contact",
        Verdict.WARN,
        words,
        "set CTISCRAPER_CONTACT to a mail or web address, so that sites can write to you "
        "instead of shutting you out",
    )


def _egress(settings: Settings) -> Finding:
    try:
        tls_context(settings.egress_policy())
    except SettingsError as error:
        return finding("way out", Verdict.FAIL, str(error), "mend the setting it names")
    ports = ", ".join(map(str, sorted(settings.egress_allow_ports)))
    words = f"public addresses, ports {ports}"
    if settings.proxy:
        words += ", through the proxy"
    if not settings.egress_allow_cidrs:
        return finding("way out", Verdict.OK, words)
    networks = ", ".join(map(str, settings.egress_allow_cidrs))
    return finding(
        "way out",
        Verdict.WARN,
        f"{words}, and {networks}",
        "any source can lead there: leave CTISCRAPER_EGRESS_ALLOW_CIDRS empty unless that is meant",
    )


def _server(facts: ServerFacts) -> Finding:
    extensions = ", ".join(facts.extensions)
    return finding("postgresql", Verdict.OK, f"{facts.version} with {extensions}")


def _moved(facts: ServerFacts) -> list[Finding]:
    """Return what is wrong with a database that has a successor: whatever is written fails."""
    if facts.moved is None:
        return []
    where, _, advice = facts.moved.partition(": ")
    return [finding("database", Verdict.FAIL, where, advice)]


def _connections(settings: Settings, facts: ServerFacts) -> Finding:
    words = f"{facts.connections} of {facts.most_connections} in use"
    wanted = settings.workers * WORKER_CONNECTIONS + PAGE_CONNECTIONS + ROUND_CONNECTIONS
    if facts.most_connections - facts.connections >= wanted:
        return finding("database connections", Verdict.OK, words)
    return finding(
        "database connections",
        Verdict.WARN,
        f"{words}; a start of {settings.workers} workers, the pages and what goes round beside "
        f"them takes up to {wanted}",
        "raise max_connections of the server, or lower CTISCRAPER_WORKERS",
    )


async def _workers(settings: Settings, database: Database) -> Finding:
    board = ProgressBoard(database)
    progress = await board.read(await board.now())
    if progress.workers:
        return finding("workers", Verdict.OK, f"{progress.workers} at work")
    return finding(
        "workers",
        Verdict.WARN,
        f"none at work, {progress.pending} items pending",
        f"run 'ctiscraper up' or 'ctiscraper collect' ({settings.workers} workers)",
    )


async def _storage(database: Database) -> Finding:
    trouble = await Overview(database).storage_trouble()
    return judge_storage(0, "") if trouble is None else judge_storage(trouble.items, trouble.detail)


async def _invariant(database: Database) -> Finding:
    report = await Overview(database).accounting()
    wrong = [row.source.key for row in report.sources if not row.accounting.balanced]
    if not wrong:
        return finding(
            "accounting",
            Verdict.OK,
            f"all {report.total.discovered} announced items stand somewhere",
        )
    return finding(
        "accounting",
        Verdict.FAIL,
        f"the sum does not hold for {', '.join(wrong[:5])}",
        "this is a fault of the program: report it with the output of 'ctiscraper accounting'",
    )


async def _asking(database: Database) -> Iterable[Finding]:
    """Why texts wait for a language model, where they do."""
    work = (await OperationsBoard(database).read()).work
    return () if work is None else judge_models(work.modelling)


async def _counts(database: Database) -> Finding:
    """Whether what is counted by week is what a full count says, which takes as long as that."""
    rollups = Rollups(database)
    if not await rollups.is_filled():
        return finding(
            "counts",
            Verdict.WARN,
            "articles that were stored before there were counts are not all counted yet",
            "keep 'ctiscraper up' or 'ctiscraper beat' running: it counts them",
        )
    try:
        wrong = await rollups.differences()
    except StorageError as error:
        advice = "ask again when the database has less to do"
        return finding("counts", Verdict.WARN, f"not compared: {error.detail}", advice)
    if not wrong:
        return finding("counts", Verdict.OK, "every count by week is what a full count says")
    first = wrong[0]
    return finding(
        "counts",
        Verdict.FAIL,
        f"{first.table} has {first.kept} for {first.key}, the rows say {first.counted}"
        + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""),
        "this is a fault of the program: report it with what 'ctiscraper doctor' says",
    )

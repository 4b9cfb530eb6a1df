"""What every test may ask for: a real PostgreSQL, a fresh database, and no way off this machine."""

import fcntl
import gc
import hashlib
import ipaddress
import os
import shutil
import signal
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
import structlog
from hypothesis import settings
from playwright.async_api import async_playwright
from psycopg import sql
from psycopg.conninfo import make_conninfo

from chromium import Chromium
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.migrate import upgrade
from ctiscraper.tasks.valkey import EmbeddedValkey
from databases import FreshDatabases
from logs import own_logs
from servers import VARIABLE, chosen_binaries, reachable_folder
from small_model import running_model

# What the tests start as an operator would has the same server.
if VARIABLE in os.environ:
    os.environ["CTISCRAPER_PG_BIN"] = os.environ[VARIABLE]

# A run that `nohup` began would hand on that nobody hears the end of a terminal.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# By itself structlog shows an error in boxes, with what each variable holds: a quarter of a second.
*_BEFORE, _ = structlog.get_config()["processors"]
_PLAIN = structlog.dev.ConsoleRenderer(
    colors=False, exception_formatter=structlog.dev.plain_traceback
)
structlog.configure(processors=[*_BEFORE, _PLAIN])

# How long an example takes tells of the machine, not of what is tested.
settings.register_profile("timeless", deadline=None)
settings.load_profile("timeless")

# Nothing of a test cluster has to outlive the machine.
VOLATILE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "shared_buffers": "64MB",
}

# What these show are processes, their signals and what they answer, by statements that other tests
# send as well: it takes long, and one version of PostgreSQL tells it.
ON_ONE_SERVER = (
    "cli/test_collect",
    "cli/test_health",
    "cli/test_setting_up",
    "cli/test_stack",
    "cli/test_up",
    "deploy/",
    "tasks/test_embedding",
    "tasks/test_modelling_rules",
    "test_recognition",
    "tracing/test_otlp",
    "walk/test_broken_input",
    "walk/test_clocks",
    "walk/test_engine",
    "walk/test_refused_redis",
    "web/test_connections",
    "web/test_openapi_fuzz",
)

# What is collected stays until the end, and is the largest part of what a process holds: full
# collections of garbage would go through all of it again and again, and find nothing there.
_AS_USUAL = gc.get_threshold()
gc.set_threshold(*_AS_USUAL[:2], 1 << 30)

# A test that is given this many seconds is a long one.
MINUTES = 200

TESTS = Path(__file__).parent
MEMORY = Path("/dev/shm")
MEMORY_LEAST = 6 << 30


def pytest_report_header() -> str:
    binaries = chosen_binaries()
    return f"PostgreSQL {binaries.version} of {binaries.bin_dir}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that has a PostgreSQL, so that they can be run on another one, or need not.

    And those that have a browser, for the loop that they run in. Those that may take minutes come
    first: at the end the other processes would have nothing left to do beside them.
    """
    for item in items:
        if isinstance(item, pytest.Function) and "binaries" in item.fixturenames:
            item.add_marker("postgres")
            if item.path.relative_to(TESTS).as_posix().startswith(ON_ONE_SERVER):
                item.add_marker("one_server")
        if isinstance(item, pytest.Function) and "chromium" in item.fixturenames:
            # What speaks to the browser lives in the loop that started it.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    items.sort(key=lambda item: not _may_take_minutes(item))


def pytest_collection_finish() -> None:
    """Leave what was collected out of the collections of garbage, which begin with the tests."""
    gc.freeze()
    gc.set_threshold(*_AS_USUAL)


def _may_take_minutes(item: pytest.Item) -> bool:
    given = item.get_closest_marker("timeout")
    return given is not None and given.args[0] >= MINUTES


@pytest.fixture(scope="session")
def binaries() -> PgBinaries:
    """The PostgreSQL programs that this run tests with."""
    return chosen_binaries()


@pytest.fixture(autouse=True)
def _same_logs() -> Iterator[None]:
    """A command configures the log of its process, which here is that of all tests."""
    with own_logs():
        yield


@pytest.fixture
def place(binaries: PgBinaries) -> Iterator[Path]:
    """A folder for a server of the test's own."""
    del binaries
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def shared_tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(shared_tmp: Path, binaries: PgBinaries) -> AsyncIterator[str]:
    """The connection string of a server whose user may make databases, one for all workers."""
    given = os.environ.get("CTISCRAPER_TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    data_dir = _server_folder(shared_tmp)
    # Held by every worker that uses the server; its owner waits for the last to let go.
    users = os.open(shared_tmp / "postgres-users.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(users, fcntl.LOCK_SH)
    server = EmbeddedPostgres(data_dir, binaries, options=VOLATILE)
    await server.start()
    yield server.conninfo
    owned = server.is_owner
    if owned:
        fcntl.flock(users, fcntl.LOCK_EX)
        # A worker that needs a database only now starts a server of its own, without ours.
        (shared_tmp / "template-database").unlink(missing_ok=True)
    await server.stop()
    os.close(users)
    if owned:
        shutil.rmtree(data_dir, ignore_errors=True)


def _server_folder(shared_tmp: Path) -> Path:
    """A folder that the unprivileged user can reach whom root gives the server to.

    In memory where there is room: a database is hundreds of files, and on a disk each of them may
    wait for whatever else is written there.
    """
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_LEAST
    if os.geteuid() != 0 and not has_room:
        return shared_tmp / "postgres"
    run = hashlib.sha256(os.fsencode(shared_tmp)).hexdigest()[:12]
    return (MEMORY if has_room else Path(tempfile.gettempdir())) / f"ctiscraper-test-{run}"


@pytest.fixture(scope="session")
def template(postgres: str, shared_tmp: Path) -> str:
    """The name of a migrated database that is only ever copied, made once for all workers."""
    name_file = shared_tmp / "template-database"
    with (shared_tmp / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not name_file.exists():
            name = f"template_{uuid.uuid4().hex[:12]}"
            with psycopg.connect(postgres, autocommit=True) as connection:
                create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                connection.execute(create)
            upgrade(make_conninfo(postgres, dbname=name))
            name_file.write_text(name, "utf-8")
    return name_file.read_text("utf-8")


@pytest.fixture(scope="session")
def fresh_databases(postgres: str, template: str) -> Iterator[FreshDatabases]:
    """Databases with the whole schema, for whoever keeps one for more than a test."""
    with closing(FreshDatabases(postgres, template)) as databases:
        yield databases


@pytest.fixture
def database(fresh_databases: FreshDatabases) -> Iterator[str]:
    """The connection string of a fresh database with the whole schema."""
    name = fresh_databases.take()
    yield fresh_databases.conninfo(name)
    fresh_databases.drop(name)


@pytest_asyncio.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    """A Redis of this test's own."""
    async with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    """The browser of all tests that have one."""
    async with async_playwright() as playwright, aclosing(Chromium(playwright)) as started:
        yield started


@pytest.fixture(scope="session")
def small_model(shared_tmp: Path) -> Iterator[str]:
    """The address of a real small model that speaks Ollama's API and OpenAI's routes."""
    with running_model(shared_tmp) as address:
        yield address


class OffMachineError(RuntimeError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection beyond this machine, and fail the test that tried."""
    tried: list[object] = []
    for name in ("connect", "connect_ex", "sendto"):
        _guard(monkeypatch, name, tried)
    yield
    assert not tried, f"tried to reach {tried}"


def _guard(monkeypatch: pytest.MonkeyPatch, name: str, tried: list[object]) -> None:
    original = getattr(socket.socket, name)

    def guarded(self: socket.socket, *args: tuple[object, ...]) -> object:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_local(args[-1]):
            tried.append(args[-1])
            raise OffMachineError(f"{name} to {args[-1]}")
        return original(self, *args)

    monkeypatch.setattr(socket.socket, name, guarded)


def _is_local(address: tuple[object, ...]) -> bool:
    host = str(address[0])
    if host in {"localhost", ""}:
        return True
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback

"""Which PostgreSQL the tests run on, and servers that a test has for itself."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from ctiscraper.db.account import choose_account
from ctiscraper.db.binaries import PgBinaries, find_binaries
from ctiscraper.db.cluster import SUPERUSER, Cluster

# A folder with initdb and postgres; without it the tests take what the program itself would.
VARIABLE = "CTISCRAPER_TEST_PG_BIN"
HASTE = {"fsync": "off", "shared_buffers": "16MB", "log_min_messages": "error"}


@cache
def chosen_binaries() -> PgBinaries:
    """The PostgreSQL programs of this run."""
    folder = os.environ.get(VARIABLE)
    return find_binaries(Path(folder) if folder else None)


@cache
def binaries_with_tls() -> PgBinaries | None:
    """The programs of this run when they were built with TLS, else others that were."""
    folders = [chosen_binaries().bin_dir, *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    for folder in folders:
        try:
            built = subprocess.run(
                [folder / "pg_config", "--configure"], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        if re.search(r"--with-(?:open)?ssl", built.stdout):
            return find_binaries(folder)
    return None


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that an unprivileged user can reach, as root's server needs."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@dataclass
class OwnServer:
    """A PostgreSQL of a test's own, on a port of loopback and a unix socket."""

    cluster: Cluster
    port: int
    options: dict[str, str]
    process: asyncio.subprocess.Process | None = None

    @property
    def folder(self) -> Path:
        """What holds the cluster, its log and its socket."""
        return self.cluster.folder.parent

    def conninfo(self, dbname: str = "postgres", **parts: str) -> str:
        """Through the unix socket as superuser, unless `parts` say otherwise."""
        values = {"host": str(self.folder), "port": str(self.port), "user": SUPERUSER}
        return make_conninfo(**{**values, "dbname": dbname, **parts})

    async def start(self) -> None:
        """Return once it takes connections, those of a standby too."""
        options = {
            **HASTE,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            **self.options,
        }
        command = self.cluster.server_command(self.folder, options)
        log = self.folder / "log"
        self.process = await self.cluster.start(*command, log=log)
        while not await self.answers():
            assert self.process.returncode is None, log.read_text("utf-8")
            await asyncio.sleep(0.02)

    async def answers(self) -> bool:
        """Whether a connection can be made."""
        try:
            connection = await psycopg.AsyncConnection.connect(self.conninfo(), connect_timeout=5)
        except psycopg.OperationalError:
            return False
        await connection.close()
        return True

    async def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once, without a word to its clients."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()

    def run(self, *statements: str, dbname: str = "postgres") -> None:
        """Do as the superuser says."""
        with psycopg.connect(self.conninfo(dbname), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def give(self, path: Path) -> Path:
        """Let the server alone read a file or folder."""
        self.cluster.account.hand_over(path)
        if path.is_file():
            path.chmod(0o600)
        return path


@asynccontextmanager
async def own_server(
    folder: Path, binaries: PgBinaries, **options: str
) -> AsyncIterator[OwnServer]:
    """A server that nobody else uses; its files stay in `folder` when it ends."""
    server = _prepared(folder, binaries, options)
    await server.cluster.make(folder / "log", durable=False)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


def _prepared(folder: Path, binaries: PgBinaries, options: dict[str, str]) -> OwnServer:
    account = choose_account(folder, folder / "cluster")
    folder.mkdir(exist_ok=True)
    account.hand_over(folder)
    cluster = Cluster(folder / "cluster", account.reachable(binaries, folder), account)
    return OwnServer(cluster, _free_port(), options)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port

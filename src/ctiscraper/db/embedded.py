"""A private PostgreSQL server, run and watched over as our own child process."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import structlog
from psycopg import AsyncConnection, OperationalError, sql
from psycopg.conninfo import make_conninfo

from ctiscraper.db.account import choose_account
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.cluster import SUPERUSER, Cluster, last_words
from ctiscraper.db.socket_dir import make_socket_dir, socket_dir_for
from ctiscraper.errors import SettingsError
from ctiscraper.loop import end_task, to_its_end

DATABASE = "ctiscraper"
_LOG_LIMIT = 8 * 1024 * 1024
_POLL = 0.01
_OWNER_POLL = 0.5
_LONGEST_PAUSE = 5.0
_FAST_STOP = 60.0

_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """One server for a data folder, shared by every process that starts it.

    The first process owns the server; the others are its clients, and one of them takes over when
    the owner ends. A crashed server is started again. The server ends with the thread that
    started it, so start it from one that lives as long as it is needed.
    """

    def __init__(
        self,
        data_dir: Path,
        binaries: PgBinaries,
        *,
        options: Mapping[str, str] | None = None,
        runtime_dir: Path | None = None,
        patience: float = 60.0,
    ) -> None:
        """Name the folder; `options` are server settings, `patience` the seconds of a start."""
        self.data_dir = data_dir.absolute()
        self.socket_dir = socket_dir_for(self.data_dir, runtime_dir)
        self._binaries = binaries
        self._options = dict(options or {})
        self._patience = patience
        self._log_file = self.data_dir / "postgres.log"
        self._lock: int | None = None
        self._cluster: Cluster | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def conninfo(self) -> str:
        """The libpq connection string of the product's own database."""
        return self.conninfo_for(DATABASE)

    def conninfo_for(self, database: str) -> str:
        """Return the libpq connection string of any database of this server."""
        return make_conninfo(
            host=str(self.socket_dir), port="5432", user=SUPERUSER, dbname=database
        )

    @property
    def is_owner(self) -> bool:
        """Whether this process runs the server."""
        return self._lock is not None

    @property
    def pid(self) -> int | None:
        """The server's process number, None for a client."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        """Start, and give the server."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Return once the server takes connections and holds the product's database.

        Raises `SettingsError` when it cannot be brought up.
        """
        try:
            self._prepare_folder()
            await self._own_or_join()
        except OSError as error:
            await self.stop()
            raise SettingsError(_refused(self.data_dir, error)) from error
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the server if it is ours, keeping all that was committed.

        It is bounded in time, and who is told again meanwhile leaves no server behind.
        """
        await to_its_end(self._stop())

    async def _stop(self) -> None:
        if self._keeper is not None:
            await end_task(self._keeper)
            self._keeper = None
        await _end(self._watcher, {signal.SIGKILL: _FAST_STOP})
        await _end(self._process, {signal.SIGINT: _FAST_STOP, signal.SIGQUIT: 5.0})
        self._watcher = self._process = None
        if self._lock is not None:
            shutil.rmtree(self.socket_dir, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    async def _own_or_join(self) -> None:
        """Serve, or wait until whoever owns the folder does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience * 2
        while not self._take_lock():
            if await self._answers():
                return
            if loop.time() > deadline:
                raise SettingsError(
                    f"another process owns the database in {self.data_dir} but it does not "
                    f"answer: {self._last_words()}"
                )
            await asyncio.sleep(_POLL * 5)
        await self._serve()

    def _prepare_folder(self) -> None:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _take_lock(self) -> bool:
        """Whether this process is now the owner; the kernel frees the lock when it ends."""
        lock = os.open(self.data_dir / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    async def _answers(self) -> bool:
        try:
            connection = await AsyncConnection.connect(self.conninfo, connect_timeout=5)
        except OperationalError:
            return False
        await connection.close()
        return True

    async def _serve(self) -> None:
        """Make what is missing and bring the server up; this process owns the folder."""
        self._rotate_log()
        folder = self.data_dir / "cluster"
        account = await asyncio.to_thread(choose_account, self.data_dir, folder)
        account.hand_over(self.data_dir)
        binaries = await asyncio.to_thread(account.reachable, self._binaries, self.data_dir)
        self._cluster = Cluster(folder, binaries, account)
        await self._cluster.make(self._log_file, durable=self._options.get("fsync") != "off")
        make_socket_dir(self.socket_dir)
        account.hand_over(self.socket_dir)
        await self._bring_up(self._cluster)
        await self._make_database()

    async def _bring_up(self, cluster: Cluster) -> None:
        """Start the server, again while a predecessor is still on its way out."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        pause = _POLL * 2
        while not await self._started(cluster):
            if loop.time() > deadline:
                raise SettingsError(
                    f"PostgreSQL does not start in {self.data_dir}: {self._last_words()}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _started(self, cluster: Cluster) -> bool:
        """Whether a newly started server came as far as taking connections."""
        command = cluster.server_command(self.socket_dir, self._options)
        self._process = process = await cluster.start(*command, log=self._log_file)
        while not cluster.is_ready(process.pid):
            # Recovery after a crash may be long: as long as it works, it is waited for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await process.wait()
                return False
        if not sys.platform.startswith("linux"):
            await _end(self._watcher, {signal.SIGKILL: _FAST_STOP})
            self._watcher = await watch_parent(process.pid)
        return True

    async def _make_database(self) -> None:
        """Make the product's database unless it is there."""
        connection = await AsyncConnection.connect(self.conninfo_for("postgres"), autocommit=True)
        async with connection:
            found = await connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            )
            if await found.fetchone() is None:
                await connection.execute(
                    sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                )

    async def _keep(self) -> None:
        """Start the server again when it dies, and take over when its owner is gone."""
        pause = _POLL
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _log.warning("database_died", code=code, data_dir=str(self.data_dir))
            try:
                if self._lock is None and not self._take_lock():
                    await asyncio.sleep(_OWNER_POLL)
                    continue
                await self._serve()
                _log.info("database_started", pid=self.pid)
                pause = _POLL
            except (OSError, SettingsError, OperationalError) as error:
                _log.error("database_not_started", error=str(error))
                await asyncio.sleep(pause)
                pause = min(max(pause * 2, 0.1), _LONGEST_PAUSE)

    def _rotate_log(self) -> None:
        if self._log_file.exists() and self._log_file.stat().st_size > _LOG_LIMIT:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))

    def _last_words(self) -> str:
        return last_words(self._log_file) if self._log_file.exists() else "nothing was logged"


async def watch_parent(server: int) -> asyncio.subprocess.Process:
    """Start a child that stops the server when this process is gone.

    For systems whose kernel cannot do it: its standard input ends when we do.
    """
    script = 'read -r _; kill -INT "$1"'
    return await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", script, "sh", str(server)),
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _end(
    process: asyncio.subprocess.Process | None, signals: Mapping[signal.Signals, float]
) -> None:
    """End a process by each signal in turn, waiting its number of seconds, at last by force."""
    if process is None:
        return
    for number, seconds in (*signals.items(), (signal.SIGKILL, _FAST_STOP)):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)


def _refused(data_dir: Path, error: OSError) -> str:
    return (
        f"the database's folder {data_dir} cannot be used ({error.strerror}: {error.filename}): "
        "give it to this user, or choose another data folder"
    )

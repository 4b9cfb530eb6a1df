"""A database cluster on disk: how it is made, what it is started with, what it says of itself."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ctiscraper.db.account import Account
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.errors import SettingsError
from ctiscraper.loop import to_its_end

SUPERUSER = "ctiscraper"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C")
_BUILTIN_LOCALE_SINCE = 17
# What is killed is gone at once, unless a disk holds it up.
_GONE_SECONDS, _LOOK_SECONDS = 5.0, 0.01

# Sized for a laptop: about 200 MB at work. synchronous_commit and fsync keep their safe defaults.
LAPTOP = {
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "max_connections": "100",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class Cluster:
    """The folder of one cluster with the programs and the account that serve it."""

    def __init__(self, folder: Path, binaries: PgBinaries, account: Account) -> None:
        """Name the parts; nothing is touched yet."""
        self.folder = folder
        self.binaries = binaries
        self.account = account

    async def make(self, log: Path, *, durable: bool = True) -> None:
        """Make the cluster unless it is there; it appears whole or not at all."""
        if self.folder.exists():
            self._check_version()
            return
        draft = self.folder.with_name(f".{self.folder.name}.draft")
        for locale in _LOCALES:
            shutil.rmtree(draft, ignore_errors=True)
            if await self._initdb(draft, locale, log, durable=durable):
                draft.rename(self.folder)
                return
        raise SettingsError(f"PostgreSQL could not make its files in {draft}: {last_words(log)}")

    async def _initdb(self, draft: Path, locale: str, log: Path, *, durable: bool) -> bool:
        command: list[str | Path] = [
            self.binaries.initdb,
            *("-D", draft, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", f"--locale={locale}"),
        ]
        if self.binaries.major >= _BUILTIN_LOCALE_SINCE:
            # The same order and case on every system.
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            # One call flushes all files.
            command += ["--sync-method=syncfs"] if sys.platform.startswith("linux") else []
        command += [] if durable else ["--no-sync"]
        return await self.run(*command, log=log) == 0

    async def run(self, *program: str | Path, log: Path) -> int:
        """Return the exit code of a program run in the account, its words added to the log.

        Who is cancelled is so once neither it nor what it started writes any more.
        """
        process = await self.start(*program, log=log)
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                await to_its_end(_end_session(process))

    async def start(self, *program: str | Path, log: Path) -> asyncio.subprocess.Process:
        """Start a program in the cluster's account.

        It has a session of its own, so that Ctrl-C in the terminal does not reach it.
        """
        with log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *self.account.command(*program),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
            )

    def server_command(self, socket_dir: Path, options: Mapping[str, str]) -> list[str | Path]:
        """Return the command line of a server reachable through its unix socket alone."""
        settings = {
            **LAPTOP,
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(socket_dir),
            "unix_socket_permissions": "0700",
        }
        if self.binaries.has_library("pg_stat_statements"):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        command: list[str | Path] = [self.binaries.postgres, "-D", self.folder]
        for name, value in (settings | dict(options)).items():
            command += ["-c", f"{name}={value}"]
        return command

    def is_ready(self, pid: int) -> bool:
        """Whether the server with this process number says that it takes connections."""
        lines = self._pid_lines()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004 - miscadmin.h of PostgreSQL: line 8 is the status

    def _pid_lines(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _check_version(self) -> None:
        made_by = (self.folder / "PG_VERSION").read_text("ascii").strip()
        if made_by != str(self.binaries.major):
            raise SettingsError(
                f"the database in {self.folder} was made by PostgreSQL {made_by}, but "
                f"{self.binaries.bin_dir} has {self.binaries.version}: use a PostgreSQL {made_by}, "
                "or dump the data with it and load it into a new data folder"
            )


async def _end_session(process: asyncio.subprocess.Process) -> None:
    """Kill a program with all that it started, and wait until none of them is left.

    Only the program itself is a child that can be waited for: of the rest the system is asked.
    """
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    with suppress(ProcessLookupError, TimeoutError):
        async with asyncio.timeout(_GONE_SECONDS):
            while True:
                os.killpg(process.pid, 0)
                await asyncio.sleep(_LOOK_SECONDS)


def last_words(log: Path, lines: int = 4) -> str:
    """Return the last lines of a server's log, on one line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        text = file.read().decode("utf-8", "replace")
    return " / ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())

"""PostgreSQL's own programs for dumps: which to use, and what they say when they fail."""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ctiscraper.db.account import Account
from ctiscraper.db.binaries import candidate_folders
from ctiscraper.db.vector_index import SCHEMA
from ctiscraper.errors import ArchiveError, Reason, SettingsError, StorageError

LOCK_WAIT = "30s"
# Programs from this version on write a setting that earlier servers do not know.
SETS_TRANSACTION_TIMEOUT = 17


@dataclass(frozen=True, slots=True)
class _Place:
    """A connection string that anybody may see in the list of processes, and files for it."""

    conninfo: str
    files: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DumpPrograms:
    """A folder with pg_dump and pg_restore of one version."""

    folder: Path
    major: int

    def restores_into(self, server: int) -> bool:
        """Whether a server of this version takes what these programs write."""
        return server >= SETS_TRANSACTION_TIMEOUT or self.major < SETS_TRANSACTION_TIMEOUT

    async def dump(self, conninfo: str, snapshot: str, file: Path) -> None:
        """Write the database as that snapshot sees it. Raises StorageError."""
        with _without_password(conninfo) as place:
            said = await self._run(
                "pg_dump",
                *("--format=custom", "--no-owner", "--no-acl", "--no-publications"),
                # Made of what is dumped, by a server that has pgvector; another needs no extension.
                *(f"--exclude-schema={SCHEMA}", "--extension=plpgsql"),
                f"--snapshot={snapshot}",
                f"--lock-wait-timeout={LOCK_WAIT}",
                f"--file={file}",
                f"--dbname={place.conninfo}",
                files=place.files,
            )
        if said is not None:
            raise StorageError(Reason.DATABASE, f"the database could not be dumped: {said}")

    async def restore(self, file: Path, conninfo: str) -> None:
        """Bring a dump into an empty database: all of it, or nothing. Raises ArchiveError."""
        with _without_password(conninfo) as place:
            said = await self._run(
                "pg_restore",
                *("--no-owner", "--no-acl", "--exit-on-error", "--single-transaction"),
                f"--dbname={place.conninfo}",
                file,
                files=place.files,
            )
        if said is not None:
            raise ArchiveError(f"{file} could not be restored, and nothing of it was: {said}")

    async def damaged_tables(self, file: Path, tables: Sequence[str]) -> list[str]:
        """Return the tables whose rows cannot be read out of a dump."""
        options = ("--data-only", f"--file={os.devnull}")
        return [
            table
            for table in tables
            if await self._run("pg_restore", *options, f"--table={table}", file) is not None
        ]

    async def _run(
        self, program: str, *arguments: str | Path, files: Sequence[int] = ()
    ) -> str | None:
        """Return what a program said last when it failed; it ends when we do.

        It has these open files under their numbers.
        """
        ours = Account("same", os.geteuid(), os.getegid())
        process = await asyncio.create_subprocess_exec(
            *ours.command(self.folder / program, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=files,
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return None
        lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or f"{program} ended with {process.returncode}"


def find_programs(least: int, explicit: Path | None = None) -> DumpPrograms:
    """Return the programs of version `least`, else of the next one above it.

    What a version dumps the same version restores anywhere; a later one writes settings that an
    earlier server does not know. Raises SettingsError with what was found instead.
    """
    folders = [explicit] if explicit is not None else list(_folders())
    found = [programs for folder in folders if (programs := _probe(folder)) is not None]
    usable = [programs for programs in found if programs.major >= least]
    if usable:
        return min(usable, key=lambda programs: programs.major)
    listed = ", ".join(f"{programs.major} in {programs.folder}" for programs in found)
    where = f"CTISCRAPER_PG_BIN ({explicit})" if explicit else "the wheel, the system and the PATH"
    raise SettingsError(
        f"pg_dump and pg_restore of PostgreSQL {least} or newer are needed; {where} has "
        f"{listed or 'none'}: install PostgreSQL's client programs of version {least} "
        f"(postgresql-client-{least} on Debian) or name their folder in CTISCRAPER_PG_BIN"
    )


def _folders() -> Iterator[Path]:
    yield from (folder for folder, _ in candidate_folders())
    on_path = shutil.which("pg_dump")
    if on_path:
        yield Path(on_path).resolve().parent


def _probe(folder: Path) -> DumpPrograms | None:
    """Return the programs of a folder, when both are there and run."""
    versions = set()
    for program in ("pg_dump", "pg_restore"):
        try:
            answer = subprocess.run(  # noqa: S603 - the operator's own programs
                [folder / program, "--version"],
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        number = re.search(r"(\d+)", answer.stdout)
        versions.add(int(number[1]) if number else 0)
    return DumpPrograms(folder, min(versions))


@contextmanager
def _without_password(conninfo: str) -> Iterator[_Place]:
    """Yield where a program finds the database, with the password where nobody else sees it."""
    parts = conninfo_to_dict(conninfo)
    password = parts.pop("password", None)
    if password is None:
        yield _Place(make_conninfo("", **parts))
        return
    secret = re.sub(r"([\\:])", r"\\\1", str(password))
    # It has no name in any folder, so that nothing is left of it however this process ends.
    with tempfile.TemporaryFile("w", encoding="utf-8") as file:
        file.write(f"*:*:*:*:{secret}\n")
        file.seek(0)
        number = file.fileno()
        yield _Place(make_conninfo("", **{**parts, "passfile": f"/dev/fd/{number}"}), (number,))

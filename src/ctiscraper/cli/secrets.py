"""`secrets`: the passwords of one installation, made where they are used."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.options import Json
from ctiscraper.cli.output import print_json, print_lines
from ctiscraper.errors import SettingsError

BYTES = 32
DATABASE = "database-password"
REDIS = "redis-password"
# Redis reads its password from its own settings only.
REDIS_SETTINGS = "redis.conf"

app = typer.Typer(no_args_is_help=True, help="The passwords of this installation.")


@app.callback()
def group() -> None:
    """Keep `make` a command of its own while it is the only one."""


Folder = Annotated[Path, typer.Argument(help="Where the files are; made when there is none.")]
GroupReadable = Annotated[
    bool, typer.Option("--group-readable", help="Let the group of the files read them.")
]


@app.command()
def make(folder: Folder, group_readable: GroupReadable = False, json: Json = False) -> None:
    """Make the passwords of PostgreSQL and Redis that are not there yet; show none of them."""
    mode = 0o640 if group_readable else 0o600
    try:
        made = _make_all(folder, mode)
    except OSError as error:
        raise SettingsError(f"the secrets cannot be kept in {folder}: {error}") from error
    if json:
        print_json({"folder": str(folder), "made": made})
    else:
        print_lines([f"Made {', '.join(made)} in {folder}." if made else "Nothing to make."])


def _make_all(folder: Path, mode: int) -> list[str]:
    """Return the names of what was made. Raises OSError and SettingsError."""
    folder.mkdir(mode=0o750 if mode & 0o040 else 0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & stat.S_IWOTH:
        raise SettingsError(f"everybody may write to {folder}: chmod o-w it first")
    made = [
        name
        for name in (DATABASE, REDIS)
        if _keep(folder / name, f"{secrets.token_hex(BYTES)}\n", mode)
    ]
    password = (folder / REDIS).read_text("ascii").strip()
    if _keep(folder / REDIS_SETTINGS, f"requirepass {password}\n", mode):
        made.append(REDIS_SETTINGS)
    return made


def _keep(file: Path, content: str, mode: int) -> bool:
    """Return whether the file was made: whole, or not at all, and never over another."""
    if file.exists():
        _check(file, mode)
        return False
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            os.fchmod(descriptor, mode)
            out.write(content)
            out.flush()
            os.fsync(descriptor)
        # Unlike a rename a link fails where another process was first.
        with suppress(FileExistsError):
            os.link(draft, file)
            return True
    finally:
        draft.unlink()
    _check(file, mode)
    return False


def _check(file: Path, mode: int) -> None:
    """Raise SettingsError for a file that holds nothing, or that others may read."""
    found = file.stat()
    if found.st_size == 0:
        raise SettingsError(f"{file} is empty: remove it, and a new password is made")
    if found.st_mode & 0o777 & ~mode:
        raise SettingsError(f"{file} is open to others: run chmod {mode:o} on it")

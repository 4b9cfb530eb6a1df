"""`secrets`: the passwords of one installation, made where they are used."""

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.access.passwords import Passwords
from ctiscraper.access.sealing import Sealer, add_key, keep_newest, read_keys
from ctiscraper.admission import Admission
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import counted, print_json, print_lines
from ctiscraper.errors import SettingsError
from ctiscraper.loop import run_async

BYTES = 32
DATABASE = "database-password"
# Of the roles that `db roles` makes.
WEB_DATABASE = "database-password-web"
WORKER_DATABASE = "database-password-worker"
REDIS = "redis-password"
# Redis reads its password from its own settings only.
REDIS_SETTINGS = "redis.conf"

app = typer.Typer(no_args_is_help=True, help="The passwords and the key of this installation.")


Folder = Annotated[Path, typer.Argument(help="Where the files are; made when there is none.")]
GroupReadable = Annotated[
    bool, typer.Option("--group-readable", help="Let the group of the files read them.")
]
Share = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Put what it alone needs there.", show_default=False),
]


@app.command()
def make(
    folder: Folder,
    *,
    web: Share = None,
    worker: Share = None,
    redis: Share = None,
    group_readable: GroupReadable = False,
    json: Json = False,
) -> None:
    """Make the passwords of PostgreSQL and Redis that are not there yet; show none of them.

    With --web, --worker and --redis each gets a folder with its own passwords alone, under the
    names that the owner's have.
    """
    mode = 0o640 if group_readable else 0o600
    shares = (
        (web, {DATABASE: WEB_DATABASE, REDIS: REDIS}),
        (worker, {DATABASE: WORKER_DATABASE, REDIS: REDIS}),
        (redis, {REDIS: REDIS, REDIS_SETTINGS: REDIS_SETTINGS}),
    )
    try:
        made = _make_all(folder, mode)
        for share, names in shares:
            if share is not None:
                _share(folder, share, names, mode)
    except OSError as error:
        raise SettingsError(f"the secrets cannot be kept in {folder}: {error}") from error
    if json:
        print_json({"folder": str(folder), "made": made})
    else:
        print_lines([f"Made {', '.join(made)} in {folder}." if made else "Nothing to make."])


@app.command("renew-key")
def renew_key(data: Data = None, json: Json = False) -> None:
    """Have a new key for what is sealed; the one before opens what it has sealed until then."""
    file = settings_for(data).key_file
    count = add_key(file)
    if json:
        print_json({"file": str(file), "keys": count})
        return
    print_lines(
        [
            f"{file} has a new key, and {counted(count - 1, 'older one')}.",
            "Start 'web' or 'up' anew wherever it is read, then 'ctiscraper secrets seal-anew'.",
        ]
    )


@app.command("seal-anew")
def seal_anew(data: Data = None, json: Json = False) -> None:
    """Seal the secrets of apps by the newest key, and forget the older ones."""
    settings = settings_for(data)
    sealer = Sealer(*read_keys(settings.key_file))

    async def sealed() -> tuple[int, int]:
        async with open_database(settings) as database:
            return await Admission(database, passwords=Passwords(), sealer=sealer).seal_anew()

    done, lost = run_async(sealed())
    # Whose app no key here opens may have a key that is kept elsewhere.
    forgotten = 0 if lost else keep_newest(settings.key_file)
    if json:
        print_json({"sealed": done, "lost": lost, "forgotten": forgotten or 0})
        return
    lines = [f"Sealed {counted(done, 'app')} anew, forgot {counted(forgotten or 0, 'older key')}."]
    if forgotten is None:
        lines.append(
            f"{settings.key_file} is only read here: leave the newest key alone, the first "
            "32 bytes, where it comes from, and start 'web' anew."
        )
    if lost:
        lines.append(
            f"{counted(lost, 'app')} opened by no key here: their owners need a recovery code, or "
            "'ctiscraper user end-access LOGIN --only app'. Until then the older keys stay."
        )
    print_lines(lines)


def _make_all(folder: Path, mode: int) -> list[str]:
    """Return the names of what was made. Raises OSError and SettingsError."""
    _open_folder(folder, mode)
    made = [
        name
        for name in (DATABASE, WEB_DATABASE, WORKER_DATABASE, REDIS)
        if _keep(folder / name, f"{secrets.token_hex(BYTES)}\n", mode)
    ]
    password = (folder / REDIS).read_text("ascii").strip()
    if _keep(folder / REDIS_SETTINGS, f"requirepass {password}\n", mode):
        made.append(REDIS_SETTINGS)
    return made


def _share(folder: Path, share: Path, names: Mapping[str, str], mode: int) -> None:
    """Have copies of some files under other names, as the files are now.

    Raises OSError and SettingsError.
    """
    _open_folder(share, mode)
    for name, original in names.items():
        content = (folder / original).read_text("ascii")
        copy = share / name
        if copy.exists() and copy.read_text("ascii") == content:
            _check(copy, mode)
            continue
        draft = _draft(copy, content, mode)
        draft.replace(copy)


def _open_folder(folder: Path, mode: int) -> None:
    folder.mkdir(mode=0o750 if mode & 0o040 else 0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & stat.S_IWOTH:
        raise SettingsError(f"everybody may write to {folder}: chmod o-w it first")


def _keep(file: Path, content: str, mode: int) -> bool:
    """Return whether the file was made: whole, or not at all, and never over another."""
    if file.exists():
        _check(file, mode)
        return False
    draft = _draft(file, content, mode)
    try:
        # Unlike a rename a link fails where another process was first.
        with suppress(FileExistsError):
            os.link(draft, file)
            return True
    finally:
        draft.unlink()
    _check(file, mode)
    return False


def _draft(file: Path, content: str, mode: int) -> Path:
    """Return a whole file beside another, under a name that nobody else has."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            os.fchmod(descriptor, mode)
            out.write(content)
            out.flush()
            os.fsync(descriptor)
    except OSError:
        draft.unlink()
        raise
    return draft


def _check(file: Path, mode: int) -> None:
    """Raise SettingsError for a file that holds nothing, or that others may read."""
    found = file.stat()
    if found.st_size == 0:
        raise SettingsError(f"{file} is empty: remove it, and a new password is made")
    if found.st_mode & 0o777 & ~mode:
        raise SettingsError(f"{file} is open to others: run chmod {mode:o} on it")

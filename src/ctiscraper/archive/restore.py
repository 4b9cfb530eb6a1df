"""Restoring an archive into an empty place, and checking that all of it came back."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path

from ctiscraper.archive.manifest import DUMP, RAW, Manifest, hash_file, read_manifest
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.contents import analyze, first_relations, open_moment
from ctiscraper.db.dump import find_programs
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.raw import FolderStore, RawStore
from ctiscraper.db.raw_outbox import OutboxStore
from ctiscraper.db.roles import renew_rights
from ctiscraper.db.server import describe_place, read_server
from ctiscraper.errors import (
    ArchiveError,
    ConflictError,
    Reason,
    SettingsError,
    StorageError,
)
from ctiscraper.loop import in_thread

RAW_FOLDER = "raw"
# A scratch server's files are gone when it has answered.
_SCRATCH = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


async def verify_archive(folder: Path, pg_bin: Path | None = None) -> Manifest:
    """Return the manifest of an archive that was restored into a scratch server and is whole.

    Raises ArchiveError that names the file and the table, SettingsError and StorageError.
    """
    manifest = await check_files(folder, pg_bin)
    with _scratch_folder() as scratch:
        async with _server(scratch / "data", manifest, pg_bin, scratch=True) as server:
            await _restore_database(folder, manifest, server.conninfo, pg_bin)
    return manifest


async def restore_into_folder(folder: Path, target: Path, pg_bin: Path | None = None) -> Manifest:
    """Return the manifest of an archive that is now the data folder `target`, whole or not at all.

    Raises ConflictError when something is there, else as `verify_archive`.
    """
    target = _empty(target)
    manifest = await check_files(folder, pg_bin)
    draft = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        async with _server(draft, manifest, pg_bin) as server:
            await _restore_database(folder, manifest, server.conninfo, pg_bin)
            await in_thread(partial(_bring_back, folder, manifest, FolderStore(draft / RAW_FOLDER)))
        if target.exists():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        raise StorageError(
            Reason.STORAGE, f"cannot write the data folder {target}: {error.strerror}"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _empty(target: Path) -> Path:
    """Return the whole path of a folder with nothing in it. Raises ConflictError."""
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConflictError(f"{target} is not empty: name a folder that is not there yet")
    return target


async def restore_into_database(
    folder: Path, conninfo: str, raw: RawStore, pg_bin: Path | None = None
) -> Manifest:
    """Return the manifest of an archive that now is in an empty database and a raw store.

    Raises ConflictError when the database is not empty, and StorageError when the store does not
    take what it should: nothing waits here for it. Else raises as `verify_archive`.
    """
    facts = await read_server(conninfo)
    if held := await first_relations(conninfo):
        raise ConflictError(
            f"the database {describe_place(conninfo)} is not empty, it holds {', '.join(held)}: "
            "make a new one with createdb and name that"
        )
    manifest = await check_files(folder, pg_bin)
    if facts.major < manifest.postgresql:
        raise SettingsError(
            f"{describe_place(conninfo)} is PostgreSQL {facts.major}, older than the "
            f"{manifest.postgresql} of the archive: restore into {manifest.postgresql} or newer"
        )
    store = raw.remote if isinstance(raw, OutboxStore) else raw
    await in_thread(partial(_bring_back, folder, manifest, store))
    await _restore_database(folder, manifest, conninfo, pg_bin)
    return manifest


async def check_files(folder: Path, pg_bin: Path | None = None) -> Manifest:
    """Return the manifest of an archive whose files are all there and as they were written.

    Raises ArchiveError that names the file, and of the dump the tables, that are not.
    """
    manifest = read_manifest(folder)
    await _check_dump(folder / DUMP, manifest, pg_bin)
    await in_thread(partial(_check_bodies, folder / RAW, manifest))
    return manifest


async def _check_dump(file: Path, manifest: Manifest, pg_bin: Path | None) -> None:
    try:
        size, digest = await asyncio.to_thread(hash_file, file)
    except OSError as error:
        raise ArchiveError(f"{file} cannot be read: {error.strerror}") from error
    if (size, digest) == (manifest.dump_bytes, manifest.dump_sha256):
        return
    programs = await asyncio.to_thread(find_programs, manifest.dumped_by, pg_bin)
    tables = await programs.damaged_tables(file, list(manifest.tables))
    what = (
        f"it has {size} of {manifest.dump_bytes} bytes"
        if size != manifest.dump_bytes
        else "its hash is not that of the manifest"
    )
    lost = (
        f"the rows of {', '.join(tables)} cannot be read" if tables else "no table is named by it"
    )
    raise ArchiveError(f"{file} is damaged: {what}, and {lost}; take another archive")


def _check_bodies(folder: Path, manifest: Manifest, over: threading.Event) -> None:
    kept = FolderStore(folder)
    names = takewhile(lambda _: not over.is_set(), manifest.raw)
    wrong = [name for name in names if kept.get(bytes.fromhex(name)) is None]
    if wrong:
        raise ArchiveError(
            f"{folder}/{wrong[0][:2]}/{wrong[0][2:]}.zst is missing or damaged, a raw page of the "
            f"table snapshot ({len(wrong)} of {len(manifest.raw)} are); take another archive"
        )


def _bring_back(folder: Path, manifest: Manifest, into: RawStore, over: threading.Event) -> None:
    """Bring the bodies into a store, for as long as it is not over."""
    kept = FolderStore(folder / RAW)
    for name in manifest.raw:
        if over.is_set():
            return
        body = kept.get(bytes.fromhex(name))
        if body is None:
            raise ArchiveError(f"the raw page {name} of {folder} cannot be read any more")
        into.put(body)


async def _restore_database(
    folder: Path, manifest: Manifest, conninfo: str, pg_bin: Path | None
) -> None:
    """Restore the dump and compare what came of it with the manifest."""
    facts = await read_server(conninfo)
    programs = await asyncio.to_thread(find_programs, manifest.dumped_by, pg_bin)
    if not programs.restores_into(facts.major):
        raise SettingsError(
            f"pg_restore {programs.major} cannot write to PostgreSQL {facts.major}: "
            + (
                f"install client programs of version {facts.major}"
                if manifest.dumped_by <= facts.major
                else "restore into PostgreSQL 17 or newer, or into a data folder"
            )
        )
    await programs.restore(folder / DUMP, conninfo)
    await _compare(folder, manifest, conninfo)
    # A dump has no rights of roles in it.
    await asyncio.to_thread(renew_rights, conninfo)
    await analyze(conninfo)


async def _compare(folder: Path, manifest: Manifest, conninfo: str) -> None:
    """Raise ArchiveError that names every table that did not come back as it was."""
    async with open_moment(conninfo) as moment:
        tables = await moment.tables()
        unbalanced = await moment.unbalanced()
    wrong = [f"{name} is missing" for name in manifest.tables.keys() - tables.keys()]
    for name in sorted(manifest.tables.keys() & tables.keys()):
        was, now = manifest.tables[name], tables[name]
        if was.rows != now.rows:
            wrong.append(f"{name} has {now.rows} rows instead of {was.rows}")
        elif was != now:
            wrong.append(f"the rows of {name} are not those that were dumped")
    if unbalanced:
        wrong.append(f"the accounts of {', '.join(unbalanced[:5])} do not balance")
    if wrong:
        raise ArchiveError(f"{folder / DUMP} was restored but is not whole: {'; '.join(wrong)}")


@asynccontextmanager
async def _server(
    data: Path, manifest: Manifest, pg_bin: Path | None, *, scratch: bool = False
) -> AsyncIterator[EmbeddedPostgres]:
    """Yield a new server that can take the archive. Raises SettingsError."""
    binaries = await asyncio.to_thread(find_binaries, pg_bin)
    if binaries.major < manifest.postgresql:
        raise SettingsError(
            f"the archive is of PostgreSQL {manifest.postgresql}, {binaries.bin_dir} has "
            f"{binaries.version}: name the programs of a newer one in CTISCRAPER_PG_BIN"
        )
    async with EmbeddedPostgres(data, binaries, options=_SCRATCH if scratch else None) as server:
        yield server


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ctiscraper-verify-") as name:
        # The account that runs the server must be able to pass.
        Path(name).chmod(0o711)
        yield Path(name)

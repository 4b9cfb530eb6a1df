"""Making an archive: dump, counts and raw bodies of one moment, while collection goes on."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from ctiscraper import __version__
from ctiscraper.archive.draft import open_draft, remove_dead_drafts
from ctiscraper.archive.manifest import (
    DUMP,
    FORMAT,
    MANIFEST,
    RAW,
    Manifest,
    hash_file,
    write_manifest,
)
from ctiscraper.db.contents import Moment, TableContent, open_moment
from ctiscraper.db.dump import DumpPrograms, find_programs
from ctiscraper.db.raw import FolderStore, RawStore
from ctiscraper.db.server import ServerFacts
from ctiscraper.errors import ConflictError, Reason, SettingsError, StorageError
from ctiscraper.loop import in_thread

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What is backed up; `pg_bin` names a folder with pg_dump, by default it is looked for."""

    conninfo: str
    facts: ServerFacts
    raw: RawStore
    pg_bin: Path | None = None


@dataclass(frozen=True, slots=True)
class _Bodies:
    """The hashes of bodies that were copied, and of those that the raw store did not have."""

    kept: list[str]
    missing: list[str]


async def make_archive(original: Original, target: Path, told: Told) -> tuple[Path, Manifest]:
    """Return the new archive's folder and manifest; it appears whole or not at all.

    An existing folder as `target` gets the archive in it, under the date. Raises SettingsError,
    ConflictError and StorageError.
    """
    if original.facts.revision is None:
        raise SettingsError("there is nothing to back up: the database has no schema")
    programs = await asyncio.to_thread(find_programs, original.facts.major, original.pg_bin)
    if not programs.restores_into(original.facts.major):
        told(
            f"only pg_dump {programs.major} is here: the archive can be restored into "
            f"PostgreSQL 17 or newer, not into {original.facts.major}"
        )
    async with open_moment(original.conninfo) as moment:
        place = _place(target, moment.now)
        for name in await asyncio.to_thread(remove_dead_drafts, place.parent):
            told(f"removed {name}: a backup that was killed left it")
        try:
            with open_draft(place) as draft:
                manifest = await _fill(original, moment, programs, draft)
                write_manifest(draft, manifest)
                _put_in_place(draft, place)
        except OSError as error:
            raise StorageError(
                Reason.STORAGE, f"cannot write the archive {place}: {error.strerror}"
            ) from error
    return place, manifest


def _place(target: Path, now: datetime) -> Path:
    """Return where the archive goes. Raises ConflictError when something is there."""
    target = target.absolute()
    if target.is_dir() and not (target / MANIFEST).exists():
        target /= f"ctiscraper-{now:%Y%m%d-%H%M%S}"
    if target.exists():
        raise ConflictError(f"{target} is there already: name another file or folder")
    return target


async def _fill(
    original: Original, moment: Moment, programs: DumpPrograms, draft: Path
) -> Manifest:
    dumped = asyncio.create_task(
        programs.dump(original.conninfo, moment.snapshot, draft / DUMP), name="pg_dump"
    )
    try:
        # One connection cannot do both at once; the dump goes on beside it.
        tables = await moment.tables()
        bodies = await _copy_bodies(moment, original.raw, FolderStore(draft / RAW))
        await dumped
    finally:
        dumped.cancel()
        await asyncio.gather(dumped, return_exceptions=True)
    size, digest = await asyncio.to_thread(hash_file, draft / DUMP)
    assert original.facts.revision is not None, "asked before"
    return Manifest(
        format=FORMAT,
        program=__version__,
        made_at=f"{moment.now:%Y-%m-%dT%H:%M:%S}Z",
        postgresql=original.facts.major,
        dumped_by=programs.major,
        schema=original.facts.revision,
        dump_bytes=size,
        dump_sha256=digest,
        tables=dict[str, TableContent](tables),
        raw=tuple(bodies.kept),
        raw_missing=tuple(bodies.missing),
    )


async def _copy_bodies(moment: Moment, raw: RawStore, into: RawStore) -> _Bodies:
    bodies = _Bodies([], [])
    async for hashes in moment.raw_hashes():
        await in_thread(partial(_copy, hashes, raw, into, bodies))
    return bodies


def _copy(
    hashes: Sequence[bytes],
    raw: RawStore,
    into: RawStore,
    bodies: _Bodies,
    over: threading.Event,
) -> None:
    """Copy these bodies, for as long as it is not over."""
    for sha256 in hashes:
        if over.is_set():
            return
        body = raw.get(sha256)
        if body is None:
            bodies.missing.append(sha256.hex())
        else:
            into.put(body)
            bodies.kept.append(sha256.hex())


def _put_in_place(draft: Path, place: Path) -> None:
    with (draft / DUMP).open("rb") as file:
        os.fsync(file.fileno())
    draft.rename(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

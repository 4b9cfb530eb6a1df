"""The life of reference data: defaults from packages, updates from files and from the network."""

import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

import structlog

from ctiscraper.db.packs import DueChange, Installed, Packs, StoredPack
from ctiscraper.errors import (
    ConflictError,
    CTIScraperError,
    FetchError,
    NotFoundError,
    PackError,
    Reason,
    StorageError,
)
from ctiscraper.http import Client, FetchLimits
from ctiscraper.loop import to_its_end
from ctiscraper.packs import cve
from ctiscraper.packs.changes import PackChange, compare
from ctiscraper.packs.pack import write_pack
from ctiscraper.packs.registry import KnownPack, known_pack, read_known
from ctiscraper.packs.shelf import Shelf
from ctiscraper.packs.upstream import (
    PACK_OF,
    Format,
    Made,
    UpstreamFile,
    make_pack,
    recognise,
    urls_of,
)

log = structlog.get_logger()

# The largest file that is fetched, an archive of galaxies, has some 100 MB.
DOWNLOAD = FetchLimits(max_bytes=256 << 20, seconds=900.0)
BUILD_SECONDS = 600.0
TURN_POLL = 0.5
# A copy that nobody wants any more may still be read by a process that goes.
UNUSED_SECONDS = 3600.0
OK = 200

BUILDER = (sys.executable, "-m", "ctiscraper.packs.build")

_UNSAFE = re.compile(r"[^\w.+-]|^\.+", re.ASCII)

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What an update did: the installation, what was left out, and whose claims it touches."""

    installed: Installed
    notes: tuple[str, ...]
    change: PackChange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What asking publishers brought, and what of it failed."""

    done: tuple[Update, ...]
    failed: tuple[CTIScraperError, ...]


@dataclass(frozen=True, slots=True)
class _Fetched:
    paths: list[Path]
    failed: list[FetchError]


def _silent(_: str) -> None:
    """Tell nobody."""


class Reference:
    """The reference data of an installation."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs

    async def install_defaults(self, *, patient: bool = True) -> list[Installed]:
        """Install the defaults of packs that are missing or older than the packages here.

        Cheap where there is nothing to do. Each is built in a process of its own, by one process
        of the installation at a time; who is not `patient` waits for no other where older ones
        can be used. Raises StorageError, and PackError for one that cannot be built, when the
        others are in use.
        """
        while missing := await self._packs.missing_defaults():
            async with self._packs.build_turn() as ours:
                if ours:
                    # Whoever had the turn before may have built them.
                    return await self._build_all(await self._packs.missing_defaults())
            if not patient and await self._can_wait(missing):
                break
            await asyncio.sleep(TURN_POLL)
        return []

    async def can_wait(self) -> bool:
        """Return whether there is an older pack in use for each default that is missing."""
        return await self._can_wait(await self._packs.missing_defaults())

    async def _can_wait(self, missing: Sequence[KnownPack]) -> bool:
        active = await self._packs.active()
        return all(known.name in active for known in missing)

    async def due_change(self, *, older_than: float) -> tuple[DueChange, PackChange] | None:
        """Return a change of packs whose texts are to be queued again, once it is so old.

        In seconds; it is to be told to `end_change`. Raises PackError and StorageError.
        """
        due = await self._packs.take_change(older_than=older_than)
        if due is None:
            return None
        return due, await self._between(due.name, due.old, due.new)

    async def end_change(self, due: DueChange) -> None:
        """Forget a change whose texts are queued."""
        await self._packs.end_change(due)

    async def install_default(self, name: str) -> Installed:
        """Go back to the default of a pack, whatever is in use. Raises PackError."""
        known = known_pack(name, self._packs.known)
        data = await _built(known)
        return await self._packs.install(data, build=known.build(), force=True)

    async def _build_all(self, missing: Sequence[KnownPack]) -> list[Installed]:
        """Return what was installed. Raises PackError after the others, when one cannot be."""
        done: list[Installed] = []
        failed: list[PackError] = []
        for known in missing:
            try:
                done.append(await self._build(known))
            except PackError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return done

    async def _build(self, known: KnownPack) -> Installed:
        began = time.monotonic()
        data = await _built(known)
        done = await self._packs.install(data, build=known.build())
        log.info(
            "default_pack_built",
            pack=known.name,
            version=done.new.info.version,
            records=done.new.records,
            seconds=round(time.monotonic() - began, 1),
        )
        return done

    async def fill(self, shelf: Shelf) -> dict[str, Path]:
        """Return where the packs in use are as files, all there and whole. Raises StorageError."""
        active = await self._packs.active()
        places: dict[str, Path] = {}
        for name, pack in active.items():
            if await asyncio.to_thread(shelf.get, pack.sha256) is None:
                data = await self._packs.body(name, pack.sha256)
                await asyncio.to_thread(shelf.put, data)
            places[name] = shelf.path(pack.sha256)
        kept = [pack.sha256 for pack in active.values()]
        await asyncio.to_thread(shelf.tidy, kept, older_than=time.time() - UNUSED_SECONDS)
        return places

    async def export(self, name: str) -> tuple[StoredPack, bytes]:
        """Return the pack in use as the bytes of a pack file. Raises NotFoundError."""
        data = await self._packs.body(name)
        return (await self._packs.active())[name], data

    async def update_from_files(
        self, paths: Sequence[Path], names: Sequence[str] = ()
    ) -> list[Update]:
        """Install pack files, or packs made of public files; with `names`, of these packs only.

        Raises PackError, and StorageError for a file that cannot be read.
        """
        wanted: dict[str, list[Path]] = {}
        done: list[Update] = []
        for path in paths:
            found = await asyncio.to_thread(_look, path)
            if found.format is Format.PACK:
                done.append(await self._install(found.data, names=names))
            else:
                wanted.setdefault(PACK_OF[found.format], []).append(path)
        for name, files in wanted.items():
            _check_wanted(name, names)
            making = _Making(known_pack(name, self._packs.known), files)
            done.append(await self._make(making))
        return done

    async def update_from_network(
        self, client: Client, names: Sequence[str], *, now: datetime, told: Told = _silent
    ) -> Round:
        """Install what the publishers of these packs have; one that fails stops no other.

        Raises StorageError.
        """
        done: list[Update] = []
        failed: list[CTIScraperError] = []
        for name in names:
            known = known_pack(name, self._packs.known)
            with tempfile.TemporaryDirectory(prefix="ctiscraper-data-") as folder:
                try:
                    urls = _urls(known, await self._parts(known), now)
                    got = await _fetched_all(client, urls, Path(folder), told)
                    failed += got.failed
                    if got.paths and (known.partial or not got.failed):
                        making = _Making(known, got.paths, whole=not got.failed)
                        done.append(await self._make(making))
                        failed += making.failed
                except PackError as error:
                    failed.append(error)
        return Round(done=tuple(done), failed=tuple(failed))

    async def update_from_url(
        self, client: Client, url: str, names: Sequence[str] = (), *, told: Told = _silent
    ) -> list[Update]:
        """Install what is at an address, as from a file.

        Raises FetchError, PackError and StorageError.
        """
        with tempfile.TemporaryDirectory(prefix="ctiscraper-data-") as folder:
            path = await _fetched(client, url, Path(folder), told)
            return await self.update_from_files([path], names)

    async def change_of(self, done: Installed) -> PackChange | None:
        """Return what an installation changed, None when it changed nothing."""
        if not done.changed:
            return None
        before = None if done.old is None else done.old.sha256
        return await self._between(done.new.info.name, before, done.new.sha256)

    async def _between(self, name: str, before: bytes | None, now: bytes) -> PackChange:
        """Return what differs between two versions; from one that is kept no more, everything."""
        new = await self._packs.body(name, now)
        old = None
        if before is not None:
            with contextlib.suppress(NotFoundError):
                old = await self._packs.body(name, before)
        return await asyncio.to_thread(self._compare, name, old, new)

    def _compare(self, name: str, old: bytes | None, new: bytes) -> PackChange:
        known = known_pack(name, self._packs.known)
        pack, records = read_known(new, self._packs.known)
        before = None
        # An older program may have kept what this one does not read.
        with contextlib.suppress(PackError):
            if old is not None:
                older, kept = read_known(old, self._packs.known)
                before = (older.info.version, kept)
        return compare(known, before, (pack.info.version, records))

    async def _make(self, making: "_Making") -> Update:
        """Install what files make of the pack in use, anew when that changed meanwhile."""
        name = making.known.name
        while True:
            used = (await self._packs.active()).get(name)
            sha256 = used.sha256 if used is not None else None
            current = None if used is None else await self._packs.body(name, sha256)
            data, notes = await asyncio.to_thread(making.pack, current, self._packs.known)
            with contextlib.suppress(ConflictError):
                done = await self._packs.install(data, instead_of=sha256)
                return Update(installed=done, notes=notes, change=await self.change_of(done))

    async def _install(
        self, data: bytes, notes: tuple[str, ...] = (), *, names: Sequence[str] = ()
    ) -> Update:
        if names:
            pack, _ = await asyncio.to_thread(read_known, data, self._packs.known)
            _check_wanted(pack.info.name, names)
        done = await self._packs.install(data)
        return Update(installed=done, notes=notes, change=await self.change_of(done))

    async def _parts(self, known: KnownPack) -> Mapping[str, str]:
        """Return the versions of what a pack is put together of."""
        if known.name != cve.NAME or known.name not in await self._packs.active():
            return {}
        _, records = await asyncio.to_thread(
            read_known, await self._packs.body(known.name), self._packs.known
        )
        return cast("cve.CvePack", records).parts


@dataclass(slots=True)
class _Making:
    """The files that a pack is made of.

    `whole` says that they are all that the publishers have, and that where a pack is partial one
    that is damaged is left out; `failed` has those.
    """

    known: KnownPack
    paths: Sequence[Path]
    whole: bool | None = None
    failed: list[PackError] = field(default_factory=list)

    def pack(
        self, current: bytes | None, known: Mapping[str, KnownPack]
    ) -> tuple[bytes, tuple[str, ...]]:
        """Return the pack, and what was left out. Raises PackError."""
        self.failed.clear()
        made = self._used(current, known)
        if self.whole is None or not self.known.partial:
            made = self._with(self.paths, made, whole=bool(self.whole))
            return write_pack(made.info, made.records), made.notes
        notes: tuple[str, ...] = ()
        for path in self.paths:
            try:
                made = self._with([path], made)
                notes += made.notes
            except PackError as error:
                self.failed.append(error)
        if len(self.failed) == len(self.paths):
            raise self.failed.pop()
        made = self._with([], made, whole=self.whole and not self.failed)
        return write_pack(made.info, made.records), notes

    def _with(self, paths: Sequence[Path], made: Made, *, whole: bool = False) -> Made:
        return make_pack(self.known, _opened(paths), lambda: (made.info, made.records), whole=whole)

    def _used(self, current: bytes | None, known: Mapping[str, KnownPack]) -> Made:
        """Return the pack in use, or the default."""
        if current is None:
            return Made(*self.known.load().build_default())
        pack, records = read_known(current, known)
        return Made(pack.info, records)


def _urls(known: KnownPack, parts: Mapping[str, str], now: datetime) -> Sequence[str]:
    found = urls_of(known.name, parts, now)
    if not found or not known.updates:
        package = known.package or "CTIScraper"
        raise PackError(
            f"the data pack {known.name} comes with a package: install a newer {package}, or name "
            "a pack file with --file, or an address with --from"
        )
    return found


def _check_wanted(name: str, names: Sequence[str]) -> None:
    if names and name not in names:
        raise PackError(f"the file is for the data pack {name}, not for {' or '.join(names)}")


async def _built(known: KnownPack) -> bytes:
    """Return the default of a pack, built where its memory is given back at once."""
    process = await asyncio.create_subprocess_exec(
        *BUILDER,
        known.name,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(BUILD_SECONDS):
            data, said = await process.communicate()
    except TimeoutError as error:
        raise PackError(
            f"the default of the data pack {known.name} was not built in {BUILD_SECONDS:g} s: "
            "the machine is very busy; start again"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise PackError(
            f"the default of the data pack {known.name} cannot be built ({lines[-1][:200]}): "
            f"is {known.package or 'CTIScraper'} whole? Install it again"
        )
    return data


async def _fetched_all(client: Client, urls: Sequence[str], folder: Path, told: Told) -> _Fetched:
    """Return files with what URLs answer, and why others have none."""
    got = _Fetched([], [])
    for url in urls:
        try:
            got.paths.append(await _fetched(client, url, folder, told))
        except FetchError as error:
            got.failed.append(error)
    return got


async def _fetched(client: Client, url: str, folder: Path, told: Told) -> Path:
    """Return a file of this folder with what a URL answers. Raises FetchError."""
    told(f"fetching {url}")
    try:
        page = await client.get(url, limits=DOWNLOAD)
    except FetchError as error:
        raise _not_fetched(url, error.reason, f"gave nothing ({error.detail})") from error
    if page.status != OK:
        raise _not_fetched(url, Reason.UNEXPECTED_STATUS, f"answered {page.status}")
    # What is wrong with it will be said of its name.
    path = folder / (_UNSAFE.sub("_", url.rpartition("/")[2])[-80:] or "answer")
    # Who is cancelled removes the folder, and it would be written into after that.
    await to_its_end(asyncio.to_thread(path.write_bytes, page.body))
    return path


def _not_fetched(url: str, reason: Reason, said: str) -> FetchError:
    return FetchError(
        reason,
        f"{url} {said}: try again later, or fetch it elsewhere and name it with --file",
        url=url,
    )


def _look(path: Path) -> UpstreamFile:
    """Return what a file is; only a pack's bytes are kept."""
    with _readable(path) as file:
        found = recognise(file, path.name)
    return found if found.format is Format.PACK else UpstreamFile(found.format, found.name, b"")


def _opened(paths: Sequence[Path]) -> Iterator[UpstreamFile]:
    for path in paths:
        with _readable(path) as file:
            yield recognise(file, path.name)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    """Yield a file. Raises StorageError."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise StorageError(
            Reason.STORAGE, f"{path} cannot be read: {error.strerror}", transient=False
        ) from error

"""The raw store: bytes as they were answered, compressed, under their own hash.

Names of bodies are plain texts here: a `Path` has each of its parts interned, and the table of
interned texts, which never shrinks, doubles by 2 MB once a process has named some 10,000 bodies.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import zstandard

from ctiscraper.errors import Reason, StorageError

LEVEL = 3
# Bytes that were put so short a time ago are not deleted: whoever put them may not have written
# down yet that it did. It takes minutes at most; docs/adr/0012-retention.md has the reasoning.
UNTOUCHED_SECONDS = 86_400.0

# No write takes so long: a part that is older was left by a process that was killed.
PART_SECONDS = 3600.0

_PART = re.compile(r"\.[0-9a-f]{32}")
_NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{62})\.zst")
# It keeps as much memory as its largest body took, up to 4 MB: one for all threads, in turn.
_compressor = zstandard.ZstdCompressor(level=LEVEL)
_compressing = threading.Lock()


class RawStore(Protocol):
    """Keeps bytes by the SHA-256 of their content."""

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands. Raises StorageError."""
        ...

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged. Raises StorageError."""
        ...

    def delete(self, sha256: bytes, *, untouched: float = UNTOUCHED_SECONDS) -> bool:
        """Return whether the bytes of a hash are gone; those put within `untouched` seconds stay.

        Raises StorageError.
        """
        ...

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Return the hashes that are kept, in order, from the first past `after` on.

        Raises StorageError.
        """
        ...

    def remove_parts(self) -> int:
        """Return how many half-written files of killed processes were removed.

        Raises StorageError.
        """
        ...


class FolderStore:
    """A raw store in a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands, safe from a crash. Raises StorageError."""
        digest = hashlib.sha256(body).digest()
        path = self._path(digest)
        try:
            if not self._freshened(path):
                write_whole(path, pack(body))
        except OSError as error:
            raise self._refused(error) from error
        return digest

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged."""
        try:
            with open(self._path(sha256), "rb") as file:
                packed = file.read()
        except OSError:
            return None
        return unpack(packed, sha256)

    def delete(self, sha256: bytes, *, untouched: float = UNTOUCHED_SECONDS) -> bool:
        """Return whether the bytes of a hash are gone; those put within `untouched` seconds stay.

        A put that comes at the same time keeps them. Raises StorageError.
        """
        path = self._path(sha256)
        try:
            os.stat(path)
            with self._locked(fcntl.LOCK_EX) as now:
                if now - os.stat(path).st_mtime < untouched:
                    return False
                os.unlink(path)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise StorageError(
                Reason.STORAGE, f"the raw store {self._folder} lets nothing go: {error.strerror}"
            ) from error
        return True

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Return the hashes that are kept, in order, from the first past `after` on.

        Raises StorageError.
        """
        last = name_of(after) if after else ""
        try:
            for folder in _names(self._folder) if self._folder.exists() else ():
                within = f"{self._folder}/{folder}"
                if folder < last[:2] or not os.path.isdir(within):
                    continue
                for file in _names(within):
                    name = f"{folder}/{file}"
                    digest = digest_of(name)
                    if digest is not None and name > last:
                        yield digest
        except OSError as error:
            raise StorageError(
                Reason.STORAGE, f"cannot list the raw store {self._folder}: {error.strerror}"
            ) from error

    def remove_parts(self) -> int:
        """Return how many half-written files of killed processes were removed.

        Raises StorageError.
        """
        if not self._folder.is_dir():
            return 0
        try:
            with self._locked(fcntl.LOCK_SH) as now:
                return remove_parts(self._folder, "*/.*", now)
        except OSError as error:
            raise self._refused(error) from error

    def _freshened(self, path: str) -> bool:
        """Whether the file is there, and not to be deleted for half a day at least."""
        if not os.path.exists(path):
            return False
        try:
            with self._locked(fcntl.LOCK_SH) as now:
                if now - os.stat(path).st_mtime > UNTOUCHED_SECONDS / 2:
                    os.utime(path)
        except FileNotFoundError:
            return False
        return True

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[float]:
        """Hold the store's lock, and yield the time by the clock that dates its files."""
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, kind)
            os.utime(lock)
            yield os.fstat(lock).st_mtime
        finally:
            os.close(lock)

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(
            Reason.STORAGE, f"cannot write to the raw store {self._folder}: {error.strerror}"
        )

    def _path(self, digest: bytes) -> str:
        return f"{self._folder}/{name_of(digest)}"


def pack(body: bytes) -> bytes:
    """Return bytes as they are stored."""
    with _compressing:
        return _compressor.compress(body)


def unpack(packed: bytes, sha256: bytes) -> bytes | None:
    """Return what was packed, None when it is not the bytes of this hash."""
    try:
        body = zstandard.ZstdDecompressor().decompress(packed)
    except (zstandard.ZstdError, MemoryError, OverflowError):
        # A damaged head may claim any size.
        return None
    return body if hashlib.sha256(body).digest() == sha256 else None


def name_of(digest: bytes) -> str:
    """Return the name under which every store keeps a hash: one can be copied to another."""
    name = digest.hex()
    return f"{name[:2]}/{name[2:]}.zst"


def digest_of(name: str) -> bytes | None:
    """Return the hash that a name stands for, None for what is not one of ours."""
    found = _NAME.fullmatch(name)
    return bytes.fromhex(found[1] + found[2]) if found else None


def write_whole(path: str, data: bytes) -> None:
    """Put a whole file in place or none: readers never see a part, and a crash leaves it there."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _sync_folder(os.path.dirname(folder))
    part = f"{folder}/.{uuid4().hex}"
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        # The name is in the folder, which is written in its own time.
        _sync_folder(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def remove_parts(folder: Path, pattern: str, now: float) -> int:
    """Return how many parts that killed processes left there were removed. Raises OSError."""
    removed = 0
    for part in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if _PART.fullmatch(part.name) and now - part.stat().st_mtime > PART_SECONDS:
                part.unlink()
                removed += 1
    return removed


def _names(folder: str | Path) -> list[str]:
    return sorted(os.listdir(folder))


def _sync_folder(folder: str) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

"""The raw store: bytes as they were answered, compressed, under their own hash."""

import contextlib
import fcntl
import hashlib
import os
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


class RawStore(Protocol):
    """Keeps bytes by the SHA-256 of their content."""

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands. Raises StorageError."""
        ...

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged."""
        ...

    def delete(self, sha256: bytes) -> bool:
        """Return whether the bytes of a hash are gone; those put within the last day stay.

        A put that comes at the same time keeps them. Raises StorageError.
        """
        ...

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Yield the hashes that are kept, in their order, from the first past `after` on."""
        ...


class FolderStore:
    """A raw store in a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # A compressor serves one thread at a time.
        self._held = threading.local()

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands, safe from a crash. Raises StorageError."""
        digest = hashlib.sha256(body).digest()
        path = self._path(digest)
        try:
            if not self._freshened(path):
                _write(path, self._compressor().compress(body))
        except OSError as error:
            raise self._refused(error) from error
        return digest

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged."""
        try:
            packed = self._path(sha256).read_bytes()
            body = zstandard.ZstdDecompressor().decompress(packed)
        except (OSError, zstandard.ZstdError):
            return None
        return body if hashlib.sha256(body).digest() == sha256 else None

    def delete(self, sha256: bytes) -> bool:
        """Return whether the bytes of a hash are gone; those put within the last day stay.

        A put that comes at the same time keeps them. Raises StorageError.
        """
        path = self._path(sha256)
        try:
            with self._locked(fcntl.LOCK_EX) as now:
                if now - path.stat().st_mtime < UNTOUCHED_SECONDS:
                    return False
                path.unlink()
        except FileNotFoundError:
            return True
        except OSError as error:
            raise self._refused(error) from error
        return True

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Yield the hashes that are kept, in their order, from the first past `after` on."""
        last = after.hex()
        shards = sorted(self._folder.glob("[0-9a-f][0-9a-f]"))
        for shard in shards:
            if shard.name < last[:2]:
                continue
            names = (f"{shard.name}{path.stem}" for path in sorted(shard.glob("[0-9a-f]*.zst")))
            yield from (bytes.fromhex(name) for name in names if name > last)

    def _freshened(self, path: Path) -> bool:
        """Whether the file is there, and not to be deleted for half a day at least."""
        if not path.exists():
            return False
        try:
            with self._locked(fcntl.LOCK_SH) as now:
                if now - path.stat().st_mtime > UNTOUCHED_SECONDS / 2:
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

    def _compressor(self) -> zstandard.ZstdCompressor:
        made: zstandard.ZstdCompressor | None = getattr(self._held, "compressor", None)
        if made is None:
            made = self._held.compressor = zstandard.ZstdCompressor(level=LEVEL)
        return made

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / f"{name[2:]}.zst"


def _write(path: Path, packed: bytes) -> None:
    """Put a whole file in place or none: readers never see a part."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}")
    try:
        with part.open("wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

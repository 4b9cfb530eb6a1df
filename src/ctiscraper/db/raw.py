"""The raw store: bytes as they were answered, compressed, under their own hash."""

import hashlib
import os
import threading
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import zstandard

from ctiscraper.errors import Reason, StorageError

LEVEL = 3


class RawStore(Protocol):
    """Keeps bytes by the SHA-256 of their content."""

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands. Raises StorageError."""
        ...

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged."""
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
        if path.exists():
            return digest
        try:
            _write(path, self._compressor().compress(body))
        except OSError as error:
            raise StorageError(
                Reason.STORAGE, f"cannot write to the raw store {self._folder}: {error.strerror}"
            ) from error
        return digest

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged."""
        try:
            packed = self._path(sha256).read_bytes()
            body = zstandard.ZstdDecompressor().decompress(packed)
        except (OSError, zstandard.ZstdError):
            return None
        return body if hashlib.sha256(body).digest() == sha256 else None

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

"""Copies of packs as files, for processes that have no database: named by their checksum."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ctiscraper.errors import Reason, StorageError
from ctiscraper.packs.pack import MOST_BYTES

SUFFIX = ".ctipack"


class Shelf:
    """A folder of packs; what is damaged in it counts as not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: bytes) -> Path:
        """Return where the pack with this checksum is, or would be."""
        return self._folder / f"{sha256.hex()}{SUFFIX}"

    def get(self, sha256: bytes) -> bytes | None:
        """Return the pack with this checksum, None when it is not there, or not whole."""
        try:
            with self.path(sha256).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from error
        return data if hashlib.sha256(data).digest() == sha256 else None

    def put(self, data: bytes) -> Path:
        """Return where the pack now is; a reader finds all of it, or nothing."""
        place = self.path(hashlib.sha256(data).digest())
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=self._folder)
            draft = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(place)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed("written", error) from error
        return place

    def tidy(self, keep: Iterable[bytes], *, older_than: float) -> int:
        """Return how many files went that are none of these, last changed before `older_than`."""
        kept = {self.path(sha256) for sha256 in keep}
        gone = 0
        for pattern in (f"*{SUFFIX}", ".*.part"):
            for path in self._folder.glob(pattern):
                try:
                    if path not in kept and path.stat().st_mtime < older_than:
                        path.unlink()
                        gone += 1
                except FileNotFoundError:
                    continue
        return gone

    def _failed(self, done: str, error: OSError) -> StorageError:
        return StorageError(
            Reason.STORAGE, f"a data pack in {self._folder} cannot be {done}: {error.strerror}"
        )

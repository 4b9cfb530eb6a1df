"""The folder that an archive is written in until it is whole, and whether its writer lives."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from ctiscraper.archive.manifest import DUMP, MANIFEST, RAW
from ctiscraper.errors import ConflictError

_PARTS = frozenset({DUMP, MANIFEST, RAW})


@contextmanager
def open_draft(place: Path) -> Iterator[Path]:
    """Yield a folder beside an archive's place; it is gone afterwards unless it was moved there.

    Its dump is locked until then, which the kernel ends however the writer does. Raises
    ConflictError when another writer has the folder, and OSError.
    """
    draft = place.with_name(f".{place.name}.part")
    draft.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _taken(draft / DUMP, "ab")
    if lock is None:
        raise ConflictError(f"another backup makes {place} now: name another file or folder")
    with lock:
        _clear(draft)
        try:
            yield draft
        finally:
            with suppress(OSError):
                # After the move another writer may have a folder of this name.
                if _is_at(draft / DUMP, lock):
                    _remove(draft)


def remove_dead_drafts(folder: Path) -> tuple[str, ...]:
    """Return the names of the drafts that were removed, whose writers were killed."""
    removed = []
    for draft in sorted(folder.glob(".*.part")):
        # What cannot be read or removed is another's.
        with suppress(OSError):
            names = {part.name for part in draft.iterdir()}
            lock = _taken(draft / DUMP, "r+b") if {DUMP} <= names <= _PARTS else None
            if lock is not None:
                with lock:
                    _remove(draft)
                removed.append(draft.name)
    return tuple(removed)


def _taken(dump: Path, mode: Literal["ab", "r+b"]) -> BinaryIO | None:
    """Return a dump that is ours from now on, None when a living writer has it."""
    # Locks over NFS need a file that is open for writing.
    file = dump.open(mode)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(dump, file):
            return file
    except BlockingIOError:
        pass
    except OSError:
        file.close()
        raise
    file.close()
    return None


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether an open file is still the one at this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _clear(draft: Path) -> None:
    """Remove all but the dump, by which others see whose the folder is."""
    (draft / MANIFEST).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        shutil.rmtree(draft / RAW)


def _remove(draft: Path) -> None:
    """Remove the folder; its dump at the end, so that what is left of it can be removed again."""
    _clear(draft)
    (draft / DUMP).unlink()
    draft.rmdir()

"""Files that a command writes: whole, or not at all."""

import os
import tempfile
from pathlib import Path

from ctiscraper.errors import Reason, StorageError


def write_whole(target: Path, body: bytes) -> None:
    """Write a file whole, or not at all. Raises StorageError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.write(body)
            draft.chmod(0o644)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            Reason.STORAGE, f"{target} cannot be written: {error.strerror}", transient=False
        ) from error

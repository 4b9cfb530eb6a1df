"""A worker process whose raw store hangs for as long as a file is there, as a disk that is gone."""

import os
import sys
import threading
from pathlib import Path

from ctiscraper.db.raw import FolderStore
from ctiscraper.tasks import run, work

WHERE = "HUNG_WHILE"
HUNG_SECONDS = 2.0
COMMAND = (sys.executable, __file__)


def hang(store: type[FolderStore], hung: Path) -> None:
    """Let a raw store never come back from what it was asked to keep while there is a file."""
    put = store.put

    def hanging(self: FolderStore, body: bytes) -> bytes:
        if hung.exists():
            threading.Event().wait()
        return put(self, body)

    store.put = hanging  # type: ignore[method-assign]  # a disk cannot be taken away


if __name__ == "__main__":
    hang(FolderStore, Path(os.environ[WHERE]))
    work.HUNG_SECONDS = HUNG_SECONDS
    run.main()

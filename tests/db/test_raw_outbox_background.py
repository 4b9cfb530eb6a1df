"""The thread that empties an outbox: nobody watches it, so it has to live."""

import threading
from pathlib import Path

import pytest

from ctiscraper.db import raw_outbox
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.raw_outbox import OutboxStore, Waiting


class SurprisingStore(FolderStore):
    """A folder that at first fails as nobody foresaw."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked = 0
        self.kept = threading.Event()

    def put(self, body: bytes) -> bytes:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("a surprise")
        digest = super().put(body)
        self.kept.set()
        return digest


def test_what_nobody_foresaw_ends_one_round_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(raw_outbox, "REST_SECONDS", 0.0)
    monkeypatch.setattr(raw_outbox, "STOP_SECONDS", 60.0)
    (tmp_path / "raw").write_text("a disk that is away")
    digest = OutboxStore(FolderStore(tmp_path / "raw"), tmp_path / "outbox", limit=1 << 20).put(
        b"a page"
    )
    (tmp_path / "raw").unlink()
    store = SurprisingStore(tmp_path / "raw")
    outbox = OutboxStore(store, tmp_path / "outbox", limit=1 << 20)
    with outbox.flushing(every=0.01):
        assert store.kept.wait(60)
    assert store.get(digest) == b"a page"
    assert outbox.waiting() == Waiting()
    # Where logs go depends on who has set them up in this process.
    assert "outbox_failed" in "".join(capsys.readouterr())

import hashlib
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.db.raw import FolderStore, pack, unpack
from ctiscraper.errors import Reason, StorageError


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


def files(tmp_path: Path) -> list[Path]:
    found = (tmp_path / "raw").rglob("*")
    return [path for path in found if path.is_file() and path.name != ".lock"]


def test_what_is_kept_already_is_not_written_again(store: FolderStore, tmp_path: Path) -> None:
    digest = store.put(b"a page " * 1000)
    [file] = files(tmp_path)
    before = file.stat().st_mtime_ns
    assert store.put(b"a page " * 1000) == digest
    assert [path.stat().st_mtime_ns for path in files(tmp_path)] == [before]


@given(st.binary(), st.integers(min_value=0), st.binary(min_size=1, max_size=12))
def test_no_damage_is_more_than_lost_bytes(body: bytes, at: int, over: bytes) -> None:
    packed = pack(body)
    at %= len(packed)
    damaged = packed[:at] + over + packed[at + len(over) :]
    assert unpack(damaged, hashlib.sha256(body).digest()) in {None, body}


def test_threads_that_pack_at_the_same_time_do_not_mix_their_bytes() -> None:
    bodies = [f"{n} ".encode() * (1 + n * 997 % 20_000) for n in range(64)]
    with ThreadPoolExecutor(8) as threads:
        packed = list(threads.map(pack, bodies))
    assert [
        unpack(one, hashlib.sha256(body).digest()) for one, body in zip(packed, bodies, strict=True)
    ] == bodies


def test_what_else_lies_in_the_folder_is_no_hash(store: FolderStore, tmp_path: Path) -> None:
    digest = store.put(b"a page")
    [file] = files(tmp_path)
    (file.parent / ".part").write_bytes(b"half")
    (tmp_path / "raw" / "notes.txt").write_text("ours")
    assert list(store.hashes()) == [digest]


def test_a_folder_that_cannot_be_listed_or_changed_is_our_own_fault(tmp_path: Path) -> None:
    place = tmp_path / "raw"
    place.write_text("a file where the folder should be")
    store = FolderStore(place)
    with pytest.raises(StorageError, match="cannot list"):
        list(store.hashes())
    with pytest.raises(StorageError, match="lets nothing go"):
        store.delete(bytes(32))


def test_a_full_or_missing_disk_is_our_own_fault(tmp_path: Path) -> None:
    place = tmp_path / "raw"
    place.write_text("a file where the folder should be")
    with pytest.raises(StorageError) as caught:
        FolderStore(place).put(b"a page")
    assert caught.value.reason is Reason.STORAGE
    assert str(place) in caught.value.detail


def test_a_write_that_fails_leaves_nothing_behind(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store.put(b"a page")
    assert files(tmp_path) == []
    monkeypatch.undo()
    assert store.get(store.put(b"a page")) == b"a page"


def test_bytes_and_their_name_are_on_the_disk_before_they_are_promised(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[tuple[str, int]] = []
    force = os.fsync

    def record(opened: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(opened).st_mode) else "file"
        forced.append((kind, sum(path.suffix == ".zst" for path in files(tmp_path))))
        force(opened)

    monkeypatch.setattr(os, "fsync", record)
    store.put(b"a page")
    assert forced == [("folder", 0), ("file", 0), ("folder", 1)]


def test_the_folder_is_for_its_owner_alone(store: FolderStore, tmp_path: Path) -> None:
    store.put(b"a page")
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "raw").iterdir()}
    assert modes == {0}


def aged(tmp_path: Path, days: float = 2) -> None:
    for path in files(tmp_path):
        moment = path.stat().st_mtime - days * 86_400
        os.utime(path, (moment, moment))


def test_bytes_that_nobody_put_for_a_day_are_deleted(store: FolderStore, tmp_path: Path) -> None:
    digest, other = store.put(b"a page"), store.put(b"another")
    assert not store.delete(digest)
    assert store.get(digest) == b"a page"
    aged(tmp_path)
    assert store.delete(digest)
    assert store.get(digest) is None
    assert store.delete(digest)
    assert store.get(other) == b"another"


def test_bytes_that_are_put_again_are_not_deleted(store: FolderStore, tmp_path: Path) -> None:
    digest = store.put(b"a page")
    aged(tmp_path)
    store.put(b"a page")
    assert not store.delete(digest)
    assert store.get(digest) == b"a page"


def test_a_put_and_a_delete_at_the_same_time_leave_the_bytes(
    store: FolderStore, tmp_path: Path
) -> None:
    """Whichever comes first, what `put` returned is there afterwards."""
    for n in range(100):
        body = b"page %d" % n
        digest = store.put(body)
        aged(tmp_path)
        with ThreadPoolExecutor(3) as threads:
            puts = [threads.submit(store.put, body) for _ in range(2)]
            threads.submit(store.delete, digest).result()
            assert [put.result() for put in puts] == [digest] * 2
        assert store.get(digest) == body


def test_hashes_are_listed_in_order_from_anywhere(store: FolderStore, tmp_path: Path) -> None:
    assert list(store.hashes()) == []
    kept = sorted(store.put(b"page %d" % n) for n in range(600))
    (tmp_path / "raw" / kept[0].hex()[:2] / ".part").write_bytes(b"")
    assert list(store.hashes()) == kept
    assert list(store.hashes(kept[300])) == kept[301:]
    assert list(store.hashes(kept[-1])) == []


def test_no_name_of_a_body_is_interned(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of interned texts never shrinks, and a process names a body for each page."""
    interned: list[str] = []
    intern = sys.intern

    def noted(text: str) -> str:
        interned.append(text)
        return intern(text)

    monkeypatch.setattr(sys, "intern", noted)
    assert Path("/a-part-of-a-path").name in interned, "this would be seen"
    interned.clear()
    digest = store.put(b"a page")
    assert store.put(b"a page") == digest
    assert store.get(digest) == b"a page"
    assert list(store.hashes()) == [digest]
    assert store.delete(digest, untouched=0.0)
    assert [text for text in interned if len(text) > 30] == []

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctiscraper.db.raw import FolderStore
from ctiscraper.errors import Reason, StorageError


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


def files(tmp_path: Path) -> list[Path]:
    found = (tmp_path / "raw").rglob("*")
    return [path for path in found if path.is_file() and path.name != ".lock"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary())
def test_any_bytes_come_back_under_their_own_hash(store: FolderStore, body: bytes) -> None:
    digest = store.put(body)
    assert digest == hashlib.sha256(body).digest()
    assert store.get(digest) == body


def test_the_same_bytes_are_kept_once(store: FolderStore, tmp_path: Path) -> None:
    digest = store.put(b"a page " * 1000)
    [file] = files(tmp_path)
    before = file.stat().st_mtime_ns
    assert store.put(b"a page " * 1000) == digest
    assert [path.stat().st_mtime_ns for path in files(tmp_path)] == [before]
    assert file.stat().st_size < 1000


def test_threads_that_keep_the_same_bytes_do_not_harm_each_other(
    store: FolderStore, tmp_path: Path
) -> None:
    bodies = [bytes([n % 4]) * 100_000 for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        digests = list(threads.map(store.put, bodies))
    assert [store.get(digest) for digest in digests] == bodies
    assert len(files(tmp_path)) == 4


def test_what_was_never_kept_is_not_there(store: FolderStore) -> None:
    assert store.get(bytes(32)) is None


@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_damaged_bytes_are_not_given_for_good_ones(
    store: FolderStore, tmp_path: Path, harm: str
) -> None:
    digest = store.put(b"a page " * 1000)
    [file] = files(tmp_path)
    packed = file.read_bytes()
    middle = len(packed) // 2
    file.write_bytes(
        {
            "flip": packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :],
            "cut": packed[:middle],
            "empty": b"",
        }[harm]
    )
    assert store.get(digest) is None


def test_bytes_under_a_foreign_hash_are_not_given(store: FolderStore, tmp_path: Path) -> None:
    one, other = store.put(b"one"), store.put(b"other")
    places = {path.stem: path for path in files(tmp_path)}
    places[one.hex()[2:]].write_bytes(places[other.hex()[2:]].read_bytes())
    assert store.get(one) is None


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

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
    return [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]


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

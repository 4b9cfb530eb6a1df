"""Copies of packs as files: whole, or not there."""

import hashlib
import os
from pathlib import Path

import pytest

import make_packs as make
from ctiscraper.errors import StorageError
from ctiscraper.packs.shelf import Shelf


def test_a_pack_is_found_by_its_checksum(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "packs")
    data = make.zoo("1", "Fancy Bear")
    sha256 = hashlib.sha256(data).digest()
    assert shelf.get(sha256) is None
    assert shelf.put(data) == shelf.path(sha256)
    assert shelf.get(sha256) == data
    assert [path.name for path in (tmp_path / "packs").iterdir()] == [f"{sha256.hex()}.ctipack"]


@pytest.mark.parametrize("damage", [b"", b"x", b"half"])
def test_a_damaged_copy_counts_as_none_and_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    shelf = Shelf(tmp_path)
    data = make.zoo("1", "Fancy Bear")
    place = shelf.put(data)
    place.write_bytes(data[:40] + damage)
    assert shelf.get(hashlib.sha256(data).digest()) is None
    shelf.put(data)
    assert shelf.get(hashlib.sha256(data).digest()) == data


def test_copies_that_nobody_uses_go_after_a_while(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    used, unused, fresh = (make.zoo(version, "a") for version in ("1", "2", "3"))
    for data in (used, unused):
        os.utime(shelf.put(data), (100, 100))
    shelf.put(fresh)
    (tmp_path / ".left.part").write_bytes(b"half")
    os.utime(tmp_path / ".left.part", (100, 100))
    assert shelf.tidy([hashlib.sha256(used).digest()], older_than=200) == 2
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {shelf.path(hashlib.sha256(data).digest()).name for data in (used, fresh)}


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"):
        Shelf(tmp_path / "file").put(b"x")
    with pytest.raises(StorageError, match="cannot be read"):
        Shelf(tmp_path / "file").get(bytes(32))

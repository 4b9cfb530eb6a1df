"""What somebody packed is unpacked within a cap, or refused."""

import gzip
import io
import zipfile

import pytest

import make_packs as make
from ctiscraper.errors import PackError
from ctiscraper.packs.bounded import gunzipped, opened_zip, read_member


def test_gzip_is_unpacked_within_its_cap() -> None:
    assert gunzipped(make.gzipped(b"words"), 5) == b"words"
    with pytest.raises(PackError, match="more than 1 MB"):
        gunzipped(gzip.compress(bytes(200 << 20)), 1 << 20)


def test_gzip_that_was_cut_off_or_changed_is_refused() -> None:
    data = make.gzipped(b"words " * 1000)
    for size in range(2, len(data)):
        with pytest.raises(PackError, match="damaged or was cut off"):
            gunzipped(data[:size], 1 << 20)
    wrong = bytearray(data)
    wrong[-6] ^= 1
    with pytest.raises(PackError, match="damaged"):
        gunzipped(bytes(wrong), 1 << 20)


def test_a_member_of_a_zip_is_unpacked_within_its_cap() -> None:
    data = make.archive({"a": b"words", "b": bytes(100 << 20)})
    with opened_zip(io.BytesIO(data)) as archive:
        assert read_member(archive, archive.getinfo("a"), 5) == b"words"
        with pytest.raises(PackError, match="b in the archive has more than 1024 KB"):
            read_member(archive, archive.getinfo("b"), 1 << 20)


def test_a_zip_that_was_cut_off_or_changed_is_refused() -> None:
    data = make.archive({"a": b"words " * 1000})
    for size in (0, 10, len(data) // 2, len(data) - 1):
        with (
            pytest.raises(PackError, match="damaged or was cut off"),
            opened_zip(io.BytesIO(data[:size])),
        ):
            pass
    wrong = bytearray(data)
    wrong[40] ^= 255
    with pytest.raises(PackError, match="damaged"), opened_zip(io.BytesIO(wrong)) as archive:
        read_member(archive, archive.getinfo("a"), 1 << 20)


def test_an_encrypted_zip_is_refused() -> None:
    data = bytearray(make.archive({"a": b"words"}))
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    with pytest.raises(PackError, match="damaged"), opened_zip(io.BytesIO(data)) as archive:
        read_member(archive, zipfile.ZipFile(io.BytesIO(data)).getinfo("a"), 1 << 20)

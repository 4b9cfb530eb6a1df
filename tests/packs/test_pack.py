"""A pack comes back as it was written, or is refused whole."""

import contextlib
import hashlib
import random

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import make_packs as make
from ctiscraper.errors import PackError
from ctiscraper.packs import pack as packs
from ctiscraper.packs.pack import (
    MAGIC,
    PackHeader,
    count_records,
    is_pack,
    open_pack,
    read_records,
    write_pack,
)

NAMES = [f"Animal {n} of {n * 7919 % 10007}" for n in range(3000)]


def crafted(header: bytes, body: bytes, number: int = packs.FORMAT) -> bytes:
    """A pack file whose checksum is right, whatever is in it."""
    digest = hashlib.sha256(header + body).digest()
    return packs._PREFIX.pack(MAGIC, number, len(header), len(body), digest) + header + body


def header_of(unpacked: int, name: str = "zoo") -> bytes:
    return msgspec.msgpack.encode(
        PackHeader(info=make.info(name=name), records=1, unpacked=unpacked)
    )


def test_a_pack_comes_back_as_it_was_written() -> None:
    data = make.zoo("7", "Fancy Bear", "Charming Kitten")
    pack = open_pack(data)
    assert (pack.info, pack.header.records) == (make.info("7"), 2)
    assert pack.sha256 == hashlib.sha256(data).digest()
    assert read_records(pack, make.ZooPack) == make.zoo_of("Fancy Bear", "Charming Kitten")
    assert is_pack(data)


def test_the_same_records_are_the_same_bytes() -> None:
    assert make.zoo("1", *NAMES) == make.zoo("1", *NAMES)
    assert make.zoo("1", "a") != make.zoo("2", "a")


def test_a_pack_that_was_cut_off_is_refused_wherever_it_was() -> None:
    data = make.zoo("1", *NAMES)
    assert len(data) > 10_000
    for size in {*range(0, len(data), 1024), *range(60), len(data) - 1}:
        with pytest.raises(PackError):
            open_pack(data[:size])


def test_a_flipped_bit_is_refused_wherever_it_is() -> None:
    data = make.zoo("1", *NAMES[:500])
    chosen = random.Random(4)
    places = {*range(60), *(chosen.randrange(len(data)) for _ in range(1000))}
    for place in places:
        wrong = bytearray(data)
        wrong[place] ^= 1 << chosen.randrange(8)
        with pytest.raises(PackError):
            open_pack(bytes(wrong))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no data pack"),
        (b"PK\x03\x04", "no data pack"),
        (MAGIC, "cut off after 8 bytes"),
        (make.zoo("1", "a") + b"x", "added to"),
        (crafted(header_of(1), b"", number=2), "update CTIScraper"),
        (crafted(header_of(1), b"", number=0), "make no sense"),
        (crafted(b"\x00", b""), "header"),
        (crafted(b"\x91" * 100_000, b""), "header"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: str) -> None:
    with pytest.raises(PackError, match=words):
        open_pack(data)


@pytest.mark.parametrize(
    ("unpacked", "body", "words"),
    [
        (1 << 40, b"", "is the most"),
        (-1, b"", "is the most"),
        (10, zstandard.compress(bytes(200 << 20)), "does not unpack to the 10 bytes"),
        (10, zstandard.compress(b"123"), "does not unpack to the 10 bytes"),
        (10, b"no zstandard", "cannot be unpacked"),
        (2, zstandard.compress(b"\x81\xa7"), "not as this program knows them"),
        (100_000, zstandard.compress(b"\x91" * 100_000), "not as this program knows them"),
        (5, zstandard.compress(msgspec.msgpack.encode([1, 2, 3, 4])), "not as this program"),
    ],
)
def test_a_pack_with_a_right_checksum_and_a_wrong_body_is_refused(
    unpacked: int, body: bytes, words: str
) -> None:
    pack = open_pack(crafted(header_of(unpacked), body))
    with pytest.raises(PackError, match=words):
        read_records(pack, make.ZooPack)


def test_too_much_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make.zoo("1", *NAMES)
    monkeypatch.setattr(packs, "MOST_UNPACKED", 1000)
    with pytest.raises(PackError, match="take less into it"):
        write_pack(make.info(), make.zoo_of(*NAMES))
    monkeypatch.setattr(packs, "MOST_BYTES", 1000)
    with pytest.raises(PackError, match="none of ours"):
        open_pack(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_pack_or_refused(data: bytes) -> None:
    for tried in (data, MAGIC + data, crafted(data[:100], data[100:])):
        with contextlib.suppress(PackError):
            read_records(open_pack(tried), make.ZooPack)


def test_records_are_counted_over_all_fields() -> None:
    class Two(msgspec.Struct):
        one: tuple[int, ...] = (1, 2)
        other: dict[str, int] = msgspec.field(default_factory=lambda: {"a": 1})
        version: str = "long words"

    assert count_records(Two()) == 3

"""A data pack as bytes: header, checksum and compressed records, refused whole if any is off."""

import hashlib
import struct
from collections.abc import Sized
from typing import TypeVar

import msgspec
import zstandard

from ctiscraper.errors import PackError
from ctiscraper.packs.info import PackInfo

MAGIC = b"\x89CTIPACK"
FORMAT = 1
# The largest of the known packs has a few megabytes, and some tens unpacked.
MOST_BYTES = 128 << 20
MOST_UNPACKED = 256 << 20
MOST_HEADER = 1 << 20
LEVEL = 12

# Magic, format, sizes of header and body, SHA-256 of both.
_PREFIX = struct.Struct(">8sHII32s")
_PIECE = 1 << 20
_AGAIN = "get it anew; the pack in use stays"

T = TypeVar("T")


class PackHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack says of itself before its records are unpacked."""

    info: PackInfo
    records: int
    unpacked: int


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pack whose checksum is right; `sha256` is that of all of `data`."""

    header: PackHeader
    sha256: bytes
    data: bytes

    @property
    def info(self) -> PackInfo:
        """Return name, version and terms."""
        return self.header.info


def write_pack(info: PackInfo, records: msgspec.Struct) -> bytes:
    """Return records as a pack; the same records of the same version are the same bytes."""
    plain = msgspec.msgpack.encode(records)
    if len(plain) > MOST_UNPACKED:
        raise PackError(
            f"the data pack {info.name} would have {len(plain) >> 20} MB of records, and "
            f"{MOST_UNPACKED >> 20} is the most: take less into it"
        )
    header = msgspec.msgpack.encode(
        PackHeader(info=info, records=count_records(records), unpacked=len(plain))
    )
    body = zstandard.ZstdCompressor(level=LEVEL).compress(plain)
    digest = hashlib.sha256(header + body).digest()
    return _PREFIX.pack(MAGIC, FORMAT, len(header), len(body), digest) + header + body


def is_pack(start: bytes) -> bool:
    """Return whether a file that begins so is meant to be a data pack."""
    return start.startswith(MAGIC)


def open_pack(data: bytes) -> Pack:
    """Return the pack that these bytes are. Raises PackError for all that is not whole."""
    if len(data) > MOST_BYTES:
        raise PackError(
            f"the data pack has more than {MOST_BYTES >> 20} MB: that is none of ours; {_AGAIN}"
        )
    header_size, body_size, digest = _sizes(data)
    content = memoryview(data)[_PREFIX.size :]
    if len(content) != header_size + body_size:
        raise PackError(
            f"the data pack has {len(data)} bytes and says it has "
            f"{_PREFIX.size + header_size + body_size}: it was cut off or added to; {_AGAIN}"
        )
    if hashlib.sha256(content).digest() != digest:
        raise PackError(f"the data pack is damaged: its checksum does not fit; {_AGAIN}")
    try:
        header = msgspec.msgpack.decode(content[:header_size], type=PackHeader)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PackError(f"the header of the data pack cannot be read: {error}; {_AGAIN}") from error
    return Pack(header=header, sha256=hashlib.sha256(data).digest(), data=data)


def _sizes(data: bytes) -> tuple[int, int, bytes]:
    """Return the sizes of header and body, and their checksum."""
    if not is_pack(data[: len(MAGIC)]):
        raise PackError("this is no data pack: those are made by 'ctiscraper data export'")
    if len(data) < _PREFIX.size:
        raise PackError(f"the data pack was cut off after {len(data)} bytes; {_AGAIN}")
    _, number, header_size, body_size, digest = _PREFIX.unpack_from(data)
    if number > FORMAT:
        raise PackError(
            f"the data pack has format {number}, this program reads up to {FORMAT}: "
            "update CTIScraper, or export the pack with this version"
        )
    if number != FORMAT or header_size > MOST_HEADER:
        raise PackError(f"the data pack is damaged: its first bytes make no sense; {_AGAIN}")
    return int(header_size), int(body_size), bytes(digest)


def read_records(pack: Pack, records: type[T]) -> T:
    """Return the records of a pack as what they should be. Raises PackError."""
    name = pack.info.name
    plain = _unpacked(pack)
    try:
        return msgspec.msgpack.decode(plain, type=records)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PackError(
            f"the records of the data pack {name} {pack.info.version} are not as this program "
            f"knows them: {error}; take a pack of this version of CTIScraper"
        ) from error


def _unpacked(pack: Pack) -> bytes:
    """Return the plain body, never more of it than the header says."""
    said = pack.header.unpacked
    if not 0 <= said <= MOST_UNPACKED:
        raise PackError(
            f"the data pack {pack.info.name} would unpack to {said >> 20} MB, "
            f"{MOST_UNPACKED >> 20} is the most: it is not taken"
        )
    header_size, _, _ = _sizes(pack.data)
    body = memoryview(pack.data)[_PREFIX.size + header_size :]
    pieces: list[bytes] = []
    size = 0
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            while piece := reader.read(_PIECE):
                size += len(piece)
                if size > said:
                    break
                pieces.append(piece)
    except zstandard.ZstdError as error:
        raise PackError(
            f"the data pack {pack.info.name} cannot be unpacked: {error}; {_AGAIN}"
        ) from error
    if size != said:
        raise PackError(
            f"the data pack {pack.info.name} does not unpack to the {said} bytes that it says; "
            f"{_AGAIN}"
        )
    return b"".join(pieces)


def count_records(records: msgspec.Struct) -> int:
    """Return how many records there are: what the struct says itself, else all in its fields."""
    if isinstance(records, Sized):
        return len(records)
    values = (getattr(records, name) for name in records.__struct_fields__)
    return sum(len(v) for v in values if isinstance(v, tuple | list | dict | frozenset | set))

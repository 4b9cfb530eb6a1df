"""Files that somebody packed, unpacked within a cap and told in one family of errors."""

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO

from ctiscraper.errors import PackError

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"

# What the readers of archives raise for one that somebody damaged: places that are none, methods
# that are not known, streams that end.
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def gunzipped(data: bytes, most: int) -> bytes:
    """Return what a gzip file holds. Raises PackError when that is too much, or not whole."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            plain = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PackError(
            f"the gzip file is damaged or was cut off: {error}; get it anew; what is in use stays"
        ) from error
    if len(plain) > most:
        raise PackError(f"the gzip file unpacks to more than {most >> 20} MB: it is not taken")
    return plain


@contextmanager
def opened_zip(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Yield an archive; whatever is wrong with it while it is read is a PackError."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _FAULTS as error:
        raise PackError(
            f"the zip archive is damaged or was cut off: {error}; get it anew; what is in use stays"
        ) from error


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Return a file of an archive that has at most so many bytes. Raises PackError."""
    with archive.open(member) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise PackError(
            f"{member.filename[:120]} in the archive has more than {most >> 10} KB: "
            "the archive is not taken"
        )
    return data

"""Content codings undone within a cap, so that no answer can grow in memory."""

import zlib
from typing import Protocol

from ctiscraper.errors import FetchError, Reason, Scope

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f"
_ZLIB_METHOD = 8
# An empty gzip member costs 20 bytes on the wire and an object here.
_MAX_MEMBERS = 1000


class Decoder(Protocol):
    """Takes the body as it arrives and gives it decoded."""

    def feed(self, data: bytes) -> bytes:
        """Return what the bytes decode to; raises FetchError past the cap."""

    def finish(self) -> None:
        """Raise FetchError when the body ended too early."""


def decoder_for(coding: str, limit: int, *, truncate: bool = False) -> Decoder:
    """Return the decoder of a Content-Encoding for at most `limit` bytes.

    With `truncate` what exceeds the cap is dropped instead of refused. Raises
    FetchError for any coding we did not ask for, and for codings in a row.
    """
    name = coding.strip().lower()
    if name in {"", "identity"}:
        return Identity(limit, truncate=truncate)
    if name in {"gzip", "x-gzip", "deflate"}:
        return Inflate(limit, gzip=name != "deflate", truncate=truncate)
    raise FetchError(
        Reason.ENCODING_REFUSED, f"Content-Encoding: {name[:80]}", scope=Scope.ITEM, transient=False
    )


def too_large(limit: int) -> FetchError:
    """Return the error of a body that passed its cap."""
    return FetchError(
        Reason.TOO_LARGE, f"more than {limit} bytes", scope=Scope.ITEM, transient=False
    )


class Identity:
    """Bytes as they come, counted."""

    def __init__(self, limit: int, *, truncate: bool = False) -> None:
        self._limit = limit
        self._left = limit
        self._truncate = truncate

    def feed(self, data: bytes) -> bytes:
        """Return the bytes, or as many of them as are left."""
        kept = data[: self._left]
        if len(kept) < len(data) and not self._truncate:
            raise too_large(self._limit)
        self._left -= len(kept)
        return kept

    def finish(self) -> None:
        """Accept any end: its length is HTTP's matter."""


class Inflate:
    """gzip (RFC 1952, several members) or deflate (RFC 1950, and bare RFC 1951)."""

    def __init__(self, limit: int, *, gzip: bool, truncate: bool = False) -> None:
        self._limit = limit
        self._left = limit
        self._gzip = gzip
        self._truncate = truncate
        self._members = 0
        self._stream: zlib._Decompress | None = None
        self._done = False

    def feed(self, data: bytes) -> bytes:
        """Return what the bytes inflate to."""
        parts: list[bytes] = []
        while data and not self._done:
            if self._stream is None and self._is_padding(data):
                break
            stream = self._stream or self._open(data)
            parts.append(self._inflate(stream, data))
            data = stream.unused_data
            if stream.eof:
                self._stream = None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> None:
        """Raise when the last member is incomplete."""
        if self._stream is not None and not self._done:
            raise _broken("the compressed body ends too early")

    def _open(self, data: bytes) -> "zlib._Decompress":
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise _broken("too many gzip members")
        window = _GZIP_WINDOW
        if not self._gzip:
            # Servers that send "deflate" bare lack the two zlib header bytes.
            window = zlib.MAX_WBITS if data[0] & 0x0F == _ZLIB_METHOD else -zlib.MAX_WBITS
        self._stream = zlib.decompressobj(window)
        return self._stream

    def _inflate(self, stream: "zlib._Decompress", data: bytes) -> bytes:
        try:
            # One more than is left tells "at the cap" from "past it".
            out = stream.decompress(data, self._left + 1)
        except zlib.error as error:
            raise _broken(str(error)) from error
        if len(out) > self._left:
            if not self._truncate:
                raise too_large(self._limit)
            self._done = True
            out = out[: self._left]
        self._left -= len(out)
        return out

    def _is_padding(self, data: bytes) -> bool:
        # Bytes after the last member that start no other mean nothing.
        more = self._gzip and data.startswith(_GZIP_MAGIC)
        self._done = self._members > 0 and not more
        return self._done


def _broken(detail: str) -> FetchError:
    return FetchError(Reason.ENCODING_BROKEN, detail, scope=Scope.HOST)

"""What one answer may cost, and its body taken in piece by piece within that."""

from dataclasses import dataclass

import httpcore2

from ctiscraper.errors import FetchError, Reason
from ctiscraper.http.decode import decoder_for, too_large

# A body in crumbs costs the reader more than the sender.
_FREE_PIECES = 10_000
_MEAN_PIECE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one exchange may cost, redirects included.

    `max_bytes` caps the wire and the decoded body alike; `seconds` is wall time;
    with `truncate` a body past its cap is cut instead of refused.
    """

    max_bytes: int
    seconds: float = 30.0
    max_redirects: int = 5
    allow_downgrade: bool = False
    truncate: bool = False


class Intake:
    """The body of one answer, decoded and counted."""

    def __init__(self, response: httpcore2.Response, limits: FetchLimits) -> None:
        """Raise FetchError for a coding nobody asked for, and a length past the cap."""
        length = header_map(response).get("content-length", "")
        if length.isdecimal() and int(length) > limits.max_bytes and not limits.truncate:
            raise too_large(limits.max_bytes)
        codings = [v for k, v in response.headers if k.lower() == b"content-encoding"]
        coding = b", ".join(codings).decode("latin-1")
        self._decoder = decoder_for(coding, limits.max_bytes, truncate=limits.truncate)
        self._limits = limits
        self._kept = 0
        self._pieces = 0
        self.wire_bytes = 0

    def take(self, piece: bytes) -> bytes:
        """Return what a piece decodes to. Raises FetchError past the cap."""
        self._pieces += 1
        self.wire_bytes += len(piece)
        if self._pieces > _FREE_PIECES and self.wire_bytes < self._pieces * _MEAN_PIECE:
            raise FetchError(Reason.PROTOCOL, "the body comes in crumbs")
        part = self._decoder.feed(piece)
        self._kept += len(part)
        if self.wire_bytes > self._limits.max_bytes and not self._limits.truncate:
            raise too_large(self._limits.max_bytes)
        return part

    @property
    def is_full(self) -> bool:
        """Whether a body that may be cut has reached its cap."""
        most = max(self._kept, self.wire_bytes)
        return self._limits.truncate and most >= self._limits.max_bytes

    def finish(self) -> None:
        """Raise FetchError when the body ended too early."""
        self._decoder.finish()


def header_map(response: httpcore2.Response) -> dict[str, str]:
    """Return the headers by their names in lower case, the last of each."""
    return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}

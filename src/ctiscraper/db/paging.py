"""Cursors: where a page of a list ends, as an opaque word that a caller hands back."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct

from ctiscraper.errors import CursorError

# A version byte, microseconds since 1970 or a score, and the row's number.
_LAYOUT, _SCORE_LAYOUT = Struct(">Bqq"), Struct(">Bdq")
_WORD = re.compile(r"[A-Za-z0-9_-]{23}")
_VERSION, _SCORE_VERSION = 1, 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STRANGE = "the cursor is not one that this list gave; start at the top"
# 1,500 years to either side stay within what a datetime holds.
_MICROS_MOST = 1_500 * 365 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list that is ordered by time, then number."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class ScorePosition:
    """A place in a list that is ordered by score, then number."""

    score: float
    id: int


def to_cursor(position: Position) -> str:
    """Return the word for a place in a list."""
    micros = (position.at - _EPOCH) // timedelta(microseconds=1)
    return urlsafe_b64encode(_LAYOUT.pack(_VERSION, micros, position.id)).rstrip(b"=").decode()


def from_cursor(cursor: str) -> Position:
    """Return the place that a cursor names. Raises CursorError."""
    if _WORD.fullmatch(cursor):
        version, micros, number = _LAYOUT.unpack(urlsafe_b64decode(cursor + "="))
        if version == _VERSION and abs(micros) < _MICROS_MOST:
            return Position(_EPOCH + timedelta(microseconds=micros), number)
    raise CursorError(_STRANGE)


def to_score_cursor(position: ScorePosition) -> str:
    """Return the word for a place in a list by score."""
    packed = _SCORE_LAYOUT.pack(_SCORE_VERSION, position.score, position.id)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def from_score_cursor(cursor: str) -> ScorePosition:
    """Return the place that a cursor of a list by score names. Raises CursorError."""
    if _WORD.fullmatch(cursor):
        version, score, number = _SCORE_LAYOUT.unpack(urlsafe_b64decode(cursor + "="))
        if version == _SCORE_VERSION and 0 <= score <= 1:
            return ScorePosition(score, number)
    raise CursorError(_STRANGE)

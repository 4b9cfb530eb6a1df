"""Long columns of values as PostgreSQL reads them: psycopg takes many times as long for a list."""

import re
from collections.abc import Sequence

import msgspec

_encoder = msgspec.json.Encoder()
# JSON and PostgreSQL quote alike but for what JSON has letters for: after an odd number of strokes.
_MAYBE = re.compile(r"\\[bfnrtu]")
_LETTERED = re.compile(r"(?<!\\)((?:\\\\)*)(\\(?:[bfnrt]|u[0-9a-f]{4}))")


def array(values: Sequence[str | float | None]) -> str:
    """Return an array as a parameter to be cast to its type; None is NULL."""
    document = _encoder.encode(values).decode()
    if _MAYBE.search(document):
        document = _LETTERED.sub(_plain, document)
    return "{" + document[1:-1] + "}"


def _plain(escaped: re.Match[str]) -> str:
    return escaped[1] + str(msgspec.json.decode(f'"{escaped[2]}"'))

"""Numbers as PostgreSQL's `real` holds them."""

from struct import Struct

_REAL = Struct("f")


def real(number: float) -> float:
    """Return the nearest number that `real` holds: what is too small for it becomes 0.

    A cast of PostgreSQL refuses that (numeric_value_out_of_range).
    """
    nearest: float = _REAL.unpack(_REAL.pack(number))[0]
    return nearest

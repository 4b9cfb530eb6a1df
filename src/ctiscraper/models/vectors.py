"""Vectors of texts, held to what they should be."""

import math
from collections.abc import Sequence

from ctiscraper.models.faults import unreadable

MOST_LENGTH = 16_384


def checked_vectors(
    vectors: Sequence[Sequence[float]], texts: int, server: str
) -> tuple[tuple[float, ...], ...]:
    """Return one vector for each text, all finite and of one length. Raises ModelError."""
    if len(vectors) != texts:
        raise unreadable(server, f"{len(vectors)} vectors for {texts} texts")
    lengths = {len(vector) for vector in vectors}
    if texts and (len(lengths) != 1 or not 0 < max(lengths) <= MOST_LENGTH):
        raise unreadable(server, f"vectors of {', '.join(map(str, sorted(lengths)))} numbers")
    if not all(math.isfinite(number) for vector in vectors for number in vector):
        raise unreadable(server, "vectors with numbers that are none")
    return tuple(tuple(vector) for vector in vectors)

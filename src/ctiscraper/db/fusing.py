"""One list of several, each ranked in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """How ranks are added up: reciprocal rank fusion (Cormack, Clarke, Buettcher 2009), weighted.

    With a small `constant` the first places of a list count for much more than the next.
    """

    constant: int
    weights: tuple[float, ...]


# The middle of what did best on half of the bundled questions (bench/retrieval.py --fit).
MEANING_AND_WORDS = Fusion(constant=5, weights=(1.0, 0.25))
"""Of what is near in meaning, and of what has the words."""

EVEN = Fusion(constant=60, weights=(1.0, 1.0))
"""Of two lists of which neither is known to be the better one."""


def fuse(lists: Sequence[Sequence[int]], fusion: Fusion = EVEN) -> list[tuple[int, float]]:
    """Return what stands in any of some lists, best first.

    What is first in all of them has 1. Of two that have the same the later number is first.
    """
    whole = sum(fusion.weights)
    scores: dict[int, float] = {}
    for listed, weight in zip(lists, fusion.weights, strict=True):
        for rank, number in enumerate(listed):
            share = (fusion.constant + 1) / (fusion.constant + 1 + rank)
            scores[number] = scores.get(number, 0.0) + share * weight / whole
    return sorted(scores.items(), key=lambda one: (-one[1], -one[0]))

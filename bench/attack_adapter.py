"""Techniques behind the call signature of the evaluation scorer."""

from collections import defaultdict
from functools import cache

from ctiscraper.enrich.attack import Techniques
from ctiscraper.packs.attack import build_default


@cache
def _recogniser() -> tuple[Techniques, dict[str, set[str]]]:
    """Return the techniques, and the former ids of those that took the place of others.

    Readers marked the texts with the ids of their years: T1574.002 is T1574.001 today. Ids of
    before 2020, when there were no sub-techniques, are not among the labels.
    """
    pack = build_default()[1]
    techniques = Techniques(pack)
    former: dict[str, set[str]] = defaultdict(set)
    for one in pack.techniques:
        if one.revoked and one.parent and (now := techniques.current(one.id)) != one.id:
            former[now].add(one.id)
    return techniques, former


def techniques(text: str) -> list[str]:
    """The ids of the techniques that a text speaks of, with those they had before."""
    recogniser, former = _recogniser()
    found = [one.value for one in recogniser.find(text)]
    return [*found, *(old for one in found for old in former.get(one, ()))]

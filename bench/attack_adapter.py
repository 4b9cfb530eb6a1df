"""Techniques behind the call signature of the evaluation scorer."""

from functools import cache

from ctiscraper.enrich.attack import Techniques
from ctiscraper.packs.attack import build_default


@cache
def _recogniser() -> Techniques:
    return Techniques(build_default()[1])


def techniques(text: str) -> list[str]:
    """The ids of the techniques that a text speaks of."""
    return [one.value for one in _recogniser().find(text)]

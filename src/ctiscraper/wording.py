"""The words of a text that say something, so that two texts can be held against each other."""

import re
from functools import cache
from importlib.resources import files

# Below this line of our own list stand words of technology.
_TECHNICAL = "# technology"
_LETTERS = re.compile(r"[^\W_]+")
# A word is compared by its beginning, so that its other forms are the same.
_SHORTEST, _LONGEST_ENDING = 5, 3

STOP_WORDS = frozenset(
    _LETTERS.findall(
        "a about after again all also an and any are as at be because been before being between"
        " both but by can could did do does doing done during each few for from further had has"
        " have having he her here hers him his how i if in into is it its itself just me more most"
        " my no nor not of off on once only or other our out over own s same she should so some"
        " such t than that the their them then there these they this those through to too under"
        " until up us very was we were what when where which while who whom whose why will with"
        " would you your"
    )
)
"""Words of English that say nothing by themselves."""


def stems_of(text: str) -> frozenset[str]:
    """Return the beginnings of the words of a text that say something, in lower case."""
    return frozenset(
        word[: max(_SHORTEST, len(word) - _LONGEST_ENDING)]
        for word in _LETTERS.findall(text.lower())
        if word not in STOP_WORDS
    )


@cache
def own_words() -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of everyday language in our own list, and those of technology."""
    text = files("ctiscraper").joinpath("ordinary.txt").read_text("utf-8")
    everyday, _, technical = text.partition(_TECHNICAL)
    return _listed(everyday), _listed(technical)


def _listed(text: str) -> frozenset[str]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())

"""How guarded a text is, by the markings of the Traffic Light Protocol in it."""

import re
import unicodedata

from ctiscraper.types import Tlp

_ORDER = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)
# TLP 2.0 (FIRST) writes TLP:AMBER; people write it in other ways too, and 1.0 had WHITE.
_MARK = re.compile(
    r"\bTLP\s{0,3}[:=\-_/|\u2013\u2014]?\s{0,3}[\[(\"']?\s{0,3}"
    r"(WHITE|CLEAR|GREEN|AMBER(?:\s{0,3}[+&\-_ ]\s{0,3}STRICT)?|RED)\b",
    re.IGNORECASE,
)
_FORMAT = "Cf"


def marking(*texts: str, least: Tlp = Tlp.CLEAR) -> Tlp:
    """Return the strictest marking in these texts, `least` at the least.

    A text that only tells of a marking counts as marked: to be too careful costs one answer.
    """
    found = [least]
    for text in texts:
        plain = unicodedata.normalize("NFKC", text)
        plain = "".join(char for char in plain if unicodedata.category(char) != _FORMAT)
        found += [_level(word[1]) for word in _MARK.finditer(plain)]
    return max(found, key=_ORDER.index)


def is_beyond(marked: Tlp, ceiling: Tlp) -> bool:
    """Return whether what is so marked is more guarded than the ceiling allows."""
    return _ORDER.index(marked) > _ORDER.index(ceiling)


def _level(word: str) -> Tlp:
    word = word.lower()
    if word.startswith("amber"):
        return Tlp.AMBER_STRICT if "strict" in word else Tlp.AMBER
    return Tlp.CLEAR if word == "white" else Tlp(word)

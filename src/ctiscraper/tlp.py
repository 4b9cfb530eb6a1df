"""The Traffic Light Protocol: how far a text may be passed on, as the text itself says.

https://www.first.org/tlp/ (version 2.0), and the WHITE of version 1.0, which is CLEAR now.
"""

import re
import unicodedata

from ctiscraper.types import Tlp

__all__ = ["Tlp", "tlp_of"]


_RANK = {marking: rank for rank, marking in enumerate(Tlp)}
_NAMES = {"white": Tlp.CLEAR} | {marking.value: marking for marking in Tlp}

# Marks between letters that nobody sees, which would part the name from its colour.
_UNSEEN = dict.fromkeys(
    (0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x2060, 0x2065))
)
_FORMAT = "Cf"
# Spaces, brackets and stops, and the rule of a table.
_BETWEEN = r"[\s:=_/|.<>\u2013\u2014\[(\"'*-]{0,24}"
_MARKING = re.compile(
    r"(?<![a-z0-9])(?:tlp(?:\s?v?\s?[12]\.0)?|traffic[\s-]light[\s-]protocol(?:\s?\(tlp\))?)"
    rf"{_BETWEEN}(?:(?:level|classification|designation|marking|label|colou?r){_BETWEEN})?"
    r"(white|clear|green|amber|red)(?![a-z0-9])"
    r"([\s+&_-]{0,7}strict(?![a-z0-9]))?"
)


def tlp_of(text: str) -> Tlp | None:
    """Return the most guarded marking that a text carries, None where it carries none.

    A text that names several is as guarded as the strictest: whether it bears a marking or
    explains one cannot be told apart by its words.
    """
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", text).translate(_UNSEEN)
        plain = "".join(char for char in plain if unicodedata.category(char) != _FORMAT)
    found = (
        Tlp.AMBER_STRICT if named[1] == "amber" and named[2] else _NAMES[named[1]]
        for named in _MARKING.finditer(plain.lower())
    )
    return max(found, key=_RANK.__getitem__, default=None)

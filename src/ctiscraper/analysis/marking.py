"""How guarded an article is, by its markings and by what its source is at the least."""

from ctiscraper.tlp import tlp_of
from ctiscraper.types import Tlp


def marking(*texts: str, least: Tlp = Tlp.CLEAR) -> Tlp:
    """Return the strictest marking in these texts, `least` at the least.

    A text that only tells of a marking counts as marked: to be too careful costs one answer.
    """
    found = (least, *(tlp_of(text) or Tlp.CLEAR for text in texts))
    return max(found, key=list(Tlp).index)

"""Whether a title in English names what the original names, so far as no language changes it."""

import re
from collections.abc import Iterator

from ctiscraper.analysis.figures import figures_of, strange_figure
from ctiscraper.analysis.mentions import (
    COMMON,
    Vocabulary,
    forms_of,
    hard_names,
    is_plain,
    names_in,
    vocabulary,
)
from ctiscraper.wording import own_words

# Names of countries, days and months are other words in each language, and so are some that are
# written in capitals.
_CHANGED_WORDS = """
monday tuesday wednesday thursday friday saturday sunday january february march april may june july
august september october november december ai gdpr nato un who
"""
_CHANGED = COMMON | frozenset(_CHANGED_WORDS.split())
# What titles begin with beside what sentences do.
_FIRST_WORDS = """
airline airport analysis app arrest authorities bank browser businesses certificate cities city
clinic consumers council dangerous driver energy experts extension factories factory fake fraud
gateway healthcare hospital hotels inside insurer investigators leak manufacturer millions ministry
municipal municipalities operation parliament phone police politicians provider retailer router
school scammers serious smartphones spies supplier thieves thousands universities university
utilities utility warning wave worldwide zero-day
"""
_FIRST = frozenset(_FIRST_WORDS.split())
# LockBit, APT29: no language writes its words so.
_MIXED = re.compile(r"[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]{2}")
_PARTS = re.compile(r"[-']")


def strays(original: str, translation: str, known: Vocabulary) -> bool:
    """Return whether a translation has an id, a number or a name that is not `known`, or lost one.

    Names are told by their capitals; of those in the original by capitals amidst a word, or digits.
    """
    if hard_names(translation) != hard_names(original):
        return True
    if strange_figure(translation, figures_of(original)) or strange_figure(
        original, figures_of(translation)
    ):
        return True
    if not all(known.names(name, is_first=False) for name in _told(translation)):
        return True
    here = vocabulary(translation)
    return not all(map(here.knows, _mixed(original)))


def _told(translation: str) -> Iterator[str]:
    """The names of a translation that the original should have as they are."""
    for name, is_first in names_in(translation):
        folded = name.casefold().removesuffix("'s")
        if folded in _CHANGED or forms_of(folded):
            continue
        if not (is_first and _is_word(name)):
            yield name


def _is_word(name: str) -> bool:
    folded = name.casefold()
    everyday, technical = own_words()
    known = everyday | technical | _FIRST
    is_listed = folded in known or folded.removesuffix("s") in known
    return not _MIXED.search(name) and (is_plain(name) or is_listed)


def _mixed(original: str) -> Iterator[str]:
    for name, _ in names_in(original):
        for part in _PARTS.split(name):
            if _MIXED.search(part) and part.casefold() not in COMMON:
                yield part

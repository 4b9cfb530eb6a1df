"""The numbers of a text, in figures or in words, so that a claim's can be held against them."""

import re

from ctiscraper.analysis.mentions import COMMON, WORTH, plainly, without_spelt

_ISO = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-([0-2]\d|3[01])(?!\d)")
# Digits with what belongs to them: 1,200; v4.2; 10th; x64.
_FIGURE = re.compile(r"(?<![^\W_])[^\W\d_]*\d(?:[^\W_]|[.,](?=\d))*")
_PLAIN = re.compile(r"\d[\d.,]*")
_GROUPS = re.compile(r"[.,](?=\d{3}(?!\d))")
_SPACED = re.compile(r"(?<!\d)\d{1,3}(?: \d{3})+(?!\d)")
_AFFIXES = re.compile(r"^v(?=\d)|(?<=\d)(?:st|nd|rd|th)$")
_WORD = re.compile(r"[^\W\d_]+")
_JOINED = re.compile(r"\b([a-z]+ty)[- ]([a-z]+)\b")
# Less than this is said of things that a text only names: "both", "the two".
_LEAST_WORD = 3
_TEN, _TWENTY = 10, 20
_MONTH_WORDS = """
January February March April May June July August September October November December
"""
_MONTHS = _MONTH_WORDS.split()
_SIZE_WORDS = """
dozen dozens hundred hundreds thousand thousands million millions billion billions trillion percent
half third quarter
"""
_SIZES = frozenset(_SIZE_WORDS.split())
# Claims are in English also of articles in other languages.
_ABROAD_WORDS = {
    "hundred": "hundert hunderte hunderten",
    "thousand": "tausend tausende tausenden mille mila duizend duizenden",
    "million": "mio mln millionen mill\u00f3n millones milione milioni milh\u00f5es miljoen",
    "billion": "mrd milliarde milliarden milliard milliards miliardo miliardi miljard",
    "percent": "prozent procent procento",
}
_SIZES_ABROAD = {word: size for size, words in _ABROAD_WORDS.items() for word in words.split()}


def figures_of(text: str) -> frozenset[str]:
    """Return the numbers of a text, those within addresses and ids left out."""
    plain = _summed(without_spelt(dates_spelt(text)).casefold())
    found = {form for one in _FIGURE.finditer(plain) for form in _forms(one[0])}
    found |= {one[0].replace(" ", "") for one in _SPACED.finditer(plain)}
    found |= {str(WORTH[word]) for word in _WORD.findall(plain) if word in WORTH}
    found |= {_singular(word) for word in _WORD.findall(plain) if word in _SIZES}
    found |= {_SIZES_ABROAD[word] for word in _WORD.findall(plain) if word in _SIZES_ABROAD}
    return frozenset(found | ({"percent"} if "%" in plain else set()))


def strange_figure(claim: str, known: frozenset[str]) -> str | None:
    """Return the first number of a claim that is not among those of a text, None for none."""
    plain = _summed(without_spelt(dates_spelt(claim)).casefold())
    for one in _FIGURE.finditer(plain):
        if one[0] not in COMMON and known.isdisjoint(_forms(one[0])):
            return one[0]
    for word in _WORD.findall(plain):
        if word in _SIZES and _singular(word) not in known:
            return str(word)
        if WORTH.get(word, 0) >= _LEAST_WORD and str(WORTH[word]) not in known:
            return str(word)
    return None


def dates_spelt(text: str) -> str:
    """Return a text with 2026-05-03 written as 3 May 2026."""
    return _ISO.sub(lambda one: f"{int(one[3])} {_MONTHS[int(one[2]) - 1]} {one[1]}", plainly(text))


def _forms(figure: str) -> set[str]:
    """A figure without what sets its digits apart, and without what may be left out."""
    bare = _AFFIXES.sub("", figure)
    return {_number(figure), _number(bare)}


def _number(figure: str) -> str:
    if not _PLAIN.fullmatch(figure):
        return figure
    parts = _GROUPS.sub("", figure).replace(",", ".").split(".")
    return ".".join(part.lstrip("0") or "0" for part in parts)


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _summed(text: str) -> str:
    """Write numbers of two words in figures."""
    return _JOINED.sub(_sum_of, text)


def _sum_of(found: re.Match[str]) -> str:
    ten, one = WORTH.get(found[1], 0), WORTH.get(found[2], 0)
    return str(ten + one) if ten >= _TWENTY and 0 < one < _TEN else found[0]

"""Words that a model quotes, found in the article they are said to stand in."""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass, field

from ctiscraper.analysis.analysed import Quote
from ctiscraper.analysis.around import named_at, sentences_at
from ctiscraper.analysis.shown import without_unseen
from ctiscraper.analysis.traced import Traced, traced

LONGEST = 600
"""Characters of a quotation; a longer one would prove anything."""

_FEWEST_WORDS = 2
_FEWEST_SIGNS = 12
# Languages that set no spaces say in a sign what others say in a word.
_FEWEST_IDEOGRAPHS = 6
# So much that no reader sees may stand amidst a quotation, and no more.
_MOST_UNSEEN = 8

_IDEOGRAPHS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_IDEOGRAPH = re.compile(f"[{_IDEOGRAPHS}]")
_WORD = re.compile(r"[^\W_]+(?:['.:/\\@-][^\W_]+)*")
# Of passages places are looked at before they are in normal form.
_JOINTS = "'\u2019-\u2010\u2011_"
_LONG_DASHES = frozenset("\u2012\u2013\u2014\u2015")
_WORDY = re.compile(rf"(?![{_IDEOGRAPHS}])[^\W_]")

_SINGLE = re.compile("[\u2018\u2019\u201a\u201b\u2032\u2035\u0060\u00b4\u02bc\u2039\u203a]")
_DOUBLE = re.compile("[\u201c-\u201f\u2033\u2036\u00ab\u00bb\u300c-\u300f]")
_DASH = re.compile("[\u2010-\u2015\u2212\u2043\u00ad\ufe58\ufe63]")
_COMPATIBLE = re.compile(r"[^\x00-\x7f\u00c0-\u02af\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SPACE = re.compile(r"\s+")
_JOINT = re.compile(r"\s?[\[({]\s?(\.|dot|@|at)\s?[\])}]\s?", re.IGNORECASE)
_COLON = re.compile(r"\[:(//)?\]")
_SLASHES = re.compile(r"\[(://|//)\]")
_SCHEME = re.compile(r"[hf][x*]{1,2}p(s?)(?=:)", re.IGNORECASE)

# Letters of other scripts that look like Latin ones, in words that have Latin letters as well.
_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u0410\u0412\u0415"
    "\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u03bf\u03b1\u03c1\u03bd"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijsdwABEKMHOPCTXIJSoapvABEZHIKMNOPTYX",
)
# From the beginning of a word alone: else each of its letters looks to its end.
_MIXED = re.compile(r"(?<!\w)(?=\w*[A-Za-z])(?=\w*[\u0370-\u052f])\w+")

# Words that stand in every text: they alone prove nothing.
_FILLER_WORDS = """
a all an and any anything are as at be been but by every everything for from had has have he her
his if in into is it its may more no not nothing of on or she so such than that the their them
then there these they this those to was were when which who will with would
"""
_FILLERS = frozenset(_FILLER_WORDS.split())


@dataclass(frozen=True, slots=True)
class Evidence:
    """An article in the form that quotations are looked for in.

    `unseen` are the longer stretches of it that no reader sees: no quotation reaches over one.
    """

    original: str = field(repr=False)
    seen: Traced = field(repr=False)
    normal: Traced = field(repr=False)
    unseen: tuple[tuple[int, int], ...]

    def find(self, quotation: str) -> Quote | None:
        """Return the article's own words for a quotation, None where it has them not, or too few.

        White space, kinds of quotes and dashes, defanged spellings and the size of the first letter
        make no difference. Words
        are not cut at either end, as "able to log in" is no quotation of "unable to log in".
        """
        if len(quotation) > 2 * LONGEST:
            return None
        wanted = normal_form(traced(without_unseen(quotation))).text.strip(" \"'").strip()
        if not is_telling(wanted):
            return None
        # A sentence is often quoted from its second word on, and its letter made a capital.
        return self._find(wanted) or self._find(f"{wanted[0].swapcase()}{wanted[1:]}")

    def find_whole(self, quotation: str) -> Quote | None:
        """Return the article's own words where a quotation is the whole of it."""
        wanted = normal_form(traced(without_unseen(quotation))).text.strip(" \"'").strip()
        all_of_it = self.normal.text.strip(" \"'").strip()
        return self._find(wanted) if wanted and wanted == all_of_it else None

    def _find(self, wanted: str) -> Quote | None:
        text = self.normal.text
        at = text.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if not self._is_cut(at) and not self._is_cut(end):
                start, last = self.normal.original(at, end)
                if not any(start < first and second < last for first, second in self.unseen):
                    return Quote(self.original[start:last], start, last)
            at = text.find(wanted, at + 1)
        return None

    def sentences(self, quote: Quote) -> str:
        """Return the whole sentences that a quotation stands in, as readers see them."""
        return sentences_at(self.seen.text, *self._seen_at(quote))

    def named(self, quote: Quote) -> str:
        """Return them with the one before where they speak of what is named there."""
        return named_at(self.seen.text, *self._seen_at(quote))

    def _seen_at(self, quote: Quote) -> tuple[int, int]:
        starts = self.seen.starts
        return bisect_left(starts, quote.start), bisect_left(starts, quote.end)

    def _is_cut(self, at: int) -> bool:
        """Whether a place is amidst a word: a dash parts words where a hyphen joins them."""
        starts, text = self.normal.starts, self.normal.text
        beside = (self.original[starts[one]] for one in (at - 1, at) if 0 <= one < len(text))
        return is_cut(text, at) and _LONG_DASHES.isdisjoint(beside)


def evidence(original: str, seen: Traced) -> Evidence:
    """Return an article, of which `seen` is what a model was shown, to look quotations up in."""
    places = zip(seen.ends, seen.starts[1:], strict=False)
    unseen = tuple(gap for gap in places if gap[1] - gap[0] > _MOST_UNSEEN)
    return Evidence(original, seen, normal_form(seen), unseen)


def normal_form(text: Traced) -> Traced:
    """Return a text with one kind of space, quotes, dashes and letters, and refanged."""
    text = text.replaced(_DASH, lambda _: "-")
    text = text.replaced(_SINGLE, lambda _: "'").replaced(_DOUBLE, lambda _: '"')
    text = text.replaced(_COMPATIBLE, lambda found: unicodedata.normalize("NFKC", found[0]))
    text = text.replaced(_MIXED, lambda found: found[0].translate(_ALIKE))
    text = text.replaced(_SPACE, lambda _: " ")
    text = text.replaced(_SLASHES, lambda found: found[1])
    text = text.replaced(_COLON, lambda found: f":{found[1] or ''}")
    text = text.replaced(_JOINT, lambda found: "@" if found[1].lower() in {"@", "at"} else ".")
    return text.replaced(_SCHEME, _plain_scheme)


def is_telling(quotation: str) -> bool:
    """Whether a quotation in normal form is long enough to prove something, and not too long."""
    if len(quotation) > LONGEST:
        return False
    if len(_IDEOGRAPH.findall(quotation)) >= _FEWEST_IDEOGRAPHS:
        return True
    words = [found[0].casefold() for found in _WORD.finditer(quotation)]
    signs = sum(not char.isspace() for char in quotation)
    enough = len(words) >= _FEWEST_WORDS or any(map(_is_spelt, words))
    return enough and signs >= _FEWEST_SIGNS and not _FILLERS.issuperset(words)


def telling_words(text: str) -> list[str]:
    """Return the words of a text that not every text has."""
    words = (found[0].casefold() for found in _WORD.finditer(text))
    return [word for word in words if word not in _FILLERS]


def _is_spelt(word: str) -> bool:
    """Whether a word is an address, a path or an id rather than one of a language."""
    return any(char in "./\\:@" or char.isdigit() for char in word)


def is_cut(text: str, at: int) -> bool:
    """Whether a place is amidst a word, a number or the name of a host or file."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    if _WORDY.match(left):
        return bool(_WORDY.match(right)) or _joins(text, at)
    return bool(_WORDY.match(right)) and _joins(text, at - 1)


def _joins(text: str, at: int) -> bool:
    """Whether the mark at a place joins what stands on both sides of it to one word."""
    left, mark, right = text[max(0, at - 1) : at], text[at], text[at + 1 : at + 2]
    if not (_WORDY.match(left) and _WORDY.match(right)):
        return False
    if mark == ".":
        # Where a sentence ends without a space, the next begins with a capital.
        return not right.isupper()
    return mark in _JOINTS or (mark == "," and left.isdigit() and right.isdigit())


def _plain_scheme(found: re.Match[str]) -> str:
    return f"{'http' if found[0][0] in 'hH' else 'ftp'}{found[1]}"

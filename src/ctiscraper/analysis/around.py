"""The whole sentences that words of a text stand in: what they leave out may turn them round."""

import re

# A sentence is hardly longer; one that is ends here.
_REACH = 1_500
_ENDS = re.compile(
    r"[.!?][\"')\]\u201d\u2019]*\s+(?=[^\sa-z])|[\u3002\uff01\uff1f]|\n\s*\n|\n(?=\s*[^\sa-z])"
)
_REFERS_BACK = re.compile(
    r"\A\W*(?:the|this|these|those|that|both|such|here|there)\b"
    r"|\b(?:it|its|they|them|their|he|him|his|she|her|which|who)\b",
    re.IGNORECASE,
)
_SHORTENED_WORDS = """
approx co corp dr e.g etc gen gov i.e inc ltd mr mrs ms no prof resp sen st u.k u.s vs
"""
_SHORTENED = frozenset(_SHORTENED_WORDS.split())
_LAST_WORD = re.compile(r"[A-Za-z.]+\Z")


def sentences_at(text: str, start: int, end: int) -> str:
    """Return the sentences that a stretch of a text stands in."""
    return _sentences(text, start, end, 0)


def named_at(text: str, start: int, end: int) -> str:
    """Return them with the one before, where they speak of what was named there."""
    own = _sentences(text, start, end, 0)
    return _sentences(text, start, end, 1) if _REFERS_BACK.search(own) else own


def _sentences(text: str, start: int, end: int, before: int) -> str:
    begun = max(0, start - _REACH)
    window = text[begun : end + _REACH]
    ends = [found.end() for found in _ENDS.finditer(window) if _is_end(window, found)]
    starts = [0, *(one for one in ends if one <= start - begun)]
    last = next((one for one in ends if one >= end - begun), len(window))
    return window[starts[max(0, len(starts) - 1 - before)] : last].strip()


def _is_end(text: str, found: re.Match[str]) -> bool:
    """Whether a sentence ends here: after "Dr. " and initials none does."""
    if not found[0].startswith(".") or "\n" in found[0]:
        return True
    word = _LAST_WORD.search(text, max(0, found.start() - 12), found.start())
    return word is None or not (len(word[0]) == 1 or word[0].lower() in _SHORTENED)

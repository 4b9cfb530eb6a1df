"""The border every text crosses before it is kept: any str in, storable text out."""

import re
import unicodedata

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_DIRTY = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK = re.compile(r"\s+")
_NEWLINES = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_INVISIBLE = re.compile(r"[\u00ad\u200b\u2060\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """The text without what PostgreSQL or a reader cannot take.

    NUL and other controls but tab and newline are removed, lone surrogates become
    U+FFFD, line ends become newlines. Every other character is kept as it came.
    """
    if not _DIRTY.search(text):
        return text
    text = _NEWLINES.sub("\n", text)
    text = _CONTROLS.sub("", text)
    return _SURROGATES.sub("\ufffd", text)


def clean_line(text: str, limit: int | None = None) -> str:
    """The text as one line: white space collapsed, at most `limit` characters."""
    line = " ".join(clean_text(text).split())
    if limit is not None and len(line) > limit:
        line = line[: limit - 1].rstrip() + "\u2026"
    return line


def collapse(text: str) -> str:
    """Runs of white space as a browser shows them: one space."""
    return _BLANK.sub(" ", text)


def key_text(text: str) -> str:
    """The form two names or titles are compared by: NFC, case folded, nothing invisible."""
    folded = unicodedata.normalize("NFC", clean_text(text)).casefold()
    return unicodedata.normalize("NFC", collapse(_INVISIBLE.sub("", folded))).strip()


def plain_marks(text: str) -> str:
    """The text with an apostrophe for the curved one and a space for other common marks.

    English prose is ASCII then, whose words are found at a fraction of the cost.
    """
    if text.isascii():
        return text
    text = text.replace("\u2019", "'")
    for mark in _MARKS:
        text = text.replace(mark, " ")
    return text


def word_count(text: str) -> int:
    """The number of words; a run of CJK characters counts one word for two characters."""
    plain = plain_marks(text)
    if plain.isascii():
        # What a word may hold but not begin with goes: words are the runs that are left.
        return f" {plain.translate(_ASCII_SHAPES)}".count(" w")
    cjk = len(_CJK.findall(text)) if not text.isascii() else 0
    return len(_WORD.findall(_CJK.sub(" ", text) if cjk else text)) + (cjk + 1) // 2


# None of them is part of a word, in any compatibility form either.
_MARKS = "\u2018\u201c\u201d\u2013\u2014\u2026\u2022\xa0"
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"\w[\w'\u2019.:/\[\]@-]*")
_ASCII_SHAPES = {
    i: "w" if re.match(r"\w", c := chr(i)) else None if c in "'.:/[]@-" else " " for i in range(128)
}

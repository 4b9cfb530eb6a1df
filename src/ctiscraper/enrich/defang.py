"""Defanged spellings: what they look like, and what they stood for."""

import re

from ctiscraper.defang import unbracketed

# As parts of patterns for RE2; spaces have no meaning there, \s stands for one.
_OPEN, _CLOSE = r"[\[({<]", r"[\])}>]"
DOT = rf"""(?:
    \s?{_OPEN}{{1,2}}\s?(?:\.|[dD][oO0][tT])\s?{_CLOSE}{{1,2}}\s?
    |\\\.|\[\.|\.\]|\.
    |\xe3\x80\x82
)"""
COLON = r"(?:\[:\]|\(:\)|\[:|:\]|:)"
SEPARATOR = r"(?:\[:?//\]|\[:\]?//|\(:\)//|\s?\[?:\]?(?:\[/\]|/|\\){2}\]?)"

_MARKS = re.compile(r"[\[({<\\。]|.\]")
# What is left for addresses alone: brackets around brackets, halves of them, strokes, angles.
_DOUBLE = re.compile(r"[\[({<]([\[({<]\s?(?:\.|[dD][oO0][tT])\s?[\])}>])[\])}>]?")
_DOTS = re.compile(r"\s?[\[({<]\s?(?:\.|[dD][oO0][tT])\s?[\])}>]{1,2}\s?|\\\.|\[\.|\.\]|。")
_ATS = re.compile(r"\s?<\s?(?:@|[aA][tT])\s?>\s?")
_COLONS = re.compile(r"\(:\)|\[:(?=//|\d)|(?<=[a-z\d]):\]")
_SEPARATORS = re.compile(r"\[//\]")
_SLASHES = re.compile(r"\[(//?)\]")
_SCHEMES = {
    "hxxp": "http", "hxxps": "https", "htxp": "http", "htxps": "https", "hxtp": "http",
    "hxtps": "https", "httx": "http", "httxs": "https", "hxxx": "http", "hxxxs": "https",
    "h**p": "http", "h**ps": "https", "hxp": "http", "hxps": "https", "httpx": "http",
    "hhxp": "http", "hhxps": "https", "hxpp": "http", "hxpps": "https", "meow": "http",
    "meows": "https", "xxxx": "http", "fxp": "ftp", "fxps": "ftps", "f*p": "ftp",
}  # fmt: skip


def refang(text: str) -> str:
    """Return a defanged address as it was; its scheme is left as it stands."""
    # The two spellings that nearly all use need no pattern.
    if " " not in text:
        text = text.replace("[.]", ".").replace("[:]", ":")
    if _MARKS.search(text) is None:
        return text
    text = unbracketed(_DOUBLE.sub(r"\1", text))
    if _MARKS.search(text) is None:
        return text
    text = _SLASHES.sub(r"\1", _COLONS.sub(":", _SEPARATORS.sub("://", text)))
    return _ATS.sub("@", _DOTS.sub(".", text))


def scheme_of(word: str) -> str:
    """Return the scheme that a word stands for, in lower case."""
    word = word.lower()
    return _SCHEMES.get(word, word)

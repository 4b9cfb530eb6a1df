"""What a model writes, made plain text: nothing in it is loaded, followed or drawn."""

import re
import unicodedata

from ctiscraper.analysis.shown import without_unseen
from ctiscraper.defang import defang

_IMAGE = re.compile(
    r"!\[([^\[\]]{0,500})\](?:\([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500})?\)|\[[^\[\]]{0,500}\])"
)
_LINK = re.compile(r"\[([^\[\]]{0,500})\]\([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500})?\)")
_DEFINITION = re.compile(r"^\s{0,3}\[[^\[\]]{1,200}\]:\s*\S+.*$", re.MULTILINE)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z!?][^<>]{0,2000}(?:>|\Z)", re.DOTALL)
_EMPHASIS = re.compile(r"(\*\*|__|~~|`{1,3})(?=\S)(.{1,500}?)(?<=\S)\1", re.DOTALL)
_LINE_MARK = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+|\d{1,2}[.)]\s+)")
_URL = re.compile(r"(?:https?|ftps?)://[^\s<>\"']+", re.IGNORECASE)
_SCHEME = re.compile(r"(ht|f)tp(s?)(?=://)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(javascript|vbscript|data|file|blob|ms-[a-z]+):(?=\S)", re.IGNORECASE)
_BANG = re.compile(r"!+\[")
# Behind so few characters a full stop is of an abbreviation.
_LEAST_SENTENCE = 20
_NEXT_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'\u201c\u2018])")
_ROUNDS = 3


def plain_line(text: str, most: int) -> str:
    """Return what a model wrote as one line of plain text of so many characters at most.

    Marks of Markdown and HTML go and their words stay; an address is defanged.
    """
    text = unicodedata.normalize("NFC", without_unseen(text))
    # What stood within a mark may become one when that is gone.
    for _ in range(_ROUNDS):
        before = text
        text = _DEFINITION.sub("", text)
        text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
        text = _EMPHASIS.sub(r"\2", _TAG.sub("", text))
        if text == before:
            break
    text = _SCHEME.sub(_not_followed, _URL.sub(lambda found: defang("url", found[0]), text))
    text = _OTHER_SCHEME.sub(r"\1[:]", text)
    text = _BANG.sub("[", text).replace("](", "] (")
    text = " ".join(_LINE_MARK.sub("", text).split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}\u2026"


def first_sentence(line: str) -> str:
    """Return the first sentence of a line: what is said in more is said less and less of proof."""
    end = _NEXT_SENTENCE.search(line, _LEAST_SENTENCE)
    return line[: end.start()] if end else line


def _not_followed(found: re.Match[str]) -> str:
    return f"{'hxx' if found[1].lower() == 'ht' else 'fx'}p{found[2]}"


def storable(raw: str, most: int) -> str:
    """Return an answer as it came, so far as a database can hold it, shortened to `most`."""
    kept = "".join(
        char if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"} else "\ufffd"
        for char in raw[:most]
    )
    return kept if len(raw) <= most else f"{kept}\n[{len(raw) - most} more characters]"

"""What full-text search reads of an article, and of what a reader types."""

import re

from ctiscraper.defang import refanged

# Stems English; words of other languages are kept as they stand.
CONFIG = "english"

# PostgreSQL refuses a tsvector over 1 MB (textsearch-limitations), which text in any language
# of this many bytes cannot reach; the start of a text says what it is about.
_LONGEST_TEXT = 250_000
_LONGEST_PARTS = 60_000

# One class, so that no text makes it look twice; what joins nothing is sorted out after.
_CHAIN = re.compile(r"[\w./\\:@-]+")
_LETTERS = re.compile(r"[^\W_]+")
_JOINTS = re.compile(r"[./\\:@_-]+")


def search_document(text: str) -> str:
    """Return the words an article is found by.

    PostgreSQL's parser keeps `powershell.exe` or a path as one token, so the parts of such
    compounds follow the text.
    """
    words = refanged(_start(text, _LONGEST_TEXT))
    parts = " ".join(found for chain in _chains(words) if (found := _parts(chain)))
    return f"{words}\n{_start(parts, _LONGEST_PARTS)}" if parts else words


def _chains(text: str) -> dict[str, None]:
    """Return the chains of a text in the order of their first places; plain words are left out."""
    # A chain holds no space: each distinct word is looked at once, and most words join nothing.
    compounds = " ".join(word for word in dict.fromkeys(text.split()) if not word.isalnum())
    return dict.fromkeys(_CHAIN.findall(compounds))


def _start(text: str, most: int) -> str:
    """Return as much of a text as fits into so many bytes."""
    if len(text) * 4 <= most:
        return text
    return text.encode()[:most].decode(errors="ignore")


def word_forms(typed: str) -> tuple[str, ...]:
    """Return what was typed as one word in each form that a text may have it in.

    An address may stand in a text plain, or defanged and so as the words that it joins.
    """
    plain = refanged(typed.replace("\0", " "))
    parts = "" if any(map(str.isspace, plain)) else " ".join(map(_phrase, _CHAIN.findall(plain)))
    return tuple(dict.fromkeys(form for form in (plain, parts) if form.strip()))


def prefix_form(typed: str) -> str:
    """Return the query for words that begin as typed, in PostgreSQL's own language."""
    words = [_plain(word) for word in _LETTERS.findall(refanged(typed))]
    return f"{' <-> '.join(words)}:*" if words else ""


def _plain(word: str) -> str:
    return "'{}'".format(word.replace("\\", "").replace("'", "''"))


def _parts(chain: str) -> str:
    """Return the words that a chain joins, nothing when it is one word."""
    chain = chain.strip("./\\:@-_")
    if chain.isalnum():
        return ""
    words = _JOINTS.sub(" ", chain).split()
    return " ".join(words) if len(words) > 1 else ""


def _phrase(chain: str) -> str:
    return _parts(chain) or chain

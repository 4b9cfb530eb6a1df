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
_OPERATORS = re.compile(r'"|(?:^|\s)-|\bOR\b', re.IGNORECASE)
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


def search_variants(query: str) -> tuple[str, ...]:
    """Return what a reader typed in each form that a text may have it in; any of them matches.

    An address may stand in a text plain, or defanged and so as separate words. A query with
    operators is only refanged: its parts would not mean the same.
    """
    typed = query.replace("\0", " ")
    plain = refanged(typed)
    variants = [typed, plain]
    if not _OPERATORS.search(plain):
        variants.append(_CHAIN.sub(lambda match: _phrase(match[0]), plain))
    return tuple(dict.fromkeys(variants))


def _parts(chain: str) -> str:
    """Return the words that a chain joins, nothing when it is one word."""
    chain = chain.strip("./\\:@-_")
    if chain.isalnum():
        return ""
    words = _JOINTS.sub(" ", chain).split()
    return " ".join(words) if len(words) > 1 else ""


def _phrase(chain: str) -> str:
    parts = _parts(chain)
    return f'"{parts}"' if parts else chain

"""URLs, mail addresses and paths of URLs, whose words tell of no act: `/wp-admin/`."""

import re

from ctiscraper.enrich.scan import matches, pattern

_REST = r"[^\s<>\x22'`|]"
_DOT = r"(?:\.|\[\.\]|\(\.\))"
_ADDRESS = pattern(
    rf"""
    \b[a-z][a-z0-9+.-]{{1,12}}(?::|\[:\])//{_REST}+
    |[\w.+-]+(?:@|\[@\]|\[at\])[\w-]+(?:{_DOT}[\w-]+)+
    |\b[\w-]+(?:{_DOT}[\w-]+)*(?:\[\.\]|\(\.\))[\w-]+(?:[:/]{_REST}*)?
    |\b[\w-]+(?:\.[\w-]+)*\.(?:biz|cc|cn|com|info|io|ir|net|org|ru|site|top|xyz)\b(?:[:/]{_REST}*)?
    |(?:^|[\s\x22'`(])/[\w%~.-]{{3,}}/{_REST}*
    """,
    ignore_case=True,
)
_WORD = re.compile(rb"[\w\x80-\xff.]+")
# Paths of machines, which commands name.
_ROOT = re.compile(
    rb"\W?/(?:applications|bin|boot|dev|etc|home|lib|lib64|library|media|mnt|opt|private|proc|root"
    rb"|run|sbin|srv|sys|system|tmp|users|usr|var|volumes)/",
    re.IGNORECASE,
)
_SCHEME = b"http"


def without_addresses(data: bytes) -> bytes:
    """Return a text of the same length in which the words of addresses are none.

    A word with a dot, such as a host or the name of a file, stays, and of a scheme that it begins
    with `http`: that something is loaded from a URL tells an act.
    """
    if b"/" not in data and b"@" not in data and b"." not in data:
        return data
    parts: list[bytes] = []
    last = 0
    for begin, end in matches(_ADDRESS, data):
        span = data[begin:end]
        if _ROOT.match(span) is None:
            parts += data[last:begin], _WORD.sub(_masked, span)
            last = end
    return b"".join((*parts, data[last:])) if parts else data


def _masked(found: re.Match[bytes]) -> bytes:
    word = found[0]
    if b"." in word.strip(b"."):
        return word
    kept = len(_SCHEME) if found.start() == 0 and word[:4].lower() == _SCHEME else 0
    return word[:kept] + b"_" * (len(word) - kept)

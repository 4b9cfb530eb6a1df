"""Which dotted words are domain names: by the public suffix list, and by how they are written."""

import re
from functools import lru_cache

import idna
from publicsuffixlist import PublicSuffixList

_SUFFIXES = PublicSuffixList(accept_unknown=False)
_LABEL = re.compile(r"\w(?:[\w-]{0,61}\w)?", re.ASCII)
_ONION = re.compile(r"(?:.+\.)?(?:[a-z2-7]{16}|[a-z2-7]{56})\.onion")
_MOST_LENGTH = 253
# As many as one long list of indicators has; to look anew costs some microseconds, and what is kept
# for good is memory that grows with every article.
_KEPT = 2_048


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Top-level domains that are endings of files as well: with one name before them they say nothing.
_FILE_ENDINGS = _words("app bz cab cpp cs lua mk ml mm mov md pl pm ps py rb rs sh so st vb zip")
# Top-level domains that code has as the last part of a dotted name, and what stands before them.
_CODE_ENDINGS = _words("""
    as at audio be call click cloud data date dev direct do events host id in info is it link live
    map me media my name net network new next no now open page post pro prod read run search select
    services space style support to us video watch win works zip zone
""")
_CODE_ROOTS = _words("""
    activexobject ado advapi32 android app array asp client config console date datetime
    document element event file frame http internet io java javax json kernel32 location math
    microsoft module navigator net node ntdll object os path process regex request requests
    response self server session socket string sys system task this thread user vb window
    wscript shell
""")
# What detections are named for, amidst the name: BehavesLike.Win32.Agent.ch.
_PLATFORMS = _words("msil w32 w64 win32 win64")
# Names of products that are written like domain names.
_PRODUCTS = _words("asp.net ado.net vb.net ml.net paint.net node.js next.js socket.io")
_COUNTRY = 2
# Endings of files that stand before a second one: invoice.pdf.zip.
_INNER_ENDINGS = _words("csv doc docx exe html jpg min pdf php png ppt pptx tar txt xls xlsx xml")
# A dotted name that begins with one is a package's: com.example.app.
_PACKAGE_ROOTS = _words("com net org")


@lru_cache(maxsize=_KEPT)
def ascii_host(host: str) -> str | None:
    """Return a host name in lower-case ASCII, None when it cannot be one.

    Other letters become A-labels (RFC 5890), as UTS 46 has them.
    """
    host = host.rstrip(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    host = host.lower()
    if len(host) > _MOST_LENGTH or not all(map(_LABEL.fullmatch, host.split("."))):
        return None
    return host


@lru_cache(maxsize=_KEPT)
def registrable(host: str) -> str | None:
    """Return the part of an ASCII host name that someone registered, None without a known suffix.

    The public suffix list decides (publicsuffix.org); a suffix itself is nobody's.
    """
    found: str | None = _SUFFIXES.privatesuffix(host)
    return found


def is_onion(host: str) -> bool:
    """Return whether a host name is a Tor service's, of either version."""
    return host.endswith(".onion") and _ONION.fullmatch(host) is not None


def is_domain(host: str) -> bool:
    """Return whether an ASCII host name may exist: something registered below a known suffix."""
    own = registrable(host)
    return own is not None and "_" not in own


def is_written_as_domain(word: str) -> bool:
    """Return whether a dotted word, not defanged, is meant as a domain name and not as code.

    `word` is as it stands, upper and lower case; for what `is_domain`.
    """
    labels = word.split(".")
    ending, root = labels[-1], labels[0].lower()
    short = len(labels) == 2  # noqa: PLR2004 - a name and its ending
    if word.lower() in _PRODUCTS or _is_cased_as_code(word, labels):
        return False
    if any(it != it.lower() and it.lower() in _PLATFORMS for it in labels):
        return False
    if ending.lower() in _FILE_ENDINGS and (short or labels[-2].lower() in _INNER_ENDINGS):
        return False
    if not short and root in _PACKAGE_ROOTS:
        return False
    return not (ending.lower() in _CODE_ENDINGS and root in _CODE_ROOTS)


def _is_cased_as_code(word: str, labels: list[str]) -> bool:
    """Whether upper case marks a detection (Agent.AB), a namespace (System.Net) or a new sentence.

    A name all in upper case may be a domain; with an ending like a country's it rarely is.
    """
    ending = labels[-1]
    if ending == ending.lower():
        return False
    return word != word.upper() or (len(ending) == _COUNTRY and not _has_digit(word))


def _has_digit(word: str) -> bool:
    return any(char.isdigit() for char in word)

"""Addresses spelt so that nobody opens one by accident, and those spellings undone."""

import re

# Of an address only the scheme and the host are changed, the marks that analysts' tools undo:
# dots and colons of the host, and the at-sign. What names a user or a path opens nothing.
_AUTHORITY = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:[^/?#@]*@)?)(\[[^\]]*\]|[^/:?#]*)", re.IGNORECASE
)
_SCHEMES = {"http": "hxxp", "https": "hxxps", "ftp": "fxp", "ftps": "fxps"}
_HOSTS = frozenset({"ipv4", "ipv6", "cidr", "domain", "onion"})

_COLON = re.compile(r"\[:(//)?\]")
# Each begins with the character it is found by, which is what makes a search for it quick.
_JOINT = re.compile(r"[\[({]\s?(\.|dot|@|at)\s?[\])}]\s?", re.IGNORECASE)
_SCHEME = re.compile(r"[hHfF][xX*]{1,2}[pP]([sS]?)(?=\[?:)")


def defang(kind: str, value: str) -> str:
    """Return a value of a kind as it is shown and handed on; what is no address stays as it is."""
    if kind == "url":
        return _AUTHORITY.sub(_defanged_authority, value, count=1)
    if kind == "email":
        local, at, host = value.rpartition("@")
        return f"{local}[@]{_defanged_host(host)}" if at else value
    return _defanged_host(value) if kind in _HOSTS else value


def _defanged_authority(found: re.Match[str]) -> str:
    scheme, user, host = found.groups()
    return f"{_SCHEMES.get(scheme.lower(), scheme)}://{user}{_defanged_host(host)}"


def _defanged_host(host: str) -> str:
    """Return a host with its marks in brackets: colons where it has any, for that is IPv6."""
    return host.replace(":", "[:]") if ":" in host else host.replace(".", "[.]")


def refanged(text: str) -> str:
    """Return a text of any length with defanged addresses as they were, for matching only."""
    return unbracketed(_SCHEME.sub(_plain_scheme, text))


def _plain_scheme(found: re.Match[str]) -> str:
    return f"{'http' if found[0][0] in 'hH' else 'ftp'}{found[1]}"


def unbracketed(text: str) -> str:
    """Return a text whose dots, colons and at-signs stand in brackets no more.

    Of any length: what only an address may mean, a stroke before a dot or half a bracket, is left.
    """
    if "[:" in text:
        text = _COLON.sub(r":\1", text)
    pieces = []
    end = 0
    for found in _JOINT.finditer(text):
        before = text[end : found.start()]
        pieces.append(before[:-1] if before[-1:].isspace() else before)
        pieces.append("@" if found[1].lower() in {"@", "at"} else ".")
        end = found.end()
    pieces.append(text[end:])
    return "".join(pieces)

"""Values as pages show them: nobody opens one by accident, no program makes it a link."""

import re

from ctiscraper.enrich.domains import is_domain, is_written_as_domain

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://((?:[^/?#@]*@)?)(\[[^\]]*\]|[^/:?#]*)", re.IGNORECASE)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_HOST = re.compile(r"[^\s/:@.]{1,63}(?:\.[^\s/:@.]{1,63})+")
_SCHEMES = {"http": "hxxp", "https": "hxxps", "ftp": "fxp", "ftps": "fxps"}
_DOTTED = frozenset({"ipv4", "cidr", "domain", "onion"})


def defanged(kind: str, value: str) -> str:
    """Return a value of a kind as it is shown; only addresses differ from what they are."""
    if kind == "url":
        return _ADDRESS.sub(_defanged_address, value, count=1)
    if kind == "ipv6" or (kind == "cidr" and ":" in value):
        return value.replace(":", "[:]")
    if kind in _DOTTED:
        return value.replace(".", "[.]")
    if kind == "email":
        local, at, host = value.rpartition("@")
        return f"{local}[@]{host.replace('.', '[.]')}" if at else value
    return value


def spelled(words: str) -> str:
    """Return words whose kind is not known; what is an address alone is shown as one."""
    if "://" in words:
        return defanged("url", words)
    if _IPV4.fullmatch(words):
        return defanged("ipv4", words)
    named = _HOST.fullmatch(words) and is_domain(words.lower()) and is_written_as_domain(words)
    return defanged("domain", words) if named else words


def _defanged_address(found: re.Match[str]) -> str:
    scheme, user, host = found.groups()
    safe = host.replace(":", "[:]") if host.startswith("[") else host.replace(".", "[.]")
    return f"{_SCHEMES.get(scheme.lower(), scheme)}://{user}{safe}"

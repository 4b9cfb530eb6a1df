"""Values as pages show them: nobody opens one by accident, no program makes it a link."""

import re

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://((?:[^/?#@]*@)?)(\[[^\]]*\]|[^/:?#]*)", re.IGNORECASE)
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


def _defanged_address(found: re.Match[str]) -> str:
    scheme, user, host = found.groups()
    safe = host.replace(":", "[:]") if host.startswith("[") else host.replace(".", "[.]")
    return f"{_SCHEMES.get(scheme.lower(), scheme)}://{user}{safe}"

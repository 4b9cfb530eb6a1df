"""Defanged spellings of addresses, so that nobody follows one by a click."""

_DOTTED = frozenset({"ipv4", "cidr", "domain", "onion"})
_SCHEMES = {"http": "hxxp", "https": "hxxps", "ftp": "fxp", "ftps": "fxps"}


def defang(kind: str, value: str) -> str:
    """Return an address as reports write it; what is no address stays as it is."""
    if kind in _DOTTED:
        return value.replace(".", "[.]")
    if kind == "ipv6":
        return value.replace(":", "[:]")
    if kind == "email":
        return value.replace("@", "[@]").replace(".", "[.]")
    if kind == "url":
        scheme, mark, rest = value.partition("://")
        host, slash, path = rest.partition("/")
        return f"{_SCHEMES.get(scheme, scheme)}{mark}{host.replace('.', '[.]')}{slash}{path}"
    return value

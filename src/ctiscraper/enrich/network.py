"""Addresses: URLs, domain names, e-mail and IP addresses, in all spellings that hide them."""

import ipaddress
import re
from collections.abc import Iterator

import msgspec

from ctiscraper.enrich.defang import AT, COLON, DOT, SEPARATOR, refang, scheme_of
from ctiscraper.enrich.domains import ascii_host, is_domain, is_onion, is_written_as_domain
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.marks import trimmed
from ctiscraper.enrich.scan import Scan, pattern

_LABEL = r"[A-Za-z0-9_\x80-\xff][A-Za-z0-9_\x80-\xff-]*"
_HOST = rf"{_LABEL}(?:{DOT}{_LABEL})+"
_REST = r"(?:\s?[\[({<]\s?(?:\.|[dD][oO][tT])\s?[\])}>]\s?|[^\s\x22<>\x60\x00])"
_ADDRESS = pattern(
    rf"""
    [A-Za-z][A-Za-z0-9+*-]{{1,9}}\s?{SEPARATOR}\s?{_REST}+
    |(?:[A-Za-z0-9_.+%'-]+{AT})?{_HOST}(?:{COLON}\d{{1,5}})?(?:(?:/|\[/\]){_REST}*)?
    """
)
_IPV6 = pattern(
    r"""
    (?:[0-9A-Fa-f]{0,4}(?:\[:\]|:)){2,7}
    (?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})?(?:/\d{1,3})?
    """
)
_SCHEMES = frozenset(
    (
        *("http", "https", "ftp", "ftps", "sftp", "tftp", "tcp", "udp", "ws", "wss", "ldap"),
        *("ldaps", "smb", "nfs", "ssh", "telnet", "rdp", "rtsp", "irc", "ircs", "mqtt", "dns"),
        *("ntp", "socks", "socks4", "socks5", "git", "svn", "gopher"),
    )
)
_SIMPLE = re.compile(r"[A-Za-z0-9.-]*[A-Za-z0-9]")
_SPLIT = re.compile(r"([A-Za-z][A-Za-z0-9+*-]*)\s?:?(?:/{2,}|\\{2,})\s?(.*)", re.DOTALL)
_AUTHORITY = re.compile(
    r"""
    (?:([^/?#@\\]*)@)?
    (\[[0-9A-Fa-f:.]+\]|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|[^/?#:\\]+)
    (?::(\d{1,5}))?
    (.*)
    """,
    re.DOTALL | re.VERBOSE,
)
# A link of AsciiDoc or Markdown has its words in brackets behind it, or marks around it.
_MARKUP = re.compile(
    r"""
    \+\+|\]\(|\*\*(?![pP])|\|
    |\[(?![dD][oO][tT]\]|[aA][tT]\]|[0-9A-Fa-f]{0,4}:)[A-Za-z_'"\u2018\u2019\u201c]
    """,
    re.VERBOSE,
)
_NEXT_URL = re.compile(r"[,;]\s?[a-zA-Z*]{3,6}\[?:")
_FIELDS = re.compile(r"(?:,(?:[A-Za-z]*|\d*))+")
_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_VERSION = re.compile(
    r"(?:\bv|\bver\.?|versions?|build|release|firmware|update)\s*[:=]?\s*$", re.IGNORECASE
)
_VERSION_WINDOW = 16
# Behind one of these a dotted word is a part of something else.
_INSIDE = frozenset("/\\@%$=&-_.")
_MOST_BITS4, _MOST_BITS6 = 32, 128


class _Place(msgspec.Struct, frozen=True):
    """A place of a text that may be an address, and the same refanged."""

    text: str
    start: int
    end: int
    raw: str
    plain: str

    @property
    def defanged(self) -> bool:
        return len(self.raw) != len(self.plain)

    @property
    def before(self) -> str:
        return self.text[self.start - 1] if self.start else " "

    def find(self, kind: Kind, value: str, offset: int = 0, size: int | None = None) -> Observable:
        """Return an observable at this place, or at a part of its raw spelling."""
        start = self.start + offset
        end = self.end if size is None else start + size
        return Observable(kind, value, start, end, self.defanged)


def find_addresses(scan: Scan) -> Iterator[Observable]:
    """Return the addresses of a text; those that stand inside a URL are not told apart."""
    for start, end in scan.find(_ADDRESS):
        yield from _read(scan.text, start, end)
    for start, end in scan.find(_IPV6):
        yield from _ipv6(scan.text, start, end)


def _read(text: str, start: int, end: int) -> Iterator[Observable]:
    raw = text[start:end]
    if _SIMPLE.fullmatch(raw):
        yield from _bare(_Place(text, start, end, raw, raw))
        return
    start, end = trimmed(text, start, _one_field(text, start, end))
    raw = text[start:end]
    place = _Place(text, start, end, raw, refang(raw))
    split = _SPLIT.fullmatch(place.plain)
    if split is not None:
        yield from _url(place, scheme_of(split[1]), split[2])
    elif "@" in place.plain.partition("/")[0]:
        yield from _email(place)
    else:
        yield from _bare(place)


def _one_field(text: str, start: int, end: int) -> int:
    """Return where an address ends that markup or the other fields of its row follow."""
    label = _MARKUP.search(text, start, end)
    if label is not None:
        end = label.start()
    comma = text.find(",", start, end)
    if comma < 0:
        return end
    others = _NEXT_URL.match(text, comma, end) or _FIELDS.fullmatch(text, comma, end)
    return comma if others else end


def _url(place: _Place, scheme: str, rest: str) -> Iterator[Observable]:
    found = _AUTHORITY.fullmatch(rest) if scheme in _SCHEMES else None
    if found is None:
        return
    user, host, port, path = found.groups()
    name = _host(host)
    if name is None or (path and path[0] not in "/?#\\"):
        return
    authority = f"{user + '@' if user else ''}{name}{':' + port if port else ''}"
    # An empty path and the root are one (RFC 3986 section 6.2.3).
    value = f"{scheme}://{authority}{'' if path == '/' else path}"
    hidden = not place.plain.lower().startswith(scheme) or place.defanged
    yield Observable(Kind.URL, value, place.start, place.end, hidden)


def _host(host: str) -> str | None:
    """Return the normal form of a URL's host: of an address, or of a name that may exist."""
    if ":" in host:
        address = _address6(host.strip("[]"))
        return f"[{address}]" if address else None
    if _NUMBERS.fullmatch(host):
        return host if _is_ipv4(host) else None
    name = ascii_host(host)
    return name if name is not None and (is_onion(name) or is_domain(name)) else None


def _email(place: _Place) -> Iterator[Observable]:
    address = place.plain.partition("/")[0]
    local, _, host = address.rpartition("@")
    local = local.strip(".'")
    name = ascii_host(host.partition(":")[0])
    if name is None or not is_domain(name) or not local:
        return
    if "_" in name:
        # No mail goes to such a host (RFC 5321 section 4.1.2), but a name it may be.
        yield place.find(Kind.DOMAIN, name, place.raw.rfind("@") + 1)
        return
    offset = max(place.raw.find(local), 0)
    whole = len(address) == len(place.plain)
    size = None if whole else _raw_size(place.raw, address) - offset
    yield place.find(Kind.EMAIL, f"{local.lower()}@{name}", offset, size)


def _raw_size(raw: str, plain: str) -> int:
    """Return how much of a raw spelling stands for `plain`, which is the start of it refanged."""
    for size in range(len(plain), len(raw) + 1):
        if refang(raw[:size]) == plain:
            return size
    return len(raw)


def _bare(place: _Place) -> Iterator[Observable]:
    """Return what an address without a scheme is: a host, or a host with a path."""
    if place.before in _INSIDE:
        return
    host, slash, path = place.plain.partition("/")
    host, _, port = host.partition(":")
    where = f"{host}{':' + port if port else ''}"
    if host[-1:].isdigit():
        if _NUMBERS.fullmatch(host) and _is_ipv4(host) and _is_address(place):
            yield _ipv4(place, host, where, path if slash else None)
        return
    offset = _without_marks(host)
    name = ascii_host(host[offset:])
    kind = None if name is None else _kind_of(place, name, host[offset:])
    if kind is None or name is None:
        return
    if slash and path:
        yield place.find(Kind.URL, f"http://{name}{where[len(host) :]}/{path}", offset)
        return
    whole = not (slash or port or offset)
    size = None if whole else _raw_size(place.raw[offset:], host[offset:])
    yield place.find(kind, name, offset, size)


def _kind_of(place: _Place, name: str, written: str) -> Kind | None:
    """Return whether a name is a domain's or a Tor service's; None for what is code or a file."""
    if is_onion(name):
        return Kind.ONION
    if not is_domain(name):
        return None
    if place.defanged:
        return Kind.DOMAIN
    is_call = place.text[place.end : place.end + 1] == "("
    return Kind.DOMAIN if is_written_as_domain(written) and not is_call else None


def _without_marks(host: str) -> int:
    """Return where a host begins behind the last mark of punctuation that no host has."""
    if host.isascii():
        return 0
    for place in range(len(host) - 1, -1, -1):
        if not (host[place].isalnum() or host[place] in ".-_"):
            return place + 1
    return 0


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_address(place: _Place) -> bool:
    """Whether four numbers are an address and no version of something."""
    if place.before.isalnum():
        return False
    return place.defanged or not _VERSION.search(
        place.text, max(0, place.start - _VERSION_WINDOW), place.start
    )


def _ipv4(place: _Place, host: str, where: str, path: str | None) -> Observable:
    if not path:
        whole = len(place.plain) == len(host)
        return place.find(Kind.IPV4, host, size=None if whole else _raw_size(place.raw, host))
    if path.isdigit() and int(path) <= _MOST_BITS4 and where == host:
        return place.find(Kind.CIDR, f"{host}/{int(path)}")
    return place.find(Kind.URL, f"http://{where}/{path}")


def _ipv6(text: str, start: int, end: int) -> Iterator[Observable]:
    raw = text[start:end]
    plain = raw.replace("[:]", ":")
    host, slash, bits = plain.partition("/")
    around = text[start - 1 : start] + text[end : end + 1]
    if any(char.isalnum() or char == "_" for char in around):
        return
    place = _Place(text, start, end, raw, plain)
    address = _address6(host) if _looks_meant(host) else None
    if address is None:
        return
    if slash and bits and int(bits) <= _MOST_BITS6:
        yield place.find(Kind.CIDR, f"{address}/{int(bits)}")
    else:
        yield place.find(Kind.IPV6, address, size=len(raw) - len(slash + bits))


def _looks_meant(host: str) -> bool:
    """Whether colons are an address's, and not those of a time or of names in code."""
    return any(char.isdigit() for char in host) and (host.count(":") > 2 or host.startswith("::"))  # noqa: PLR2004 - hours, minutes, seconds


def _address6(host: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        return None

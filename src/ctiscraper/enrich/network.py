"""Addresses: URLs, domain names, e-mail and IP addresses, in all spellings that hide them."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec

from ctiscraper.enrich.defang import COLON, DOT, SEPARATOR, refang, scheme_of
from ctiscraper.enrich.domains import ascii_host, is_domain, is_onion, is_written_as_domain
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.marks import trimmed
from ctiscraper.enrich.scan import LETTER, Scan, pattern

_LABEL = rf"(?:[A-Za-z0-9_]|{LETTER})(?:[A-Za-z0-9_-]|{LETTER})*"
_HOST = rf"{_LABEL}(?:{DOT}{_LABEL})+"
_REST = (
    r"(?:\s?[\[({<]\s?(?:\.|[dD][oO][tT])\s?[\])}>]\s?"
    rf"|[\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7e]|\xe3\x80\x82[A-Za-z0-9]|{LETTER})"
)
_ADDRESS = pattern(
    rf"""
    [A-Za-z][A-Za-z0-9+*-]{{1,9}}(?:\[s\]|\(s\))?\]?\s?{SEPARATOR}\s?{_REST}+
    |{_HOST}(?:{COLON}\d{{1,5}})?(?:(?:/|\[/\]){_REST}*)?
    """
)
_IPV6 = pattern(
    r"""
    (?:[0-9A-Fa-f]{0,4}(?:\[:\]|\[::\]|:)){2,8}
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
_SPLIT = re.compile(
    r"([A-Za-z][A-Za-z0-9+*-]*)(?:[\[(](s)[\])])?\]?\s?:?(?:/{2,}|(\\{2,}))\s?(.*)", re.DOTALL
)
# A scheme and a host that nothing hides, and behind them no square bracket, which may.
_LIVE = re.compile(r"(?:https?|ftp)://[\w.:@-]+(?:[/?#][^\s\[\]]*)?$", re.ASCII)
_AUTHORITY = re.compile(
    r"""
    (?:([^/?#@\\]*)@)?
    (\[[0-9A-Fa-f:.]+\]|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|[^/?#:\\]+)
    (?::(\d{1,5}))?
    (.*)
    """,
    re.DOTALL | re.VERBOSE,
)
# Where one field of a row, a list or a piece of code ends and another may begin: before another
# address, at a bar, at a closing quote, at the words of a link of AsciiDoc or Markdown.
_CUT = re.compile(
    r"""
    [,;](?=\s?[a-zA-Z*]{3,6}\[?:|\d{4}-\d\d-\d\d|\d{1,3}(?:\.\d{1,3}){3})
    |\||\]\(|\*\*(?![pP])|\+\+$|'(?=[,;)+\]]|s?$)
    |\[(?![dD][oO][tT]\]|[aA][tT]\]|[0-9A-Fa-f]{0,4}:)[A-Za-z_'"\u2018\u2019\u201c][^\[\]]*\]?[.,;:)]*$
    |,(?=(?:(?:[A-Za-z]+|\d+)?,)*(?:[A-Za-z]+|\d+)?$)
    """,
    re.VERBOSE,
)
_SEPARATES = frozenset(",;|'+[*")
_LISTED = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}[-/]){1,8}[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}")
_QUAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
# A value in the query of a URL, or of a magnet link.
_QUERY_BEFORE = re.compile(r"[?&][^\s?&]*=$")
_ROW = re.compile(r"(?:^|[^0-9A-Za-z])[0-9A-Fa-f]{1,4}:$")
_BITS = re.compile(r"[0-9]{1,3}")
# What stands behind an address and its port where others have a path.
_PROTOCOLS = frozenset(("tcp", "udp", "icmp", "http", "https", "tls", "ssl", "ssh", "dns", "smb"))
_DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21"}
_ASCII_NAME = re.compile(r"[A-Za-z0-9_-]+(?:(?:\.|\[\.\])[A-Za-z0-9_-]+)+")
# What stands before a host that is an e-mail address's, and behind a dotted name that is its user.
_AT = r"(?:\s?[\[({<]\s?(?:@|[aA][tT])\s?[\])}>]\s?|@)"
_USER_BEFORE = re.compile(rf"((?:[A-Za-z0-9_.+%'-]|\[\.\]){{1,64}}){_AT}$")
_AT_BEFORE = re.compile(rf"{_AT}$")
_USER_GOES_ON = re.compile(rf"[A-Za-z0-9_.+%'-]{{0,64}}{_AT}")
_MAY_END_AT, _MAY_BEGIN_AT = frozenset("@])}> "), frozenset("@[({<+%'-_.")
_USER_WINDOW, _AT_WINDOW = 80, 8
_DIGITS = frozenset("0123456789")
_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_VERSION = re.compile(
    r"(?:\bv|\bver\.?|versions?|build|release|firmware|update"
    r"|\u7248\u672c|\u7248|\u30d0\u30fc\u30b8\u30e7\u30f3|\ubc84\uc804)\s*[:=]?\s*$",
    re.IGNORECASE,
)
_WORDLY = re.compile(r"[A-Za-z0-9_]")
# Letters of scripts that put no space behind an address: of a sentence that goes on.
_TAIL = re.compile(r"(?<=[A-Za-z0-9])[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+$")
# Such a sentence goes on with hiragana, or with a particle of Korean and nothing behind it.
_GOES_ON = re.compile(
    r"[\u3040-\u309f]"
    r"|(?:\uc5d0(?:\uc11c|\ub294)?|\uc73c?\ub85c|[\uc744\ub97c\uc774\uac00\uc740\ub294\uc640\uacfc\uc758\ub3c4])$"
)
_HAS_PATH = re.compile(r"[^/\\:][/\\?#][^/\\]")
_VERSION_WINDOW = 16
# Behind one of these a dotted word is a part of something else.
_INSIDE = frozenset("/\\@%$&-_.")
_MOST_BITS4, _MOST_BITS6 = 32, 128


class _Place(msgspec.Struct, frozen=True):
    """A place of a text that may be an address, the same refanged, and what stands before it."""

    text: str
    start: int
    end: int
    raw: str
    plain: str
    before: str
    defanged: bool

    def find(self, kind: Kind, value: str, offset: int = 0, size: int | None = None) -> Observable:
        """Return an observable at this place, or at a part of its raw spelling."""
        start = self.start + offset
        end = self.end if size is None else start + size
        return Observable(kind, value, start, end, self.defanged)


def find_addresses(scan: Scan) -> Iterator[Observable]:
    """Return the addresses of a text; those that stand inside a URL are not told apart."""
    for start, end in scan.find(_ADDRESS):
        yield from _fields(scan.text, start, end)
    for start, end in scan.find(_IPV6):
        yield from _ipv6(scan.text, start, end)


def _fields(text: str, start: int, end: int) -> Iterable[Observable]:
    """Return the addresses of a run of characters: of its first field, and of those behind it."""
    raw = text[start:end]
    plain = raw.replace("[.]", ".")
    if _SIMPLE.fullmatch(plain):
        if raw[0] in _DIGITS and "-" in raw and _LISTED.fullmatch(raw):
            return _listed(text, start, raw)
        return _named(_place(text, start, end, raw, plain))
    return _read(text, start, end) if _SEPARATES.isdisjoint(plain) else _row(text, start, end)


def _row(text: str, start: int, end: int) -> Iterator[Observable]:
    """Return the addresses of the fields of a row."""
    cuts = [found.span() for found in _CUT.finditer(text, start, end)]
    yield from _read(text, start, cuts[0][0] if cuts else end)
    for (_, begin), (stop, _) in pairwise([*cuts, (end, end)]):
        for first, last in Scan(text[begin:stop]).find(_ADDRESS):
            yield from _read(text, begin + first, begin + last)


def _read(text: str, start: int, end: int) -> Iterable[Observable]:
    if text[start] in _DIGITS and _LISTED.fullmatch(text, start, end):
        return _listed(text, start, text[start:end])
    start, end = trimmed(text, start, end)
    raw = text[start:end]
    tail = _TAIL.search(raw)
    if tail is not None and _is_foreign(raw[: tail.start()], tail[0], text[end : end + 1]):
        raw, end = raw[: tail.start()], start + tail.start()
    place = _place(text, start, end, raw, _plain(raw))
    split = _SPLIT.fullmatch(place.plain)
    if split is None:
        return _named(place)
    path = split[4].replace("\\", "/") if split[3] else split[4]
    return _url(place, scheme_of(split[1] + (split[2] or "")), path)


def _is_foreign(address: str, tail: str, behind: str) -> bool:
    """Whether letters at the end of an address are of the sentence around it.

    A name in a path may end in them; not where they stand behind the ending of a file.
    """
    if not address.isascii():
        return False
    if _HAS_PATH.search(address) is None:
        return True
    if behind == ">":
        return False
    name = re.split(r"[/\\?#]", address)[-1]
    return "." in name or _GOES_ON.match(tail) is not None


def _plain(raw: str) -> str:
    """Return an address refanged; one that nothing hides is as it stands, brackets and all."""
    return raw if _LIVE.match(raw) else refang(raw)


def _place(text: str, start: int, end: int, raw: str, plain: str) -> _Place:
    before = text[start - 1] if start else " "
    return _Place(text, start, end, raw, plain, before, len(raw) != len(plain))


def _named(place: _Place) -> Iterable[Observable]:
    """Return what a place without a scheme is: the host of an e-mail address, or an address."""
    if place.before in _MAY_END_AT and (user := _user_before(place)):
        return _email(place, user)
    goes_on = place.text[place.end : place.end + 1] in _MAY_BEGIN_AT and _is_user(place)
    return () if goes_on else _bare(place)


def _user_before(place: _Place) -> str:
    """Return what names the user of the e-mail address whose host begins here, mark and all."""
    text, end = place.text, place.start
    # Most names stand behind a mere space, and to look for a user before all of them is slow.
    if _AT_BEFORE.search(text, max(0, end - _AT_WINDOW), end) is None:
        return ""
    found = _USER_BEFORE.search(text, max(0, end - _USER_WINDOW), end)
    return found[0] if found else ""


def _is_user(place: _Place) -> bool:
    """Whether a dotted name goes on as the user of an e-mail address."""
    return _USER_GOES_ON.match(place.text, place.end) is not None


def _listed(text: str, start: int, raw: str) -> Iterator[Observable]:
    """Return the addresses of a range or a pair (192.0.2.1-192.0.2.9), or one and its bits."""
    found = list(_QUAD.finditer(raw))
    if len(found) == 1 and "/" in raw:
        yield from _bare(_place(text, start, start + len(raw), raw, raw))
        return
    for one in found:
        first, last = start + one.start(), start + one.end()
        if _is_ipv4(one[0]):
            yield Observable(Kind.IPV4, one[0], first, last)


def _url(place: _Place, scheme: str, rest: str) -> Iterator[Observable]:
    found = _AUTHORITY.fullmatch(rest) if scheme in _SCHEMES else None
    if found is None:
        return
    user, host, port, path = found.groups()
    name = _host(host)
    if name is None or (path and path[0] not in "/?#\\"):
        return
    # A default port and none are one, as are an empty path and the root (RFC 3986 section 6.2.3).
    port = "" if port == _DEFAULT_PORTS.get(scheme) else port
    authority = f"{user + '@' if user else ''}{name}{':' + port if port else ''}"
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


def _email(place: _Place, user: str) -> Iterator[Observable]:
    """Return the e-mail address whose host is at a place; `user` stands before it, mark and all."""
    host = place.plain.partition("/")[0].partition(":")[0]
    name = ascii_host(host)
    if name is None or not is_domain(name):
        return
    size = len(place.raw) if len(host) == len(place.plain) else _raw_size(place.raw, host)
    if "_" in name:
        # No mail goes to such a host (RFC 5321 section 4.1.2), but a name it may be.
        yield place.find(Kind.DOMAIN, name, size=size)
        return
    local = refang(user).rpartition("@")[0].strip(".'")
    lead = len(user) - len(user.lstrip(".'"))
    start, end = place.start - len(user) + lead, place.start + size
    hidden = place.defanged or len(refang(user)) != len(user)
    if local:
        yield Observable(Kind.EMAIL, f"{local.lower()}@{name}", start, end, hidden)


def _raw_size(raw: str, plain: str) -> int:
    """Return how much of a raw spelling stands for `plain`, which is the start of it refanged."""
    for size in range(len(plain), len(raw) + 1):
        if refang(raw[:size]) == plain:
            return size
    return len(raw)


def _bare(place: _Place) -> Iterator[Observable]:
    """Return what an address without a scheme is: a host, or a host with a path."""
    if place.before in _INSIDE and not _is_wildcard(place):
        return
    if place.before == "=" and _QUERY_BEFORE.search(
        place.text, max(0, place.start - 64), place.start
    ):
        return
    where, _, path = place.plain.partition("/")
    host = where.partition(":")[0]
    path = "" if path.lower() in _PROTOCOLS else path
    where = where.removesuffix(":")
    if host[-1:].isdigit() and place.raw.isascii():
        if _is_ipv4(host) and _is_address(place):
            yield _ipv4(place, host, where, path)
        return
    name = ascii_host(host)
    kind = None if name is None else _kind_of(place, name, host)
    if kind is None or name is None:
        yield from _within(place)
        return
    if path:
        yield place.find(Kind.URL, f"http://{name}{where[len(host) :]}/{path}")
        return
    yield place.find(kind, name, size=None if host == place.plain else _raw_size(place.raw, host))


def _is_wildcard(place: _Place) -> bool:
    """Whether a name stands behind `*.`, or behind an `@` that has nothing before it."""
    before = place.text[max(0, place.start - 2) : place.start]
    return before == "*." or (before[-1:] == "@" and not before[:-1].strip())


def _within(place: _Place) -> Iterator[Observable]:
    """Return the names and numbers in ASCII within letters of a script that has no spaces."""
    if place.raw.isascii():
        return
    for found in _ASCII_NAME.finditer(place.raw):
        start, end = place.start + found.start(), place.start + found.end()
        plain = refang(found[0])
        if _is_ipv4(plain):
            if not _follows_version(place.text, start):
                yield Observable(Kind.IPV4, plain, start, end, len(plain) != len(found[0]))
            continue
        name = ascii_host(plain)
        if name is not None and is_domain(name) and is_written_as_domain(plain):
            yield Observable(Kind.DOMAIN, name, start, end, len(plain) != len(found[0]))


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


def _is_ipv4(text: str) -> bool:
    return _IPV4.fullmatch(text) is not None


def _is_address(place: _Place) -> bool:
    """Whether four numbers are an address and no version of something."""
    if place.before.isalnum():
        return False
    return place.defanged or not _follows_version(place.text, place.start)


def _follows_version(text: str, start: int) -> bool:
    return _VERSION.search(text, max(0, start - _VERSION_WINDOW), start) is not None


def _ipv4(place: _Place, host: str, where: str, path: str) -> Observable:
    if not path:
        whole = len(place.plain) == len(host)
        return place.find(Kind.IPV4, host, size=None if whole else _raw_size(place.raw, host))
    if _BITS.fullmatch(path) and int(path) <= _MOST_BITS4 and where == host:
        return place.find(Kind.CIDR, f"{host}/{int(path)}")
    return place.find(Kind.URL, f"http://{where}/{path}")


def _ipv6(text: str, start: int, end: int) -> Iterator[Observable]:
    if _ROW.search(text, max(0, start - 5), start + (text[start] == ":")):
        # The rest of a longer row of numbers.
        return
    raw = text[start:end].replace("[::]", "::").replace("[:]", ":")
    is_defanged = len(raw) < end - start
    if not is_defanged:
        # The colon of a label before it, or of the sentence behind it.
        label = raw[0] == ":" and raw[1:2] != ":"
        start += label
        end -= raw[-1] == ":" and raw[-2:-1] != ":"
        raw = text[start:end]
    place = _place(text, start, end, text[start:end], raw)
    host, slash, bits = raw.partition("/")
    around = place.before + text[end : end + 1]
    address = _address6(host) if is_defanged or _looks_meant(host) else None
    if address is None or _WORDLY.search(around):
        return
    if slash and _BITS.fullmatch(bits) and int(bits) <= _MOST_BITS6:
        yield place.find(Kind.CIDR, f"{address}/{int(bits)}")
    else:
        yield place.find(Kind.IPV6, address, size=len(place.raw) - len(slash + bits))


def _looks_meant(host: str) -> bool:
    """Whether colons are an address's, and not those of a time or of names in code."""
    return any(char.isdigit() for char in host) and (host.count(":") > 2 or host.startswith("::"))  # noqa: PLR2004 - hours, minutes, seconds


def _address6(host: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        return None

"""Look-up in the warning lists: which of them have a value, a host or one above it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address

import msgspec
import numpy as np
import re2

from ctiscraper.enrich.kinds import HASHES, Kind
from ctiscraper.packs.warninglists import WarningList, WarningPack, key_of, unpacked

_ADDRESSES = frozenset((Kind.IPV4, Kind.IPV6, Kind.CIDR))
_MOST_PARENTS = 8
_BYTES4 = 4


class Hit(msgspec.Struct, frozen=True):
    """A list that has a value, and what of the value is in it: itself, its host, one above it."""

    list: WarningList
    matched: str


def host_in(kind: str, value: str) -> str:
    """Return the host that an observable names, empty when its kind has none."""
    if kind in {Kind.DOMAIN, Kind.ONION}:
        return value
    if kind == Kind.EMAIL:
        return value.rpartition("@")[2]
    if kind != Kind.URL:
        return ""
    rest = value.partition("://")[2]
    for mark in "/?#\\":
        rest = rest.partition(mark)[0]
    rest = rest.rpartition("@")[2]
    return rest[1:].partition("]")[0] if rest.startswith("[") else rest.partition(":")[0]


class Listed:
    """The warning lists, made once from their pack."""

    def __init__(self, pack: WarningPack) -> None:
        """Spread the pack out for look-up."""
        self._groups = pack.groups
        self._lists = pack.lists
        self._keys, self._key_groups = unpacked(pack.values)
        self._starts, self._start_groups = unpacked(pack.networks4)
        self._starts6 = [start for start, _ in pack.networks6]
        self._groups6 = [group for _, group in pack.networks6]
        self._patterns = [(re2.compile(source), number) for source, number in pack.patterns]
        self._substrings = pack.substrings

    def look_up(self, wanted: Sequence[tuple[str, str]]) -> list[tuple[Hit, ...]]:
        """Return the lists that have each of many observables, given by kind and value."""
        found: list[dict[int, str]] = [{} for _ in wanted]
        keys: list[int] = []
        whose: list[tuple[int, str]] = []
        numbers: list[int] = []
        addressed: list[tuple[int, str]] = []
        for place, (kind, value) in enumerate(wanted):
            host = host_in(kind, value)
            if kind == Kind.EMAIL or self._substrings:
                self._read(value, found[place])
            for name in _names(kind, value, host):
                keys.append(key_of(name))
                whose.append((place, name.lstrip(".")))
            packed, name = _address(kind, value, host)
            if len(packed) == _BYTES4:
                numbers.append(int.from_bytes(packed, "big"))
                addressed.append((place, name))
            elif packed:
                self._hold(found[place], self._group6(packed), name)
        self._values(keys, whose, found)
        self._networks(numbers, addressed, found)
        return [
            tuple(Hit(self._lists[number], matched) for number, matched in one.items())
            for one in found
        ]

    def _hold(self, found: dict[int, str], group: int, matched: str) -> None:
        for number in self._groups[group]:
            found.setdefault(number, matched)

    def _read(self, value: str, found: dict[int, str]) -> None:
        encodable = value.encode("utf-8", "replace").decode()
        for expression, number in self._patterns:
            if expression.search(encodable):
                found.setdefault(number, value)
        for part, number in self._substrings:
            if part in value:
                found.setdefault(number, part)

    def _values(
        self, keys: list[int], whose: list[tuple[int, str]], found: list[dict[int, str]]
    ) -> None:
        if not keys or not len(self._keys):
            return
        wanted = np.array(keys, np.uint64)
        places = np.searchsorted(self._keys, wanted)
        places[places == len(self._keys)] = 0
        for number in np.flatnonzero(self._keys[places] == wanted).tolist():
            owner, name = whose[number]
            self._hold(found[owner], int(self._key_groups[places[number]]), name)

    def _networks(
        self, numbers: list[int], whose: list[tuple[int, str]], found: list[dict[int, str]]
    ) -> None:
        if not numbers or not len(self._starts):
            return
        places = np.searchsorted(self._starts, np.array(numbers, np.uint64), side="right") - 1
        for (owner, name), place in zip(whose, places.tolist(), strict=True):
            if place >= 0:
                self._hold(found[owner], int(self._start_groups[place]), name)

    def _group6(self, address: bytes) -> int:
        place = bisect_right(self._starts6, address) - 1
        return self._groups6[place] if place >= 0 else 0


def _names(kind: str, value: str, host: str) -> Iterator[str]:
    """Return the names that lists may have: themselves, and with a dot those that hold them."""
    if kind in HASHES:
        yield value.lower()
    elif kind in _ADDRESSES:
        yield f".{value}"
    if not host:
        return
    yield host
    yield f".{host}"
    if host[-1:].isdigit() or ":" in host:
        return
    above = host
    for _ in range(_MOST_PARENTS):
        _, _, above = above.partition(".")
        if "." not in above:
            return
        yield f".{above}"


def _address(kind: str, value: str, host: str) -> tuple[bytes, str]:
    """Return the address that an observable is, begins at or names, and its spelling."""
    if kind == Kind.URL and (host[-1:].isdigit() or ":" in host):
        value = host
    elif kind == Kind.CIDR:
        value = value.partition("/")[0]
    elif kind not in _ADDRESSES:
        return b"", ""
    try:
        packed = bytes(map(int, value.split("."))) if "." in value and ":" not in value else b""
        return (packed, value) if len(packed) == _BYTES4 else (IPv6Address(value).packed, value)
    except ValueError:
        return b"", ""

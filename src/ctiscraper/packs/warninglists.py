"""MISP's warning lists as one small pack: values by their hashes, networks by their ranges.

A value that is there with all below it is kept with a dot before it. Values are the first forty
bits of their xxh3: of two million that are kept, one in half a million others seems to be there.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from ipaddress import ip_network

import msgspec
import numpy as np
import numpy.typing as npt
import re2
import xxhash

from ctiscraper.errors import CatalogError
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.meanings import Meaning, meaning_of

NAME = "warninglists"

_PACKAGE = "pymispwarninglists"
_SOURCE = "https://github.com/MISP/misp-warninglists"
_NOTICE = "MISP warning lists, CIRCL and contributors"
# The public suffix list says the first two; the others are of kinds that no text is read for.
_LEFT_OUT = frozenset(("tlds", "second-level-tlds", "phone_numbers", "microsoft-azure-appid"))
# Whoever lists a name here means all below it as well.
_WHOLE = frozenset(("rfc6761",))
_HASH_BITS, _KEY_BITS, _KEY_BYTES = 64, 40, 5
_BITS6, _BYTES6 = 128, 16
_HOST = re.compile(r"\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", re.IGNORECASE)
_REGEX = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)

Numbers = npt.NDArray[np.uint64]


class WarningList(msgspec.Struct, frozen=True, kw_only=True):
    """One list: what it is called, what it says, and how many values it has.

    `rank` is that of popular sites: so many come first.
    """

    id: str
    name: str
    description: str
    version: int
    size: int
    meaning: Meaning
    rank: int = 0


class Column(msgspec.Struct, frozen=True):
    """Numbers in order, and for each the group of lists that it is in.

    `gaps` are the distances between them, the first bytes of all before the second of all; so are
    the two bytes of `groups`.
    """

    gaps: bytes
    groups: bytes


class WarningPack(msgspec.Struct, frozen=True, kw_only=True):
    """All lists, and what is in which of them.

    `groups` are the sets of lists (by their place) that something is in. `values` are hashes; in
    `networks4` and `networks6` a group holds from its address up to the next.
    """

    lists: tuple[WarningList, ...]
    groups: tuple[tuple[int, ...], ...]
    values: Column
    networks4: Column
    networks6: tuple[tuple[bytes, int], ...]
    substrings: tuple[tuple[str, int], ...]
    patterns: tuple[tuple[str, int], ...]


class _Read(msgspec.Struct):
    name: str
    description: str
    version: int
    type: str
    list: list[str]


def build_default() -> tuple[PackInfo, WarningPack]:
    """Return the pack of the lists that the installed package brings."""
    release = version(_PACKAGE)
    info = PackInfo(
        name=NAME, version=release, source=_SOURCE, licence="BSD-3-Clause", notice=_NOTICE
    )
    return info, build(_installed())


def _installed() -> Iterator[tuple[str, bytes]]:
    """Return the short name of each installed list and its file, one at a time."""
    folder = files(_PACKAGE).joinpath("data", "misp-warninglists", "lists")
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        file = entry.joinpath("list.json")
        if file.is_file():
            yield entry.name, file.read_bytes()


def build(lists: Iterable[tuple[str, bytes]]) -> WarningPack:
    """Return the pack of lists, each a short name and a file in MISP's format.

    Raises CatalogError for one that is none.
    """
    making = _Making()
    for name, raw in lists:
        if name in _LEFT_OUT:
            continue
        try:
            making.add(name, msgspec.json.decode(raw, type=_Read))
        except (msgspec.MsgspecError, ValueError) as error:
            raise CatalogError([f"warning list {name} cannot be read: {error}"]) from error
    return making.done()


def key_of(value: str) -> int:
    """Return the number that stands for a value in a pack's `values`."""
    return xxhash.xxh3_64_intdigest(value.encode("utf-8", "replace")) >> (_HASH_BITS - _KEY_BITS)


def unpacked(column: Column) -> tuple[Numbers, npt.NDArray[np.uint16]]:
    """Return a column's numbers, and the group of each."""
    planes = np.frombuffer(column.gaps, np.uint8).reshape(_KEY_BYTES, -1)
    wide = np.zeros((planes.shape[1], 8), np.uint8)
    wide[:, :_KEY_BYTES] = planes.T
    numbers = np.cumsum(wide.view("<u8").ravel(), dtype=np.uint64)
    halves = np.frombuffer(column.groups, np.uint8).reshape(2, -1)
    return numbers, np.ascontiguousarray(halves.T).view("<u2").ravel()


def _packed(numbers: Numbers, groups: Iterable[int]) -> Column:
    gaps = np.diff(numbers, prepend=np.uint64(0)).astype("<u8")
    planes = gaps.view(np.uint8).reshape(-1, 8)[:, :_KEY_BYTES]
    halves = np.fromiter(groups, "<u2").view(np.uint8).reshape(-1, 2)
    return Column(
        np.ascontiguousarray(planes.T).tobytes(), np.ascontiguousarray(halves.T).tobytes()
    )


class _Making:
    """A pack while lists are added to it."""

    def __init__(self) -> None:
        self.lists: list[WarningList] = []
        self.groups: dict[tuple[int, ...], int] = {(): 0}
        self.keys: list[Numbers] = []
        self.ranges: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
        self.substrings: list[tuple[str, int]] = []
        self.patterns: list[tuple[str, int]] = []

    def add(self, name: str, read: _Read) -> None:
        """Add one list."""
        number = len(self.lists)
        meaning, rank = meaning_of(name)
        self.lists.append(
            WarningList(
                id=name, name=read.name, description=read.description, version=read.version,
                size=len(read.list), meaning=meaning, rank=rank,
            )
        )  # fmt: skip
        self.group((number,))
        keys: Iterable[int] = ()
        if read.type == "cidr":
            self._networks(read.list, number)
        elif read.type == "regex":
            self.patterns += [(one, number) for one in map(_pattern, read.list) if one]
        else:
            keys = self._values(read, number)
        self.keys.append(np.fromiter(keys, np.uint64))

    def group(self, lists: tuple[int, ...]) -> int:
        """Return the number of a group of lists."""
        return self.groups.setdefault(lists, len(self.groups))

    def _networks(self, entries: list[str], number: int) -> None:
        for entry in entries:
            network = ip_network(entry.strip(), strict=False)
            first = int(network.network_address)
            self.ranges[network.version].append((first, first + network.num_addresses, number))

    def _values(self, read: _Read, number: int) -> Iterator[int]:
        for entry in read.list:
            value = entry.strip().lower()
            if read.type == "substring" and not _HOST.fullmatch(value):
                self.substrings.append((value, number))
            elif read.type == "string" and self.lists[number].id not in _WHOLE:
                yield key_of(value)
            else:
                # Nearly all that MISP looks for anywhere in a value are hosts.
                yield key_of("." + value.lstrip("."))

    def done(self) -> WarningPack:
        """Return the pack."""
        values = self._column()
        networks4 = _segments(self.ranges[4])
        starts4 = np.fromiter((start for start, _ in networks4), np.uint64)
        return WarningPack(
            lists=tuple(self.lists),
            values=values,
            networks4=_packed(starts4, [self.group(lists) for _, lists in networks4]),
            networks6=tuple(
                (start.to_bytes(_BYTES6, "big"), self.group(lists))
                for start, lists in _segments(self.ranges[6])
                if start < 1 << _BITS6
            ),
            substrings=tuple(self.substrings),
            patterns=tuple(self.patterns),
            groups=tuple(self.groups),
        )

    def _column(self) -> Column:
        """Return each key once, with the group of lists that have it."""
        owned = [np.full(len(part), number, np.uint16) for number, part in enumerate(self.keys)]
        keys = np.concatenate([np.zeros(0, np.uint64), *self.keys])
        owners = np.concatenate([np.zeros(0, np.uint16), *owned])
        order = np.lexsort((owners, keys))
        keys, owners = keys[order], owners[order]
        starts = np.flatnonzero(np.diff(keys, prepend=np.uint64(2**_HASH_BITS - 1)) != 0)
        counts = np.diff(starts, append=len(keys))
        alone = np.array([self.group((n,)) for n in range(len(self.lists))] or [0], np.uint16)
        groups = alone[owners[starts]]
        for number in np.flatnonzero(counts > 1).tolist():
            start = int(starts[number])
            several = owners[start : start + int(counts[number])].tolist()
            groups[number] = self.group(tuple(dict.fromkeys(several)))
        return _packed(keys[starts], groups.tolist())


def _pattern(entry: str) -> str:
    """Return an expression for RE2, empty when it refuses it."""
    found = _REGEX.fullmatch(entry)
    source, flags = found.groups() if found else (entry, "")
    source = f"(?i){source}" if "i" in flags else source
    try:
        re2.compile(source)
    except re2.error:
        return ""
    return source


def _segments(ranges: list[tuple[int, int, int]]) -> list[tuple[int, tuple[int, ...]]]:
    """Return from where on which lists hold an address, up to the next place."""
    turns: dict[int, list[tuple[int, int]]] = {}
    for start, end, number in ranges:
        turns.setdefault(start, []).append((number, 1))
        turns.setdefault(end, []).append((number, -1))
    found: list[tuple[int, tuple[int, ...]]] = []
    open_: dict[int, int] = {}
    before: tuple[int, ...] = ()
    for place in sorted(turns):
        for number, change in turns[place]:
            open_[number] = open_.get(number, 0) + change
            if not open_[number]:
                del open_[number]
        lists = tuple(sorted(open_))
        if lists != before:
            found.append((place, lists))
            before = lists
    return found

"""Making one entry of what several lists say of one thing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from ctiscraper.intelligence import Name
from ctiscraper.packs.clusters import ACTORS, ATTACK, SOFTWARE, Listed, shorter
from ctiscraper.packs.records import Conflict, Entry
from ctiscraper.packs.spelling import joined

_RANK = {origin: rank for rank, origin in enumerate((ATTACK, *ACTORS, *SOFTWARE))}
_SHORT, _ENOUGH = 4, 2


class _Groups:
    """Sets of listed things that are one; two things of ATT&CK never are."""

    def __init__(self, listed: list[Listed]) -> None:
        self._above = list(range(len(listed)))
        self._attack = [{one.attack} if one.attack else set[str]() for one in listed]
        self._actor = [one.kind is Name.ACTOR for one in listed]

    def find(self, one: int) -> int:
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, one: int, other: int) -> None:
        first, second = self.find(one), self.find(other)
        known = self._attack[first] | self._attack[second]
        if first != second and len(known) <= 1 and self._actor[first] == self._actor[second]:
            self._above[second] = first
            self._attack[first] = known

    def is_known(self, one: int) -> bool:
        """Whether a thing is one that ATT&CK has."""
        return bool(self._attack[self.find(one)])


def merge(listed: list[Listed], ordinary: frozenset[str]) -> list[Entry]:
    """Return one entry for each thing; a word of everyday language joins nothing.

    Things are one by their ATT&CK id, by being called similar while they share a name, by their
    chief name, by two names, and by a chief name that exactly one other thing has among its names.
    """
    groups = _Groups(listed)
    _join_by_id(listed, groups)
    _join_by_relation(listed, groups)
    _join_by_chief_name(listed, groups, ordinary)
    _join_by_names(listed, groups)
    _join_by_alias(listed, groups, ordinary)
    members = defaultdict(list)
    for number, one in enumerate(listed):
        members[groups.find(number)].append(one)
    return [_entry(sorted(those, key=lambda it: _RANK[it.origin])) for those in members.values()]


def conflicts(entries: Iterable[Entry]) -> Iterator[Conflict]:
    """Return the names that several things of one kind claim."""
    claims: dict[tuple[Name, str], dict[str, str]] = defaultdict(dict)
    for entry in entries:
        for name in (entry.name, *entry.aliases):
            claims[entry.kind, joined(name)][entry.value] = name
    for claimed in claims.values():
        if len(claimed) > 1:
            yield Conflict(alias=next(iter(claimed.values())), values=tuple(claimed))


def _join_by_id(listed: list[Listed], groups: _Groups) -> None:
    known: dict[str, int] = {}
    for number, one in enumerate(listed):
        for mark in (one.attack, one.uuid):
            if mark:
                groups.join(known.setdefault(mark, number), number)


def _join_by_relation(listed: list[Listed], groups: _Groups) -> None:
    places = {one.uuid: number for number, one in enumerate(listed)}
    names = [{joined(name) for name in one.names} for one in listed]
    for number, one in enumerate(listed):
        for other in one.related:
            place = places.get(other)
            if place is not None and names[number] & names[place]:
                groups.join(number, place)


def _is_telling(key: str, ordinary: frozenset[str]) -> bool:
    return len(key) >= _SHORT and key not in ordinary


def _join_by_chief_name(listed: list[Listed], groups: _Groups, ordinary: frozenset[str]) -> None:
    known: dict[tuple[bool, str, str], int] = {}
    for number, one in enumerate(listed):
        chief = one.names[0]
        for key in {joined(chief), *map(joined, shorter(chief, one.kind))}:
            told = _is_telling(key, ordinary)
            # One list has a name twice for two systems; a brand of ransomware is one gang's.
            apart = "" if told else one.kind if one.kind is Name.RANSOMWARE else one.origin
            if told or key == joined(chief):
                place = known.setdefault((one.kind is Name.ACTOR, key, apart), number)
                groups.join(place, number)


def _join_by_names(listed: list[Listed], groups: _Groups) -> None:
    having: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for number, one in enumerate(listed):
        for key in {joined(name) for name in one.names}:
            having[one.kind is Name.ACTOR, key].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for those in having.values():
        shared.update(combinations(those, 2))
    for pair, count in shared.items():
        if count >= _ENOUGH:
            groups.join(*pair)


def _join_by_alias(listed: list[Listed], groups: _Groups, ordinary: frozenset[str]) -> None:
    having: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, one in enumerate(listed):
        for name in one.names:
            for sort in _sorts(one.kind):
                having[sort, joined(name)].add(groups.find(number))
    for number, one in enumerate(listed):
        if groups.is_known(number):
            continue
        for key in {joined(one.names[0]), *map(joined, shorter(one.names[0], one.kind))}:
            broad, *narrow = _sorts(one.kind)
            sort = broad if _is_telling(key, ordinary) else narrow[0] if narrow else ""
            roots = {groups.find(root) for root in having.get((sort, key), ())}
            others = roots - {groups.find(number)}
            if len(others) == 1:
                groups.join(min(others), number)


def _sorts(kind: Name) -> tuple[str, ...]:
    """Return in which sorts of things a name is looked for; brands of ransomware by themselves."""
    if kind is Name.ACTOR:
        return ("actor",)
    return ("software", "ransomware") if kind is Name.RANSOMWARE else ("software",)


def _entry(those: list[Listed]) -> Entry:
    attack = next((one.attack for one in those if one.attack), "")
    names: dict[str, str] = {}
    for one in those:
        for name in one.names:
            known = names.setdefault(name.lower(), name)
            if known.islower() and not name.islower():
                names[name.lower()] = name
    chief, *others = names.values()
    return Entry(
        kind=_kind(those),
        value=attack or those[0].uuid,
        name=chief,
        aliases=tuple(others),
        origins=tuple(dict.fromkeys(one.origin for one in those)),
        attack=attack,
        country=next((one.country for one in those if one.country), ""),
        type=next((one.type for one in those if one.type), ""),
    )


def _kind(those: list[Listed]) -> Name:
    """Return what a thing is: ransomware before all, a tool where ATT&CK says so, else malware.

    What ATT&CK has as a tool and others as a remote access trojan is malware in texts.
    """
    judged = [one.kind for one in those if one.attack] or [one.kind for one in those]
    if Name.RANSOMWARE in judged:
        return Name.RANSOMWARE
    if judged[0] is Name.TOOL and any(one.origin == "rat" for one in those):
        return Name.MALWARE
    return judged[0]

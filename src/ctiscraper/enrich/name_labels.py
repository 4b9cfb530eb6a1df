"""Every name of a pack as texts may spell it, and what is asked of them before it is believed."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TypeAlias

from ctiscraper.intelligence import Name
from ctiscraper.packs.own_lists import ADJECTIVE, BESIDE, LEGITIMATE
from ctiscraper.packs.records import Entry, NamesPack
from ctiscraper.packs.spelling import joined, key_of

THREATS = frozenset((Name.ACTOR, Name.MALWARE, Name.RANSOMWARE, Name.TOOL))


class Policy(IntEnum):
    """What is asked of a text before it is believed to mean a thing by a name."""

    TELLING = 0
    PLAIN = 1
    """Written like any other word, and not known to ATT&CK: a word of the field near it."""
    CASED = 2
    """Words of everyday language: each begins with a capital."""
    SHORT = 3
    """As it is written in the list, and a word of the field near it."""
    ORDINARY = 4
    """A capital, and a word beside it that says what it is."""
    EXACT = 5
    """As it is written in the list: vendors, products, countries."""
    BRAND = 6
    """As it is written; at the beginning of a sentence with a word on what is sold near it."""
    MADE = 7
    """As it is written, within a sentence, with a word on what is sold near it."""
    PHRASE = 8
    BESIDE = 9
    """A sector that needs a word such as *companies* behind it."""


_SOLD = frozenset((Name.VENDOR, Name.PRODUCT, Name.SECTOR))
# How one entry asks for one spelling: the policy, the words, its number, whether it is its chief.
_Claim: TypeAlias = tuple[Policy, str, int, bool]


@dataclass(frozen=True, slots=True)
class Label:
    """One spelling: how the lists write it, and the entries that it may mean, likeliest first.

    `chief` says of how many of them it is the chief name; they stand first.
    """

    policy: Policy
    written: tuple[str, ...]
    entries: tuple[int, ...]
    chief: int
    kinds: frozenset[Name]


_TAILS = frozenset(
    """
    apt backdoor banker botnet clipper crew downloader dropper family gang group hackers infostealer
    keylogger kit loader malware miner ransomware rat rootkit spyware stealer team trojan virus
    webshell wiper worm
    """.split()  # noqa: SIM905 - read as words
)
# Capitals within a word and digits are not those of other words.
_MARKED = re.compile(r"[a-z][A-Z]|\d")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_NUMBERED = re.compile(r"([A-Za-z]{2,5})-?(\d+)$")
_LEAST, _SHORT, _SHORT_CAPITALS, _JOINED = 2, 3, 4, 6
_ORDER = {Name.RANSOMWARE: 0, Name.MALWARE: 1, Name.TOOL: 2, Name.ACTOR: 3}


def labels(pack: NamesPack) -> dict[str, tuple[Label, ...]]:
    """Return the labels of each key: of those who attack and their means, and of the rest.

    What is sold keeps its name where malware has it as well, but for programs that attackers use.
    """
    ordinary = frozenset(pack.ordinary)
    words = ordinary | frozenset(pack.technical)
    gathered: dict[str, tuple[list[_Claim], list[_Claim]]] = {}
    for number, entry in enumerate(pack.entries):
        threat = entry.kind in THREATS
        chief = _chief_keys(entry)
        for name in (entry.name, *entry.aliases):
            for key, policy, written in _spellings(entry, name, words if threat else ordinary):
                claims = gathered.setdefault(key, ([], []))
                claims[not threat].append((policy, written, number, key in chief))
    return {key: tuple(_labels(*claims, pack.entries)) for key, claims in gathered.items()}


def _labels(
    threats: list[_Claim], others: list[_Claim], entries: tuple[Entry, ...]
) -> Iterator[Label]:
    sold = any(entries[number].kind in _SOLD for _, _, number, _ in others)
    used = any(entries[number].type == LEGITIMATE for _, _, number, _ in threats)
    if threats and (used or not sold):
        yield _label(threats, entries, _strictest)
    if others and not (sold and used):
        yield _label(others, entries, min)


def _strictest(policies: Iterable[Policy]) -> Policy:
    """Return what is asked at most; that ATT&CK knows a name is enough for all who have it."""
    asked = set(policies)
    return max(asked - {Policy.PLAIN} if Policy.TELLING in asked else asked)


def _label(
    found: list[_Claim], entries: tuple[Entry, ...], choose: Callable[[Iterable[Policy]], Policy]
) -> Label:
    def rank(one: _Claim) -> tuple[bool, bool, int]:
        entry = entries[one[2]]
        return not one[3], not entry.attack, _ORDER.get(entry.kind, 0)

    found.sort(key=rank)
    return Label(
        policy=choose(policy for policy, *_ in found),
        written=tuple(dict.fromkeys(written for _, written, *_ in found)),
        entries=tuple(dict.fromkeys(number for _, _, number, _ in found)),
        chief=len({number for *_, number, chief in found if chief}),
        kinds=_kinds(frozenset(entries[number].kind for _, _, number, _ in found)),
    )


@cache
def _kinds(kinds: frozenset[Name]) -> frozenset[Name]:
    """Return one and the same set for all that are equal."""
    return kinds


def _chief_keys(entry: Entry) -> set[str]:
    """Return the keys of a chief name, also without the word for what it is."""
    key = key_of(entry.name)
    words = key.split()
    shorter = " ".join(words[:-1]) if len(words) > 1 and words[-1] in _TAILS else key
    return {key, shorter, joined(key), joined(shorter)}


def _spellings(
    entry: Entry, name: str, ordinary: frozenset[str]
) -> Iterator[tuple[str, Policy, str]]:
    if entry.kind not in THREATS:
        # The adjective of a country is no name of it, nor the other way round.
        if entry.type != ADJECTIVE or name != entry.name:
            yield _own(entry, name, ordinary)
        return
    key = key_of(name)
    words = key.split()
    if len(joined(key)) < _LEAST or (len(joined(key)) < _SHORT and key.isalpha()):
        return
    if len(words) > 1:
        if words[-1] in _TAILS and all(_is_ordinary(word, ordinary) for word in words):
            # A headline has the words as well: `Global Ransomware Attacks`.
            return
        whole = joined(key)
        if len(whole) >= _JOINED:
            told = _told(entry, name)
            yield whole, Policy.ORDINARY if _is_ordinary(whole, ordinary) else told, name
        yield key, _policy_of_words(entry, name, ordinary), name
        return
    yield key, _policy(entry, name, ordinary), name
    numbered = _NUMBERED.match(name) if entry.kind is Name.ACTOR else None
    if numbered:
        yield f"{numbered[1]} {numbered[2]}".lower(), Policy.EXACT, f"{numbered[1]} {numbered[2]}"


def _told(entry: Entry, name: str) -> Policy:
    """Return the policy of a name that is no everyday word, by how it is written."""
    is_known = entry.attack or entry.type == LEGITIMATE or _MARKED.search(name)
    return Policy.TELLING if is_known else Policy.PLAIN


def _policy_of_words(entry: Entry, name: str, ordinary: frozenset[str]) -> Policy:
    words = key_of(name).split()
    if not all(_is_ordinary(word, ordinary) for word in words):
        return _told(entry, name)
    is_known = entry.attack or entry.kind is Name.ACTOR or entry.type == LEGITIMATE
    return Policy.CASED if is_known and words[0] != "the" else Policy.ORDINARY


def _own(entry: Entry, name: str, ordinary: frozenset[str]) -> tuple[str, Policy, str]:
    if entry.kind is Name.SECTOR:
        beside = name.startswith(BESIDE)
        said = name.removeprefix(BESIDE)
        policy = Policy.BESIDE if beside or name == entry.name else Policy.PHRASE
        return key_of(said), policy, said
    key = key_of(name)
    if entry.kind is not Name.COUNTRY and key in ordinary:
        return key, Policy.BRAND if entry.kind is Name.VENDOR else Policy.MADE, name
    # Notepad++ is not Notepad.
    return key, Policy.EXACT, name if name.endswith("+") else _EDGES.sub("", name)


def _policy(entry: Entry, name: str, ordinary: frozenset[str]) -> Policy:
    key = key_of(name)
    if _is_ordinary(key, ordinary):
        return Policy.ORDINARY
    is_short = len(key) <= _SHORT or (len(key) == _SHORT_CAPITALS and name.isupper())
    return Policy.SHORT if is_short else _told(entry, name)


def _is_ordinary(word: str, ordinary: Iterable[str]) -> bool:
    return (
        word in ordinary
        or word.isdigit()
        or len(word) == 1
        or (word.endswith("s") and word[:-1] in ordinary)
        or (word.endswith("ed") and (word[:-2] in ordinary or word[:-1] in ordinary))
        or (word.endswith("ing") and (word[:-3] in ordinary or f"{word[:-3]}e" in ordinary))
    )

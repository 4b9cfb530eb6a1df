"""What a new version of a pack says differently, and whose claims that touches."""

from collections.abc import Sequence
from typing import TypeGuard

import msgspec

from ctiscraper.intelligence import Extractor
from ctiscraper.packs.registry import KnownPack

# With more, everything is to be read again: looking for each costs more than that.
MOST_NAMES = 300
SHORTEST_NAME = 3


class PackChange(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between two versions of a pack.

    `extractors` have to run again, over the texts that have one of `names`; over all texts when
    that is None. `names` are values, names and aliases of records that came, went or changed.
    """

    pack: str
    old: str
    new: str
    extractors: tuple[Extractor, ...]
    names: frozenset[str] | None


def compare(
    known: KnownPack, old: tuple[str, msgspec.Struct] | None, new: tuple[str, msgspec.Struct]
) -> PackChange:
    """Return what differs between versions of a pack, each with its records."""
    names: frozenset[str] | None = None
    extractors = known.extractors
    if old is not None:
        own = getattr(known.load(), "changed_names", None)
        names = own(old[1], new[1]) if own is not None else changed_names(old[1], new[1])
        if names is not None and not names:
            extractors = ()
    if names is not None and len(names) > MOST_NAMES:
        names = None
    return PackChange(
        pack=known.name,
        old="" if old is None else old[0],
        new=new[0],
        extractors=extractors,
        names=names if extractors else frozenset(),
    )


def changed_names(old: msgspec.Struct, new: msgspec.Struct) -> frozenset[str] | None:
    """Return the words of records that are in one of two packs alone, None when that is not plain.

    What is not in a sequence of records (a setting, a table of numbers) has no names: when such
    a field differs, everything does.
    """
    found: set[str] = set()
    for name in new.__struct_fields__:
        before, after = getattr(old, name, None), getattr(new, name)
        if before == after:
            continue
        if not (_records(before) and _records(after)):
            return None
        differ = set(map(msgspec.msgpack.encode, before)) ^ set(map(msgspec.msgpack.encode, after))
        for record in (*before, *after):
            if msgspec.msgpack.encode(record) in differ:
                found.update(_words(record))
    return frozenset(found)


def _records(value: object) -> TypeGuard[Sequence[str | msgspec.Struct]]:
    return isinstance(value, tuple | list) and all(
        isinstance(one, str | msgspec.Struct) for one in value
    )


def _words(record: str | msgspec.Struct) -> list[str]:
    """Return what a record is called: its short strings, alone or in sequences."""
    if isinstance(record, str):
        return [record]
    words: list[str] = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        many = value if isinstance(value, tuple | list | frozenset) else (value,)
        words += [one for one in many if isinstance(one, str)]
    return [word for word in words if SHORTEST_NAME <= len(word) <= 80]  # noqa: PLR2004 - names, not descriptions

"""Every observable of a text, in order, none inside another."""

from collections.abc import Iterable, Iterator
from itertools import chain

from ctiscraper.enrich.artefacts import find_artefacts
from ctiscraper.enrich.commands import find_commands
from ctiscraper.enrich.hashes import find_fingerprints, find_hashes, find_identifiers
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.network import find_addresses
from ctiscraper.enrich.rules import find_rules
from ctiscraper.enrich.scan import Scan
from ctiscraper.enrich.wallets import find_wallets

# Of two finds at one place the first of these stays; those of one rank may not overlap.
_STEPS = (
    find_addresses, find_hashes, find_identifiers, find_fingerprints, find_wallets, find_artefacts,
)  # fmt: skip
_WEAKEST = Kind.FILE_NAME
# These hold others, which are told apart inside them.
_BLOCKS = (find_commands, find_rules)


def find_observables(text: str) -> list[Observable]:
    """Return the observables of a text by their places; of two that overlap the earlier, longer.

    Commands and rules are told besides what stands in them.
    """
    scan = Scan(text)
    found = sorted(chain.from_iterable(step(scan) for step in _STEPS), key=_place)
    strong = list(_apart(one for one in found if one.kind is not _WEAKEST))
    weak = (one for one in found if one.kind is _WEAKEST)
    parts = _apart(chain(strong, _outside(weak, strong)))
    blocks = _apart(chain.from_iterable(step(scan) for step in _BLOCKS))
    return sorted([*parts, *blocks], key=_place)


def _place(one: Observable) -> tuple[int, int]:
    return one.start, -one.end


def _outside(weak: Iterable[Observable], strong: list[Observable]) -> Iterator[Observable]:
    """Return those of `weak` that touch none of `strong`; both stand in order of place."""
    number = 0
    for one in weak:
        while number < len(strong) and strong[number].end <= one.start:
            number += 1
        if number == len(strong) or strong[number].start >= one.end:
            yield one


def _apart(found: Iterable[Observable]) -> Iterator[Observable]:
    end = 0
    for one in sorted(found, key=_place):
        if one.start >= end:
            yield one
            end = one.end

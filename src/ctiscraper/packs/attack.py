"""MITRE ATT&CK as a pack: techniques and tactics of its three matrices."""

from collections.abc import Iterable

from ctiscraper.packs.attack_matrix import AttackPack
from ctiscraper.packs.attack_packages import read_packages
from ctiscraper.packs.attack_stix import read_bundles
from ctiscraper.packs.info import PackInfo

__all__ = ["NAME", "AttackPack", "build_default", "from_stix"]

NAME = "attack"
_NOTICE = (
    "© 2025 The MITRE Corporation. This work is reproduced and distributed with the permission "
    "of The MITRE Corporation. MITRE ATT&CK® is a registered trademark of The MITRE Corporation."
)
_LICENCE = (
    "ATT&CK Terms of Use, https://attack.mitre.org/resources/legal-and-branding/terms-of-use/"
)
_SOURCE = "https://github.com/mitre-attack/attack-stix-data"


def build_default() -> tuple[PackInfo, AttackPack]:
    """Return the pack that the installed packages make."""
    pack, source = read_packages()
    return _info(pack, source), pack


def living_techniques(pack: AttackPack) -> frozenset[str]:
    """Return the ids of the techniques of a pack that are neither revoked nor deprecated."""
    return frozenset(one.id for one in pack.techniques if not (one.revoked or one.deprecated))


def from_stix(bundles: Iterable[bytes]) -> tuple[PackInfo, AttackPack]:
    """Return the pack that the official STIX 2.1 bundles make, one a domain.

    Raises CatalogError when one of them is no bundle of ATT&CK.
    """
    pack = read_bundles(bundles)
    return _info(pack, _SOURCE), pack


def _info(pack: AttackPack, source: str) -> PackInfo:
    """Return what a pack says of itself; versions that differ are told for each domain."""
    known = pack.versions
    if len(set(known.values())) == 1:
        version = next(iter(known.values()))
    else:
        version = ", ".join(f"{domain.partition('-')[0]} {known[domain]}" for domain in known)
    return PackInfo(name=NAME, version=version, source=source, licence=_LICENCE, notice=_NOTICE)

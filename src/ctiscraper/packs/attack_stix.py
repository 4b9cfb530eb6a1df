"""ATT&CK out of the official STIX 2.1 bundles."""

from collections.abc import Iterable

import msgspec

from ctiscraper.errors import CatalogError
from ctiscraper.packs.attack_matrix import AttackPack, Domain, Tactic, Technique

_KILL_CHAINS = {
    "mitre-attack": Domain.ENTERPRISE,
    "mitre-mobile-attack": Domain.MOBILE,
    "mitre-ics-attack": Domain.ICS,
}


class _Reference(msgspec.Struct, frozen=True):
    source_name: str = ""
    external_id: str = ""


class _Phase(msgspec.Struct, frozen=True):
    kill_chain_name: str = ""
    phase_name: str = ""


class _Object(msgspec.Struct, frozen=True):
    """What is read of a STIX object; the rest of it is passed over."""

    type: str
    id: str
    name: str = ""
    revoked: bool = False
    external_references: tuple[_Reference, ...] = ()
    kill_chain_phases: tuple[_Phase, ...] = ()
    x_mitre_deprecated: bool = False
    x_mitre_platforms: tuple[str, ...] = ()
    x_mitre_shortname: str = ""
    x_mitre_version: str = ""
    aliases: tuple[str, ...] = ()
    tactic_refs: tuple[str, ...] = ()
    relationship_type: str = ""
    source_ref: str = ""
    target_ref: str = ""

    @property
    def attack_id(self) -> str:
        return next((r.external_id for r in self.external_references if _is_attack(r)), "")


def _is_attack(reference: _Reference) -> bool:
    return reference.source_name.startswith("mitre-") and reference.external_id[:1] == "T"


class _Bundle(msgspec.Struct, frozen=True):
    objects: tuple[_Object, ...]


def read_bundles(bundles: Iterable[bytes]) -> AttackPack:
    """Return the pack that the official STIX 2.1 bundles make, one a domain.

    Raises CatalogError when one of them is no bundle of ATT&CK.
    """
    techniques: dict[str, Technique] = {}
    tactics: list[Tactic] = []
    versions: dict[Domain, str] = {}
    for number, raw in enumerate(bundles, 1):
        try:
            objects = msgspec.json.decode(raw, type=_Bundle).objects
        except msgspec.DecodeError as error:
            raise CatalogError([f"bundle {number} cannot be read as STIX: {error}"]) from error
        domain = _domain_of(objects, number)
        versions[domain] = next(
            (one.x_mitre_version for one in objects if one.type == "x-mitre-collection"), ""
        )
        tactics.extend(_tactics(objects, domain))
        for technique in _techniques(objects, domain):
            techniques[technique.id] = _joined(techniques.get(technique.id), technique)
    if not techniques:
        raise CatalogError(["there is no technique in the bundles: name ATT&CK's own STIX files"])
    return AttackPack(
        techniques=tuple(techniques[key] for key in sorted(techniques)),
        tactics=tuple(tactics),
        versions=versions,
    )


def _domain_of(objects: Iterable[_Object], number: int) -> Domain:
    for one in objects:
        for phase in one.kill_chain_phases:
            if phase.kill_chain_name in _KILL_CHAINS:
                return _KILL_CHAINS[phase.kill_chain_name]
    raise CatalogError([f"bundle {number} holds no technique of ATT&CK"])


def _tactics(objects: Iterable[_Object], domain: Domain) -> list[Tactic]:
    """Return the tactics in the order in which the matrix has them."""
    listed = list(objects)
    known = {one.id: one for one in listed if one.type == "x-mitre-tactic"}
    order = [
        ref
        for one in listed
        if one.type == "x-mitre-matrix" and not (one.revoked or one.x_mitre_deprecated)
        for ref in one.tactic_refs
    ]
    return [
        Tactic(
            id=known[ref].attack_id,
            name=known[ref].name,
            short_name=known[ref].x_mitre_shortname,
            domain=domain,
        )
        for ref in dict.fromkeys(order)
        if ref in known
    ]


def _techniques(objects: Iterable[_Object], domain: Domain) -> list[Technique]:
    listed = list(objects)
    patterns = {
        one.id: one for one in listed if one.type == "attack-pattern" and one.attack_id != ""
    }
    replaced = {
        one.source_ref: patterns[one.target_ref].attack_id
        for one in listed
        if one.relationship_type == "revoked-by" and one.target_ref in patterns
    }
    return [
        Technique(
            id=one.attack_id,
            name=one.name,
            stix_id=one.id,
            domains=(domain,),
            tactics=tuple(phase.phase_name for phase in one.kill_chain_phases),
            platforms=one.x_mitre_platforms,
            parent=one.attack_id.partition(".")[0] if "." in one.attack_id else "",
            aliases=one.aliases,
            revoked=one.revoked,
            deprecated=one.x_mitre_deprecated,
            replaced_by=replaced.get(one.id, ""),
        )
        for one in patterns.values()
    ]


def _joined(known: Technique | None, read: Technique) -> Technique:
    """Return a technique that two bundles hold, as one of both domains."""
    if known is None or read.domains[0] in known.domains:
        return read
    return msgspec.structs.replace(known, domains=(*known.domains, *read.domains))

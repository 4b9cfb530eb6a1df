"""The records of the ATT&CK pack: techniques, and the matrices that they stand in."""

from enum import StrEnum

import msgspec


class Domain(StrEnum):
    """The matrices of ATT&CK, by the names that its own data and its Navigator use."""

    ENTERPRISE = "enterprise-attack"
    MOBILE = "mobile-attack"
    ICS = "ics-attack"


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """A technique or, when it has a `parent`, a sub-technique.

    `tactics` are short names. Of one that was revoked `replaced_by` is what took its place.
    """

    id: str
    name: str
    stix_id: str
    domains: tuple[Domain, ...]
    tactics: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    parent: str = ""
    aliases: tuple[str, ...] = ()
    revoked: bool = False
    deprecated: bool = False
    replaced_by: str = ""


class Tactic(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a matrix."""

    id: str
    name: str
    short_name: str
    domain: Domain


class AttackPack(msgspec.Struct, frozen=True, kw_only=True):
    """All techniques by id; the tactics of each domain from left to right; its version."""

    techniques: tuple[Technique, ...]
    tactics: tuple[Tactic, ...]
    versions: dict[Domain, str]

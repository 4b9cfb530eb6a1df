"""Techniques in the matrices of ATT&CK: by tactic, and as a layer for the ATT&CK Navigator."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from ctiscraper.packs.attack_matrix import AttackPack, Domain, Tactic

_LAYER_VERSION = "4.5"
_NAVIGATOR_VERSION = "5.1.0"
_COLOURS = ("#ffffff", "#ffb74d", "#d84315")
# The Navigator's own number for "by score, the highest first".
_BY_SCORE = 3


class TacticCount(msgspec.Struct, frozen=True, kw_only=True):
    """A tactic with the techniques of it that were counted, the most frequent first."""

    tactic: Tactic
    techniques: tuple[tuple[str, int], ...]
    total: int


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link that the Navigator offers at a technique."""

    label: str
    url: str


class LayerTechnique(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A technique in a layer, in every tactic that it has; without a score it has no colour."""

    technique_id: str = msgspec.field(name="techniqueID")
    score: int | None = None
    comment: str = ""
    enabled: bool = True
    show_subtechniques: bool = False
    links: tuple[Link, ...] = ()


class Gradient(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The colours of scores, from the least to the greatest."""

    colors: tuple[str, ...] = _COLOURS
    min_value: int = 0
    max_value: int


class Layer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A layer of the Navigator, format 4.5; `msgspec.json.encode` makes its file."""

    name: str
    versions: dict[str, str]
    domain: Domain
    description: str
    sorting: int = _BY_SCORE
    techniques: tuple[LayerTechnique, ...]
    gradient: Gradient


def by_tactic(pack: AttackPack, counts: Mapping[str, int], domain: Domain) -> list[TacticCount]:
    """Return the tactics of a domain in the order of its matrix with what was counted of each.

    A technique of several tactics counts in each of them; what the domain lacks in none.
    """
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for technique in pack.techniques:
        count = counts.get(technique.id, 0)
        if count > 0 and domain in technique.domains:
            for tactic in technique.tactics:
                found[tactic].append((technique.id, count))
    return [
        TacticCount(
            tactic=tactic,
            techniques=tuple(sorted(listed, key=lambda one: (-one[1], one[0]))),
            total=sum(count for _, count in listed),
        )
        for tactic in pack.tactics
        if tactic.domain is domain
        for listed in [found.get(tactic.short_name, [])]
    ]


def navigator_layer(
    pack: AttackPack,
    techniques: Iterable[LayerTechnique],
    domain: Domain,
    *,
    name: str,
    description: str = "",
) -> Layer:
    """Return a layer of what a domain has of `techniques`; a parent is opened to show its parts."""
    known = {
        one.id: one
        for one in pack.techniques
        if domain in one.domains and not (one.revoked or one.deprecated)
    }
    listed = [one for one in techniques if one.technique_id in known]
    parents = {known[one.technique_id].parent for one in listed} - {""}
    shown = [
        msgspec.structs.replace(one, show_subtechniques=one.technique_id in parents)
        for one in listed
    ]
    held = {one.technique_id for one in listed}
    shown += [
        LayerTechnique(technique_id=parent, show_subtechniques=True) for parent in parents - held
    ]
    return Layer(
        name=name,
        versions=_versions(pack, domain),
        domain=domain,
        description=description,
        techniques=tuple(sorted(shown, key=lambda one: one.technique_id)),
        gradient=Gradient(max_value=max((one.score or 0 for one in listed), default=0) or 1),
    )


def _versions(pack: AttackPack, domain: Domain) -> dict[str, str]:
    """Return the versions of a layer: that of ATT&CK by its first number, where it is one."""
    first = pack.versions.get(domain, "").partition(".")[0]
    attack = {"attack": first} if first.isdecimal() else {}
    return {**attack, "navigator": _NAVIGATOR_VERSION, "layer": _LAYER_VERSION}

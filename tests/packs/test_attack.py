"""The ATT&CK pack: from the installed packages, and from STIX bundles."""

import json
from typing import Any

import msgspec
import pytest

from ctiscraper.errors import CatalogError
from ctiscraper.packs.attack import NAME, build_default, from_stix
from ctiscraper.packs.attack_matrix import AttackPack, Domain


@pytest.fixture(scope="module")
def pack() -> AttackPack:
    return build_default()[1]


def pattern(number: int, attack_id: str, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of STIX
    return {
        "type": "attack-pattern",
        "id": f"attack-pattern--{number}",
        "name": name,
        "external_references": [
            {"source_name": "other", "external_id": "CAPEC-1"},
            {"source_name": "mitre-attack", "external_id": attack_id},
        ],
        **more,
    }


def phases(chain: str, *names: str) -> list[dict[str, str]]:
    return [{"kill_chain_name": chain, "phase_name": name} for name in names]


def tactic(name: str, short: str) -> dict[str, Any]:
    return {
        "type": "x-mitre-tactic",
        "id": f"x-mitre-tactic--{short}",
        "name": name,
        "x_mitre_shortname": short,
        "external_references": [{"source_name": "mitre-attack", "external_id": f"TA-{short}"}],
    }


def bundle(*objects: dict[str, Any]) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}).encode()


ENTERPRISE = bundle(
    {"type": "x-mitre-collection", "id": "x-mitre-collection--1", "x_mitre_version": "19.0"},
    tactic("Impact", "impact"),
    tactic("Execution", "execution"),
    {
        "type": "x-mitre-matrix",
        "id": "x-mitre-matrix--1",
        "tactic_refs": ["x-mitre-tactic--execution", "x-mitre-tactic--impact"],
    },
    pattern(1, "T1", "One", kill_chain_phases=phases("mitre-attack", "execution", "impact")),
    pattern(2, "T1.001", "Part", x_mitre_platforms=["Linux"]),
    pattern(3, "T2", "Old", revoked=True),
    pattern(4, "T3", "Older", x_mitre_deprecated=True),
    {
        "type": "relationship",
        "id": "relationship--1",
        "relationship_type": "revoked-by",
        "source_ref": "attack-pattern--3",
        "target_ref": "attack-pattern--2",
    },
)
MOBILE = bundle(
    {"type": "x-mitre-collection", "id": "x-mitre-collection--2", "x_mitre_version": "19.0"},
    pattern(5, "T1", "One", kill_chain_phases=phases("mitre-mobile-attack", "impact")),
)


def test_the_default_has_all_three_domains_with_their_versions(pack: AttackPack) -> None:
    info, _ = build_default()
    assert info.name == NAME
    assert "MITRE" in info.notice
    assert info.version.startswith("enterprise 18.1, mobile ")
    counts = {
        domain: sum(domain in one.domains and not one.revoked for one in pack.techniques)
        for domain in Domain
    }
    assert counts[Domain.ENTERPRISE] > 690
    assert counts[Domain.MOBILE] > 120
    assert counts[Domain.ICS] > 75
    assert len({one.id for one in pack.techniques}) == len(pack.techniques)


def test_the_default_knows_parts_tactics_and_what_was_replaced(pack: AttackPack) -> None:
    known = {one.id: one for one in pack.techniques}
    hollowing = known["T1055.012"]
    assert (hollowing.name, hollowing.parent) == ("Process Hollowing", "T1055")
    assert hollowing.tactics == ("defense-evasion", "privilege-escalation")
    assert hollowing.stix_id.startswith("attack-pattern--")
    assert (known["T1574.002"].revoked, known["T1574.002"].replaced_by) == (True, "T1574.001")
    assert known["T0855"].tactics == ("impair-process-control",)
    assert known["T1636.004"].tactics == ("collection",)
    for one in pack.techniques:
        assert one.replaced_by == "" or one.replaced_by in known
        assert one.parent == "" or one.parent in known


def test_every_tactic_of_a_technique_is_a_column_of_its_matrix(pack: AttackPack) -> None:
    columns = {(one.domain, one.short_name) for one in pack.tactics}
    assert [one.name for one in pack.tactics if one.domain is Domain.ENTERPRISE][:3] == [
        "Reconnaissance",
        "Resource Development",
        "Initial Access",
    ]
    for one in pack.techniques:
        if not one.revoked:
            assert {(one.domains[0], tactic) for tactic in one.tactics} <= columns, one


def test_bundles_become_the_same_records() -> None:
    info, pack = from_stix([ENTERPRISE, MOBILE])
    assert info.version == "19.0"
    assert [one.short_name for one in pack.tactics] == ["execution", "impact"]
    known = {one.id: one for one in pack.techniques}
    assert known["T1"].domains == (Domain.ENTERPRISE, Domain.MOBILE)
    assert known["T1"].tactics == ("execution", "impact")
    assert (known["T1.001"].parent, known["T1.001"].platforms) == ("T1", ("Linux",))
    assert (known["T2"].revoked, known["T2"].replaced_by) == (True, "T1.001")
    assert known["T3"].deprecated


def test_the_pack_survives_being_stored(pack: AttackPack) -> None:
    stored = msgspec.msgpack.encode(pack)
    assert msgspec.msgpack.decode(stored, type=AttackPack) == pack


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"not json", "cannot be read as STIX"),
        (b'{"objects": [{"type": 3}]}', "cannot be read as STIX"),
        (b'{"objects": []}', "holds no technique"),
    ],
)
def test_what_is_no_bundle_of_attack_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        from_stix([raw])


def test_no_bundle_at_all_is_refused() -> None:
    with pytest.raises(CatalogError, match="no technique"):
        from_stix([])

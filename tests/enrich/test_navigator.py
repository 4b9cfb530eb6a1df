"""Techniques by tactic, and as a layer of the Navigator."""

import json
import re

import msgspec
import pytest

from ctiscraper.enrich.navigator import LayerTechnique, Link, by_tactic, navigator_layer
from ctiscraper.packs.attack import build_default
from ctiscraper.packs.attack_matrix import Domain

PACK = build_default()[1]


def test_tactics_stand_in_the_order_of_the_matrix_with_what_was_counted() -> None:
    rows = by_tactic(PACK, {"T1053.005": 2, "T1055": 5, "T0855": 9, "T9999": 1}, Domain.ENTERPRISE)
    assert [row.tactic.short_name for row in rows][:2] == ["reconnaissance", "resource-development"]
    assert len(rows) == 14
    found = {row.tactic.short_name: (row.techniques, row.total) for row in rows if row.total}
    assert found == {
        "execution": ((("T1053.005", 2),), 2),
        "persistence": ((("T1053.005", 2),), 2),
        "privilege-escalation": ((("T1055", 5), ("T1053.005", 2)), 7),
        "defense-evasion": ((("T1055", 5),), 5),
    }


def test_each_domain_has_its_own_matrix() -> None:
    rows = by_tactic(PACK, {"T0855": 3, "T1636.004": 4}, Domain.ICS)
    assert [(row.tactic.id, row.total) for row in rows if row.total] == [("TA0106", 3)]
    rows = by_tactic(PACK, {"T0855": 3, "T1636.004": 4}, Domain.MOBILE)
    assert [(row.tactic.id, row.total) for row in rows if row.total] == [("TA0035", 4)]


def test_a_layer_is_what_the_navigator_reads() -> None:
    marked = [
        LayerTechnique(
            technique_id="T1055.012",
            score=4,
            comment="in 4 articles",
            links=(Link(label="articles", url="https://cti.example/t/T1055.012"),),
        ),
        LayerTechnique(technique_id="T1113", score=1),
        LayerTechnique(technique_id="T0855", score=7),
    ]
    layer = navigator_layer(PACK, marked, Domain.ENTERPRISE, name="May", description="a search")
    read = json.loads(msgspec.json.encode(layer))
    assert read["versions"] == {"attack": "18", "navigator": "5.1.0", "layer": "4.5"}
    assert (read["name"], read["domain"]) == ("May", "enterprise-attack")
    assert read["gradient"]["maxValue"] == 4
    assert [(one["techniqueID"], one.get("score")) for one in read["techniques"]] == [
        ("T1055", None),
        ("T1055.012", 4),
        ("T1113", 1),
    ]
    parent, part, other = read["techniques"]
    assert (parent["showSubtechniques"], "showSubtechniques" in other) == (True, False)
    assert part["comment"] == "in 4 articles"
    assert part["links"] == [{"label": "articles", "url": "https://cti.example/t/T1055.012"}]


def test_a_layer_of_a_domain_without_a_number_names_no_version_of_attack() -> None:
    layer = navigator_layer(PACK, [], Domain.ICS, name="none")
    assert layer.techniques == ()
    assert layer.versions == {"navigator": "5.1.0", "layer": "4.5"}


# What the published definition of layers of version 4.5 says of each property that is written.
_TYPES = {
    "techniqueID": str, "tactic": str, "comment": str, "enabled": bool, "score": int, "color": str,
    "metadata": list, "links": list, "showSubtechniques": bool,
}  # fmt: skip
_LAYER = {"name", "versions", "domain", "description", "sorting", "techniques", "gradient"}


@pytest.mark.parametrize("domain", Domain)
@pytest.mark.parametrize("score", [0, 1, 250])
def test_every_layer_keeps_to_the_published_format(domain: Domain, score: int) -> None:
    marked = [
        LayerTechnique(
            technique_id=one.id, score=score, links=(Link(label="a", url="https://a.b"),)
        )
        for one in PACK.techniques
    ]
    layer = json.loads(
        msgspec.json.encode(navigator_layer(PACK, marked, domain, name="all", description="d"))
    )
    assert set(layer) == _LAYER
    assert all(isinstance(layer[name], str) and layer[name] for name in ("name", "domain"))
    assert layer["domain"] in {"enterprise-attack", "mobile-attack", "ics-attack"}
    assert all(isinstance(one, str) for one in layer["versions"].values())
    assert layer["versions"]["layer"] == "4.5"
    assert tuple(map(int, layer["versions"]["navigator"].split("."))) >= (4, 9, 0)
    assert re.fullmatch(r"\d+", layer["versions"].get("attack", "1"))
    assert ("attack" in layer["versions"]) == (domain is Domain.ENTERPRISE)
    assert layer["sorting"] in {0, 1, 2, 3}
    gradient = layer["gradient"]
    assert len(gradient["colors"]) >= 2
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in gradient["colors"])
    assert gradient["maxValue"] > gradient["minValue"]
    ids = [one["techniqueID"] for one in layer["techniques"]]
    gone = {one.id for one in PACK.techniques if one.revoked or one.deprecated}
    assert len(ids) == len(set(ids)) > 50
    assert not gone.intersection(ids)
    parents = {one.parent for one in PACK.techniques}
    for one in layer["techniques"]:
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", one["techniqueID"])
        assert all(type(value) is _TYPES[name] for name, value in one.items())
        assert all(link["url"].startswith("https://") for link in one.get("links", ()))
        assert "showSubtechniques" not in one or one["techniqueID"] in parents

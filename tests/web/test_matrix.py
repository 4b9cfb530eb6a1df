"""The matrix: columns, sub-techniques under their parents, and how hot each is."""

from dataclasses import dataclass

import pytest

from ctiscraper.db.techniques import TechniqueCount
from ctiscraper.entity_views import EntitySummary
from ctiscraper.web.matrix import Matrix, address_of, heat_of

ENTERPRISE, MOBILE = "enterprise-attack", "mobile-attack"


@dataclass(frozen=True)
class Known:
    id: str
    tactics: tuple[str, ...]
    parent: str = ""
    name: str = "A name"
    domains: tuple[str, ...] = (ENTERPRISE,)
    revoked: bool = False
    deprecated: bool = False


@dataclass(frozen=True)
class Tactic:
    name: str
    short_name: str
    domain: str = ENTERPRISE


MATRIX = Matrix(
    techniques=(
        Known("T1", ("first", "second")),
        Known("T2", ("first",)),
        Known("T2.001", ("first",), "T2"),
        Known("T2.002", ("first",), "T2"),
        Known("T3", ("second",)),
        Known("T4", ("first",), revoked=True),
        Known("T5", ("first",), domains=(MOBILE,)),
    ),
    tactics=(
        Tactic("First", "first"),
        Tactic("Second", "second"),
        Tactic("First", "first", MOBILE),
    ),
    versions={ENTERPRISE: "1.0"},
)


def count(technique: str, articles: int) -> TechniqueCount:
    entity = EntitySummary(
        id=int(technique[1:].replace(".", "")), kind="technique", value=technique, name="A name",
        verdict=None, team=None, articles=articles, sources=1, first_seen=None, last_seen=None,
        freshness=1.0,
    )  # fmt: skip
    return TechniqueCount(technique=entity, articles=articles)


def test_a_technique_stands_in_each_of_its_tactics_with_what_is_below_it() -> None:
    columns = MATRIX.columns([count("T1", 4), count("T2.001", 9), count("T4", 1)], ENTERPRISE)
    assert [(one.name, [cell.id for cell in one.cells], one.unnamed) for one in columns] == [
        ("First", ["T2", "T1"], 0),
        ("Second", ["T1"], 1),
    ]
    parent = columns[0].cells[0]
    assert (parent.articles, parent.heat, parent.entity) == (0, 0, None)
    assert [(one.id, one.articles, one.heat, one.entity) for one in parent.below] == [
        ("T2.001", 9, 5, 2001)
    ]


def test_what_another_matrix_has_is_told_apart() -> None:
    counts = [count("T1", 1), count("T4", 1), count("T5", 2)]
    assert [one.technique.value for one in MATRIX.elsewhere(counts, ENTERPRISE)] == ["T4", "T5"]
    assert [cell.id for cell in MATRIX.columns(counts, MOBILE)[0].cells] == ["T5"]


def test_without_a_pack_there_is_a_list_and_no_column() -> None:
    counts = [count("T1", 1)]
    assert Matrix().columns(counts, ENTERPRISE) == ()
    assert Matrix().elsewhere(counts, ENTERPRISE) == tuple(counts)
    assert Matrix().tactics_of("T1") == ()


def test_tactics_are_named_in_the_order_of_the_matrix() -> None:
    assert MATRIX.tactics_of("T1") == ("First", "Second")


@pytest.mark.parametrize(
    ("articles", "most", "heat"),
    [(0, 9, 0), (1, 10_000, 1), (25, 100, 2), (100, 100, 5), (0, 0, 0)],
)
def test_heat_grows_with_the_root_of_the_count(articles: int, most: int, heat: int) -> None:
    assert heat_of(articles, most) == heat


def test_where_a_technique_is_described() -> None:
    assert address_of("T1059") == "https://attack.mitre.org/techniques/T1059/"

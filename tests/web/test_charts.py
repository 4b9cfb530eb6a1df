"""Where the parts of charts stand."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from ctiscraper.dashboard_views import DayVolume, TacticHeat, TechniqueHeat
from ctiscraper.story_views import EntityRef
from ctiscraper.web.charts import CELLS, HEIGHT, WIDTH, heat_chart, spark, volume_chart

FIRST = date(2026, 11, 1)


def day(number: int, premium: int = 0, standard: int = 0, basic: int = 0) -> DayVolume:
    return DayVolume(
        day=FIRST + timedelta(days=number), premium=premium, standard=standard, basic=basic
    )


def technique(value: str, articles: int, before: int = 0) -> TechniqueHeat:
    return TechniqueHeat(
        technique=EntityRef(id=1, kind="technique", value=value, name="", articles=articles),
        articles=articles,
        before=before,
    )


def test_columns_are_stacked_within_the_picture_and_in_scale() -> None:
    chart = volume_chart([day(0, 4, 2, 1), day(1, 8), day(2)])
    first, second, none = chart.columns
    assert [box.name for box in first.boxes] == ["premium", "standard", "basic"]
    assert none.boxes == ()
    assert second.boxes[0].height == pytest.approx(2 * first.boxes[0].height, abs=0.2)
    for lower, upper in pairwise(first.boxes):
        assert upper.y + upper.height == pytest.approx(lower.y, abs=0.2)
    for column in chart.columns:
        for box in column.boxes:
            assert 0 <= box.y < HEIGHT
            assert box.x + box.width <= WIDTH
    assert chart.ticks[-1].value >= 8
    assert [tick.value for tick in chart.ticks] == sorted({tick.value for tick in chart.ticks})


@pytest.mark.parametrize("most", [0, 1, 4, 5, 9, 37, 1000, 1001, 99_999])
def test_lines_stand_at_whole_numbers_and_not_far_above(most: int) -> None:
    values = [tick.value for tick in volume_chart([day(0, most)]).ticks]
    assert len(values) == 5
    assert {after - before for before, after in pairwise(values)} == {values[1]}
    assert most <= values[-1] <= max(4, 2.5 * most)


def test_a_day_in_seven_is_labelled_and_the_last_always() -> None:
    labels = [column.label for column in volume_chart([day(n, 1) for n in range(30)]).columns]
    assert labels[-1]
    assert sum(labels) == 5


def test_small_columns_end_with_what_is_spoken_of() -> None:
    boxes = spark((0, 2, 4))
    assert [box.name for box in boxes] == ["then", "then", "now"]
    assert boxes[2].height == 20
    assert boxes[0].height == 1
    assert [box.y + box.height for box in boxes] == [20, 20, 20]


def test_heat_has_the_first_techniques_of_each_tactic_and_says_what_changed() -> None:
    techniques = (
        technique("T1", 100, 10), technique("T2", 40, 39), technique("T3", 3, 30),
        technique("T4", 2), technique("T5", 1), technique("T6", 1), technique("T7", 1),
        technique("T8", 0, 4),
    )  # fmt: skip
    tactic = TacticHeat(tactic="Execution", articles=148, before=83, techniques=techniques)
    chart = heat_chart([tactic])
    [row] = chart.rows
    assert [cell.technique.technique.value for cell in row.cells] == [
        f"T{n}" for n in range(1, CELLS + 1)
    ]
    assert [cell.change for cell in row.cells[:4]] == ["up", "", "down", ""]
    assert row.cells[0].heat == 5
    assert row.cells[-1].heat == 1
    assert row.more == 1
    assert row.cells[-1].x + chart.cell_width < chart.width
    assert heat_chart([]).rows == ()

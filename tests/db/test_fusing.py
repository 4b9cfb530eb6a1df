"""Several ranked lists as one."""

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.db.fusing import Fusion, fuse

LISTS = st.lists(st.lists(st.integers(1, 30), unique=True, max_size=20), min_size=2, max_size=2)


def test_ranks_are_fused_by_their_place() -> None:
    assert [number for number, _ in fuse([[1, 2, 3], [3, 4]])] == [3, 1, 4, 2]
    assert fuse([[1], [1]]) == [(1, 1.0)]
    assert fuse([[], []]) == []


def test_a_list_that_weighs_more_is_followed() -> None:
    lists = [[1, 2], [2, 3, 1]]
    assert fuse(lists, Fusion(constant=5, weights=(1.0, 0.1)))[0][0] == 1
    assert fuse(lists, Fusion(constant=5, weights=(0.1, 1.0)))[0][0] == 2


@given(LISTS)
def test_everything_is_there_once_and_scores_fall(lists: list[list[int]]) -> None:
    found = fuse(lists, Fusion(constant=5, weights=(1.0, 0.25)))
    assert {number for number, _ in found} == {one for listed in lists for one in listed}
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


@given(LISTS)
def test_a_list_of_no_weight_changes_no_order(lists: list[list[int]]) -> None:
    found = fuse(lists, Fusion(constant=5, weights=(1.0, 0.0)))
    assert [number for number, score in found if score] == lists[0]

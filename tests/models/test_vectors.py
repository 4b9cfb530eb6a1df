"""Vectors are one for each text, of one length, and of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import ModelError
from ctiscraper.models.vectors import MOST_LENGTH, checked_vectors

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(NUMBERS, min_size=n, max_size=n))))
def test_good_ones_are_kept_as_they_are(vectors: list[list[float]]) -> None:
    assert checked_vectors(vectors, len(vectors), "it") == tuple(map(tuple, vectors))


@pytest.mark.parametrize(
    "vectors",
    [[], [[1.0]], [[1.0], [1.0, 2.0]], [[], []], [[1.0], [float("nan")]], [[float("inf")], [1.0]],
     [[0.0] * (MOST_LENGTH + 1)] * 2],
)  # fmt: skip
def test_others_are_refused(vectors: list[list[float]]) -> None:
    with pytest.raises(ModelError):
        checked_vectors(vectors, 2, "it")

"""Products of packed vectors: near to the true ones, whatever the vectors are."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.embed.packed import COLUMNS, PackedVectors, product_graph
from ctiscraper.embed.weights import Floats


def some(count: int, dimensions: int, seed: int = 1) -> Floats:
    made = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def test_the_graph_is_a_valid_file() -> None:
    model = onnx.load_from_string(product_graph(384))
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in model.graph.input] == ["a", "b"]


@pytest.mark.parametrize("count", [0, 1, COLUMNS - 1, COLUMNS, 2 * COLUMNS + 7])
def test_every_row_has_its_product(tmp_path: Path, count: int) -> None:
    vectors = some(count, 48)
    packed = PackedVectors(48, tmp_path)
    # In pieces that end in the middle of blocks.
    for start in range(0, count, 1_500):
        packed.add(vectors[start : start + 1_500])
    asked = some(1, 48, seed=2)[0]
    found, off = packed.products(asked)
    assert found.shape == (count,)
    assert np.abs(found - vectors @ asked).max(initial=0) <= off
    assert off < 0.02
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(st.integers(-9, 9), min_size=6, max_size=6),
    st.lists(st.lists(st.integers(-9, 9), min_size=6, max_size=6), min_size=1, max_size=5),
)
def test_a_few_numbers_alone_are_near_too(asked: list[int], rows: list[list[int]]) -> None:
    def unit(matrix: Floats) -> Floats:
        return np.asarray(matrix / np.maximum(np.linalg.norm(matrix, axis=1)[:, None], 1e-9))

    vectors = unit(np.array(rows, np.float32))
    vector = unit(np.array([asked], np.float32))[0]
    packed = PackedVectors(6)
    packed.add(vectors)
    found, off = packed.products(vector)
    assert np.abs(found - vectors @ vector).max() <= off


def test_the_largest_numbers_do_not_run_over() -> None:
    vectors = np.full((3, 384), 384**-0.5, np.float32)
    vectors[1] *= -1
    packed = PackedVectors(384)
    packed.add(vectors)
    found, _ = packed.products(vectors[0])
    assert found.tolist() == pytest.approx([1, -1, 1], abs=1e-3)


def test_rows_that_come_while_products_are_made_are_left_for_the_next(tmp_path: Path) -> None:
    packed = PackedVectors(16, tmp_path)
    first, second = some(10, 16), some(20_000, 16, seed=3)
    packed.add(first)
    before, _ = packed.products(first[0])
    packed.add(second)
    after, _ = packed.products(first[0])
    assert (len(before), len(after)) == (10, 20_010)
    assert after[:10].tolist() == before.tolist()

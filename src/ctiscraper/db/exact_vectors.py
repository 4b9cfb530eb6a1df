"""The vectors of a model in a file that is mapped into memory, and an exact search through them.

For servers without pgvector. The file has no name and is the process's own; the system drops its
pages when it needs the room. What the program itself holds is the numbers of the passages.
"""

import asyncio
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ctiscraper.db.session import Conn
from ctiscraper.db.vector_index import VectorModel

READ_AT_ONCE = 5_000
# So many rows are compared at a time, which bounds what is held beside the file.
BLOCK = 32_768
_FIRST_ROWS = 8_192
# So many rows that are gone are worth another file.
_MOST_GONE = 0.1

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Rows:
    """The vectors of one model, and whose they are."""

    model: VectorModel
    file: IO[bytes]
    matrix: Floats
    passages: Numbers
    articles: Numbers
    count: int = 0
    gone: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, model: VectorModel, folder: Path | None) -> "_Rows":
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - held for as long as the matrix
        matrix = _mapped(file, _FIRST_ROWS, model.dimensions)
        numbers = np.zeros(_FIRST_ROWS, np.int64)
        rows = cls(model, file, matrix, numbers, numbers.copy())
        weakref.finalize(rows, file.close)
        return rows

    def add(self, passages: list[int], articles: list[int], vectors: Floats) -> None:
        last = self.count + len(passages)
        if last > len(self.matrix):
            rows = max(last, 2 * len(self.matrix))
            self.matrix = _mapped(self.file, rows, self.model.dimensions)
            self.passages = np.resize(self.passages, rows)
            self.articles = np.resize(self.articles, rows)
        self.matrix[self.count : last] = vectors
        self.passages[self.count : last] = passages
        self.articles[self.count : last] = articles
        self.count = last

    def nearest(
        self, vector: Floats, limit: int, among: Numbers | None
    ) -> list[tuple[int, int, float]]:
        count = self.count
        # Those who add write behind `count`, or into another mapping of the same file.
        matrix, passages, articles = self.matrix, self.passages, self.articles
        close = np.empty(count, np.float32)
        for start in range(0, count, BLOCK):
            end = min(start + BLOCK, count)
            np.dot(matrix[start:end], vector, out=close[start:end])
        if among is not None:
            close[~np.isin(articles[:count], among)] = -np.inf
        best = np.argpartition(-close, limit)[:limit] if limit < count else np.arange(count)
        best = best[np.lexsort((passages[best], -close[best]))]
        return [
            (int(passages[row]), int(articles[row]), float(close[row]))
            for row in best
            if np.isfinite(close[row])
        ]


def _mapped(file: IO[bytes], rows: int, dimensions: int) -> Floats:
    file.truncate(rows * dimensions * 4)
    return np.memmap(file, np.float32, "r+", shape=(rows, dimensions))


class ExactVectors:
    """The vectors of one model at a time, read when they are first asked for and then renewed."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep the file in a folder, by default where the system has its temporary ones."""
        self._folder = folder
        self._rows: _Rows | None = None
        self._lock = asyncio.Lock()

    async def nearest(
        self,
        conn: Conn,
        model: VectorModel,
        vector: Floats,
        *,
        limit: int,
        among: list[int] | None = None,
    ) -> list[tuple[int, int, float]]:
        """Return passages with their articles and cosines, the nearest first.

        `among` narrows them to passages of these articles. A passage that was removed since it
        was read may be among them: `forget` it then.
        """
        rows = await self._renewed(conn, model)
        narrowed = None if among is None else np.array(among, np.int64)
        return await asyncio.to_thread(rows.nearest, vector, limit, narrowed)

    def forget(self, passages: set[int]) -> None:
        """Note passages that are no more."""
        rows = self._rows
        if rows is not None:
            rows.gone |= passages
            if len(rows.gone) > _MOST_GONE * rows.count:
                self._rows = None

    async def _renewed(self, conn: Conn, model: VectorModel) -> _Rows:
        """Return the rows with all that was added to the database since."""
        async with self._lock:
            rows = self._rows
            if rows is None or rows.model != model:
                rows = self._rows = await asyncio.to_thread(_Rows.of, model, self._folder)
            while True:
                last = int(rows.passages[rows.count - 1]) if rows.count else 0
                # Who writes passages does so one at a time: no lower number comes later.
                cursor = await conn.execute(
                    "SELECT id, article_id, vector FROM passage"
                    " WHERE model_id = %s AND id > %s ORDER BY id LIMIT %s",
                    (model.id, last, READ_AT_ONCE),
                    binary=True,
                )
                found = await cursor.fetchall()
                if found:
                    vectors = np.frombuffer(b"".join(row[2] for row in found), "<f2")
                    shaped = vectors.reshape(len(found), model.dimensions).astype(np.float32)
                    rows.add([row[0] for row in found], [row[1] for row in found], shaped)
                if len(found) < READ_AT_ONCE:
                    return rows

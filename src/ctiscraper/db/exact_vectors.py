"""The vectors of one model in the memory of a process, and an exact search through them.

For servers without pgvector. What is in memory is packed: it says which passages may be the
nearest, and their own vectors, read from the database, say which are. So a passage that is no
more is never found, and the database stays all that is true.
"""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctiscraper.db.session import Conn
from ctiscraper.db.vector_index import VectorModel

if TYPE_CHECKING:
    from ctiscraper.embed.packed import PackedVectors

READ_AT_ONCE = 1_000
# What is read of passages that cannot be told apart by what is packed, for each that is wanted.
_MOST_READ = 4
_FIRST_ROWS = 8_192
# So many rows that are gone are worth reading all anew.
_MOST_GONE = 0.1

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
Found = list[tuple[int, int, float]]


class _Rows:
    """The vectors of one model, and whose they are."""

    def __init__(self, model: VectorModel, vectors: "PackedVectors") -> None:
        self.model = model
        self.vectors = vectors
        self.passages: Numbers = np.zeros(_FIRST_ROWS, np.int64)
        self.articles: Numbers = np.zeros(_FIRST_ROWS, np.int64)
        self.gone: Numbers = np.zeros(0, np.int64)

    @property
    def last(self) -> int:
        """The highest number of a passage that was read."""
        count = self.vectors.count
        return int(self.passages[count - 1]) if count else 0

    def add(self, passages: list[int], articles: list[int], vectors: Floats) -> None:
        begin = self.vectors.count
        last = begin + len(passages)
        if last > len(self.passages):
            rows = max(last, 2 * len(self.passages))
            self.passages = np.resize(self.passages, rows)
            self.articles = np.resize(self.articles, rows)
        self.passages[begin:last] = passages
        self.articles[begin:last] = articles
        self.vectors.add(vectors)

    def promising(self, vector: Floats, limit: int, among: Numbers | None) -> list[int]:
        """Return the passages that may be the nearest, all of those where there are not many."""
        close, off = self.vectors.products(vector)
        # Those who add write behind these, or into other arrays.
        passages, articles = self.passages[: len(close)], self.articles[: len(close)]
        here = np.ones(len(close), np.bool_) if among is None else np.isin(articles, among)
        # Their numbers are in order.
        gone = np.searchsorted(passages, self.gone)
        here[gone[gone < len(here)]] = False
        close, passages = close[here], passages[here]
        if limit >= len(close):
            return [int(one) for one in passages]
        least = np.partition(close, -limit)[-limit] - 2 * off
        rows = np.flatnonzero(close >= least)
        most = _MOST_READ * limit
        if len(rows) > most:
            rows = rows[np.argpartition(-close[rows], most)[:most]]
        return [int(one) for one in passages[rows]]


class ExactVectors:
    """The vectors of one model at a time, read when they are first asked for and then renewed."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep their file in a folder, by default where the system has its temporary ones."""
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
    ) -> Found:
        """Return passages with their articles and cosines, the nearest first.

        `among` narrows them to passages of these articles.
        """
        rows = await self._renewed(conn, model)
        narrowed = None if among is None else np.array(among, np.int64)
        while True:
            promising = await asyncio.to_thread(rows.promising, vector, limit, narrowed)
            found = await _compared(conn, promising, vector)
            gone = set(promising) - {one[0] for one in found}
            if not gone:
                return found[:limit]
            # In the places of those that are no more stand others.
            self._forget(rows, gone)

    def _forget(self, rows: _Rows, gone: set[int]) -> None:
        """Note passages that are no more: numbers are never given again."""
        rows.gone = np.union1d(rows.gone, np.array(sorted(gone), np.int64))
        if len(rows.gone) > _MOST_GONE * rows.vectors.count and self._rows is rows:
            self._rows = None

    async def _renewed(self, conn: Conn, model: VectorModel) -> _Rows:
        """Return the rows with all that was added to the database since."""
        async with self._lock:
            rows = self._rows
            if rows is None or rows.model != model:
                # What multiplies is large: only who searches without an index loads it.
                packed: Any = await asyncio.to_thread(import_module, "ctiscraper.embed.packed")
                vectors = await asyncio.to_thread(
                    packed.PackedVectors, model.dimensions, self._folder
                )
                rows = self._rows = _Rows(model, vectors)
            while True:
                # Who writes passages does so one at a time: no lower number comes later.
                cursor = await conn.execute(
                    "SELECT id, article_id, vector FROM passage"
                    " WHERE model_id = %s AND id > %s ORDER BY id LIMIT %s",
                    (model.id, rows.last, READ_AT_ONCE),
                    binary=True,
                )
                found = await cursor.fetchall()
                if found:
                    passages, articles, vectors = zip(*found, strict=True)
                    rows.add(list(passages), list(articles), _unpacked(vectors))
                if len(found) < READ_AT_ONCE:
                    return rows


async def _compared(conn: Conn, passages: list[int], vector: Floats) -> Found:
    """Return passages that are still there by their own vectors, the nearest first."""
    cursor = await conn.execute(
        "SELECT id, article_id, vector FROM passage WHERE id = ANY(%s)", (passages,), binary=True
    )
    found = await cursor.fetchall()
    if not found:
        return []
    close = _unpacked([row[2] for row in found]) @ vector
    pairs = zip(found, close.tolist(), strict=True)
    return sorted(
        ((row[0], row[1], one) for row, one in pairs), key=lambda found: (-found[2], found[0])
    )


def _unpacked(vectors: Sequence[bytes]) -> Floats:
    """Return vectors as they are stored, a row for each."""
    return np.frombuffer(b"".join(vectors), "<f2").reshape(len(vectors), -1).astype(np.float32)

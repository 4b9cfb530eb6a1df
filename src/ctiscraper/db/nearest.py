"""The passages nearest to a vector: by pgvector's index where it is complete, else exactly."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from ctiscraper.db.article_filters import AND, FOLDED, FOUND_MOST
from ctiscraper.db.exact_vectors import ExactVectors, Floats
from ctiscraper.db.finding import Size, estimated, find
from ctiscraper.db.session import Conn
from ctiscraper.db.vector_index import VectorModel, nearest_by_index, whole_index_of
from ctiscraper.db.wanted import Wanted

REACH = 500
"""Of how many passages, the nearest of all, articles are taken first."""

FEW_LOOKED_THROUGH = 3_000
"""So many articles are looked through sooner than the nearest of all are asked for in vain."""

_EVERY = sql.SQL("true")


@dataclass(frozen=True, slots=True)
class Near:
    """A passage, whose it is, and how near it is: the cosine."""

    passage: int
    article: int
    closeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is looked for: a vector of a model, and the least closeness that counts."""

    model: VectorModel
    vector: Floats
    floor: float


class Nearest:
    """What is near in meaning; holds the vectors themselves where no index does."""

    def __init__(self, folder: Path | None = None, *, by_index: bool = True) -> None:
        """Keep vectors in a folder; without `by_index` the search is exact whatever there is."""
        self._exact = ExactVectors(folder)
        self._by_index = by_index

    async def passages(
        self, conn: Conn, asked: Asked, *, limit: int, among: list[int] | None = None
    ) -> list[Near]:
        """Return the nearest passages, `among` those of some articles, the nearest first.

        For a transaction.
        """
        index = await whole_index_of(conn, asked.model) if self._by_index else None
        if index is not None:
            found = await nearest_by_index(
                conn, index, asked.model, asked.vector, limit=limit, among=among
            )
        else:
            found = await self._exact.nearest(
                conn, asked.model, asked.vector, limit=limit, among=among
            )
        return [Near(*one) for one in found if one[2] >= asked.floor]

    async def articles(
        self, conn: Conn, asked: Asked, wanted: Wanted, *, enough: int
    ) -> list[Near]:
        """Return the nearest passage of each article that is wanted, the nearest first.

        Where too few of the nearest are wanted, those that are wanted are looked through: of
        more than 15,000 the newest. For a transaction.
        """
        is_narrow = wanted.conditions != [FOLDED]
        if is_narrow and await _is_seldom_near(conn, wanted, enough):
            few = await find(conn, wanted, None, Size(FEW_LOOKED_THROUGH, FEW_LOOKED_THROUGH))
            if len(few.ids) < FEW_LOOKED_THROUGH and few.stopped is None:
                return best_of(await self.passages(conn, asked, limit=REACH, among=few.ids))
        near = await self.passages(conn, asked, limit=REACH)
        found = await _wanted(conn, wanted, best_of(near))
        if len(found) >= enough or len(near) < REACH or not is_narrow:
            return found
        among = (await find(conn, wanted, None, Size(FOUND_MOST, FOUND_MOST))).ids
        return best_of(await self.passages(conn, asked, limit=REACH, among=among))


def best_of(near: Iterable[Near]) -> list[Near]:
    """Return the first of each article."""
    found: dict[int, Near] = {}
    for one in near:
        found.setdefault(one.article, one)
    return list(found.values())


async def _is_seldom_near(conn: Conn, wanted: Wanted, enough: int) -> bool:
    """Whether too few of the nearest are wanted, if these are near as often as all others."""
    if wanted.nothing:
        return False
    every = await estimated(conn, _EVERY, {})
    share = await estimated(conn, AND.join(wanted.conditions), wanted.values) / max(every, 1.0)
    return share * REACH < enough


async def _wanted(conn: Conn, wanted: Wanted, near: list[Near]) -> list[Near]:
    if not near or wanted.nothing:
        return []
    # For hundreds of articles the planner would rather read them all.
    await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
    statement = sql.SQL("SELECT a.id FROM article a WHERE a.id = ANY(%(near)s) AND {}").format(
        AND.join(wanted.conditions or [sql.SQL("true")])
    )
    values = {**wanted.values, "near": [one.article for one in near]}
    rows = await (await conn.execute(statement, values, prepare=False)).fetchall()
    there = {row[0] for row in rows}
    return [one for one in near if one.article in there]

"""What of operations is summed over many rows: seldom, and as it was last where that takes long."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ctiscraper.db.session import Conn, Database
from ctiscraper.db.vector_progress import vectors_now
from ctiscraper.errors import StorageError
from ctiscraper.operations import COUNTED_MOST, TOO_LONG, Standing, Vectors, Work

# Summed this seldom, and this share of the time at most.
SLOW_SECONDS = 30.0
SLOW_SHARE = 0.02
# How much longer than for the rest is waited: on a large, busy database it takes seconds.
SLOW_PATIENCE = 4

_DAY = """
SELECT count(*), count(*) FILTER (WHERE unchanged), coalesce(sum(wire_bytes), 0)::bigint,
    coalesce(sum(saved_bytes), 0)::bigint
FROM source_check WHERE checked_at > now() - interval '24 hours'
"""
_STANDING = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM fetch_job WHERE state = 'dead' LIMIT %(most)s) d),
    (SELECT count(*) FROM (SELECT 1 FROM fetch_job WHERE state = 'failed' LIMIT %(most)s) f),
    (SELECT count(*) FROM (SELECT 1 FROM fetch_job WHERE state = 'filtered' LIMIT %(most)s) q)
"""
_STRANDED = """
SELECT count(*), coalesce((array_agg(detail ORDER BY run_after DESC))[1], '') FROM (
    SELECT detail, run_after FROM fetch_job
    WHERE state = 'pending' AND reason IN ('database', 'storage') LIMIT %(most)s) s
"""
_BALANCED = """
SELECT coalesce(
    bool_and(discovered = stored + duplicate + filtered + failed + dead + pending), true)
FROM accounting
"""


@dataclass(frozen=True, slots=True)
class _Summed:
    standing: Standing
    vectors: Vectors
    day: tuple[int, int, int, int]
    balanced: bool | None
    stranded: tuple[int, str]
    at: float


class OperationSums:
    """The sums as they were last, and when they are made anew."""

    def __init__(
        self,
        database: Database,
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._patience = patience
        self._clock = clock
        self._last: _Summed | None = None
        self._fault = ""
        self._until: float | None = None

    async def renew(self) -> None:
        """Sum anew where it is time; what is not over in time leaves all as it was."""
        began = self._clock()
        if self._until is not None and began < self._until:
            return
        try:
            summed = await self._sum()
            balanced = await self._balanced()
        except TimeoutError:
            ended, self._fault = self._clock(), TOO_LONG
        except StorageError as error:
            ended, self._fault = self._clock(), str(error)
        else:
            ended, self._fault = self._clock(), ""
            self._last = replace(summed, balanced=balanced, at=ended)
        self._until = ended + max(SLOW_SECONDS, (ended - began) / SLOW_SHARE)

    def forget(self) -> None:
        """Sum anew at the next look, whenever it is; where that takes too long the last stay."""
        self._until = None

    def added_to(self, fresh: Work) -> Work:
        """Return the work with the sums, and with how old they are."""
        last = self._last
        if last is None:
            return replace(fresh, summed_seconds=None, sums_fault=self._fault)
        checks, unchanged, check_bytes, saved = last.day
        return replace(
            fresh,
            standing=last.standing,
            vectors=last.vectors,
            balanced=last.balanced,
            traffic=replace(
                fresh.traffic,
                checks=checks,
                unchanged=unchanged,
                check_bytes=check_bytes,
                saved_bytes=saved,
            ),
            stranded=last.stranded[0],
            stranded_by=last.stranded[1],
            summed_seconds=max(0.0, self._clock() - last.at),
            sums_fault=self._fault,
        )

    async def _sum(self) -> _Summed:
        patience = SLOW_PATIENCE * self._patience
        async with (
            self._database.connection(self._patience) as conn,
            asyncio.timeout(patience),
        ):
            dead, failed, filtered = await _row(conn, _STANDING, most=COUNTED_MOST)
            day = await _row(conn, _DAY)
            stranded, words = await _row(conn, _STRANDED, most=COUNTED_MOST)
            vectors = await vectors_now(conn)
        return _Summed(
            standing=Standing(dead=dead, failed=failed, filtered=filtered),
            vectors=vectors,
            day=(day[0], day[1], day[2], day[3]),
            balanced=None,
            stranded=(stranded, words),
            at=0.0,
        )

    async def _balanced(self) -> bool | None:
        """Return whether every account holds, None when there is too much to add up in time."""
        try:
            async with asyncio.timeout(self._patience), self._database.connection() as conn:
                return bool((await _row(conn, _BALANCED))[0])
        except (TimeoutError, StorageError):
            return None


async def _row(conn: Conn, query: str, **values: object) -> tuple[Any, ...]:
    row = await (await conn.execute(query, values or None)).fetchone()
    assert row is not None, "a sum is one row"
    return row

"""What operations are watched by, each question answered from an index, a counter or a sample."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ctiscraper.db.hosts import RANK
from ctiscraper.db.operation_sums import OperationSums
from ctiscraper.db.server import schema_wanted
from ctiscraper.db.session import Conn, Database, NoConnectionError
from ctiscraper.errors import ModelFault, Reason, StorageError
from ctiscraper.operations import (
    COUNTED_MOST,
    NO_VECTORS,
    DatabaseState,
    Ended,
    Enriching,
    Flow,
    HostsState,
    HostState,
    Modelling,
    Operations,
    Standing,
    TierWork,
    Traffic,
    Work,
    WorkerState,
)

# Who asks has been told by then that the database does not answer.
PATIENCE_SECONDS = 5.0
HOSTS_SHOWN = 20
WORKERS_SHOWN = 100
# How many due items are looked at for the oldest whose host may be asked.
LOOKED_AT = 1000
# Counting what waits may take this share of the time; with a long queue it is done less often.
RECENT_SHARE = 0.05
# So much of the patience is waited for a connection of the pool, before one of its own is made.
POOL_SHARE = 0.5
# An application-wide number that admits one process at a time to folding the counters.
FOLD_KEY = 0x63746F70

_FACTS = """
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
    current_setting('server_version'), clock_timestamp(),
    to_regclass('alembic_version') IS NOT NULL
"""
_TIERS = """
SELECT t.rank,
    (SELECT count(*) FROM (SELECT 1 FROM fetch_job j WHERE j.state = 'pending'
        AND j.rank = t.rank AND j.run_after <= now() LIMIT %(most)s) d),
    (SELECT count(*) FROM (SELECT 1 FROM fetch_job j WHERE j.state = 'pending'
        AND j.rank = t.rank AND j.run_after > now() LIMIT %(most)s) l),
    (SELECT count(*) FROM fetch_job j WHERE j.state = 'leased' AND j.rank = t.rank),
    (SELECT extract(epoch FROM now() - coalesce(
            min(o.run_after) FILTER (WHERE NOT EXISTS (SELECT 1 FROM host h
                WHERE h.host = o.host AND h.open_until > now())),
            max(o.run_after)))::float8
        FROM (SELECT j.run_after, j.host FROM fetch_job j WHERE j.state = 'pending'
            AND j.rank = t.rank AND j.run_after <= now()
            ORDER BY j.run_after LIMIT %(looked_at)s) o)
FROM generate_series(0, 2) AS t (rank)
"""
_RESTING = """
SELECT rank, count(*) FROM (SELECT j.rank FROM host h JOIN fetch_job j ON j.host = h.host
    WHERE h.open_until > now() AND j.state = 'pending' AND j.run_after <= now()
    LIMIT %(most)s) r GROUP BY rank
"""
_SOURCES = """
SELECT s.tier, count(*), extract(epoch FROM now() - min(t.next_check_at))::float8
FROM source_state t JOIN source s ON s.id = t.source_id LEFT JOIN host h ON h.host = t.host
WHERE t.enabled AND t.next_check_at <= now() AND (h.open_until IS NULL OR h.open_until <= now())
GROUP BY s.tier
"""
_HOSTS = """
SELECT rank, count(*), count(*) FILTER (WHERE lease_until > now()),
    count(*) FILTER (WHERE open_until > now()), sum(requests)::bigint,
    count(*) FILTER (WHERE work_at <= now() AND (lease_owner IS NULL OR lease_until < now())
        AND (open_until IS NULL OR open_until <= now()))
FROM host GROUP BY rank
"""
_RESTS = """
SELECT host, extract(epoch FROM open_until - now())::float8, reason, detail, failures
FROM host WHERE open_until > now() ORDER BY open_until DESC, host LIMIT %(shown)s
"""
_PACES = """
SELECT host, extract(epoch FROM next_allowed_at - now())::float8, reason, detail, failures
FROM host WHERE next_allowed_at > now() AND next_allowed_at < 'infinity'
    AND (open_until IS NULL OR open_until <= now())
ORDER BY next_allowed_at DESC, host LIMIT %(shown)s
"""
_ENRICHING = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM enrichment_job LIMIT %(most)s) w),
    (SELECT count(*) FROM (SELECT 1 FROM enrichment_failure LIMIT %(most)s) f),
    coalesce((SELECT extract(epoch FROM now() - min(queued_at))::float8 FROM (SELECT queued_at
        FROM enrichment_job WHERE rank = 0 ORDER BY article_id LIMIT %(looked_at)s) o), 0.0)
"""
# The states that have an index; what failed is looked at from its latest.
_MODELLING = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM model_analysis WHERE state = 'pending'
        LIMIT %(most)s) w),
    (SELECT count(*) FROM model_analysis WHERE state = 'running'),
    (SELECT count(*) FROM (SELECT 1 FROM model_analysis WHERE state = 'failed'
        LIMIT %(most)s) f),
    coalesce((SELECT extract(epoch FROM now() - min(asked_at))::float8 FROM (SELECT asked_at
        FROM model_analysis WHERE state = 'pending' ORDER BY source_id, rank, id
        LIMIT %(looked_at)s) o), 0.0),
    coalesce((SELECT sum(prompt_tokens + answer_tokens + estimated) FROM model_spent
        WHERE day = current_date), 0)::bigint,
    coalesce((SELECT sum(cost) FROM model_spent WHERE day = current_date), 0)::float8,
    (SELECT coalesce(jsonb_object_agg(fault, n), '{}') FROM (SELECT fault, count(*) AS n
        FROM (SELECT coalesce(fault, 'lost') AS fault FROM model_analysis
            WHERE state = 'failed' ORDER BY id DESC LIMIT %(looked_at)s) l GROUP BY fault) g),
    rested.fault, coalesce(rested.detail, ''),
    (SELECT extract(epoch FROM now() - max(seen_at))::float8 FROM model_server)
FROM (SELECT) one LEFT JOIN (SELECT fault, detail FROM (
        SELECT fault, detail, rest_until, 0 AS rank FROM model_server WHERE fault IS NOT NULL
        UNION ALL SELECT 'model_missing', detail, rest_until, 1 FROM model_missing) r
    WHERE rest_until > now() - interval '1 minute'
    ORDER BY rank, rest_until DESC LIMIT 1) rested ON true
"""
_RECENT = "date_trunc('minute', now() - interval '5 minutes')"
_HOUR = "date_trunc('minute', now() - interval '1 hour')"
_FLOW = f"""
SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
    coalesce(sum(filtered), 0)::bigint, coalesce(sum(failed), 0)::bigint,
    coalesce(sum(dead), 0)::bigint, coalesce(sum(refunds), 0)::bigint,
    coalesce(sum(burnt), 0)::bigint,
    coalesce(sum(stored + duplicate + filtered + failed + dead)
        FILTER (WHERE minute >= {_RECENT}), 0)::bigint,
    extract(epoch FROM now() - {_RECENT})::float8,
    coalesce(sum(stored + duplicate + filtered + failed + dead)
        FILTER (WHERE minute >= {_HOUR}), 0)::bigint,
    coalesce(sum(dead) FILTER (WHERE minute >= {_HOUR}), 0)::bigint,
    coalesce(sum(refunds) FILTER (WHERE minute >= {_HOUR}), 0)::bigint,
    coalesce(sum(burnt) FILTER (WHERE minute >= {_HOUR}), 0)::bigint,
    coalesce(sum(pages) FILTER (WHERE minute > now() - interval '24 hours'), 0)::bigint,
    coalesce(sum(page_bytes) FILTER (WHERE minute > now() - interval '24 hours'), 0)::bigint
FROM work_count
"""  # noqa: S608 - constants of this module
# Those who ended an item last are shown, so that the busiest of all is among them.
_WORKERS = """
SELECT pid, started_at, extract(epoch FROM now() - seen_at)::float8,
    extract(epoch FROM now() - progressed_at)::float8, done, alive
FROM (SELECT *, count(*) OVER () AS alive FROM worker_heartbeat
    WHERE seen_at > now() - make_interval(secs => %(alive)s)
    ORDER BY progressed_at DESC, pid LIMIT %(workers)s) w
ORDER BY started_at, pid
"""
_MARK = """
SELECT coalesce((SELECT requests FROM request_mark WHERE hour <= now() - interval '24 hours'
    ORDER BY hour DESC LIMIT 1), 0)
"""
_ROBOTS = """
SELECT h.host, left(coalesce(r.body, r.good_body), 65536)
FROM unnest(%s::text[]) AS h (host)
JOIN robots r ON r.origin IN ('https://' || h.host, 'http://' || h.host)
WHERE coalesce(r.body, r.good_body) IS NOT NULL
ORDER BY r.origin
"""


class OperationsBoard:
    """The state of operations, for whoever looks at it again and again.

    A worker that is silent for `alive_seconds`, the length of a lease, is held to be gone.
    """

    def __init__(
        self,
        database: Database,
        *,
        alive_seconds: float = 60.0,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._alive_seconds = alive_seconds
        self._patience = patience
        self._clock = clock
        self._recent: tuple[Work, float] | None = None
        self._sums = OperationSums(database, patience=patience, clock=clock)

    async def read(self) -> Operations:
        """Return the state; a database that does not answer in time is one as well."""
        try:
            return await self._look(self._database.connection(POOL_SHARE * self._patience))
        except NoConnectionError:
            # All connections of this process are in use, or none can be made: the server tells.
            return await self._look_apart()
        except TimeoutError:
            return self._silent()
        except StorageError as error:
            return _away(error.detail)

    async def _look_apart(self) -> Operations:
        """Return the state as a connection beside the pool has it."""
        try:
            return await self._look(self._database.apart(), busy=True)
        except TimeoutError:
            return self._silent()
        except StorageError as error:
            return _away(error.detail)

    async def _look(
        self, connection: AbstractAsyncContextManager[Conn], *, busy: bool = False
    ) -> Operations:
        """Return the state; of a busy pool nothing more is wanted for what takes long to sum."""
        async with connection as conn, asyncio.timeout(self._patience):
            state = replace(await _database_state(conn), busy=busy)
            if state.behind:
                return Operations(database=state)
            fresh = await self._recently(conn)
        if not busy:
            await self._sums.renew()
        return Operations(database=state, work=self._sums.added_to(fresh))

    def _silent(self) -> Operations:
        return _away(f"no answer within {self._patience:g} s")

    def forget(self) -> None:
        """Count and sum everything anew at the next look: something was changed by hand."""
        self._recent = None
        self._sums.forget()

    async def robots(self, hosts: Iterable[str]) -> Mapping[str, str]:
        """Return the robots.txt of those hosts whose is known."""
        async with self._database.connection(self._patience) as conn:
            cursor = await conn.execute(_ROBOTS, (list(hosts),))
            return {str(row[0]): str(row[1]) for row in await cursor.fetchall()}

    async def _recently(self, conn: Conn) -> Work:
        """Return what is counted at each look; where that takes long it is done less often."""
        began = self._clock()
        if self._recent is not None and began < self._recent[1]:
            return self._recent[0]
        fresh = await self._fresh(conn)
        ended = self._clock()
        self._recent = (fresh, ended + (ended - began) / RECENT_SHARE)
        return fresh

    async def _fresh(self, conn: Conn) -> Work:
        """Return all that is cheap to ask for."""
        hosts = await _rows(conn, _HOSTS)
        flow = (await _rows(conn, _FLOW))[0]
        requests = sum(int(row[4]) for row in hosts)
        texts = (await _rows(conn, _ENRICHING, most=COUNTED_MOST, looked_at=LOOKED_AT))[0]
        workers, worker_count = await self._workers(conn)
        models = (await _rows(conn, _MODELLING, most=COUNTED_MOST, looked_at=LOOKED_AT))[0]
        return Work(
            tiers=await _tiers(conn, {row[0]: row[5] for row in hosts}),
            flow=_flow(flow),
            standing=Standing(dead=0, failed=0, filtered=0),
            enriching=Enriching(waiting=texts[0], failed=texts[1], oldest_seconds=texts[2]),
            modelling=_modelling(models),
            vectors=NO_VECTORS,
            traffic=Traffic(
                requests=requests,
                requests_day=max(0, requests - int((await _rows(conn, _MARK))[0][0])),
                checks=0,
                unchanged=0,
                check_bytes=0,
                saved_bytes=0,
                pages=flow[13],
                page_bytes=flow[14],
            ),
            workers=workers,
            worker_count=worker_count,
            hosts=HostsState(
                known=sum(row[1] for row in hosts),
                leased=sum(row[2] for row in hosts),
                resting=sum(row[3] for row in hosts),
                rests=_hosts(await _rows(conn, _RESTS, shown=HOSTS_SHOWN)),
                paces=_hosts(await _rows(conn, _PACES, shown=HOSTS_SHOWN)),
            ),
            balanced=None,
        )

    async def _workers(self, conn: Conn) -> tuple[tuple[WorkerState, ...], int]:
        """Return those that are shown, and how many there are."""
        rows = await _rows(conn, _WORKERS, alive=self._alive_seconds, workers=WORKERS_SHOWN)
        workers = tuple(
            WorkerState(
                pid=row[0],
                started_at=row[1],
                silent_seconds=max(0.0, row[2]),
                idle_seconds=max(0.0, row[3]),
                done=row[4],
            )
            for row in rows
        )
        return workers, rows[0][5] if rows else 0


async def fold_counts(database: Database) -> None:
    """Sum what is older than an hour by hours, what is older than a day into one row.

    Called by every worker again and again; one at a time does it, the others pass by.
    """
    async with database.transaction() as conn:
        if not (await _rows(conn, f"SELECT pg_try_advisory_xact_lock({FOLD_KEY})"))[0][0]:
            return
        await conn.execute(
            """
            WITH old AS (
                DELETE FROM work_count
                WHERE (lane <> 0 AND minute < date_trunc('hour', now()) - interval '1 hour')
                    OR (minute > '-infinity' AND minute < now() - interval '26 hours')
                RETURNING CASE WHEN minute < now() - interval '26 hours' THEN '-infinity'
                    ELSE date_trunc('hour', minute) END AS start, work_count.*)
            INSERT INTO work_count AS w (minute, lane, stored, duplicate, filtered, failed, dead,
                refunds, burnt, pages, page_bytes)
            SELECT start, 0, sum(stored), sum(duplicate), sum(filtered), sum(failed), sum(dead),
                sum(refunds), sum(burnt), sum(pages), sum(page_bytes)
            FROM old GROUP BY start
            ON CONFLICT (minute, lane) DO UPDATE SET stored = w.stored + excluded.stored,
                duplicate = w.duplicate + excluded.duplicate,
                filtered = w.filtered + excluded.filtered, failed = w.failed + excluded.failed,
                dead = w.dead + excluded.dead, refunds = w.refunds + excluded.refunds,
                burnt = w.burnt + excluded.burnt, pages = w.pages + excluded.pages,
                page_bytes = w.page_bytes + excluded.page_bytes
            """
        )
        await conn.execute(
            """
            INSERT INTO request_mark (hour, requests)
            SELECT date_trunc('hour', now()), coalesce(sum(requests), 0) FROM host
            HAVING NOT EXISTS
                (SELECT 1 FROM request_mark WHERE hour = date_trunc('hour', now()))
            ON CONFLICT (hour) DO NOTHING
            """
        )
        await conn.execute("DELETE FROM request_mark WHERE hour < now() - interval '3 days'")


async def _rows(conn: Conn, query: str, **values: object) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(query, values or None)
    return await cursor.fetchall()


async def _database_state(conn: Conn) -> DatabaseState:
    read_only, version, there, has_schema = (await _rows(conn, _FACTS))[0]
    here = datetime.now(UTC)
    found = await _rows(conn, "SELECT version_num FROM alembic_version") if has_schema else []
    return DatabaseState(
        reachable=True,
        writable=not read_only,
        version=str(version).partition(" ")[0],
        schema=str(found[0][0]) if found else None,
        schema_wanted=schema_wanted(),
        clock_apart=(there - here).total_seconds(),
    )


def _away(detail: str) -> Operations:
    known = detail or str(Reason.DATABASE)
    return Operations(database=DatabaseState(reachable=False, detail=known))


async def _tiers(conn: Conn, hosts_due: Mapping[int, int]) -> tuple[TierWork, ...]:
    rows = await _rows(conn, _TIERS, most=COUNTED_MOST, looked_at=LOOKED_AT)
    counted = {row[0]: row[1:] for row in rows}
    resting_by_rank = {row[0]: row[1] for row in await _rows(conn, _RESTING, most=COUNTED_MOST)}
    sources = {row[0]: row[1:] for row in await _rows(conn, _SOURCES)}
    tiers = []
    for tier, rank in RANK.items():
        due, later, in_flight, oldest_item = counted[rank]
        resting = resting_by_rank.get(rank, 0)
        sources_due, oldest_check = sources.get(str(tier), (0, 0.0))
        workable = max(0, due - resting)
        tiers.append(
            TierWork(
                tier=str(tier),
                due=workable,
                resting=resting,
                later=later,
                in_flight=in_flight,
                sources_due=sources_due,
                hosts_due=hosts_due.get(rank, 0),
                oldest_seconds=max(oldest_item if workable else 0.0, oldest_check, 0.0),
            )
        )
    return tuple(tiers)


def _flow(row: tuple[Any, ...]) -> Flow:
    return Flow(
        ended=Ended(stored=row[0], duplicate=row[1], filtered=row[2], failed=row[3], dead=row[4]),
        refunds=row[5],
        burnt=row[6],
        ended_recently=row[7],
        recent_seconds=row[8],
        ended_hour=row[9],
        dead_hour=row[10],
        refunds_hour=row[11],
        burnt_hour=row[12],
    )


def _modelling(row: tuple[Any, ...]) -> Modelling:
    return Modelling(
        waiting=row[0],
        running=row[1],
        failed=row[2],
        oldest_seconds=row[3],
        tokens_today=row[4],
        cost_today=row[5],
        faults=row[6],
        server_fault=ModelFault(row[7]) if row[7] else None,
        server_detail=row[8],
        seen_seconds=row[9],
    )


def _hosts(rows: Iterable[tuple[Any, ...]]) -> tuple[HostState, ...]:
    return tuple(
        HostState(host=row[0], seconds=row[1], reason=row[2], detail=row[3], failures=row[4])
        for row in rows
    )

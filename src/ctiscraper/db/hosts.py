"""Hosts: whose turn it is, how fast they may be asked, and which are resting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from ctiscraper.db.session import Conn, Database
from ctiscraper.loop import Together
from ctiscraper.types import RobotsRecord, Tier

RANK = {Tier.PREMIUM: 0, Tier.STANDARD: 1, Tier.BASIC: 2}
_TIER = {rank: tier for tier, rank in RANK.items()}
_CASES = " ".join(f"WHEN '{tier}' THEN {rank}" for tier, rank in RANK.items())
_RANK_OF_TIER = f"CASE s.tier {_CASES} END"
# A premium host is served as if its work had waited this much longer than a standard one's;
# basic hosts age past both, so none starves.
RANK_HEAD_START = "10 minutes"
# How many hosts one statement serves: a robots.txt may have half a megabyte.
TOGETHER = 16
# A host whose work has waited for so long, and its last turn been over, has a turn whoever asks it
# meanwhile: others may be led there all the time. Longer than any gap, which is not to be waited
# for in a turn: that keeps a place from other hosts.
OWED_AFTER = "2 minutes"
# What makes a host worth a visit now.
READY = f"""
    ((lease_owner IS NULL AND work_at <= now()) OR lease_until < now())
    AND (next_allowed_at <= now() + interval '1 second'
        OR greatest(turn_at, least(work_at, lease_until)) < now() - interval '{OWED_AFTER}')
    AND (open_until IS NULL OR open_until <= now())
"""
# Asked with each piece of work, as a worker that was frozen knows nothing of what went on.
HOST_IS_OURS = """
    (%(under)s::uuid IS NULL OR EXISTS (SELECT 1 FROM host h WHERE h.host = %(host)s
        AND h.lease_owner = %(under)s::uuid AND h.lease_until > now()))
"""
OF_TIERS = """
    AND host.rank = ANY(%(ranks)s::smallint[])
"""
OF_SOURCE = """
    AND host.host IN (SELECT host FROM source_state WHERE source_id = %(source)s
        UNION ALL SELECT host FROM fetch_job WHERE source_id = %(source)s AND state = 'pending')
"""


@dataclass(frozen=True, slots=True)
class HostLease:
    """The right to speak to one host until the lease is over, and what was due there then."""

    host: str
    owner: UUID
    failures: int = 0
    sources_due: int = 0
    items_due: bool = True
    tier: Tier = Tier.STANDARD


class Hosts:
    """Pace, robots.txt and breaker of each host, shared by every worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Hosts begin and end their turns in swarms: then one statement serves many.
        self._robots = Together(self._robots_of, most=TOGETHER)
        self._releases = Together(self._release, most=TOGETHER)

    async def lease(
        self,
        worker: UUID,
        *,
        limit: int,
        seconds: float,
        source_id: int | None = None,
        tiers: Sequence[Tier] = (),
    ) -> list[HostLease]:
        """Return hosts with work due, the most urgent first, each now leased to `worker` alone.

        At most `limit`, and no more than its share among the workers that are alive. With
        `source_id` only hosts that this source has work at, with `tiers` only hosts of these.
        """
        only = (OF_SOURCE if source_id is not None else "") + (OF_TIERS if tiers else "")
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                f"""
                WITH ready AS (
                    SELECT host FROM host WHERE {READY}{only}
                    ORDER BY work_at + rank * interval '{RANK_HEAD_START}'
                    LIMIT (SELECT least(%(limit)s, ceil(count(*)::float8 / greatest(1,
                            (SELECT count(*) FROM worker_heartbeat
                                WHERE seen_at > now() - make_interval(secs => %(seconds)s)))))
                        FROM host WHERE {READY}{only})::bigint
                    FOR UPDATE SKIP LOCKED)
                UPDATE host SET lease_owner = gen_random_uuid(), worker = %(worker)s,
                    lease_until = now() + make_interval(secs => %(seconds)s), work_at = 'infinity'
                FROM ready WHERE host.host = ready.host
                RETURNING host.host, host.lease_owner, host.failures,
                    (SELECT count(*)::int FROM source_state s WHERE s.host = host.host
                        AND s.enabled AND s.next_check_at <= now()),
                    EXISTS (SELECT 1 FROM fetch_job j WHERE j.host = host.host
                        AND j.state = 'pending' AND j.run_after <= now()), host.rank
                """,  # noqa: S608 - constants of this module
                {
                    "limit": limit,
                    "worker": worker,
                    "seconds": seconds,
                    "source": source_id,
                    "ranks": [RANK[tier] for tier in tiers],
                },
            )
            return [
                HostLease(row[0], row[1], row[2], row[3], row[4], _TIER[row[5]])
                for row in await cursor.fetchall()
            ]

    async def release(self, lease: HostLease) -> None:
        """Give a host back; its next turn is when its next work is due."""
        await self._releases.one((lease.host, lease.owner))

    async def _release(self, leases: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], None]:
        async with self._database.connection() as conn:
            await conn.execute(
                """
                WITH mine AS MATERIALIZED (
                    SELECT h.host FROM host h
                    JOIN unnest(%(hosts)s::text[], %(owners)s::uuid[]) AS given (host, owner)
                        ON h.host = given.host AND h.lease_owner = given.owner
                    ORDER BY h.host FOR UPDATE OF h)
                UPDATE host SET lease_owner = NULL, worker = NULL, lease_until = NULL,
                    turn_at = now(), work_at = least(host.work_at,
                        (SELECT min(next_check_at) FROM source_state s
                            WHERE s.host = host.host AND enabled),
                        (SELECT min(run_after) FROM fetch_job j
                            WHERE j.host = host.host AND state = 'pending'))
                FROM mine WHERE host.host = mine.host
                """,
                {
                    "hosts": [host for host, _ in leases],
                    "owners": [owner for _, owner in leases],
                },
            )
        return {}

    async def reserve(self, host: str, gap: float, most: float) -> float | None:
        """Return how many seconds to wait before asking `host`; the slot is taken.

        None when it is more than `most` seconds away: then none is taken.
        """
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                """
                INSERT INTO host AS h (host, next_allowed_at, work_at, requests)
                VALUES (%(host)s, clock_timestamp() + make_interval(secs => %(gap)s), 'infinity', 1)
                ON CONFLICT (host) DO UPDATE SET requests = h.requests + 1, next_allowed_at =
                    greatest(h.next_allowed_at, clock_timestamp())
                        + make_interval(secs => %(gap)s)
                WHERE h.next_allowed_at <= clock_timestamp() + make_interval(secs => %(most)s)
                RETURNING extract(epoch FROM
                    next_allowed_at - clock_timestamp())::float8 - %(gap)s
                """,
                {"host": host, "gap": gap, "most": most},
            )
            row = await cursor.fetchone()
        return max(0.0, float(row[0])) if row else None

    async def succeeded(self, host: str) -> None:
        """Close the breaker of a host that answered; one that rests meanwhile keeps its rest."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                UPDATE host SET failures = 0, open_until = NULL, reason = NULL, detail = ''
                WHERE host = %s AND failures > 0
                    AND (open_until IS NULL OR open_until <= now())
                """,
                (host,),
            )

    async def failed(self, host: str, reason: str, detail: str) -> int:
        """Count a failure against a host; return how many came in a row.

        0 for one that rests already: who asks meanwhile, led there from elsewhere, is not to
        lengthen what its own work waits for.
        """
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                """
                UPDATE host SET failures = failures + 1, reason = %s, detail = %s
                WHERE host = %s AND (open_until IS NULL OR open_until <= now())
                RETURNING failures
                """,
                (reason, detail[:1000], host),
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def rest(self, host: str, seconds: float) -> None:
        """Ask nothing of a host for so long: its breaker is open, or it asked us to wait."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                UPDATE host SET open_until =
                    greatest(open_until, now() + make_interval(secs => %s))
                WHERE host = %s
                """,
                (seconds, host),
            )

    async def robots(self, origin: str) -> RobotsRecord | None:
        """Return the robots.txt last read of an origin."""
        return await self._robots.one(origin)

    async def _robots_of(self, origins: Sequence[str]) -> dict[str, RobotsRecord]:
        async with self._database.connection() as conn, conn.cursor() as cursor:
            await cursor.execute(
                """
                SELECT origin, status, body, fetched_at, good_body, good_at
                FROM robots WHERE origin = ANY(%s)
                """,
                (list(origins),),
            )
            rows = await cursor.fetchall()
        return {
            row[0]: RobotsRecord(
                origin=row[0],
                status=row[1],
                body=row[2],
                fetched_at=row[3],
                good_body=row[4],
                good_at=row[5],
            )
            for row in rows
        }

    async def save_robots(self, record: RobotsRecord) -> None:
        """Keep what an origin's robots.txt said."""
        async with self._database.connection() as conn:
            await conn.execute(
                """
                INSERT INTO robots (origin, status, body, fetched_at, good_body, good_at)
                VALUES (%s, %s, %s, %s, %s, %s)
                ON CONFLICT (origin) DO UPDATE SET status = excluded.status,
                    body = excluded.body, fetched_at = excluded.fetched_at,
                    good_body = excluded.good_body, good_at = excluded.good_at
                """,
                (
                    record.origin,
                    record.status,
                    record.body,
                    record.fetched_at,
                    record.good_body,
                    record.good_at,
                ),
            )


async def hold(conn: Conn, worker: UUID, hosts: Sequence[str]) -> None:
    """Lock the hosts of a worker and these, in the one order in which several are locked."""
    await conn.execute(
        """
        SELECT FROM host WHERE worker = %s OR host = ANY(%s::text[]) ORDER BY host FOR UPDATE
        """,
        (worker, list(hosts)),
    )


async def wake(conn: Conn, hosts: Iterable[str], rank: int) -> None:
    """Say that hosts have work now; part of the transaction that made the work."""
    # The column is sorted by bytes; what a statement is given, by the database's language.
    await conn.execute(
        """
        INSERT INTO host AS h (host, rank) SELECT name, %s FROM unnest(%s::text[]) AS name
        ORDER BY name COLLATE "C"
        ON CONFLICT (host) DO UPDATE SET work_at = least(h.work_at, now()),
            rank = least(h.rank, excluded.rank)
        """,
        (rank, sorted(set(hosts))),
    )


async def rank_again(conn: Conn, source_key: str, tier: Tier) -> None:
    """Let a source's work have the rank of its new tier; a host has the best of its work."""
    values = {"key": source_key, "rank": RANK[tier]}
    await conn.execute(
        """
        UPDATE fetch_job SET rank = %(rank)s
        WHERE id IN (SELECT id FROM fetch_job
            WHERE source_id = (SELECT id FROM source WHERE key = %(key)s)
                AND state IN ('pending', 'leased') ORDER BY id FOR UPDATE)
        """,
        values,
    )
    await conn.execute(
        f"""
        UPDATE host h SET rank = coalesce(least(
            (SELECT min({_RANK_OF_TIER}) FROM source_state t JOIN source s ON s.id = t.source_id
                WHERE t.host = h.host AND t.enabled),
            (SELECT min(rank) FROM fetch_job j WHERE j.host = h.host AND j.state = 'pending')),
            h.rank)
        WHERE h.host IN (SELECT host FROM host WHERE host IN (
            SELECT t.host FROM source_state t JOIN source s ON s.id = t.source_id
                WHERE s.key = %(key)s
            UNION ALL SELECT j.host FROM fetch_job j JOIN source s ON s.id = j.source_id
                WHERE s.key = %(key)s AND j.state = 'pending') ORDER BY host FOR UPDATE)
        """,  # noqa: S608 - a constant of this module
        values,
    )

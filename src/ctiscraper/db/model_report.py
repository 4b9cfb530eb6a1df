"""The state of all that models do: what waits, what it cost, what people think, how models did."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ModelFault
from ctiscraper.model_views import (
    EvaluationView,
    ModelCounts,
    ServerView,
    SpentDay,
    SpentSource,
)

DAYS_SHOWN = 14
SOURCES_SHOWN = 20
EVALUATIONS_SHOWN = 50
# Of how many of the latest that failed the faults are counted.
_FAILED_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A claim that people judged, with the words that it was made of: for evaluation sets."""

    analysis_id: int
    article_id: int
    task: str
    model: str
    prompt_version: str
    claim: Mapping[str, Any]
    good: int
    bad: int
    notes: tuple[str, ...]


class ModelBoard:
    """What is asked of models again and again by those who look after them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self) -> ModelCounts:
        """Return how many analyses stand where."""
        async with self._database.connection() as conn:
            return await model_counts(conn)

    async def server(self, name: str) -> ServerView | None:
        """Return a server as it was last found, None before it ever was."""
        async with self._database.connection() as conn:
            values = {"name": name, "missing": ModelFault.MODEL_MISSING.value}
            cursor = await conn.execute(_SERVER, values)
            row = await cursor.fetchone()
        if row is None:
            return None
        return ServerView(
            name=row[0],
            reachable=row[1],
            fault=ModelFault(row[2]) if row[2] else None,
            detail=row[3],
            version=row[4],
            models=tuple(row[5]),
            remote=row[6],
            seen_at=row[7],
            rest_until=row[8],
        )

    async def days(self) -> tuple[SpentDay, ...]:
        """Return what was spent on each of the last days, the latest first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_DAYS, (DAYS_SHOWN,))
            return tuple(
                SpentDay(
                    day=row[0],
                    calls=row[1],
                    prompt_tokens=row[2],
                    answer_tokens=row[3],
                    estimated=row[4],
                    cost=row[5],
                )
                for row in await cursor.fetchall()
            )

    async def today(self) -> tuple[int, float]:
        """Return the tokens and the money that were spent today."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT coalesce(sum(prompt_tokens + answer_tokens + estimated), 0)::bigint,"
                " coalesce(sum(cost), 0)::float8 FROM model_spent WHERE day = current_date"
            )
            row = await cursor.fetchone()
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    async def sources(self, budget: int) -> tuple[SpentSource, ...]:
        """Return what sources cost today, the dearest first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(_SOURCES, {"budget": budget, "most": SOURCES_SHOWN})
            return tuple(
                SpentSource(key=row[0], name=row[1], tokens=row[2], cost=row[3], over=row[4])
                for row in await cursor.fetchall()
            )

    async def thumbs(self) -> tuple[int, int]:
        """Return how many claims people held to be good and bad."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT count(*) FILTER (WHERE good), count(*) FILTER (WHERE NOT good)"
                " FROM model_feedback"
            )
            row = await cursor.fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def judged(self) -> AsyncIterator[Judged]:
        """Yield every claim that somebody judged, by analysis."""
        after = 0
        while True:
            async with self._database.connection() as conn:
                cursor = await conn.execute(_JUDGED, {"after": after})
                rows = await cursor.fetchall()
            for row in rows:
                yield Judged(
                    analysis_id=row[0],
                    article_id=row[1],
                    task=row[2],
                    model=row[3],
                    prompt_version=row[4],
                    claim=row[5],
                    good=row[6],
                    bad=row[7],
                    notes=tuple(row[8]),
                )
            if not rows:
                return
            after = int(rows[-1][0])

    async def evaluations(self) -> tuple[EvaluationView, ...]:
        """Return how models did, the latest first."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT id, made_at, model, actor, result FROM model_evaluation"
                " ORDER BY id DESC LIMIT %s",
                (EVALUATIONS_SHOWN,),
            )
            return tuple(
                EvaluationView(id=row[0], made_at=row[1], model=row[2], actor=row[3], result=row[4])
                for row in await cursor.fetchall()
            )

    async def keep_evaluation(
        self, model: str, result: Mapping[str, object], *, actor: str = ""
    ) -> int:
        """Keep how a model did; return the number of that."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "INSERT INTO model_evaluation (model, actor, result) VALUES (%s, %s, %s::jsonb)"
                " RETURNING id",
                (model, actor, json.dumps(result)),
            )
            row = await cursor.fetchone()
        assert row is not None, "an insert that returns"
        return int(row[0])


async def model_counts(conn: Conn) -> ModelCounts:
    """Return how many analyses stand where."""
    cursor = await conn.execute(_COUNTS)
    by_state = {row[0]: int(row[1]) for row in await cursor.fetchall()}
    cursor = await conn.execute(_OLDEST)
    oldest = await cursor.fetchone()
    cursor = await conn.execute(_FAULTS, (_FAILED_LOOKED_AT,))
    faults = {row[0]: int(row[1]) for row in await cursor.fetchall()}
    return ModelCounts(
        pending=by_state.get("pending", 0),
        running=by_state.get("running", 0),
        done=by_state.get("done", 0),
        failed=by_state.get("failed", 0),
        cancelled=by_state.get("cancelled", 0),
        oldest_seconds=float(oldest[0]) if oldest and oldest[0] is not None else 0.0,
        faults=faults,
    )


_COUNTS = "SELECT state, count(*) FROM model_analysis GROUP BY state"
_OLDEST = """
SELECT extract(epoch FROM now() - min(asked_at))::float8 FROM model_analysis
WHERE state = 'pending'
"""
_FAULTS = """
SELECT coalesce(fault, 'lost'), count(*) FROM (SELECT fault FROM model_analysis
    WHERE state = 'failed' ORDER BY id DESC LIMIT %s) f GROUP BY 1 ORDER BY 2 DESC, 1
"""
_SERVER = """
SELECT s.name, s.fault IS NULL AND x.model IS NULL AND s.seen_at IS NOT NULL,
    coalesce(s.fault, CASE WHEN x.model IS NOT NULL THEN %(missing)s END),
    CASE WHEN s.fault IS NULL THEN coalesce(x.detail, s.detail) ELSE s.detail END,
    s.version, s.models, s.remote, s.seen_at,
    CASE WHEN s.rest_until > now() THEN s.rest_until
        WHEN s.fault IS NULL AND x.rest_until > now() THEN x.rest_until END
FROM model_server s LEFT JOIN LATERAL (SELECT m.model, m.detail, m.rest_until
    FROM model_missing m WHERE m.server = s.name ORDER BY m.rest_until DESC LIMIT 1) x ON true
WHERE s.name = %(name)s
"""
_DAYS = """
SELECT day, sum(calls)::bigint, sum(prompt_tokens)::bigint, sum(answer_tokens)::bigint,
    sum(estimated)::bigint, sum(cost)::float8
FROM model_spent WHERE day > current_date - %s::integer GROUP BY day ORDER BY day DESC
"""
_SOURCES = """
SELECT s.key, coalesce(s.settings->>'name', s.key),
    sum(p.prompt_tokens + p.answer_tokens + p.estimated)::bigint, sum(p.cost)::float8,
    %(budget)s > 0 AND sum(p.prompt_tokens + p.answer_tokens + p.estimated) >= %(budget)s
        OR coalesce(bool_or(t.rest_until > now()), false)
FROM model_spent p JOIN source s ON s.id = p.source_id
LEFT JOIN model_source t ON t.source_id = p.source_id
WHERE p.day = current_date GROUP BY s.key, s.settings ORDER BY 3 DESC, 1 LIMIT %(most)s
"""
_JUDGED = """
SELECT m.id, m.article_id, m.task, m.model, m.prompt_version, f.claim,
    count(*) FILTER (WHERE f.good), count(*) FILTER (WHERE NOT f.good),
    coalesce(array_agg(f.note ORDER BY f.id) FILTER (WHERE f.note <> ''), '{}')
FROM model_feedback f JOIN model_analysis m ON m.id = f.analysis_id
WHERE m.id IN (SELECT DISTINCT analysis_id FROM model_feedback WHERE analysis_id > %(after)s
    ORDER BY analysis_id LIMIT 200)
GROUP BY m.id, f.claim_key, f.claim ORDER BY m.id, f.claim_key
"""

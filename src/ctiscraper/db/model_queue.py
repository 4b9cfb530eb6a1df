"""The queue of what models are asked: each source has its turn, nothing is lost, budgets hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ctiscraper.analysis.analysed import RULES, TaskName
from ctiscraper.db.model_attempts import MOST_ATTEMPTS, judged
from ctiscraper.db.model_servers import (
    OF_ALL_TEXTS,
    failed,
    has,
    is_tried,
    lacked,
    lacks,
    rests,
    succeeded,
    was_well,
)
from ctiscraper.db.model_spending import Limits, Spending, Spent, in_turn
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ModelFault
from ctiscraper.types import Tlp

# After so many that need no model the claim ends, so that its lock is never held long.
_MOST_PASSED = 50
# Their answers rest on more than the words: what is watched now, the address of the article.
_APART = (TaskName.RELEVANCE.value, RULES)
_BREAKING = frozenset(
    {
        ModelFault.AWAY,
        ModelFault.BROKE_OFF,
        ModelFault.BUSY,
        ModelFault.OUT_OF_MEMORY,
        ModelFault.TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a model is asked of each new text: tasks, each with the version of its prompt."""

    model: str
    prompts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A text that one holder alone asks a model about, until its lease runs out.

    `waited` are the seconds since it was asked for; `spared` is how often it was let off.
    """

    id: int
    lease: UUID
    attempts: int
    spared: int
    article_id: int
    source_id: int
    task: str
    prompt_version: str
    model: str
    title: str
    text: str
    language: str
    tlp: Tlp
    waited: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What of an answer is kept: claims as JSON, and what the answer was worth."""

    claims: str
    prompt_version: str
    dropped: int
    hidden: int
    repaired: bool
    seconds: float
    unread: int = 0
    parts: int = 1
    why: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, before whom (the lower `rank` comes first), and whether what ended is asked too.

    What nobody asked for himself is by nobody.
    """

    by: str = ""
    rank: int = 1
    again: bool = False


_BY_ITSELF = Asked()


async def queue_texts(
    conn: Conn, article_ids: Sequence[int], wanted: Wanted, asked: Asked = _BY_ITSELF
) -> list[int]:
    """Have a model asked about articles as they stand, once for each text; return the numbers.

    In the transaction of `conn`. What waits for a text that an article has no more is withdrawn;
    what was withdrawn for another text or prompt than are in use now waits again. What somebody
    cancelled stays so.
    """
    cursor = await conn.execute(_KEYS, {"ids": list(article_ids)})
    texts = await cursor.fetchall()
    values = {
        "ids": [number for number, _, _ in texts],
        # Read and hashed once here, however many statements and tasks go by them.
        "keys": [key for _, key, _ in texts],
        "model": wanted.model,
        "tasks": [str(task) for task, _ in wanted.prompts],
        "versions": [version for _, version in wanted.prompts],
        "by": asked.by,
        "rank": asked.rank,
        "again": asked.again,
    }
    # Most are new, and nothing was ever asked about them.
    if any(was_asked for _, _, was_asked in texts):
        await conn.execute(_SUPERSEDE, {**values, "why": _REVISED})
        await conn.execute(_ONCE_MORE, values)
    cursor = await conn.execute(_QUEUE, values)
    return [int(row[0]) for row in await cursor.fetchall()]


class ModelQueue:
    """Work for models, claimed one text at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._spending = Spending(database)

    async def claim(
        self, owner: UUID, *, server: str, limits: Limits, seconds: float
    ) -> Claimed | None:
        """Return what to ask next, None while there is nothing or none may be asked.

        Who asked himself comes first, then the source that was served longest ago. What a like
        text was answered before is taken from there; what is over its budget waits or ends.
        """
        async with self._database.transaction() as conn:
            # One at a time, so that turns and budgets are exact; this takes milliseconds.
            await in_turn(conn)
            await self._reap(conn, limits)
            if await rests(conn, server) or await self._spending.day_is_over(conn, limits):
                return None
            tried = await is_tried(conn, server)
            without = await lacked(conn, server)
            for _ in range(_MOST_PASSED):
                row = await _next(conn, without, tried=tried)
                if row is None:
                    return None
                claimed = await self._take(conn, row, owner, limits, seconds)
                if claimed is not None:
                    return claimed
        return None

    async def renew(self, claimed: Claimed, *, said: int, seconds: float) -> bool:
        """Hold on to it, and tell how far the answer is; False: it was cancelled, or is lost."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                UPDATE model_analysis SET said = %s,
                    lease_until = now() + make_interval(secs => %s)
                WHERE id = %s AND lease = %s AND state = 'running'
                """,
                (said, seconds, claimed.id, claimed.lease),
            )
        return cursor.rowcount == 1

    async def finish(
        self, claimed: Claimed, kept: Kept, spent: Spent, *, server: str, limits: Limits
    ) -> bool:
        """Keep an answer; False: it was cancelled or is another's by now, and only paid for."""
        async with self._database.transaction() as conn:
            await self._spending.add(conn, claimed.source_id, claimed.model, spent, limits)
            await succeeded(conn, server)
            await has(conn, server, claimed.model)
            cursor = await conn.execute(
                _FINISH,
                {
                    "claims": kept.claims,
                    "dropped": kept.dropped,
                    "hidden": kept.hidden,
                    "repaired": kept.repaired,
                    "unread": kept.unread,
                    "parts": kept.parts,
                    "why": kept.why,
                    "seconds": kept.seconds,
                    **_paid(claimed, spent, limits),
                },
            )
        return cursor.rowcount == 1

    async def fail(  # noqa: PLR0913 - each is stored beside the row
        self,
        claimed: Claimed,
        fault: ModelFault,
        detail: str,
        spent: Spent,
        *,
        transient: bool,
        raw: str = "",
        server: str = "",
        limits: Limits | None = None,
    ) -> bool:
        """Let it be asked again later, or end it with its fault; False: it is another's by now."""
        limits = limits or Limits()
        async with self._database.transaction() as conn:
            await self._spending.add(conn, claimed.source_id, claimed.model, spent, limits)
            cost = judged(
                fault,
                transient=transient,
                attempts=claimed.attempts,
                spared=claimed.spared,
                was_well=await was_well(conn, server),
            )
            if fault in _BREAKING or (transient and fault in OF_ALL_TEXTS):
                await failed(conn, server, fault, detail)
            elif transient and fault is ModelFault.MODEL_MISSING:
                await lacks(conn, server, claimed.model, detail)
            elif server and fault is not ModelFault.TLP:
                await succeeded(conn, server)
            cursor = await conn.execute(
                _FAIL,
                {
                    "fault": cost.fault.value,
                    "detail": detail[:2000].replace("\0", ""),
                    "raw": raw[:100_000].replace("\0", "").encode("utf-8", "replace").decode(),
                    "again": cost.again,
                    "refund": cost.refund,
                    "spared": cost.spared,
                    "pause": cost.pause,
                    **_paid(claimed, spent, limits),
                },
            )
        return cursor.rowcount == 1

    async def pay(self, claimed: Claimed, spent: Spent, limits: Limits) -> None:
        """Count what a question cost that came to no end."""
        async with self._database.transaction() as conn:
            await self._spending.add(conn, claimed.source_id, claimed.model, spent, limits)

    async def renew_prompt(self, claimed: Claimed, version: str) -> None:
        """Have the same asked with another version of its prompt, in place of the one it had."""
        wanted = Wanted(model=claimed.model, prompts=((claimed.task, version),))
        await self._replace(claimed, wanted, "the prompt changed before its turn")

    async def renew_model(self, claimed: Claimed, model: str) -> None:
        """Have another model asked the same, in place of one that is no more."""
        wanted = Wanted(model=model, prompts=((claimed.task, claimed.prompt_version),))
        why = f"the server has no model {claimed.model!r} any more: {model!r} is asked instead"
        await self._replace(claimed, wanted, why)

    async def _replace(self, claimed: Claimed, wanted: Wanted, why: str) -> None:
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                f"{_WITHDRAW} WHERE m.id = %(id)s AND m.lease = %(lease)s AND m.state = 'running'"
                " RETURNING m.asked_by, m.rank, m.again",
                {"id": claimed.id, "lease": claimed.lease, "why": why},
            )
            row = await cursor.fetchone()
            if row is not None:
                by, rank, again = row
                asked = Asked(by=by, rank=rank, again=again)
                await queue_texts(conn, [claimed.article_id], wanted, asked)

    async def give_back(self, claimed: Claimed, *, pause: float = 0.0) -> bool:
        """Put it back with its attempt: whoever held it is told to stop."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                UPDATE model_analysis SET state = 'pending', attempts = greatest(attempts - 1, 0),
                    lease = NULL, lease_until = NULL, reserved = 0, said = 0,
                    run_after = now() + make_interval(secs => %s)
                WHERE id = %s AND lease = %s AND state = 'running'
                """,
                (pause, claimed.id, claimed.lease),
            )
        return cursor.rowcount == 1

    async def _reap(self, conn: Conn, limits: Limits) -> None:
        """Take back what its holders lost; what they may have spent counts as spent."""
        await self._spending.reap(conn, limits)
        cursor = await conn.execute(_REAP, {"most": MOST_ATTEMPTS, "fault": ModelFault.LOST})
        for source_id, model, reserved in await cursor.fetchall():
            await self._spending.add(conn, source_id, model, Spent(estimated=reserved), limits)

    async def _take(
        self,
        conn: Conn,
        row: tuple[int, int],
        owner: UUID,
        limits: Limits,
        seconds: float,
    ) -> Claimed | None:
        """Return a claim on a row, None where it needs no model or may not be asked now."""
        number, source_id = row
        cursor = await conn.execute(_TEXT, {"id": number})
        found = await cursor.fetchone()
        assert found is not None, "its article cannot go without it"
        if not found[0]:
            await conn.execute(f"{_WITHDRAW} WHERE m.id = %(id)s", {"id": number, "why": _REVISED})
            return None
        if await _copied(conn, number):
            return None
        estimate = limits.estimate(found[3], found[7], found[8])
        over = await self._spending.over(conn, found[2], source_id, estimate, limits)
        if over is not None:
            await over.settle(conn, number, source_id)
            return None
        await conn.execute(
            _TAKE, {"id": number, "lease": owner, "seconds": seconds, "reserved": estimate}
        )
        await conn.execute(_SERVED, (source_id,))
        return Claimed(
            id=number,
            lease=owner,
            attempts=found[1] + 1,
            spared=found[11],
            article_id=found[2],
            source_id=source_id,
            task=found[3],
            prompt_version=found[4],
            model=found[5],
            language=found[6],
            title=found[7],
            text=found[8],
            tlp=Tlp(found[9]),
            waited=found[10],
        )


def _paid(claimed: Claimed, spent: Spent, limits: Limits) -> dict[str, object]:
    return {
        "id": claimed.id,
        "lease": claimed.lease,
        "prompt_tokens": spent.prompt_tokens,
        "answer_tokens": spent.answer_tokens,
        "cost": limits.cost(spent),
    }


async def _next(conn: Conn, without: Sequence[str], *, tried: bool) -> tuple[int, int] | None:
    """Return an analysis and its source, but of no model `without` which the server is.

    A server is `tried` with what failed the least.
    """
    cursor = await conn.execute(_TRIED if tried else _NEXT, {"without": list(without)})
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else None


async def _copied(conn: Conn, number: int) -> bool:
    """Take over what the same model answered to the same words before."""
    cursor = await conn.execute(_COPY, {"id": number, "apart": list(_APART)})
    return cursor.rowcount == 1


_KEY = r"sha256(convert_to(a.title || E'\n' || a.text, 'UTF8'))"
_REVISED = "the text was revised before it was its turn"
# What holds an answer from before keeps it; the words in `detail` tell what we withdrew ourselves
# from what somebody cancelled, which has none.
_WITHDRAW = """
UPDATE model_analysis m SET ended_at = now(), detail = %(why)s, fault = NULL, raw = '',
    state = CASE WHEN m.claims = '[]' THEN 'cancelled' ELSE 'done' END,
    lease = NULL, lease_until = NULL, reserved = 0, said = 0
"""
_KEYS = f"""
SELECT a.id, {_KEY}, EXISTS (SELECT 1 FROM model_analysis m WHERE m.article_id = a.id)
FROM article a WHERE a.id = ANY(%(ids)s)
"""  # noqa: S608 - a constant of this module
_TEXTS = "unnest(%(ids)s::bigint[], %(keys)s::bytea[]) AS k (id, text_key)"
_SUPERSEDE = f"""
{_WITHDRAW} FROM {_TEXTS}
WHERE m.article_id = k.id AND m.state = 'pending' AND m.text_key <> k.text_key
"""
_ONCE_MORE = f"""
UPDATE model_analysis m SET state = 'pending', attempts = 0, spared = 0, run_after = now(),
    asked_at = now(), asked_by = %(by)s, rank = %(rank)s, again = m.again OR %(again)s, said = 0,
    fault = NULL, detail = '', ended_at = NULL
FROM {_TEXTS} CROSS JOIN unnest(%(tasks)s::text[], %(versions)s::text[]) AS w (task, version)
WHERE m.article_id = k.id AND m.text_key = k.text_key
    AND m.task = w.task AND m.prompt_version = w.version AND m.model = %(model)s
    AND (m.state IN ('done', 'cancelled') AND m.detail <> ''
        OR %(again)s AND m.state IN ('done', 'failed', 'cancelled'))
"""  # noqa: S608 - a constant of this module
_QUEUE = f"""
INSERT INTO model_analysis AS m
    (article_id, source_id, revision, text_key, task, prompt_version, model, asked_by, rank, again)
SELECT a.id, a.source_id, a.revision, k.text_key, w.task, w.version, %(model)s, %(by)s, %(rank)s,
    %(again)s
FROM {_TEXTS} JOIN article a ON a.id = k.id
CROSS JOIN unnest(%(tasks)s::text[], %(versions)s::text[]) AS w (task, version)
WHERE a.text <> ''
ON CONFLICT (article_id, text_key, task, prompt_version, model) DO UPDATE
    SET rank = least(m.rank, excluded.rank)
RETURNING m.id
"""  # noqa: S608 - a constant of this module
_REAP = """
WITH lost AS (
    SELECT id, reserved FROM model_analysis
    WHERE state = 'running' AND lease_until < now() ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE model_analysis m SET lease = NULL, lease_until = NULL, reserved = 0, said = 0,
    prompt_tokens = m.prompt_tokens + lost.reserved,
    state = CASE WHEN m.attempts >= %(most)s THEN 'failed' ELSE 'pending' END,
    fault = %(fault)s, detail = 'the worker that had it in hand ended before the answer came',
    ended_at = CASE WHEN m.attempts >= %(most)s THEN now() END
FROM lost WHERE m.id = lost.id
RETURNING m.source_id, m.model, lost.reserved
"""
# The sources that wait, each with the models that it waits for, are found one by one along the
# index, however much each of them has.
_NEXT = """
WITH RECURSIVE waiting AS (
    (SELECT source_id, model FROM model_analysis WHERE state = 'pending'
        ORDER BY source_id, model LIMIT 1)
    UNION ALL
    SELECT f.source_id, f.model FROM waiting w CROSS JOIN LATERAL (
        SELECT m.source_id, m.model FROM model_analysis m
        WHERE m.state = 'pending' AND (m.source_id, m.model) > (w.source_id, w.model)
        ORDER BY m.source_id, m.model LIMIT 1) f
)
SELECT n.id, w.source_id
FROM waiting w LEFT JOIN model_source t ON t.source_id = w.source_id
CROSS JOIN LATERAL (
    SELECT m.id, m.rank FROM model_analysis m
    WHERE m.source_id = w.source_id AND m.model = w.model AND m.state = 'pending'
        AND m.run_after <= now()
    ORDER BY m.rank, m.id LIMIT 1) n
WHERE w.model <> ALL(%(without)s) AND (t.rest_until IS NULL OR t.rest_until <= now())
ORDER BY n.rank, t.served_at NULLS FIRST, n.id LIMIT 1
"""
# What made a server fail would make it fail once more, and hold up all the others.
_TRIED = """
SELECT m.id, m.source_id FROM model_analysis m LEFT JOIN model_source t USING (source_id)
WHERE m.state = 'pending' AND m.run_after <= now() AND m.model <> ALL(%(without)s)
    AND (t.rest_until IS NULL OR t.rest_until <= now())
ORDER BY m.attempts + m.spared, m.rank, t.served_at NULLS FIRST, m.id LIMIT 1
"""
_TEXT = f"""
SELECT m.text_key = {_KEY}, m.attempts, m.article_id, m.task, m.prompt_version, m.model,
    coalesce(a.language, ''), a.title, a.text, coalesce(s.settings->>'tlp', 'clear'),
    extract(epoch FROM now() - m.asked_at)::float8, m.spared
FROM model_analysis m JOIN article a ON a.id = m.article_id JOIN source s ON s.id = a.source_id
WHERE m.id = %(id)s
"""  # noqa: S608 - a constant of this module
_COPY = """
UPDATE model_analysis m SET state = 'done', claims = o.claims, dropped = o.dropped,
    hidden = o.hidden, repaired = o.repaired, unread = o.unread, parts = o.parts, why = o.why,
    copied_from = coalesce(o.copied_from, o.id),
    fault = NULL, detail = '', raw = '', started_at = now(), ended_at = now()
FROM (
    SELECT o.* FROM model_analysis me JOIN model_analysis o USING (text_key, task, model)
    WHERE me.id = %(id)s AND NOT me.again AND me.task <> ALL(%(apart)s)
        AND o.prompt_version = me.prompt_version AND o.state = 'done' AND o.id <> me.id
    ORDER BY o.id LIMIT 1) o
WHERE m.id = %(id)s
"""
_TAKE = """
UPDATE model_analysis SET state = 'running', attempts = least(attempts + 1, 100),
    lease = %(lease)s, lease_until = now() + make_interval(secs => %(seconds)s),
    reserved = %(reserved)s, said = 0, started_at = now(), ended_at = NULL
WHERE id = %(id)s
"""
# Two claims of one moment still have an order.
_SERVED = """
INSERT INTO model_source (source_id, served_at) VALUES (%s, clock_timestamp())
ON CONFLICT (source_id) DO UPDATE SET served_at = excluded.served_at
"""
_FINISH = """
UPDATE model_analysis SET state = 'done', claims = %(claims)s::jsonb, dropped = %(dropped)s,
    hidden = %(hidden)s, repaired = %(repaired)s, seconds = %(seconds)s,
    unread = %(unread)s, parts = %(parts)s, why = %(why)s::jsonb,
    prompt_tokens = prompt_tokens + %(prompt_tokens)s,
    answer_tokens = answer_tokens + %(answer_tokens)s, cost = cost + %(cost)s,
    fault = NULL, detail = '', raw = '', copied_from = NULL, again = false,
    lease = NULL, lease_until = NULL, reserved = 0, ended_at = now()
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
"""
_FAIL = """
UPDATE model_analysis SET state = CASE WHEN %(again)s THEN 'pending' ELSE 'failed' END,
    attempts = CASE WHEN %(refund)s THEN greatest(attempts - 1, 0) ELSE attempts END,
    spared = %(spared)s, run_after = now() + make_interval(secs => %(pause)s),
    fault = %(fault)s, detail = %(detail)s, raw = %(raw)s,
    prompt_tokens = prompt_tokens + %(prompt_tokens)s,
    answer_tokens = answer_tokens + %(answer_tokens)s, cost = cost + %(cost)s,
    lease = NULL, lease_until = NULL, reserved = 0, said = 0,
    ended_at = CASE WHEN %(again)s THEN NULL ELSE now() END
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
"""

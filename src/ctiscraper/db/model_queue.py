"""The queue of what models are asked: each source has its turn, nothing is lost, budgets hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ctiscraper.analysis.analysed import RULES, TaskName
from ctiscraper.db.model_asking import (
    LET_GO,
    REVISED,
    TEXT_KEY,
    WITHDRAW,
    Asked,
    Wanted,
    queue_texts,
)
from ctiscraper.db.model_attempts import MOST_ATTEMPTS, judged
from ctiscraper.db.model_servers import (
    OF_ALL_TEXTS,
    failed,
    has,
    is_tried,
    lacked,
    lacks,
    refused,
    rests,
    succeeded,
    try_with,
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
class Claimed:
    """A text that one holder alone asks a model about, until its lease runs out.

    `waited` are the seconds since it was asked for; `spared` is how often it was let off. `held`
    tokens are held back of the budgets for it.
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
    held: int = 0


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
    failed_parts: str = "{}"


class ModelQueue:
    """Work for models, claimed one text at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._spending = Spending(database)

    async def claim(
        self, owner: UUID, *, server: str, limits: Limits, seconds: float, reaps: bool = True
    ) -> Claimed | None:
        """Return what to ask next, None while there is nothing or none may be asked.

        Who asked himself comes first, then the source that was served longest ago. What a like
        text was answered before is taken from there; what is over its budget waits or ends. Who
        `reaps` takes back what others lost.
        """
        async with self._database.transaction() as conn:
            # One at a time, so that turns and budgets are exact; this takes milliseconds.
            await in_turn(conn)
            if reaps:
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
                    if tried:
                        await try_with(conn, server, owner)
                    return claimed
        return None

    async def look_again(self) -> None:
        """Let what waits for its budget be looked at: with this start it may be another."""
        async with self._database.transaction() as conn:
            await in_turn(conn)
            await self._spending.look_again(conn)

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
            # What needed no question tells nothing of the server.
            if spent.calls:
                await succeeded(conn, server)
                await has(conn, server, claimed.model)
            return await _ended(
                conn,
                _FINISH,
                {
                    "claims": kept.claims,
                    "dropped": kept.dropped,
                    "hidden": kept.hidden,
                    "repaired": kept.repaired,
                    "unread": kept.unread,
                    "parts": kept.parts,
                    "why": kept.why,
                    "failed_parts": kept.failed_parts,
                    "seconds": kept.seconds,
                    **_paid(claimed, spent, limits),
                },
            )

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
            well = await was_well(conn, server)
            cost = judged(
                fault,
                transient=transient,
                attempts=claimed.attempts,
                spared=claimed.spared,
                was_well=well,
            )
            if fault in _BREAKING:
                await failed(conn, server, fault, detail)
            elif transient and fault in OF_ALL_TEXTS:
                again = claimed.spared > 0 or claimed.attempts > 1
                await refused(conn, server, fault, detail, was_well=well, again=again)
            elif transient and fault is ModelFault.MODEL_MISSING:
                await lacks(conn, server, claimed.model, detail)
            elif server and spent.calls and fault is not ModelFault.TLP:
                await succeeded(conn, server)
            return await _ended(
                conn,
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

    async def pay(
        self, claimed: Claimed, spent: Spent, limits: Limits, *, counted: bool = False
    ) -> None:
        """Count what a question cost that came to no end.

        Where that may be `counted` already, as its end was cut off, it is looked at whether it is.
        """
        async with self._database.transaction() as conn:
            if counted and not await _is_unpaid(conn, claimed):
                return
            await self._spending.add(conn, claimed.source_id, claimed.model, spent, limits)
            await conn.execute(_PAY, _paid(claimed, spent, limits))

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
                f"{WITHDRAW} WHERE m.id = %(id)s AND m.lease = %(lease)s AND m.state = 'running'"
                " RETURNING m.asked_by, m.rank, m.again",
                {"id": claimed.id, "lease": claimed.lease, "held": claimed.held, "why": why},
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
                _GIVE_BACK,
                {
                    "id": claimed.id,
                    "lease": claimed.lease,
                    "held": claimed.held,
                    "pause": pause,
                },
            )
        return cursor.rowcount == 1

    async def _reap(self, conn: Conn, limits: Limits) -> None:
        """Take back what its holders lost; what they may have spent counts as spent."""
        await self._spending.reap(conn, limits)
        values = {"most": MOST_ATTEMPTS, "fault": ModelFault.LOST}
        for statement in (_REAP, _REAP_CANCELLED):
            cursor = await conn.execute(statement, values)
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
            values = {"id": number, "held": 0, "why": REVISED}
            await conn.execute(f"{WITHDRAW} WHERE m.id = %(id)s", values)
            return None
        if await _copied(conn, number):
            return None
        estimate = limits.estimate(found[3], found[7], found[8])
        over = await self._spending.over(conn, found[2], source_id, estimate, limits)
        if over is not None:
            await over.settle(conn, number, source_id)
            return None
        await conn.execute(
            _TAKE, {"id": number, "lease": owner, "seconds": seconds, "held": estimate}
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
            held=estimate,
        )


async def _ended(conn: Conn, statement: str, values: Mapping[str, object]) -> bool:
    """Return whether it was ours to end; what was spent on another's is paid for all the same."""
    cursor = await conn.execute(statement, values)
    if cursor.rowcount == 0:
        await conn.execute(_PAY, values)
    return cursor.rowcount == 1


async def _is_unpaid(conn: Conn, claimed: Claimed) -> bool:
    """Whether something is held back for a question yet, by us or of what somebody cancelled."""
    cursor = await conn.execute(_UNPAID, {"id": claimed.id, "lease": claimed.lease})
    return cursor.rowcount == 1


def _paid(claimed: Claimed, spent: Spent, limits: Limits) -> dict[str, object]:
    return {
        "id": claimed.id,
        "lease": claimed.lease,
        "held": claimed.held,
        # The budget of an article has to know what an answer that never came may have cost.
        "prompt_tokens": spent.prompt_tokens + spent.estimated,
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


# Those that were lost together twice go apart, so that one that ends its worker ends it alone.
_REAP = """
WITH lost AS (
    SELECT id, reserved FROM model_analysis
    WHERE state = 'running' AND lease_until < now() ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE model_analysis m SET lease = NULL, lease_until = NULL, reserved = 0, said = 0,
    prompt_tokens = m.prompt_tokens + lost.reserved,
    run_after = CASE WHEN m.attempts < 2 THEN now()
        ELSE now() + make_interval(secs => 30 * 4 ^ (m.attempts - 2) * (0.5 + random())) END,
    state = CASE WHEN m.attempts >= %(most)s THEN 'failed' ELSE 'pending' END,
    fault = %(fault)s, detail = 'the worker that had it in hand ended before the answer came',
    ended_at = CASE WHEN m.attempts >= %(most)s THEN now() END
FROM lost WHERE m.id = lost.id
RETURNING m.source_id, m.model, lost.reserved
"""
_REAP_CANCELLED = """
WITH lost AS (
    SELECT id, reserved FROM model_analysis
    WHERE reserved > 0 AND state <> 'running' AND lease_until < now()
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE model_analysis m SET reserved = 0, prompt_tokens = m.prompt_tokens + lost.reserved
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
SELECT m.text_key = {TEXT_KEY}, m.attempts, m.article_id, m.task, m.prompt_version, m.model,
    coalesce(a.language, ''), a.title, a.text, coalesce(s.settings->>'tlp', 'clear'),
    extract(epoch FROM now() - m.asked_at)::float8, m.spared
FROM model_analysis m JOIN article a ON a.id = m.article_id JOIN source s ON s.id = a.source_id
WHERE m.id = %(id)s
"""  # noqa: S608 - a constant of this module
_COPY = """
UPDATE model_analysis m SET state = 'done', claims = o.claims, dropped = o.dropped,
    hidden = o.hidden, repaired = o.repaired, unread = o.unread, parts = o.parts, why = o.why,
    failed_parts = o.failed_parts, copied_from = coalesce(o.copied_from, o.id),
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
    reserved = reserved + %(held)s, said = 0, started_at = now(), ended_at = NULL
WHERE id = %(id)s
"""
# Two claims of one moment still have an order.
_SERVED = """
INSERT INTO model_source (source_id, served_at) VALUES (%s, clock_timestamp())
ON CONFLICT (source_id) DO UPDATE SET served_at = excluded.served_at
"""
_FINISH = f"""
UPDATE model_analysis SET state = 'done', claims = %(claims)s::jsonb, dropped = %(dropped)s,
    hidden = %(hidden)s, repaired = %(repaired)s, seconds = %(seconds)s,
    unread = %(unread)s, parts = %(parts)s, why = %(why)s::jsonb,
    failed_parts = %(failed_parts)s::jsonb,
    prompt_tokens = prompt_tokens + %(prompt_tokens)s,
    answer_tokens = answer_tokens + %(answer_tokens)s, cost = cost + %(cost)s,
    fault = NULL, detail = '', raw = '', copied_from = NULL, again = false,
    ended_at = now(), {LET_GO}
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
"""  # noqa: S608 - a constant of this module
_GIVE_BACK = f"""
UPDATE model_analysis SET state = 'pending', attempts = greatest(attempts - 1, 0), said = 0,
    run_after = now() + make_interval(secs => %(pause)s), {LET_GO}
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
"""  # noqa: S608 - a constant of this module
# Where it is asked once more meanwhile, what is held back for that is as much, and stays.
_PAY = """
UPDATE model_analysis SET prompt_tokens = prompt_tokens + %(prompt_tokens)s,
    answer_tokens = answer_tokens + %(answer_tokens)s, cost = cost + %(cost)s,
    reserved = CASE WHEN state <> 'running' THEN greatest(reserved - %(held)s, 0)
        WHEN lease = %(lease)s THEN reserved
        ELSE greatest(reserved - %(held)s, least(reserved, %(held)s)) END
WHERE id = %(id)s
"""
# Whoever is about to end it is waited for.
_UNPAID = """
SELECT 1 FROM model_analysis
WHERE id = %(id)s AND CASE WHEN state = 'running' THEN lease = %(lease)s ELSE reserved > 0 END
FOR UPDATE
"""
_FAIL = f"""
UPDATE model_analysis SET state = CASE WHEN %(again)s THEN 'pending' ELSE 'failed' END,
    attempts = CASE WHEN %(refund)s THEN greatest(attempts - 1, 0) ELSE attempts END,
    spared = %(spared)s, run_after = now() + make_interval(secs => %(pause)s),
    fault = %(fault)s, detail = %(detail)s, raw = %(raw)s,
    prompt_tokens = prompt_tokens + %(prompt_tokens)s,
    answer_tokens = answer_tokens + %(answer_tokens)s, cost = cost + %(cost)s,
    said = 0, ended_at = CASE WHEN %(again)s THEN NULL ELSE now() END, {LET_GO}
WHERE id = %(id)s AND lease = %(lease)s AND state = 'running'
"""  # noqa: S608 - a constant of this module

"""What models cost: tokens by day, source and model, held against budgets, in money by prices."""

from dataclasses import dataclass, replace

from ctiscraper.analysis.analysed import RULES, TaskName
from ctiscraper.analysis.bounds import most_tokens
from ctiscraper.db.session import Conn, Database
from ctiscraper.detect.prompting import most_tokens as rule_tokens
from ctiscraper.errors import ModelFault

MILLION = 1_000_000
# Questions of people and vectors of all texts are of no source.
_NO_SOURCE = 0
# What is held back by others is spent, or free again, within about this time.
SOON_SECONDS = 30.0
_LOCK_KEY = 0x6D6F646C


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What asking cost; `estimated` tokens are those of an answer that nobody saw end."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    calls: int = 0
    estimated: int = 0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.answer_tokens + self.estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets in tokens, 0 for none, and the prices of a million tokens given and answered.

    `context` is how many tokens a question may have with its answer.
    """

    article: int = 0
    source: int = 0
    day: int = 0
    price_in: float = 0.0
    price_out: float = 0.0
    context: int = 8192

    def estimate(self, task: str, title: str, text: str) -> int:
        """Return how many tokens a task takes of an article at the most.

        Nothing of what a newer version of this program asks: it is not asked by this one.
        """
        if task == RULES:
            return rule_tokens(title, text, self.context)
        if task not in set(TaskName):
            return 0
        return most_tokens(TaskName(task), title, text, self.context)

    def cost(self, spent: Spent) -> float:
        """Return what was spent in money."""
        given = spent.prompt_tokens + spent.estimated
        return (given * self.price_in + spent.answer_tokens * self.price_out) / MILLION


@dataclass(frozen=True, slots=True)
class Over:
    """A budget that asking would exceed: `today` it may be within it again tomorrow.

    And `soon`, where it is exceeded only by what is held back for questions under way.
    """

    detail: str
    today: bool
    of_source: bool = False
    soon: bool = False

    async def settle(self, conn: Conn, analysis_id: int, source_id: int) -> None:
        """Let an analysis wait for others or for tomorrow, then with its source, or end it."""
        if self.soon:
            await conn.execute(_SOON, (SOON_SECONDS, analysis_id))
            return
        await conn.execute(
            """
            UPDATE model_analysis SET fault = %(fault)s, detail = %(detail)s,
                state = CASE WHEN %(today)s THEN 'pending' ELSE 'failed' END,
                run_after = CASE WHEN %(today)s THEN current_date + 1 ELSE run_after END,
                ended_at = CASE WHEN %(today)s THEN NULL ELSE now() END
            WHERE id = %(id)s
            """,
            {
                "id": analysis_id,
                "fault": ModelFault.OVER_BUDGET.value,
                "detail": self.detail,
                "today": self.today,
            },
        )
        if self.today and self.of_source:
            await conn.execute(
                """
                INSERT INTO model_source (source_id, rest_until) VALUES (%s, current_date + 1)
                ON CONFLICT (source_id) DO UPDATE SET rest_until = excluded.rest_until
                """,
                (source_id,),
            )


@dataclass(frozen=True, slots=True)
class Reserved:
    """Tokens that are held back for a question under way; without a number none had to be."""

    number: int | None


async def in_turn(conn: Conn) -> None:
    """Return when no other looks at budgets, until this transaction ends: milliseconds."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))


class Spending:
    """The meter, and whether a budget allows more. Days are those of UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, conn: Conn, source_id: int, model: str, spent: Spent, limits: Limits
    ) -> None:
        """Count what was spent, today."""
        if not spent.tokens and not spent.calls:
            return
        await conn.execute(
            _ADD,
            {
                "source": source_id,
                "model": model,
                "calls": spent.calls,
                "given": spent.prompt_tokens,
                "answered": spent.answer_tokens,
                "estimated": spent.estimated,
                "cost": limits.cost(spent),
            },
        )

    async def pay(self, model: str, spent: Spent, limits: Limits) -> None:
        """Count, today, what was spent for no source."""
        async with self._database.transaction() as conn:
            await self.add(conn, _NO_SOURCE, model, spent, limits)

    async def reserve(
        self, model: str, estimate: int, limits: Limits, *, seconds: float
    ) -> Reserved | Over:
        """Hold back, of today's budget, what a question for no source may cost at the most.

        Or return the budget that it would exceed. What is not settled within `seconds`, by a
        process that ended, counts as spent from then on.
        """
        if not limits.day:
            return Reserved(None)
        async with self._database.transaction() as conn:
            await in_turn(conn)
            await self.reap(conn, limits)
            of_day = replace(limits, article=0, source=0)
            over = await self.over(conn, 0, _NO_SOURCE, estimate, of_day)
            if over is not None:
                return over
            cursor = await conn.execute(_RESERVE, (model, estimate, seconds))
            row = await cursor.fetchone()
        assert row is not None, "an insert that returns"
        return Reserved(int(row[0]))

    async def settle(self, reserved: Reserved, model: str, spent: Spent, limits: Limits) -> None:
        """Count, today, what was spent for no source, in place of what was held back for it."""
        async with self._database.transaction() as conn:
            if reserved.number is not None:
                await conn.execute("DELETE FROM model_reserved WHERE id = %s", (reserved.number,))
            await self.add(conn, _NO_SOURCE, model, spent, limits)

    async def reap(self, conn: Conn, limits: Limits) -> None:
        """Count as spent what was held back by processes that ended."""
        cursor = await conn.execute(_LOST)
        for model, tokens in await cursor.fetchall():
            await self.add(conn, _NO_SOURCE, model, Spent(estimated=tokens), limits)

    async def look_again(self, conn: Conn) -> None:
        """Let nothing wait for tomorrow that was over a budget: budgets may be others by now."""
        await conn.execute(_LOOK_AGAIN, (ModelFault.OVER_BUDGET.value,))
        await conn.execute("UPDATE model_source SET rest_until = NULL WHERE rest_until > now()")

    async def day_is_over(self, conn: Conn, limits: Limits) -> bool:
        """Return whether nothing more may be spent today."""
        return bool(limits.day) and sum(await _spent_today(conn)) >= limits.day

    async def over(
        self, conn: Conn, article_id: int, source_id: int, estimate: int, limits: Limits
    ) -> Over | None:
        """Return the budget that one more question would exceed, if there is one."""
        if limits.article:
            spent, held = await _spent_on(conn, article_id)
            if spent + held + estimate > limits.article:
                words = _words("article", spent + held, estimate, limits.article)
                return Over(words, today=False, soon=spent + estimate <= limits.article)
        for of_source, most in ((True, limits.source), (False, limits.day)):
            if not most:
                continue
            spent, held = await _spent_today(conn, source_id if of_source else None)
            if spent + held + estimate > most:
                words = _words("source" if of_source else "day", spent + held, estimate, most)
                # What is larger than a whole day's budget would wait for ever.
                fits = estimate <= most
                return Over(words, fits, of_source and fits, soon=spent + estimate <= most)
        return None


_WHOSE = {"article": "for this article", "source": "for its source today", "day": "for today"}


def _words(whose: str, spent: int, estimate: int, most: int) -> str:
    return (
        f"{spent:,} of {most:,} tokens {_WHOSE[whose]} (CTISCRAPER_MODEL_{whose.upper()}_TOKENS)"
        f" are spent or held back, and this may take {estimate:,}"
    )


async def _spent_on(conn: Conn, article_id: int) -> tuple[int, int]:
    """Return what was spent on an article, and what is held back for it."""
    cursor = await conn.execute(
        """
        SELECT coalesce(sum(prompt_tokens + answer_tokens), 0)::bigint,
            coalesce(sum(reserved), 0)::bigint
        FROM model_analysis WHERE article_id = %s
        """,
        (article_id,),
    )
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def _spent_today(conn: Conn, source_id: int | None = None) -> tuple[int, int]:
    """Return what was spent today, and what is held back."""
    cursor = await conn.execute(_TODAY, {"source": source_id})
    row = await cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


_ADD = """
INSERT INTO model_spent AS s
    (day, source_id, model, calls, prompt_tokens, answer_tokens, estimated, cost)
VALUES (current_date, %(source)s, %(model)s, %(calls)s, %(given)s, %(answered)s, %(estimated)s,
    %(cost)s)
ON CONFLICT (day, source_id, model) DO UPDATE SET calls = s.calls + excluded.calls,
    prompt_tokens = s.prompt_tokens + excluded.prompt_tokens,
    answer_tokens = s.answer_tokens + excluded.answer_tokens,
    estimated = s.estimated + excluded.estimated, cost = s.cost + excluded.cost
"""
_TODAY = """
SELECT (SELECT coalesce(sum(prompt_tokens + answer_tokens + estimated), 0) FROM model_spent
        WHERE day = current_date AND (%(source)s::bigint IS NULL OR source_id = %(source)s)),
    (SELECT coalesce(sum(reserved), 0) FROM model_analysis
        WHERE reserved > 0 AND (%(source)s::bigint IS NULL OR source_id = %(source)s))
    + (SELECT coalesce(sum(tokens), 0) FROM model_reserved WHERE %(source)s::bigint IS NULL)
"""
_RESERVE = """
INSERT INTO model_reserved (model, tokens, held_until)
VALUES (%s, %s, now() + make_interval(secs => %s)) RETURNING id
"""
_SOON = """
UPDATE model_analysis SET run_after = now() + make_interval(secs => %s) WHERE id = %s
"""
_LOOK_AGAIN = """
UPDATE model_analysis SET run_after = now()
WHERE state = 'pending' AND fault = %s AND run_after > now()
"""
_LOST = "DELETE FROM model_reserved WHERE held_until < now() RETURNING model, tokens"

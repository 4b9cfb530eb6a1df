"""What models said of articles, as people read it: asked for, cancelled, asked again, judged."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import TupleRow

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.model_asking import Asked, Wanted, queue_texts
from ctiscraper.db.model_servers import Standing, standing
from ctiscraper.db.model_spending import Limits, Spending
from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import ConflictError, ModelFault, NotFoundError
from ctiscraper.fault_words import advice_on
from ctiscraper.model_views import (
    AnalysisPage,
    AnalysisRow,
    AnalysisState,
    AnalysisView,
    ClaimView,
    QuoteView,
    Waits,
)

_OPEN = (AnalysisState.PENDING, AnalysisState.RUNNING)


class Analyses:
    """Every analysis there is. `limits` tell what waits for a budget, `server` whose rest counts.

    `actor` is whose own thumbs are told apart.
    """

    def __init__(
        self, database: Database, *, server: str = "", limits: Limits | None = None
    ) -> None:
        self._database = database
        self._server = server
        self._limits = limits or Limits()

    async def of_article(self, article_id: int, *, actor: str = "") -> tuple[AnalysisView, ...]:
        """Return what was ever asked about an article: of its present text first, by task.

        Raises NotFoundError.
        """
        async with self._database.connection() as conn:
            await _article(conn, article_id)
            where = "m.article_id = %(article)s"
            rows = await self._rows(conn, where, {"article": article_id, "actor": actor})
        views = [row.analysis for row in rows]
        return tuple(sorted(views, key=_order))

    async def get(self, analysis_id: int, *, actor: str = "") -> AnalysisRow:
        """Return one, with what the model answered where that could not be used.

        Raises NotFoundError.
        """
        async with self._database.connection() as conn:
            rows = await self._rows(conn, "m.id = %(id)s", {"id": analysis_id, "actor": actor})
        if not rows:
            raise NotFoundError(f"there is no analysis {analysis_id}")
        return rows[0]

    async def page(
        self, *, state: AnalysisState | None = None, cursor: str | None = None, limit: int = 50
    ) -> AnalysisPage:
        """Return a page, the newest first, whenever each was asked last. Raises CursorError."""
        values: dict[str, object] = {
            "after": from_cursor(cursor).id if cursor else None,
            "state": state.value if state else None,
            "limit": limit + 1,
            "actor": "",
        }
        where = (
            "(%(after)s::bigint IS NULL OR m.id < %(after)s)"
            " AND (%(state)s::text IS NULL OR m.state = %(state)s)"
        )
        async with self._database.connection() as conn:
            rows = await self._rows(conn, where, values, "LIMIT %(limit)s")
        more = len(rows) > limit
        shown = tuple(rows[:limit])
        last = shown[-1].analysis if more else None
        following = to_cursor(Position(last.asked_at, last.id)) if last else None
        return AnalysisPage(analyses=shown, next=following)

    async def ask(
        self, article_id: int, wanted: Wanted, *, actor: str, again: bool = False
    ) -> tuple[int, ...]:
        """Have a model asked about an article before what waits by itself; return the numbers.

        What has an answer keeps it, unless `again`; what failed or was cancelled is asked anew.
        Raises NotFoundError and ConflictError, for an article without a text.
        """
        async with self._database.transaction() as conn:
            if not await _article(conn, article_id):
                raise ConflictError(f"article {article_id} has no text that a model could read")
            asked = Asked(by=actor, rank=0)
            numbers = await queue_texts(conn, [article_id], wanted, asked)
            ended = _ENDED if again else _UNANSWERED
            await conn.execute(f"{_ANEW} WHERE id = ANY(%(ids)s) {ended}", {
                "ids": numbers, "actor": actor,
            })  # fmt: skip
        return tuple(numbers)

    async def cancel(self, analysis_id: int) -> None:
        """Ask no more; what has ended stays. Raises NotFoundError and ConflictError."""
        await self._change(
            analysis_id,
            f"{_CANCEL} WHERE id = %(id)s AND state IN ('pending', 'running')",
            "has ended already",
        )

    async def cancel_all(self) -> int:
        """Ask nothing more that waits or runs; return how many that were."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(f"{_CANCEL} WHERE state IN ('pending', 'running')")
        return cursor.rowcount

    async def retry(self, analysis_id: int, *, actor: str) -> None:
        """Ask once more, as if it had not been. Raises NotFoundError and ConflictError."""
        await self._change(
            analysis_id,
            f"{_ANEW} WHERE id = %(id)s {_ENDED}",
            "waits already",
            actor=actor,
        )

    async def retry_all(self, fault: ModelFault | None = None) -> int:
        """Ask once more what failed, with that fault or whatever it was; return how many.

        They keep their place behind what people ask one by one.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(_FAILED_ANEW, {"fault": fault.value if fault else None})
        return cursor.rowcount

    async def judge(
        self,
        analysis_id: int,
        number: int,
        *,
        good: bool | None,
        actor: str,
        note: str = "",
        seen: str = "",
    ) -> Mapping[str, object]:
        """Keep what somebody thinks of a claim, None to take it back; return the claim.

        An answer that is asked for again is judged for as long as it is shown; `seen` are the words
        of the claim that was read, where they are known. Raises NotFoundError, and ConflictError
        where another answer has taken its place.
        """
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                "SELECT claims->(%s - 1) FROM model_analysis WHERE id = %s",
                (number, analysis_id),
            )
            row = await cursor.fetchone()
            claim = row[0] if row else None
            if claim is None or number < 1:
                raise NotFoundError(f"analysis {analysis_id} has no claim {number}")
            if seen not in {"", claim["text"]}:
                raise ConflictError(
                    f"analysis {analysis_id} was answered anew meanwhile, and its claim {number} is"
                    " another: look at it and judge that"
                )
            values = {
                "analysis": analysis_id,
                "key": claim_key(claim),
                "claim": json.dumps(claim),
                "good": good,
                "note": note[:2000],
                "actor": actor,
            }
            await conn.execute(_FORGET if good is None else _JUDGE, values)
        found: Mapping[str, object] = claim
        return found

    async def _change(
        self, analysis_id: int, statement: str, otherwise: str, **values: object
    ) -> None:
        async with self._database.transaction() as conn:
            cursor = await conn.execute(statement, {"id": analysis_id, **values})
            if cursor.rowcount:
                return
            cursor = await conn.execute(
                "SELECT 1 FROM model_analysis WHERE id = %s", (analysis_id,)
            )
            if await cursor.fetchone() is None:
                raise NotFoundError(f"there is no analysis {analysis_id}")
            raise ConflictError(f"analysis {analysis_id} {otherwise}")

    async def _rows(
        self, conn: Conn, where: str, values: Mapping[str, object], tail: str = ""
    ) -> list[AnalysisRow]:
        cursor = await conn.execute(
            f"{_SELECT} WHERE {where} ORDER BY m.id DESC {tail}",
            values,
        )
        rows = await cursor.fetchall()
        thumbs = await _thumbs(conn, [row[0] for row in rows], str(values["actor"]))
        day_over = await Spending(self._database).day_is_over(conn, self._limits)
        server = await standing(conn, self._server)
        return [_row(row, thumbs, server, day_over=day_over) for row in rows]


_TASKS = tuple(task.value for task in TaskName)


def _order(one: AnalysisView) -> tuple[bool, int, str, int]:
    place = _TASKS.index(one.task) if one.task in _TASKS else len(_TASKS)
    return not one.current, place, one.model, -one.id


Thumbs = Mapping[tuple[int, bytes], tuple[int, int, bool | None]]


def claim_key(claim: Mapping[str, Any]) -> bytes:
    """Return what tells a claim from the others of its analysis, also after it was asked again."""
    fields = sorted((claim.get("fields") or {}).items())
    return hashlib.sha256(json.dumps([claim["text"], fields]).encode()).digest()


async def _thumbs(conn: Conn, numbers: Sequence[int], actor: str) -> Thumbs:
    cursor = await conn.execute(
        """
        SELECT analysis_id, claim_key, count(*) FILTER (WHERE good),
            count(*) FILTER (WHERE NOT good), bool_or(good) FILTER (WHERE actor = %s)
        FROM model_feedback WHERE analysis_id = ANY(%s) GROUP BY 1, 2
        """,
        (actor, list(numbers)),
    )
    return {(row[0], bytes(row[1])): (row[2], row[3], row[4]) for row in await cursor.fetchall()}


async def _article(conn: Conn, article_id: int) -> bool:
    """Return whether an article has a text. Raises NotFoundError."""
    cursor = await conn.execute("SELECT text <> '' FROM article WHERE id = %s", (article_id,))
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no article {article_id}")
    return bool(row[0])


def _row(row: TupleRow, thumbs: Thumbs, server: Standing, *, day_over: bool) -> AnalysisRow:
    state = AnalysisState(row[7])
    later = row[11] if state is AnalysisState.PENDING else None
    fault, detail = ModelFault(row[13]) if row[13] else None, row[14]
    server = server.of(row[5])
    waits = _waits(state, row[29], server.rests, later, day_over=day_over)
    if waits is Waits.SERVER and server.fault is not None:
        fault, detail = server.fault, server.detail
    view = AnalysisView(
        id=row[0],
        article_id=row[1],
        revision=row[2],
        current=row[3],
        task=row[4],
        model=row[5],
        prompt_version=row[6],
        state=state,
        asked_by=row[8],
        asked_at=row[9],
        started_at=row[10],
        again_at=later,
        ended_at=row[12],
        fault=fault,
        advice=advice_on(fault, waits=state is AnalysisState.PENDING),
        detail=detail,
        attempts=row[15],
        said=row[16],
        claims=tuple(_claim(row[0], n, one, thumbs) for n, one in enumerate(row[17], 1)),
        dropped=row[18],
        hidden=row[19],
        unread=row[31],
        parts=row[32],
        why=row[33],
        failed_parts=row[34],
        repaired=row[20],
        prompt_tokens=row[21],
        answer_tokens=row[22],
        seconds=row[23],
        cost=row[24],
        copied_from=row[25],
        raw=row[26],
        waits=waits,
    )
    return AnalysisRow(
        analysis=view, title=row[27], source_key=row[28], source_name=row[30] or row[28]
    )


def _waits(
    state: AnalysisState,
    source_rests: bool,
    server_rests: bool,
    later: datetime | None,
    *,
    day_over: bool,
) -> Waits | None:
    if state is not AnalysisState.PENDING:
        return None
    if source_rests:
        return Waits.SOURCE_BUDGET
    if day_over:
        return Waits.DAY_BUDGET
    if server_rests:
        return Waits.SERVER
    return Waits.LATER if later else None


def _claim(analysis_id: int, number: int, claim: Mapping[str, Any], thumbs: Thumbs) -> ClaimView:
    good, bad, mine = thumbs.get((analysis_id, claim_key(claim)), (0, 0, None))
    return ClaimView(
        number=number,
        text=claim["text"],
        quotes=tuple(QuoteView(**quote) for quote in claim["quotes"]),
        fields=claim.get("fields") or {},
        good=good,
        bad=bad,
        mine=mine,
    )


_SELECT = r"""
SELECT m.id, m.article_id, m.revision,
    m.text_key = sha256(convert_to(a.title || E'\n' || a.text, 'UTF8')),
    m.task, m.model, m.prompt_version, m.state, m.asked_by, m.asked_at, m.started_at,
    CASE WHEN m.run_after > now() THEN m.run_after END, m.ended_at, m.fault, m.detail, m.attempts,
    m.said, m.claims, m.dropped, m.hidden, m.repaired, m.prompt_tokens, m.answer_tokens, m.seconds,
    m.cost, m.copied_from, m.raw, a.title, s.key,
    coalesce((SELECT t.rest_until > now() FROM model_source t
        WHERE t.source_id = m.source_id), false),
    s.settings->>'name', m.unread, m.parts, m.why, m.failed_parts
FROM model_analysis m JOIN article a ON a.id = m.article_id JOIN source s ON s.id = a.source_id
"""
# What is held back for a question under way stays so until that is paid, or its lease is over.
_CANCEL = """
UPDATE model_analysis SET state = 'cancelled', lease = NULL, ended_at = now(), detail = ''
"""
_ENDED = "AND state IN ('done', 'failed', 'cancelled')"
_UNANSWERED = "AND state IN ('failed', 'cancelled')"
_ANEW = """
UPDATE model_analysis SET state = 'pending', rank = 0, again = true, attempts = 0,
    spared = 0, run_after = now(), asked_by = %(actor)s, asked_at = now(), said = 0, fault = NULL,
    detail = '', ended_at = NULL
"""
_FAILED_ANEW = """
UPDATE model_analysis SET state = 'pending', attempts = 0, spared = 0, run_after = now(),
    asked_at = now(), said = 0, fault = NULL, detail = '', ended_at = NULL
WHERE state = 'failed' AND (%(fault)s::text IS NULL OR coalesce(fault, 'lost') = %(fault)s)
"""
_JUDGE = """
INSERT INTO model_feedback AS f (analysis_id, claim_key, claim, good, note, actor)
VALUES (%(analysis)s, %(key)s, %(claim)s::jsonb, %(good)s, %(note)s, %(actor)s)
ON CONFLICT (analysis_id, claim_key, actor) DO UPDATE
    SET good = excluded.good, note = excluded.note, made_at = now()
"""
_FORGET = """
DELETE FROM model_feedback
WHERE analysis_id = %(analysis)s AND claim_key = %(key)s AND actor = %(actor)s
"""

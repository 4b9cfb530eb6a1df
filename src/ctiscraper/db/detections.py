"""Drafts of detections, and every text that each of them had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from psycopg.rows import TupleRow

from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Conn, Database
from ctiscraper.detect.drafted import (
    Checked,
    Draft,
    DraftState,
    Event,
    Grade,
    Origin,
    Quotation,
)
from ctiscraper.detect.stored import (
    Detection,
    DetectionPage,
    DetectionSummary,
    DetectionVersion,
    DraftedFrom,
)
from ctiscraper.errors import ConflictError, NotFoundError, StaleError

LIMIT_MOST = 200
EXPORT_MOST = 5_000
"""How many accepted rules one archive has at most."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUMMARY = """
    d.id, a.id, a.title, a.url, d.rule_id::text, d.title, d.origin, d.model, d.state, d.level,
    d.category, d.product, d.techniques, d.grade, d.is_valid, d.positives, d.matched,
    d.benign_matched, d.version, d.made_at, d.edited_at, d.edited_by, d.decided_at, d.decided_by
"""
_LIST = f"""
    SELECT {_SUMMARY} FROM detection d JOIN article a ON a.id = d.article_id
    WHERE (%(article)s::bigint IS NULL OR d.article_id = %(article)s)
        AND (%(state)s::text IS NULL OR d.state = %(state)s)
        AND (%(origin)s::text IS NULL OR d.origin = %(origin)s)
        AND (%(level)s::text IS NULL OR d.level = %(level)s)
        AND (%(grade)s::text IS NULL OR d.grade = %(grade)s)
        AND (%(category)s::text IS NULL OR d.category = %(category)s)
        AND (%(technique)s::text IS NULL OR %(technique)s = ANY (d.techniques))
        AND (%(before)s::bigint IS NULL OR d.id < %(before)s)
    ORDER BY d.id DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant
_FACTS = """
    title = %(title)s, level = %(level)s, category = %(category)s, product = %(product)s,
    techniques = %(techniques)s, grade = %(grade)s, is_valid = %(is_valid)s,
    positives = %(positives)s, matched = %(matched)s, benign_matched = %(benign_matched)s,
    checked = %(checked)s
"""
_INSERT = """
    INSERT INTO detection (article_id, revision, rule_id, origin, model, prompt, title, level,
        category, product, techniques, grade, is_valid, positives, matched, benign_matched,
        evidence, events, checked)
    VALUES (%(article)s, %(revision)s, %(rule_id)s, %(origin)s, %(model)s, %(prompt)s, %(title)s,
        %(level)s, %(category)s, %(product)s, %(techniques)s, %(grade)s, %(is_valid)s,
        %(positives)s, %(matched)s, %(benign_matched)s, %(evidence)s, %(events)s, %(checked)s)
    ON CONFLICT (article_id, rule_id) DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionQuery:
    """What a list of drafts is narrowed to; None leaves that side open."""

    article: int | None = None
    state: DraftState | None = None
    origin: Origin | None = None
    level: str | None = None
    grade: Grade | None = None
    category: str | None = None
    technique: str | None = None


class DetectionDrafts:
    """The drafts of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, query: DetectionQuery, *, cursor: str | None = None, limit: int = 50
    ) -> DetectionPage:
        """Return drafts, the newest first, `limit` (1 to 200) from `cursor` on.

        Raises CursorError.
        """
        limit = max(1, min(limit, LIMIT_MOST))
        before = None if cursor is None else from_cursor(cursor).id
        found = await self._list(query, before=before, limit=limit + 1)
        more = len(found) > limit
        found = found[:limit]
        return DetectionPage(
            detections=tuple(found),
            next=to_cursor(Position(_EPOCH, found[-1].id)) if more else None,
        )

    async def of_article(self, article_id: int) -> tuple[DetectionSummary, ...]:
        """Return the drafts of an article, in the order in which they were drafted."""
        found = await self._list(DetectionQuery(article=article_id), before=None, limit=LIMIT_MOST)
        return tuple(reversed(found))

    async def _list(
        self, query: DetectionQuery, *, before: int | None, limit: int
    ) -> list[DetectionSummary]:
        values = {
            "article": query.article,
            "state": query.state,
            "origin": query.origin,
            "level": query.level,
            "grade": query.grade,
            "category": query.category,
            "technique": query.technique,
            "before": before,
            "limit": limit,
        }
        async with self._database.connection() as conn:
            cursor = await conn.execute(_LIST, values)
            return [_to_summary(row) for row in await cursor.fetchall()]

    async def get(self, number: int) -> Detection:
        """Return one draft with all that is known of it. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            return await _get(conn, number)

    async def accepted(self, query: DetectionQuery) -> list[tuple[DetectionSummary, str]]:
        """Return the accepted drafts that a list has, each with its text as it is now."""
        wanted = DetectionQuery(
            article=query.article,
            state=DraftState.ACCEPTED,
            origin=query.origin,
            level=query.level,
            grade=query.grade,
            category=query.category,
            technique=query.technique,
        )
        found = await self._list(wanted, before=None, limit=EXPORT_MOST)
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT v.detection_id, v.yaml FROM detection_version v
                JOIN detection d ON d.id = v.detection_id AND d.version = v.number
                WHERE d.id = ANY (%s)
                """,
                ([one.id for one in found],),
            )
            texts: dict[int, str] = dict(await cursor.fetchall())
        return [(one, texts[one.id]) for one in found if one.id in texts]

    async def keep(
        self,
        article_id: int,
        revision: int,
        drafts: Sequence[tuple[Draft, Checked]],
        *,
        by: str,
    ) -> int:
        """Return how many of these drafts are new; those that are known stay as people left them.

        What templates drafted before, do not draft any more and nobody touched is forgotten.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                "SELECT 1 FROM article WHERE id = %s FOR NO KEY UPDATE", (article_id,)
            )
            await conn.execute(
                """
                DELETE FROM detection WHERE article_id = %s AND origin = 'template'
                    AND state = 'draft' AND version = 1 AND rule_id <> ALL (%s::uuid[])
                """,
                (
                    article_id,
                    [draft.rule_id for draft, _ in drafts if draft.origin is Origin.TEMPLATE],
                ),
            )
            added = 0
            for draft, checked in drafts:
                added += await _insert(conn, (article_id, revision), draft, checked, by=by)
            return added

    async def add(
        self, article_id: int, revision: int, draft: Draft, checked: Checked, *, by: str
    ) -> bool:
        """Return whether a draft was added; False where the article has it already."""
        async with self._database.transaction() as conn:
            return await _insert(conn, (article_id, revision), draft, checked, by=by)

    async def edit(
        self, number: int, yaml: str, checked: Checked, *, version: int, by: str
    ) -> Detection:
        """Return a draft with another text, if it is still the version that was read.

        What was decided of the text before does not hold for this one. Raises NotFoundError and
        StaleError.
        """
        async with self._database.transaction() as conn:
            await _hold(conn, number, version)
            await conn.execute(
                f"""
                UPDATE detection SET {_FACTS}, version = version + 1, edited_at = now(),
                    edited_by = %(by)s, state = 'draft', decided_at = NULL, decided_by = ''
                WHERE id = %(id)s
                """,  # noqa: S608 - a constant
                {"id": number, "by": by, **_facts(checked)},
            )
            await conn.execute(
                """
                INSERT INTO detection_version (detection_id, number, yaml, made_by)
                VALUES (%s, %s, %s, %s)
                """,
                (number, version + 1, yaml, by),
            )
            return await _get(conn, number)

    async def decide(self, number: int, state: DraftState, *, version: int, by: str) -> Detection:
        """Return a draft of which this was decided.

        Raises NotFoundError, StaleError, and ConflictError for one that is not fit to be accepted.
        """
        async with self._database.transaction() as conn:
            await _hold(conn, number, version)
            before = await _get(conn, number)
            if state is DraftState.ACCEPTED and not _is_fit(before.summary):
                raise ConflictError(
                    "only a valid rule is accepted that matches what the article shows and "
                    "nothing ordinary: mend it first"
                )
            await conn.execute(
                """
                UPDATE detection SET state = %(state)s,
                    decided_at = CASE WHEN %(state)s = 'draft' THEN NULL ELSE now() END,
                    decided_by = CASE WHEN %(state)s = 'draft' THEN '' ELSE %(by)s END
                WHERE id = %(id)s
                """,
                {"id": number, "state": state, "by": by},
            )
            return await _get(conn, number)


def _is_fit(one: DetectionSummary) -> bool:
    return one.valid and one.matched > 0 and one.benign_matched == 0


async def _insert(
    conn: Conn, article: tuple[int, int], draft: Draft, checked: Checked, *, by: str
) -> bool:
    article_id, revision = article
    cursor = await conn.execute(
        _INSERT,
        {
            "article": article_id,
            "revision": revision,
            "rule_id": draft.rule_id,
            "origin": draft.origin,
            "model": draft.model,
            "prompt": draft.prompt,
            "evidence": _json(draft.evidence),
            "events": _json(draft.events),
            **_facts(checked),
        },
    )
    row = await cursor.fetchone()
    if row is None:
        return False
    await conn.execute(
        """
        INSERT INTO detection_version (detection_id, number, yaml, made_by) VALUES (%s, 1, %s, %s)
        """,
        (row[0], draft.yaml, by),
    )
    return True


def _facts(checked: Checked) -> dict[str, object]:
    rule, replay = checked.rule, checked.replay
    return {
        "title": rule.title.replace("\0", ""),
        "level": rule.level,
        "category": rule.category or rule.service,
        "product": rule.product,
        "techniques": list(rule.techniques),
        "grade": checked.novelty.grade if checked.novelty else None,
        "is_valid": checked.is_valid,
        "positives": len(replay.positives),
        "matched": replay.matched,
        "benign_matched": replay.benign_matched,
        "checked": _json(checked),
    }


def _json(value: object) -> str:
    # PostgreSQL keeps every character in JSON but this one.
    return msgspec.json.encode(value).decode().replace("\\u0000", "\\ufffd")


async def _hold(conn: Conn, number: int, version: int) -> None:
    """Keep a draft for this transaction. Raises NotFoundError and StaleError."""
    cursor = await conn.execute(
        "SELECT version, edited_by FROM detection WHERE id = %s FOR UPDATE", (number,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise _none(number)
    if row[0] != version:
        who = row[1] or "Somebody"
        raise StaleError(
            f"{who} has changed this rule since you read it: look at it as it is now, "
            "and put in again what you changed",
            seen=version,
        )


async def _get(conn: Conn, number: int) -> Detection:
    cursor = await conn.execute(
        f"""
        SELECT {_SUMMARY}, v.yaml, d.prompt, d.revision, d.evidence::text, d.events::text,
            d.checked::text
        FROM detection d JOIN article a ON a.id = d.article_id
        JOIN detection_version v ON v.detection_id = d.id AND v.number = d.version
        WHERE d.id = %s
        """,  # noqa: S608 - a constant
        (number,),
    )
    row = await cursor.fetchone()
    if row is None:
        raise _none(number)
    yaml, prompt, revision, evidence, events, checked = row[-6:]
    return Detection(
        summary=_to_summary(row[:-6]),
        yaml=yaml,
        prompt=prompt,
        revision=revision,
        evidence=msgspec.json.decode(evidence, type=tuple[Quotation, ...]),
        events=msgspec.json.decode(events, type=tuple[Event, ...]),
        checked=msgspec.json.decode(checked, type=Checked),
        versions=await _versions(conn, number),
    )


async def _versions(conn: Conn, number: int) -> tuple[DetectionVersion, ...]:
    cursor = await conn.execute(
        """
        SELECT number, yaml, made_at, made_by FROM detection_version
        WHERE detection_id = %s ORDER BY number
        """,
        (number,),
    )
    return tuple(
        DetectionVersion(number=row[0], yaml=row[1], made_at=row[2], made_by=row[3])
        for row in await cursor.fetchall()
    )


def _none(number: int) -> NotFoundError:
    return NotFoundError(f"there is no detection number {number}, or it was drafted anew")


def _to_summary(row: TupleRow) -> DetectionSummary:
    return DetectionSummary(
        id=row[0],
        article=DraftedFrom(id=row[1], title=row[2], url=row[3]),
        rule_id=row[4],
        title=row[5],
        origin=Origin(row[6]),
        model=row[7],
        state=DraftState(row[8]),
        level=row[9],
        category=row[10],
        product=row[11],
        techniques=tuple(row[12]),
        grade=None if row[13] is None else Grade(row[13]),
        valid=row[14],
        positives=row[15],
        matched=row[16],
        benign_matched=row[17],
        version=row[18],
        made_at=row[19],
        edited_at=row[20],
        edited_by=row[21],
        decided_at=row[22],
        decided_by=row[23],
    )

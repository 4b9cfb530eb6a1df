"""Near-duplicates: each stored text is compared once, and what it repeats is linked."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec
from psycopg.rows import TupleRow

from ctiscraper.db.model_asking import Wanted, queue_texts
from ctiscraper.db.outbox import Resting, Turns
from ctiscraper.db.rescoring import touch
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.store import TOPIC
from ctiscraper.types import Fingerprint

STAGE = "near_duplicate"
# A template that fills bands for hundreds of articles must not make each look-up long.
MOST_CANDIDATES = 200
_LOCK_KEY = 0x6C696E6B

Similarity = Callable[[Fingerprint, Fingerprint], float | None]


# The GIN index answers at any size; a walk along the primary key, which the planner likes for
# its cheap start, would read every article for the many texts that repeat none.
PLAN = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),
    set_config('gin_fuzzy_search_limit', '5000', true)
"""

# The sum keeps the primary key out of the plan: half of all articles are older than a new one.
# Numbers are given before transactions end: one with a higher number may have been compared first,
# without this one, which looks at it in turn when it is compared for the first time, and later as
# long as it repeats such a one.
_LATE = 1000
CANDIDATES = f"""
SELECT me.article_id, f.article_id, coalesce(a.duplicate_of, f.article_id), f.version,
    a.text_sha256, f.signature, f.bands, f.shingles
FROM article_fingerprint me CROSS JOIN LATERAL (
    SELECT NOT EXISTS (SELECT FROM analysis n
            WHERE n.article_id = me.article_id AND n.stage = '{STAGE}')
        OR (SELECT o.duplicate_of FROM article o WHERE o.id = me.article_id)
            > me.article_id AS is_late) now
CROSS JOIN LATERAL (
    SELECT * FROM article_fingerprint it
    WHERE it.bands && me.bands AND it.version = me.version
        AND (it.article_id + 0 < me.article_id
            OR (now.is_late AND it.article_id + 0 > me.article_id
                AND it.article_id + 0 < me.article_id + {_LATE}
                AND EXISTS (SELECT FROM analysis n
                    WHERE n.article_id = it.article_id AND n.stage = '{STAGE}')))
    ORDER BY it.article_id + 0 > me.article_id, it.article_id DESC LIMIT {MOST_CANDIDATES}) f
JOIN article a ON a.id = f.article_id
WHERE me.article_id = ANY(%s)
"""  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True)
class _Text:
    """A text to be compared, as the outbox names it."""

    outbox_id: int
    article_id: int
    revision: int
    mark: Fingerprint


@dataclass(frozen=True, slots=True)
class _Candidate:
    article_id: int
    root_id: int
    mark: Fingerprint


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a text repeats: the root of its story and the nearest copy; None when nothing."""

    text: _Text
    root_id: int | None = None
    nearest_id: int | None = None
    similarity: float | None = None


class Links:
    """The stage that links near-duplicates, fed by the outbox.

    With `wanted` a model is asked about each text that was compared, when its turn comes.
    """

    def __init__(self, database: Database, wanted: Wanted | None = None) -> None:
        self._database = database
        self._wanted = wanted
        self._turns = Turns(database, TOPIC)

    async def link_next(self, similarity: Similarity, *, limit: int = 50) -> int:
        """Compare up to `limit` stored texts with all before them; return how many.

        `similarity` gives None for texts that are not near-duplicates. One worker at a time
        does this, so that two copies stored at once still see each other; the effect, its
        record and the end of the outbox row are one transaction. A text that the database fails
        at goes behind the others.
        """
        return await self._turns.take(partial(self._link, similarity), limit=limit)

    async def _link(
        self, similarity: Similarity, *, limit: int = 1, only: int | None = None
    ) -> int:
        async with self._database.transaction() as conn:
            cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK_KEY,))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return 0
            texts = await _waiting(conn, limit, only, self._turns.resting)
            if texts:
                await conn.execute(PLAN)
                candidates = await _candidates(conn, texts)
                await _write(conn, _judge(texts, candidates, similarity))
                if self._wanted is not None:
                    await queue_texts(conn, [text.article_id for text in texts], self._wanted)
        return len(texts)

    async def waiting(self) -> int:
        """Return how many texts are still to be compared."""
        async with self._database.connection() as conn:
            cursor = await conn.execute("SELECT count(*) FROM outbox WHERE topic = %s", (TOPIC,))
            row = await cursor.fetchone()
        return int(row[0]) if row else 0


async def _waiting(conn: Conn, limit: int, only: int | None, resting: Resting) -> list[_Text]:
    cursor = await conn.execute(
        """
        SELECT o.id, o.article_id, o.revision, f.version, a.text_sha256, f.signature, f.bands,
            f.shingles
        FROM outbox o JOIN article_fingerprint f USING (article_id)
        JOIN article a ON a.id = o.article_id
        WHERE o.topic = %(topic)s AND (%(only)s::bigint IS NULL OR o.id = %(only)s)
            AND o.article_id <> ALL(%(resting)s)
        ORDER BY o.id LIMIT %(limit)s FOR UPDATE OF o SKIP LOCKED
        """,
        {"topic": TOPIC, "limit": limit, "only": only, "resting": resting.now()},
    )
    return [_Text(row[0], row[1], row[2], _mark(row[3:])) for row in await cursor.fetchall()]


def _mark(row: TupleRow) -> Fingerprint:
    return Fingerprint(
        version=row[0],
        text_sha256=bytes(row[1]),
        signature=bytes(row[2]),
        bands=tuple(row[3]),
        shingles=row[4],
    )


async def _candidates(conn: Conn, texts: list[_Text]) -> dict[int, list[_Candidate]]:
    """Return the earlier articles that share a band with each text."""
    cursor = await conn.execute(CANDIDATES, ([text.article_id for text in texts],))
    found: dict[int, list[_Candidate]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row[0], []).append(_Candidate(row[1], row[2], _mark(row[3:])))
    return found


def _judge(
    texts: list[_Text], candidates: dict[int, list[_Candidate]], similarity: Similarity
) -> list[_Verdict]:
    """Return what each text repeats, oldest first: a verdict counts for the texts after it."""
    roots: dict[int, int] = {}
    verdicts = []
    for text in sorted(texts, key=lambda one: (one.article_id, one.revision)):
        verdict = _verdict(text, candidates.get(text.article_id, []), similarity, roots)
        roots[text.article_id] = verdict.root_id or text.article_id
        verdicts.append(verdict)
    return verdicts


def _verdict(
    text: _Text, candidates: list[_Candidate], similarity: Similarity, roots: dict[int, int]
) -> _Verdict:
    scored = [
        (value, -one.article_id, root)
        for one in candidates
        # What repeats this text itself is none that it could repeat.
        if (root := _root(one, roots)) != text.article_id
        and (value := similarity(text.mark, one.mark)) is not None
    ]
    if not scored:
        return _Verdict(text)
    value, nearest, root = max(scored)
    return _Verdict(text, root, -nearest, value)


def _root(one: _Candidate, roots: dict[int, int]) -> int:
    """Return what an article repeats by now, itself when nothing."""
    root = roots.get(one.article_id, one.root_id)
    while (further := roots.get(root, root)) != root:
        root = further
    return root


async def _write(conn: Conn, verdicts: list[_Verdict]) -> None:
    """Link, unlink, record, take the texts out of the outbox, and have them looked through."""
    values = {
        "ids": [one.text.article_id for one in verdicts],
        "revisions": [one.text.revision for one in verdicts],
        "roots": [one.root_id for one in verdicts],
        "values": [one.similarity for one in verdicts],
        "versions": [one.text.mark.version for one in verdicts],
        "results": [_result(one) for one in verdicts],
        "outbox": [one.text.outbox_id for one in verdicts],
        "stage": STAGE,
    }
    cursor = await conn.execute(
        """
        UPDATE article a SET duplicate_of = v.root, similarity = v.value
        FROM unnest(%(ids)s::bigint[], %(roots)s::bigint[], %(values)s::real[])
            AS v (id, root, value)
        WHERE a.id = v.id AND a.duplicate_of IS DISTINCT FROM v.root
            AND a.id IS DISTINCT FROM v.root
        RETURNING a.id
        """,
        values,
    )
    await touch(conn, [row[0] for row in await cursor.fetchall()])
    if any(one.root_id for one in verdicts):
        # What repeated one of these articles now repeats what that one repeats.
        await conn.execute(
            """
            UPDATE article a SET duplicate_of = v.root
            FROM unnest(%(ids)s::bigint[], %(roots)s::bigint[]) AS v (id, root)
            WHERE a.duplicate_of = v.id AND v.root IS NOT NULL AND a.id <> v.root
            """,
            values,
        )
    await conn.execute(
        """
        WITH ended AS (DELETE FROM outbox WHERE id = ANY(%(outbox)s)),
        next AS (
            INSERT INTO enrichment_job AS j (article_id, revision)
            SELECT id, max(revision)
            FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[]) AS v (id, revision)
            GROUP BY id
            ON CONFLICT (article_id) DO UPDATE SET
                revision = greatest(j.revision, excluded.revision), extractors = NULL, rank = 0,
                attempts = 0, claim = NULL, claimed_until = NULL
        )
        INSERT INTO analysis (article_id, revision, stage, version, result)
        SELECT id, revision, %(stage)s, version, result::jsonb
        FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[], %(versions)s::integer[],
            %(results)s::text[]) AS v (id, revision, version, result)
        ON CONFLICT (article_id, revision, stage, version) DO NOTHING
        """,
        values,
    )


def _result(verdict: _Verdict) -> str:
    if verdict.nearest_id is None:
        return "{}"
    result = {"of": verdict.nearest_id, "similarity": verdict.similarity}
    return msgspec.json.encode(result).decode()

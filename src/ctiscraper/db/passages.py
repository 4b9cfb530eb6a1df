"""Passages of texts: which texts have none yet, what is kept of them, and how far that is.

A text is done when it has passages of its present revision by the model in use: nothing is
queued, so that nothing can be missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ctiscraper.db.session import Conn, Database
from ctiscraper.db.vector_index import (
    IndexState,
    VectorModel,
    copy_next,
    index_of,
    index_state,
    make_index,
)
from ctiscraper.types import Tlp

MOST_ATTEMPTS = 3
# Among so many of the newest articles those without passages are looked for each time.
_NEWEST = 500
# Of how many articles one step further back is.
_WINDOW = 5_000
# A lease is renewed while its texts are worked at: one whose process was killed is over so soon.
_LEASE_SECONDS = 60
RENEW_SECONDS = 15
# Three times of this are longer than most outages of a server.
_PUT_OFF_SECONDS = 1200
_DROPPED_AT_ONCE = 5_000
# Whoever makes vectors says each minute that they are wanted; this often it is written down.
_WANTED = """
UPDATE embedding_model SET wanted_at = now()
WHERE id = %s AND wanted_at < now() - interval '1 hour'
"""
# Two machines with different settings would make all vectors anew in turn otherwise.
_UNWANTED = """
SELECT id FROM embedding_model WHERE id <> %(model)s AND wanted_at < now() - interval '1 day'
"""
# "pass"; one at a time writes passages, so that their numbers are committed in order.
_LOCK = 0x70617373


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingText:
    """A text to be made passages of, by its owner alone for a minute; `tlp` is its source's."""

    article_id: int
    revision: int
    attempts: int
    title: str
    text: str
    tlp: Tlp = Tlp.CLEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPassage:
    """A passage of a text by the places of its characters, with its vector of length one."""

    start: int
    end: int
    vector: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedText:
    """What became of a text: its passages, or why it has none.

    `withheld` is the marking that a text bears itself which may not go to the model.
    """

    text: WaitingText
    passages: Sequence[EmbeddedPassage] = ()
    failure: str = ""
    withheld: Tlp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingProgress:
    """How many texts have their passages by a model, of how many articles.

    `withheld` have none because of their marking: their words alone find them.
    """

    model: str
    articles: int
    texts: int
    passages: int
    failed: int
    withheld: int
    index: IndexState

    @property
    def is_whole(self) -> bool:
        """Whether no text waits any more."""
        return self.texts + self.failed + self.withheld >= self.articles

    @property
    def indexed(self) -> bool:
        """Whether they are searched by an index."""
        return self.index is IndexState.MADE


@dataclass(slots=True)
class Walk:
    """How far back one process has looked for texts; 0 is the oldest."""

    below: int | None = None


_MISSING = """
FROM article a LEFT JOIN embedded_text e ON e.article_id = a.id AND e.model_id = %(model)s
WHERE a.id > %(from)s AND a.id <= %(to)s AND a.duplicate_of IS NULL
    AND (e.article_id IS NULL OR e.revision <> a.revision
        OR (e.passages IS NULL AND e.leased_until < now())
        OR (e.withheld = ANY(%(free)s) AND (SELECT coalesce(s.settings->>'tlp', 'clear')
            FROM source s WHERE s.id = a.source_id) = ANY(%(free)s)))
"""
_CLAIM = f"""
INSERT INTO embedded_text AS t (article_id, model_id, revision, owner, leased_until)
SELECT a.id, %(model)s, a.revision, %(owner)s, now() + %(seconds)s * interval '1 second'
{_MISSING} ORDER BY a.id DESC LIMIT %(limit)s
ON CONFLICT (article_id, model_id) DO UPDATE SET revision = excluded.revision,
    owner = excluded.owner, leased_until = excluded.leased_until, passages = NULL, failure = '',
    withheld = NULL,
    attempts = CASE WHEN t.revision = excluded.revision AND t.withheld IS NULL
        THEN t.attempts + 1 ELSE 1 END
WHERE t.revision <> excluded.revision OR (t.passages IS NULL AND t.leased_until < now())
    OR t.withheld IS NOT NULL
RETURNING article_id, revision, attempts
"""
_TEXTS = """
SELECT a.id, t.revision, t.attempts, a.title, a.text, coalesce(s.settings->>'tlp', 'clear')
FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[], %(attempts)s::smallint[])
    AS t (id, revision, attempts)
JOIN article a ON a.id = t.id AND a.revision = t.revision
JOIN source s ON s.id = a.source_id ORDER BY a.id DESC
"""
_HELD = """
UPDATE embedded_text e SET passages = %(passages)s, failure = %(failure)s,
    withheld = %(withheld)s, owner = NULL, leased_until = NULL
FROM article a
WHERE e.article_id = %(article)s AND e.model_id = %(model)s AND e.owner = %(owner)s
    AND e.revision = %(revision)s AND a.id = e.article_id AND a.revision = e.revision
"""
_ADD = """
INSERT INTO passage (article_id, model_id, revision, position, begins, ends, vector)
SELECT %(article)s, %(model)s, %(revision)s, p.position, p.begins, p.ends, p.vector
FROM unnest(%(positions)s::integer[], %(begins)s::integer[], %(ends)s::integer[],
    %(vectors)s::bytea[]) AS p (position, begins, ends, vector) ORDER BY p.position
"""
_DROP_PASSAGES = f"""
DELETE FROM passage WHERE id IN
    (SELECT id FROM passage WHERE model_id IN ({_UNWANTED}) LIMIT %(most)s)
"""  # noqa: S608 - a constant of this module
_DROP_TEXTS = f"""
DELETE FROM embedded_text WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM embedded_text WHERE model_id IN ({_UNWANTED}) LIMIT %(most)s))
"""  # noqa: S608 - a constant of this module
_DROP_MODELS = f"DELETE FROM embedding_model WHERE id IN ({_UNWANTED})"  # noqa: S608 - the same


class Passages:
    """The passages of all texts.

    Texts that are more guarded than `ceiling` may not go to the model; they wait no more once it
    is known of them, until the ceiling or the marking of their source is another.
    """

    def __init__(self, database: Database, ceiling: Tlp = Tlp.RED) -> None:
        self._database, self.ceiling = database, ceiling
        self._free = [one.value for one in Tlp if not one.exceeds(ceiling)]

    async def model(self, name: str, version: str, dimensions: int) -> VectorModel:
        """Return a model as it is known here, noted first where it is new."""
        async with self._database.transaction() as conn:
            await conn.execute(
                "INSERT INTO embedding_model (name, version, dimensions) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (name, version, dimensions),
            )
            found = await _known(conn, name, version)
        assert found is not None, "it was just noted"
        return found

    async def known(self, name: str, version: str) -> VectorModel | None:
        """Return a model that is known here, None for one that has made nothing yet."""
        async with self._database.connection() as conn:
            return await _known(conn, name, version)

    async def note_wanted(self, model: VectorModel) -> None:
        """Keep that vectors by a model are wanted, so that they are not removed for a day."""
        async with self._database.connection() as conn:
            await conn.execute(_WANTED, (model.id,))

    async def has_any(self, model: VectorModel) -> bool:
        """Whether any text has passages by a model."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT EXISTS (SELECT 1 FROM passage WHERE model_id = %s)", (model.id,)
            )
            row = await cursor.fetchone()
        return row == (True,)

    async def lacks_index(self, model: VectorModel) -> bool:
        """Whether the index of pgvector lacks anything that whoever asks could make."""
        if not await self.has_any(model):
            return False
        async with self._database.connection() as conn:
            return await index_state(conn, model) in {IndexState.UNMADE, IndexState.BEHIND}

    async def is_waited_for(self, model: VectorModel | None) -> bool:
        """Whether any text has no passages by a model; None is one that has made none yet."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"SELECT EXISTS (SELECT 1 {_MISSING})",
                {
                    "model": model.id if model else 0,
                    "from": 0,
                    "to": 2**63 - 1,
                    "free": self._free,
                },
            )
            row = await cursor.fetchone()
        return row == (True,)

    async def claim(
        self, model: VectorModel, owner: UUID, walk: Walk, *, limit: int
    ) -> list[WaitingText]:
        """Return texts without passages, the newest first, each for this owner alone.

        None where no text of the newest, nor of a step further back, has none; ask again until
        `walk` is at its end.
        """
        async with self._database.transaction() as conn:
            await conn.execute(_WANTED, (model.id,))
            row = await (await conn.execute("SELECT coalesce(max(id), 0) FROM article")).fetchone()
            newest = int(row[0]) if row else 0
            values: dict[str, object] = {"model": model.id, "owner": owner, "free": self._free}
            found = await _claim(conn, values, span=(newest - _NEWEST, newest), limit=limit)
            if not found:
                if walk.below is None or walk.below <= 0:
                    walk.below = newest - _NEWEST
                span = (walk.below - _WINDOW, walk.below)
                found = await _claim(conn, values, span=span, limit=limit)
                if len(found) < limit:
                    walk.below = max(0, walk.below - _WINDOW)
            conn.carried(sum(len(one.text) for one in found))
        return found

    async def keep(self, model: VectorModel, owner: UUID, done: EmbeddedText) -> bool:
        """Write the passages of a text in place of those it had; return whether it was ours still.

        A text that changed, went or was claimed by another meanwhile is left as it is.
        """
        text, passages = done.text, done.passages
        values: dict[str, object] = {
            "article": text.article_id,
            "model": model.id,
            "owner": owner,
            "revision": text.revision,
            "passages": len(passages),
            "failure": done.failure[:500],
            "withheld": done.withheld,
        }
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if (await conn.execute(_HELD, values)).rowcount != 1:
                return False
            await conn.execute(
                "DELETE FROM passage WHERE article_id = %(article)s AND model_id = %(model)s",
                values,
            )
            if passages:
                await conn.execute(
                    _ADD,
                    values
                    | {
                        "positions": list(range(len(passages))),
                        "begins": [one.start for one in passages],
                        "ends": [one.end for one in passages],
                        "vectors": [one.vector.astype("<f2").tobytes() for one in passages],
                    },
                )
            index = await index_of(conn, model)
            if index is not None:
                await copy_next(conn, index, model)
        return True

    async def put_off(self, model: VectorModel, owner: UUID, text: WaitingText) -> bool:
        """Let a text wait that may have made the model fail; return whether it was ours still.

        The attempt is counted.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "UPDATE embedded_text SET owner = NULL,"
                " leased_until = now() + %s * interval '1 second'"
                " WHERE model_id = %s AND owner = %s AND article_id = %s AND passages IS NULL",
                (_PUT_OFF_SECONDS, model.id, owner, text.article_id),
            )
        return cursor.rowcount == 1

    async def renew(self, model: VectorModel, owner: UUID, texts: Sequence[WaitingText]) -> None:
        """Let what this owner still holds of these be its own for a minute more.

        What is being written is not waited for.
        """
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE embedded_text SET leased_until = now() + %s * interval '1 second'"
                " WHERE model_id = %s AND article_id IN (SELECT article_id FROM embedded_text"
                " WHERE model_id = %s AND owner = %s AND article_id = ANY(%s)"
                " AND passages IS NULL FOR UPDATE SKIP LOCKED)",
                (_LEASE_SECONDS, model.id, model.id, owner, [one.article_id for one in texts]),
            )

    async def give_back(
        self, model: VectorModel, owner: UUID, texts: Sequence[WaitingText]
    ) -> None:
        """Let others have at once what this owner holds of these, without an attempt counted."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE embedded_text SET leased_until = '-infinity', owner = NULL,"
                " attempts = greatest(attempts - 1, 0)"
                " WHERE model_id = %s AND owner = %s AND article_id = ANY(%s)"
                " AND passages IS NULL",
                (model.id, owner, [one.article_id for one in texts]),
            )

    async def tidy(self, model: VectorModel) -> bool:
        """Do a step of what follows once all texts have passages; return whether there is more.

        What other models made that nobody wanted for a day is removed, and the index is brought
        up to date where the server has one.
        """
        values = {"model": model.id, "most": _DROPPED_AT_ONCE}
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            for statement in (_DROP_PASSAGES, _DROP_TEXTS):
                cursor = await conn.execute(statement, values)
                if cursor.rowcount:
                    return True
            await conn.execute(_DROP_MODELS, values)
            index = await index_of(conn, model)
            if index is None:
                return False
            if await copy_next(conn, index, model):
                return True
        async with self._database.apart() as conn:
            await make_index(conn, index, model)
        return False

    async def progress(self, model: VectorModel) -> EmbeddingProgress:
        """Return how far the passages of all texts are."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT (SELECT count(*) FROM article WHERE duplicate_of IS NULL),
                    count(*) FILTER (WHERE passages IS NOT NULL AND failure = ''
                        AND withheld IS NULL),
                    coalesce(sum(passages), 0), count(*) FILTER (WHERE failure <> ''),
                    count(withheld)
                FROM embedded_text WHERE model_id = %s
                """,
                (model.id,),
            )
            row = await cursor.fetchone()
            assert row is not None, "a count is one row"
            index = await index_state(conn, model)
        return EmbeddingProgress(
            model=model.name,
            articles=row[0],
            texts=row[1],
            passages=int(row[2]),
            failed=row[3],
            withheld=row[4],
            index=index,
        )


async def _known(conn: Conn, name: str, version: str) -> VectorModel | None:
    cursor = await conn.execute(
        "SELECT id, dimensions FROM embedding_model WHERE name = %s AND version = %s",
        (name, version),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return VectorModel(id=row[0], name=name, version=version, dimensions=row[1])


async def _claim(
    conn: Conn, given: Mapping[str, object], *, span: tuple[int, int], limit: int
) -> list[WaitingText]:
    values = {
        **given,
        "from": span[0],
        "to": span[1],
        "limit": limit,
        "seconds": _LEASE_SECONDS,
    }
    rows = await (await conn.execute(_CLAIM, values)).fetchall()
    if not rows:
        return []
    ids, revisions, attempts = (list(column) for column in zip(*rows, strict=True))
    cursor = await conn.execute(_TEXTS, {"ids": ids, "revisions": revisions, "attempts": attempts})
    return [
        WaitingText(
            article_id=row[0],
            revision=row[1],
            attempts=row[2],
            title=row[3],
            text=row[4],
            tlp=Tlp(row[5]),
        )
        for row in await cursor.fetchall()
    ]

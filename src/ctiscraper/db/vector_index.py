"""The copy of all vectors that pgvector searches, where the server has pgvector.

In a schema of its own: it can be made from `passage` at any time, so that neither a backup nor a
move to another server takes it along, and a server without pgvector lacks nothing but speed.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import structlog
from numpy.typing import NDArray
from psycopg import Connection, Error, connect, sql
from psycopg.errors import InsufficientPrivilege

from ctiscraper.db.session import Conn

SCHEMA = "ctiscraper_vectors"
EXTENSION = "vector"
# pgvector's own most for an index over halfvec.
MOST_DIMENSIONS = 4_000
COPIED_AT_ONCE = 1_000

_PLACE = sql.Identifier(SCHEMA, "passage_near")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """Where pgvector is: the schema of its types and operators."""

    extension: str

    @property
    def near(self) -> sql.Composed:
        """The operator that gives how far two vectors point apart."""
        return sql.SQL("OPERATOR({}.<=>)").format(sql.Identifier(self.extension))

    def type_of(self, dimensions: int) -> sql.Composed:
        """The type of a vector."""
        return sql.SQL("{}({})").format(
            sql.Identifier(self.extension, "halfvec"), sql.Literal(dimensions)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorModel:
    """A model of vectors as the database knows it."""

    id: int
    name: str
    version: str
    dimensions: int


class IndexState(StrEnum):
    """How vectors are searched; all but the first compare them exactly, one by one."""

    MADE = "made"
    # The index is there; vectors wait to be copied for it.
    BEHIND = "behind"
    UNMADE = "unmade"
    # It is not made, and whoever asks may not make it.
    OWNERS = "owners"
    # It may be there; whoever asks may not use it.
    CLOSED = "closed"
    # The server offers pgvector, and nothing was made for it.
    UNPREPARED = "unprepared"
    ABSENT = "absent"


# Not by the name: whoever may not use the schema would get an error instead of an answer.
_COPY = """
FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE s.nspname = 'ctiscraper_vectors' AND c.relname = 'passage_near'
"""
_OPEN = "has_schema_privilege(s.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
_FOUND = f"""
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'vector' AND EXISTS (SELECT 1 {_COPY} AND {_OPEN})
"""  # noqa: S608 - constants
_RIGHTS = f"SELECT {_OPEN}, pg_has_role(c.relowner, 'USAGE') {_COPY}"


def prepare_vectors(conninfo: str) -> bool:
    """Make what pgvector needs where the server has it and lets us; return whether it is there.

    As the owner of the schema, after its migrations. A server that refuses is searched without.
    """
    try:
        with connect(conninfo, application_name="ctiscraper vectors") as conn:
            row = conn.execute(
                "SELECT to_regclass('passage') IS NOT NULL AND EXISTS"
                " (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')"
            ).fetchone()
            if row != (True,):
                return False
            # Two who migrate at once both come here.
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (0x76656374,))
            schema = sql.Identifier(SCHEMA)
            conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
            conn.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS vector SCHEMA {}").format(schema))
            # Each vector is compared in its place, not fetched from beside the table.
            conn.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} (passage_id bigint PRIMARY KEY "
                    "REFERENCES passage ON DELETE CASCADE, model_id integer NOT NULL, "
                    "vector {}.halfvec NOT NULL)"
                ).format(_PLACE, _extension_schema(conn))
            )
    except InsufficientPrivilege as error:
        log.info("vectors_without_index", detail=str(error).partition("\n")[0])
        return False
    except Error as error:
        # An old pgvector has no halfvec; nothing of what is made here is needed.
        log.warning("vectors_without_index", detail=str(error).partition("\n")[0])
        return False
    return True


def _extension_schema(conn: Connection[tuple[object, ...]]) -> sql.Identifier:
    row = conn.execute(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'vector'"
    ).fetchone()
    assert row is not None, "it was just made"
    return sql.Identifier(str(row[0]))


async def index_of(conn: Conn, model: VectorModel) -> VectorIndex | None:
    """Return what searches the vectors of a model, None where pgvector is not at hand."""
    if model.dimensions > MOST_DIMENSIONS:
        return None
    row = await (await conn.execute(_FOUND)).fetchone()
    return None if row is None else VectorIndex(str(row[0]))


async def index_state(conn: Conn, model: VectorModel) -> IndexState:
    """Return how the vectors of a model are searched by whoever asks."""
    cursor = await conn.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')"
    )
    if model.dimensions > MOST_DIMENSIONS or await cursor.fetchone() != (True,):
        return IndexState.ABSENT
    row = await (await conn.execute(_RIGHTS)).fetchone()
    if row is None:
        return IndexState.UNPREPARED
    is_open, is_owner = row
    if not is_open:
        return IndexState.CLOSED
    if await _is_complete(conn, model):
        return IndexState.MADE
    if await _is_made(conn, model):
        return IndexState.BEHIND
    return IndexState.UNMADE if is_owner else IndexState.OWNERS


async def _is_made(conn: Conn, model: VectorModel) -> bool:
    cursor = await conn.execute(
        "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass(%s)",
        (f"{SCHEMA}.{index_name(model)}",),
    )
    return await cursor.fetchone() == (True,)


async def whole_index_of(conn: Conn, model: VectorModel) -> VectorIndex | None:
    """Return what searches the vectors of a model, None where it would not find every one."""
    index = await index_of(conn, model)
    return index if index is not None and await _is_complete(conn, model) else None


async def _is_complete(conn: Conn, model: VectorModel) -> bool:
    """Whether the copy has every vector of a model and an index over them, made to its end."""
    if not await _is_made(conn, model):
        return False
    row = await (
        await conn.execute(
            """
            SELECT NOT EXISTS (
                SELECT 1 FROM passage p WHERE p.model_id = %(model)s AND p.id > coalesce((
                    SELECT max(passage_id) FROM ctiscraper_vectors.passage_near
                    WHERE model_id = %(model)s), 0))
            """,
            {"model": model.id},
        )
    ).fetchone()
    return row == (True,)


def index_name(model: VectorModel) -> str:
    """Return the name of the index over the vectors of a model."""
    return f"passage_near_{model.id}"


async def copy_next(conn: Conn, index: VectorIndex, model: VectorModel) -> int:
    """Copy vectors that the index has not; return how many. For a transaction."""
    cursor = await conn.execute(
        """
        SELECT p.id, p.vector FROM passage p
        WHERE p.model_id = %(model)s AND p.id > coalesce((
            SELECT max(passage_id) FROM ctiscraper_vectors.passage_near
            WHERE model_id = %(model)s), 0)
        ORDER BY p.id LIMIT %(most)s
        """,
        {"model": model.id, "most": COPIED_AT_ONCE},
    )
    rows = await cursor.fetchall()
    await add_vectors(conn, index, model, [(row[0], row[1]) for row in rows])
    return len(rows)


async def add_vectors(
    conn: Conn, index: VectorIndex, model: VectorModel, rows: list[tuple[int, bytes]]
) -> None:
    """Write the vectors of passages for the index."""
    if not rows:
        return
    written = [written_vector(np.frombuffer(vector, "<f2")) for _, vector in rows]
    statement = sql.SQL(
        "INSERT INTO {} (passage_id, model_id, vector)"
        " SELECT r.id, %(model)s, r.vector::{} FROM unnest(%(ids)s::bigint[], %(vectors)s::text[])"
        " AS r (id, vector) ON CONFLICT DO NOTHING"
    ).format(_PLACE, index.type_of(model.dimensions))
    values = {"model": model.id, "ids": [row[0] for row in rows], "vectors": written}
    await conn.execute(statement, values)


async def make_index(conn: Conn, index: VectorIndex, model: VectorModel) -> bool:
    """Have the index over the vectors of a model, beside those who write; return whether it is.

    For a connection without a transaction. Whoever is not the owner of the schema makes none.
    """
    name = sql.Identifier(index_name(model))
    row = await (
        await conn.execute(
            "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass(%s)",
            (f"{SCHEMA}.{index_name(model)}",),
        )
    ).fetchone()
    if row == (True,):
        return True
    # Two who make one index at a time would wait for each other: one does, the other goes on.
    locked = await conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (SCHEMA,))
    if await locked.fetchone() != (True,):
        return False
    try:
        await conn.execute("SET statement_timeout = 0")
        if row is not None:
            # What was left when one was interrupted.
            await conn.execute(
                sql.SQL("DROP INDEX CONCURRENTLY {}").format(
                    sql.Identifier(SCHEMA, index_name(model))
                )
            )
        await conn.execute(
            sql.SQL(
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {place}"
                " USING hnsw ((vector::{type}) {schema}.halfvec_cosine_ops)"
                " WHERE model_id = {model}"
            ).format(
                name=name,
                place=_PLACE,
                type=index.type_of(model.dimensions),
                schema=sql.Identifier(index.extension),
                model=sql.Literal(model.id),
            )
        )
    except InsufficientPrivilege as error:
        # It is looked for by 'doctor' too, which says what to do.
        log.warning("vectors_without_index", detail=str(error).partition("\n")[0])
        return False
    finally:
        await conn.execute("RESET statement_timeout")
        await conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (SCHEMA,))
    return True


def written_vector(vector: NDArray[np.floating]) -> str:
    """Return a vector as pgvector reads it."""
    return "[" + ",".join(f"{number:.5g}" for number in vector.tolist()) + "]"


async def nearest_by_index(
    conn: Conn,
    index: VectorIndex,
    model: VectorModel,
    vector: NDArray[np.float32],
    *,
    limit: int,
    among: list[int] | None = None,
) -> list[tuple[int, int, float]]:
    """Return passages with their articles and cosines, the nearest first.

    `among` narrows them to passages of these articles, which is exact. For a transaction.
    """
    width = index.type_of(model.dimensions)
    far = sql.SQL("n.vector::{} {} %(vector)s::{}").format(width, index.near, width)
    values: dict[str, object] = {"vector": written_vector(vector), "limit": limit}
    if among is None:
        # Its list of candidates is as long as what is asked for, within pgvector's own bounds.
        listed = str(min(1_000, max(limit, 100)))
        await conn.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), set_config('enable_seqscan', 'off',"
            " true), set_config('enable_indexscan', 'on', true)",
            (listed,),
        )
        inner = sql.SQL(
            "SELECT n.passage_id, {far} AS far FROM {place} n WHERE n.model_id = {model}"
            " ORDER BY {far} LIMIT %(limit)s"
        )
    else:
        values["among"] = among
        # Without the offset the server may walk the index in its order, which ends with its list of
        # candidates: the nearest of all, whose articles may be others.
        inner = sql.SQL(
            "SELECT * FROM (SELECT n.passage_id, {far} AS far FROM passage q"
            " JOIN {place} n ON n.passage_id = q.id WHERE n.model_id = {model}"
            " AND q.model_id = {model} AND q.article_id = ANY(%(among)s) OFFSET 0) c"
            " ORDER BY far LIMIT %(limit)s"
        )
    found = inner.format(far=far, place=_PLACE, model=sql.Literal(model.id))
    statement = sql.SQL(
        "SELECT p.id, p.article_id, 1 - f.far FROM ({}) f JOIN passage p ON p.id = f.passage_id"
        " ORDER BY f.far, p.id"
    ).format(found)
    cursor = await conn.execute(statement, values, prepare=False)
    return [(row[0], row[1], float(row[2])) for row in await cursor.fetchall()]

"""The new database of a move: marked until it is whole, and out of its own way while it fills."""

from collections.abc import Iterable

from psycopg import sql

from ctiscraper.db.move.links import Link
from ctiscraper.errors import Reason, StorageError

MARK = "ctiscraper_move"
VERSIONS = "alembic_version"
# Older than any revision, and none: no program starts on it, and none migrates it.
UNFINISHED = "0-being-moved"

_RELATIONS = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND c.relkind IN ('r', 'p', 'v', 'm')
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1 LIMIT 5
"""
# A foreign key would ask for an order of tables, an index costs each row its place in it, and what
# triggers did to a row is in the row already.
_ASIDE = {
    "key": """
        SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', c.relname, k.conname),
            format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname,
                pg_get_constraintdef(k.oid))
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND k.contype = 'f' AND k.conparentid = 0
        ORDER BY c.relname, k.conname
    """,
    "index": """
        SELECT format('DROP INDEX %I', i.relname), pg_get_indexdef(i.oid)
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_namespace n ON n.oid = i.relnamespace
        WHERE n.nspname = current_schema()
            AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid)
        ORDER BY i.relname
    """,
    "trigger": """
        SELECT format('ALTER TABLE %I DISABLE TRIGGER %I', c.relname, t.tgname),
            format('ALTER TABLE %I ENABLE %s TRIGGER %I', c.relname,
                CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END,
                t.tgname)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        ORDER BY c.relname, t.tgname
    """,
}
_SEQUENCES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'S' ORDER BY 1
"""


async def held_relations(target: Link) -> list[str]:
    """Return names of what the target holds; none when it is empty, or an unfinished move's."""
    if await is_marked(target):
        return []
    return [str(row[0]) for row in await (await target.execute(_RELATIONS)).fetchall()]


async def is_marked(target: Link) -> bool:
    """Return whether an earlier move was begun here and not finished."""
    cursor = await target.execute("SELECT to_regclass(%s) IS NOT NULL", (MARK,))
    return await cursor.fetchone() == (True,)


async def mark(target: Link) -> None:
    """Note that a move has begun here, and what it will have to put back."""
    await target.execute(
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {} (id bigint GENERATED ALWAYS AS IDENTITY, "
            "kind text NOT NULL, statement text NOT NULL)"
        ).format(sql.Identifier(MARK))
    )


async def has_whole_schema(target: Link) -> bool:
    """Return whether the schema was made: from then on only `finish` makes it usable."""
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSIONS))
    cursor = await target.execute("SELECT to_regclass(%s) IS NOT NULL", (VERSIONS,))
    if await cursor.fetchone() != (True,):
        return False
    return await (await target.execute(query)).fetchone() == (UNFINISHED,)


async def clear_way(target: Link, kinds: Iterable[str]) -> None:
    """Put what stands in the way aside, each with the statement that brings it back."""
    async with target.transaction():
        for kind in kinds:
            for drop, restore in await (await target.execute(_ASIDE[kind].encode())).fetchall():
                await target.execute(
                    sql.SQL("INSERT INTO {} (kind, statement) VALUES (%s, %s)").format(
                        sql.Identifier(MARK)
                    ),
                    (kind, restore),
                )
                await target.execute(str(drop).encode())
        await _set_version(target, UNFINISHED)


async def put_back(target: Link, kind: str) -> int:
    """Return how many things of a kind were put back; what they check is checked with it."""
    mark_table = sql.Identifier(MARK)
    query = sql.SQL("SELECT id, statement FROM {} WHERE kind = %s ORDER BY id").format(mark_table)
    rows = await (await target.execute(query, (kind,))).fetchall()
    for number, statement in rows:
        async with target.transaction():
            await target.execute(str(statement).encode())
            await target.execute(
                sql.SQL("DELETE FROM {} WHERE id = %s").format(mark_table), (number,)
            )
    return len(rows)


async def read_sequences(link: Link) -> dict[str, tuple[int, bool]]:
    """Return where each sequence stands, and whether that number was given out."""
    found = {}
    for (name,) in await (await link.execute(_SEQUENCES)).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
        row = await (await link.execute(query)).fetchone()
        assert row is not None, "a sequence has one row"
        found[str(name)] = (int(row[0]), bool(row[1]))
    found.pop(f"{MARK}_id_seq", None)
    return found


async def set_sequences(target: Link, wanted: dict[str, tuple[int, bool]]) -> None:
    """Let the target's sequences go on where the source's are."""
    for name, (value, called) in wanted.items():
        await target.execute(
            "SELECT setval(quote_ident(%s)::regclass, %s, %s)", (name, value, called)
        )


async def finish(target: Link, revision: str) -> None:
    """Make the target usable. Raises StorageError when something was not put back."""
    async with target.transaction():
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(MARK))
        left = await (await target.execute(query)).fetchone()
        if left != (0,):
            raise StorageError(
                Reason.DATABASE, "keys, indexes or triggers of the target are not back"
            )
        await _set_version(target, revision)
        await target.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(MARK)))


async def _set_version(target: Link, revision: str) -> None:
    await target.execute(
        sql.SQL("UPDATE {} SET version_num = %s").format(sql.Identifier(VERSIONS)), (revision,)
    )

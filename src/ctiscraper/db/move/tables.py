"""Tables as a move sees them: what they hold in ordered hashes, and how they are made equal."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from ctiscraper.db.move.links import Link

# Rows are compared in so many parts: few enough to be told, many enough that a part is small.
PARTS = 4096
# Keys in one statement.
_MOST_KEYS = 20_000

_TABLES = """
SELECT c.relname,
    array_agg(a.attname::text ORDER BY a.attname),
    array_agg(a.attname::text ORDER BY a.attname) FILTER (WHERE a.attgenerated = ''),
    (SELECT array_agg(k.attname::text ORDER BY k.attname) FROM pg_constraint p
        JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (p.conkey)
        WHERE p.conrelid = c.oid AND p.contype = 'p')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.oid, c.relname ORDER BY c.relname
"""
# Keys are put in order by their hashes: no collation and no version orders those otherwise.
_KEY = "sha256(convert_to(ROW({})::text, 'UTF8'))"
_PART = f"(get_byte(keyed.k, 0) * {PARTS // 256} + get_byte(keyed.k, 1) / {65536 // PARTS})"
_ROWS = f"""
SELECT k, h, {_PART} AS part FROM
    (SELECT {_KEY} AS k, sha256(convert_to(ROW({{}})::text, 'UTF8')) AS h FROM {{}}) AS keyed
"""  # noqa: S608 - constants of this module
_PRINT = """
SELECT part, count(*), encode(sha256(string_agg(h, ''::bytea ORDER BY k)), 'hex')
FROM ({}) AS parted WHERE %(parts)s::integer[] IS NULL OR part = ANY(%(parts)s)
GROUP BY part ORDER BY part
"""
_MARKS = """
SELECT keyed.k, sha256(convert_to(ROW({})::text, 'UTF8'))
FROM {}, LATERAL (SELECT {} AS k) AS keyed WHERE {} = ANY(%s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table: all its columns, those that are written, and those of its primary key."""

    name: str
    columns: tuple[str, ...]
    written: tuple[str, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TablePrint:
    """The rows of a table in parts: of each how many, and the hash of their hashes in order."""

    parts: Mapping[int, tuple[int, str]]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(rows for rows, _ in self.parts.values())

    @property
    def hash(self) -> str:
        """The hash of all rows in order."""
        told = "\n".join(f"{part} {rows} {of}" for part, (rows, of) in sorted(self.parts.items()))
        return hashlib.sha256(told.encode()).hexdigest()

    def differing(self, other: "TablePrint", among: Sequence[int] | None = None) -> list[int]:
        """Return the parts, all or those among some, that are not the same in both."""
        every = sorted(self.parts.keys() | other.parts.keys()) if among is None else among
        return [part for part in every if self.parts.get(part) != other.parts.get(part)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What the source holds of a table, and what of the target was changed to hold it too."""

    wanted: TablePrint
    rows: int = 0
    parts: tuple[int, ...] = ()


async def read_tables(link: Link) -> dict[str, Table]:
    """Return the tables of the schema by their names."""
    cursor = await link.execute(_TABLES)
    return {
        row[0]: Table(
            name=row[0],
            columns=tuple(row[1]),
            written=tuple(row[2] or ()),
            key=tuple(row[3] or ()),
        )
        for row in await cursor.fetchall()
    }


async def read_print(link: Link, table: Table, parts: Sequence[int] | None = None) -> TablePrint:
    """Return what a table holds in these parts, by default in all."""
    rows = sql.SQL(_ROWS).format(
        _names(table.key), _names(table.columns), sql.Identifier(table.name)
    )
    values = {"parts": None if parts is None else list(parts)}
    cursor = await link.execute(sql.SQL(_PRINT).format(rows), values)
    return TablePrint({row[0]: (row[1], row[2]) for row in await cursor.fetchall()})


async def is_empty(link: Link, table: Table) -> bool:
    """Return whether a table has no row."""
    query = sql.SQL("SELECT NOT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(table.name))
    return await (await link.execute(query)).fetchone() == (True,)


async def copy_all(source: Link, target: Link, table: Table) -> int:
    """Return how many rows were brought into an empty table."""
    async with target.transaction():
        return await _copy(source, target, table, None)


async def make_equal(source: Link, target: Link, table: Table) -> Brought:
    """Return what had to be changed in the target, and what the source holds.

    The rows that differ are removed and brought anew, in one transaction.
    """
    wanted, found = await asyncio.gather(read_print(source, table), read_print(target, table))
    parts = wanted.differing(found)
    if not parts:
        return Brought(wanted=wanted)
    here, there = await asyncio.gather(
        _read_marks(source, table, parts), _read_marks(target, table, parts)
    )
    stale = [key for key, mark in there.items() if here.get(key) != mark]
    fresh = [key for key, mark in here.items() if there.get(key) != mark]
    async with target.transaction():
        for keys in _chunks(stale):
            await target.execute(
                sql.SQL("DELETE FROM {} WHERE {} = ANY({})").format(
                    sql.Identifier(table.name), _key(table), sql.Literal(keys)
                )
            )
        for keys in _chunks(fresh):
            await _copy(source, target, table, keys)
    return Brought(wanted=wanted, rows=len({*stale, *fresh}), parts=tuple(parts))


async def _read_marks(link: Link, table: Table, parts: Sequence[int]) -> dict[bytes, bytes]:
    """Return the hash of each row in these parts by the hash of its key."""
    query = sql.SQL(_MARKS).format(
        _names(table.columns), sql.Identifier(table.name), _key(table), sql.SQL(_PART)
    )
    cursor = await link.execute(query, (list(parts),), binary=True)
    return {bytes(row[0]): bytes(row[1]) for row in await cursor.fetchall()}


async def _copy(source: Link, target: Link, table: Table, keys: list[bytes] | None) -> int:
    """Return how many rows were copied: those with these keys, or all."""
    chosen: sql.Composable = sql.SQL("")
    if keys is not None:
        chosen = sql.SQL(" WHERE {} = ANY({})").format(_key(table), sql.Literal(keys))
    name, columns = sql.Identifier(table.name), _names(table.written)
    reading = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT").format(columns, name, chosen)
    writing = sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)
    cursor = target.cursor()
    async with source.cursor().copy(reading) as outgoing, cursor.copy(writing) as incoming:
        async for data in outgoing:
            await incoming.write(data)
    return cursor.rowcount


def _key(table: Table) -> sql.Composed:
    return sql.SQL(_KEY).format(_names(table.key))


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _chunks(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(keys), _MOST_KEYS):
        yield list(keys[start : start + _MOST_KEYS])

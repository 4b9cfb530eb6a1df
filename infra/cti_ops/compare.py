"""What a task of the drill runs beside the product: both databases, table by table, as one line.

It stands alone and is given to Python as text, with nothing but psycopg beside it.
"""

import json
import os
import sys
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
MARK = "drill-result "
OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex "
    "-c extra_float_digits=1 -c statement_timeout=0 -c default_transaction_read_only=on"
)
TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""
# What is written once and never changed, with the time of writing: of it both must hold the same.
# Of all else rows are counted, since the original went on meanwhile.
LASTING = {
    "alembic_version": (None, "version_num"),
    "article": ("collected_at", "id, url_hash, collected_at"),
    "audit_entry": ("at", "id, at, action, previous_hash, hash"),
    "source_change": ("changed_at", "id, source_key, changed_at, action"),
}
# Rows bear the time when their transaction began; it may have ended after the restored moment.
MARGIN = "5 minutes"


def row_of(connection: Connection, statement: str, *values: str) -> tuple[Any, ...]:
    """Return the one row of an aggregate."""
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None, "an aggregate has one row"
    return row


def held(connection: Connection, table: str, until: str | None) -> tuple[Any, ...]:
    """Return how many rows a table has up to a time, and the sum of the hashes of what lasts."""
    time, columns = LASTING[table]
    some = f"WHERE {time} <= %s::timestamptz" if until else ""
    statement = (
        f"SELECT count(*), coalesce(sum(('x' || substr(md5(row({columns})::text), 1, 15))"  # noqa: S608 - names above
        f"::bit(60)::bigint::numeric), 0)::text FROM {table} {some}"
    )
    return row_of(connection, statement, *([until] if until else []))


def same(original: Connection, restored: Connection, table: str) -> bool:
    """Whether both hold the same of what lasts, up to shortly before the restored moment."""
    time = LASTING[table][0]
    until = None
    if time is not None:
        newest = f"SELECT (max({time}) - interval '{MARGIN}')::text FROM {table}"  # noqa: S608 - names above
        until = row_of(restored, newest)[0]
    return held(original, table, until) == held(restored, table, until)


def compared(original: Connection, restored: Connection) -> dict[str, Any]:
    """Return the tables of two databases: rows of both, and whether what lasts is the same."""
    names = [row[0] for row in original.execute(TABLES)]
    there = {row[0] for row in restored.execute(TABLES)}
    tables: dict[str, Any] = {}
    for name in names:
        if name not in there:
            tables[name] = {"missing": True}
            continue
        rows = [
            row_of(connection, f'SELECT count(*) FROM "{name}"')[0]  # noqa: S608 - of the catalogue
            for connection in (original, restored)
        ]
        tables[name] = {"original": rows[0], "restored": rows[1]}
        if name in LASTING:
            tables[name]["same"] = same(original, restored, name)
    newest = "SELECT max(collected_at)::text FROM article"
    return {
        "tables": tables,
        "newest": [row_of(connection, newest)[0] for connection in (original, restored)],
    }


def main() -> None:
    """Print what was compared."""
    with open(os.environ["DATABASE_PASSWORD_FILE"], encoding="utf-8") as file:  # noqa: PTH123 - as short as it can be
        password = file.read().strip()
    urls = (os.environ["DATABASE_URL"], os.environ["RESTORED_URL"])
    with (
        psycopg.connect(urls[0], password=password, options=OPTIONS) as original,
        psycopg.connect(urls[1], password=password, options=OPTIONS) as restored,
    ):
        sys.stdout.write(MARK + json.dumps(compared(original, restored)) + "\n")


if __name__ == "__main__":
    main()

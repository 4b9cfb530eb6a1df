"""Runs migrations over the connection that `ctiscraper.db.migrate` opened, within limits.

Whoever waits for a table lock makes everybody behind it wait too, and what a migration has locked
it holds until it commits. So every statement of it, whatever it sets itself, gets these limits
first; `ctiscraper.db.migrate` tries again what they end.
"""

import time

from alembic import context
from psycopg import Connection as PsycopgConnection
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, event

LOCK_MS = 400
# All statements of one transaction together, their waits included.
TRANSACTION_MS = 800
# CREATE and DROP INDEX CONCURRENTLY wait in nobody's way, and begin anew when they give up.
CONCURRENT_LOCK_MS = 60_000


class Limits:
    """What the next statement may take; in an empty database nobody waits for the first ones."""

    def __init__(self, *, empty: bool) -> None:
        self._empty = empty
        self._began = 0.0

    def set_for(self, raw: PsycopgConnection[tuple[object, ...]], statement: str) -> None:
        """Set the time-outs of the statement that comes next."""
        local = "" if raw.autocommit else "LOCAL "
        if raw.autocommit or raw.info.transaction_status == TransactionStatus.IDLE:
            self._began = time.monotonic()
        spent = int((time.monotonic() - self._began) * 1000)
        lock, whole = LOCK_MS, max(1, TRANSACTION_MS - spent)
        if raw.autocommit and "CONCURRENTLY" in statement.upper():
            lock, whole = CONCURRENT_LOCK_MS, 0
        elif self._empty:
            whole = 0
        raw.execute(f"SET {local}lock_timeout = {lock}; SET {local}statement_timeout = {whole}")


connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
limits = Limits(empty=context.get_context().get_current_revision() is None)
# What was read is not the beginning of a migration.
connection.rollback()


@event.listens_for(connection, "before_cursor_execute")
def _limit(conn: Connection, _cursor: object, statement: str, *_: object) -> None:
    raw = conn.connection.dbapi_connection
    assert isinstance(raw, PsycopgConnection), "migrate opens it"
    limits.set_for(raw, statement)


with context.begin_transaction():
    context.run_migrations()

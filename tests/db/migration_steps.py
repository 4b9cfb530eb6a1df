"""What each statement of a migration did, seen from its own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection, Engine, event

Raw = PsycopgConnection[tuple[object, ...]]

# Who holds one of these lets nobody else write, or not even read.
STRONG = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
_HELD = """
SELECT l.mode FROM pg_locks l
WHERE l.pid = pg_backend_pid() AND l.granted AND l.locktype = 'relation'
    AND l.relation = to_regclass('public.article') AND l.mode = ANY(%s)
"""
_FILES = """
SELECT c.relname::text, pg_relation_filenode(c.oid)::text FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""
# Of a transaction that has not ended, the second is for what ran by itself.
_TOUCHED = """
SELECT relname::text, seq_tup_read, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_{}user_tables
WHERE schemaname = 'public' AND relname <> 'alembic_version'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement: what it held of `article` when it ended, and what it did to which tables.

    `read` and `written` count rows by table, `limits` are milliseconds for a lock and for the
    statement, 0 for none; `alone` is a statement that is a transaction of its own.
    """

    statement: str
    held: tuple[str, ...]
    rewritten: tuple[str, ...]
    read: dict[str, int]
    written: dict[str, int]
    limits: tuple[int, int]
    alone: bool

    @property
    def fault(self) -> str:
        """Why somebody would wait who has a million articles, empty for no reason."""
        if "article" in self.rewritten:
            return "rewrites article"
        if "article" in self.written:
            return "writes rows of article, which are locked until all are written"
        passed = sorted({*self.read, *self.written, *self.rewritten})
        if self.held and passed:
            return f"holds article by {', '.join(self.held)}, passes over {', '.join(passed)}"
        return ""


@dataclass(slots=True)
class Steps:
    """The statements of all migrations since it was made."""

    steps: list[Step] = field(default_factory=list)
    _files: dict[str, str] = field(default_factory=dict)
    _touched: dict[str, tuple[int, int]] = field(default_factory=dict)

    def before(self, conn: Connection, *_: object) -> None:
        """Note how things are."""
        raw = _raw_of(conn)
        self._files, self._touched = _files(raw), _touched(raw)

    def after(self, conn: Connection, _cursor: object, statement: str, *_: object) -> None:
        """Note what has changed."""
        raw = _raw_of(conn)
        files, touched = _files(raw), _touched(raw)
        more = {
            name: (now[0] - was[0], now[1] - was[1])
            for name, now in touched.items()
            for was in [self._touched.get(name, (0, 0))]
        }
        old = self._files.items()
        self.steps.append(
            Step(
                statement=" ".join(statement.split()),
                held=_held(raw, statement),
                rewritten=tuple(n for n, file in old if files.get(n, file) != file),
                read={name: read for name, (read, _) in more.items() if read},
                written={name: written for name, (_, written) in more.items() if written},
                limits=_limits(raw),
                alone=raw.autocommit,
            )
        )


@contextmanager
def watched() -> Iterator[Steps]:
    """Yield what every migration that runs within the block does, statement by statement."""
    steps = Steps()
    event.listen(Engine, "before_cursor_execute", steps.before)
    event.listen(Engine, "after_cursor_execute", steps.after)
    try:
        yield steps
    finally:
        event.remove(Engine, "before_cursor_execute", steps.before)
        event.remove(Engine, "after_cursor_execute", steps.after)


def _raw_of(conn: Connection) -> Raw:
    raw = conn.connection.dbapi_connection
    assert isinstance(raw, PsycopgConnection)
    return raw


def _held(raw: Raw, statement: str) -> tuple[str, ...]:
    if not raw.autocommit:
        return tuple(sorted(str(row[0]) for row in raw.execute(_HELD, (list(STRONG),))))
    # It has ended, and its locks with it: only what is made beside writers is sure to be weak.
    return () if "CONCURRENTLY" in statement.upper() else ("whatever it takes",)


def _files(raw: Raw) -> dict[str, str]:
    return {str(name): str(file) for name, file in raw.execute(_FILES)}


def _touched(raw: Raw) -> dict[str, tuple[int, int]]:
    if raw.autocommit:
        raw.execute("SELECT pg_stat_force_next_flush()")
    rows = raw.execute(_TOUCHED.format("" if raw.autocommit else "xact_").encode())
    return {str(name): (int(str(read)), int(str(written))) for name, read, written in rows}


def _limits(raw: Raw) -> tuple[int, int]:
    row = raw.execute(
        "SELECT (SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'),"
        " (SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout')"
    ).fetchone()
    assert row is not None
    return int(str(row[0])), int(str(row[1]))

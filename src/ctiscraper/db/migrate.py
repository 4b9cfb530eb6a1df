"""Brings a database's schema up to this version of the program, in nobody's way for long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import Connection as PsycopgConnection
from psycopg import Error, connect
from psycopg.errors import (
    DeadlockDetected,
    InsufficientPrivilege,
    LockNotAvailable,
    QueryCanceled,
)
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ctiscraper.db.roles import renew_rights
from ctiscraper.db.server import describe_place
from ctiscraper.db.vector_index import prepare_vectors
from ctiscraper.errors import CTIScraperError, Reason, SettingsError, StorageError

# Any number of processes may start at once: the first migrates, the others wait and find it done.
LOCK_KEY = 0x63746973
SCRIPTS = Path(str(files("ctiscraper.db") / "migrations"))
# How long a migration that finds its tables held is tried again.
PATIENCE = 120.0
# Between two tries whoever waited behind the last has its turn.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
TURN_POLL = 0.2
APPLICATION = "ctiscraper migrate"

Raw = PsycopgConnection[tuple[object, ...]]
Told = Callable[[str], None]
Step = Callable[[Config, str], None]

log = structlog.get_logger()

_HOLDERS = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename::text),
    coalesce(a.state, 'at work'), extract(epoch FROM clock_timestamp() - a.xact_start)::int,
    string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname)
FROM pg_locks l
JOIN pg_stat_activity a USING (pid)
JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
WHERE l.granted AND a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND a.xact_start IS NOT NULL
GROUP BY a.pid, a.application_name, a.usename, a.state, a.xact_start
ORDER BY a.xact_start LIMIT 3
"""


def _note(words: str) -> None:
    log.warning("migration_waits", detail=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a migration is tried, and who is told why it is not done yet."""

    seconds: float = PATIENCE
    told: Told = _note


def upgrade(
    conninfo: str,
    revision: str = "head",
    *,
    patience: Patience | None = None,
    scripts: Path = SCRIPTS,
) -> None:
    """Apply every outstanding migration, one process at a time; roles get rights on what is new.

    Raises SettingsError for a schema that this program does not know, StorageError when a
    migration cannot be applied in time.
    """
    _step(conninfo, command.upgrade, revision, patience or Patience(), scripts)
    prepare_vectors(conninfo)
    renew_rights(conninfo)


def downgrade(
    conninfo: str,
    revision: str = "base",
    *,
    patience: Patience | None = None,
    scripts: Path = SCRIPTS,
) -> None:
    """Undo migrations down to `revision`. Raises as `upgrade`."""
    _step(conninfo, command.downgrade, revision, patience or Patience(), scripts)


def current(conninfo: str) -> str | None:
    """Return the revision a database is at, None when it holds no schema."""
    with _connected(conninfo) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest(scripts: Path = SCRIPTS) -> str | None:
    """Return the revision this program needs."""
    return ScriptDirectory.from_config(_config(scripts)).get_current_head()


def revisions(scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Return every revision this program knows, the oldest first."""
    walked = ScriptDirectory.from_config(_config(scripts)).walk_revisions()
    return tuple(reversed([script.revision for script in walked]))


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config


@contextmanager
def _connected(conninfo: str) -> Iterator[Connection]:
    with connect(conninfo, application_name=APPLICATION) as raw:
        engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


def _step(conninfo: str, step: Step, revision: str, patience: Patience, scripts: Path) -> None:
    try:
        with connect(conninfo, autocommit=True, application_name=APPLICATION) as guard:
            _wait_for_turn(guard, patience.told)
            _refuse_unknown(conninfo, scripts)
            config = _config(scripts)
            _try_until_done(guard, patience, lambda: _run(conninfo, config, step, revision))
    except (Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise _told(conninfo, cause or error) from error


def _told(conninfo: str, cause: BaseException) -> CTIScraperError:
    """Return the error that names why a migration failed, and the way out."""
    words = str(cause).strip().partition("\n")[0] or type(cause).__name__
    place = describe_place(conninfo)
    said = f"the migration of {place} failed, nothing was changed: {words}; "
    if isinstance(cause, InsufficientPrivilege):
        return SettingsError(
            f"{said}let the user of DATABASE_URL make tables (ALTER DATABASE ... OWNER TO it, or "
            "GRANT CREATE ON SCHEMA public TO it)"
        )
    return StorageError(
        Reason.DATABASE, f"{said}mend what it names, then run 'ctiscraper migrate' again"
    )


def _wait_for_turn(guard: Raw, told: Told) -> None:
    """Take the lock that admits one process at a time; it is freed with the connection.

    Asked again and again: a statement that waits would hold a snapshot, and CREATE INDEX
    CONCURRENTLY of the process whose turn it is would wait for it in its turn.
    """
    waited = False
    while True:
        row = guard.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
        if row == (True,):
            return
        if not waited:
            told("another process migrates this database: waiting until it has")
            waited = True
        time.sleep(TURN_POLL)


def _refuse_unknown(conninfo: str, scripts: Path) -> None:
    found, wanted = current(conninfo), newest(scripts)
    if found is None or found in revisions(scripts):
        return
    kind = "newer than" if wanted is None or found > wanted else "unknown to"
    raise SettingsError(
        f"the schema of the database at {describe_place(conninfo)} is {found}, {kind} this "
        f"program, which needs {wanted}: update the program, or name another database in "
        "DATABASE_URL"
    )


def _run(conninfo: str, config: Config, step: Step, revision: str) -> None:
    with _connected(conninfo) as connection:
        config.attributes["connection"] = connection
        step(config, revision)
        connection.commit()


def _try_until_done(guard: Raw, patience: Patience, attempt: Callable[[], None]) -> None:
    """Run an attempt again while others hold what it needs. Raises StorageError in the end."""
    deadline = time.monotonic() + patience.seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except DBAPIError as error:
            words = _hindered(guard, error)
            if words is None:
                raise
            if time.monotonic() + pause > deadline:
                raise StorageError(
                    Reason.DATABASE,
                    f"the migration was given up after {patience.seconds:.0f} s and undone: "
                    f"{words}; end that, then run 'ctiscraper migrate' again",
                ) from error
        patience.told(f"{words}; trying again")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _hindered(guard: Raw, error: DBAPIError) -> str | None:
    """Return who or what keeps a migration from its end, None for a fault of its own."""
    if not isinstance(error.orig, LockNotAvailable | QueryCanceled | DeadlockDetected):
        return None
    statement = " ".join((error.statement or "").split())[:90]
    holders = guard.execute(_HOLDERS).fetchall()
    if not holders:
        return f"'{statement}' takes longer than others may be kept waiting"
    held = "; ".join(
        f"process {pid} ({name}, {state}, for {age} s) holds {tables}"
        for pid, name, state, age, tables in holders
    )
    return f"'{statement}' must wait: {held}"

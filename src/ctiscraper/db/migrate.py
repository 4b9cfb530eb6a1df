"""Brings a database's schema up to this version of the program."""

from collections.abc import Callable
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import Connection as PsycopgConnection
from psycopg import Error, connect
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ctiscraper.errors import CTIScraperError, Reason, SettingsError, StorageError

# Any number of processes may start at once: the first migrates, the others wait and find it done.
LOCK_KEY = 0x63746973


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("ctiscraper.db") / "migrations"))
    return config


def _connected(conninfo: str) -> tuple[PsycopgConnection[tuple[object, ...]], Connection]:
    raw = connect(conninfo, autocommit=False)
    engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=NullPool)
    return raw, engine.connect()


def upgrade(conninfo: str, revision: str = "head") -> None:
    """Apply every outstanding migration, under a lock that admits one process at a time.

    Raises SettingsError and StorageError; a migration that did not come to its end changed nothing.
    """
    try:
        with connect(conninfo, autocommit=True) as guard:
            guard.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
            _run(conninfo, command.upgrade, revision)
    except (Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise _told(cause or error) from error


def _told(cause: BaseException) -> CTIScraperError:
    """The error that names why a migration failed, and the way out."""
    words = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    said = f"the schema was not brought up to date, nothing was changed: {words}; "
    if isinstance(cause, InsufficientPrivilege):
        return SettingsError(
            f"{said}let the user of DATABASE_URL make tables (ALTER DATABASE ... OWNER TO it, or "
            "GRANT CREATE ON SCHEMA public TO it)"
        )
    if isinstance(cause, LockNotAvailable):
        return StorageError(
            Reason.DATABASE, f"{said}a table is in use for long: end what holds it, or try again"
        )
    return StorageError(
        Reason.DATABASE, f"{said}mend what it names, then run 'ctiscraper db upgrade' again"
    )


def downgrade(conninfo: str, revision: str = "base") -> None:
    """Undo migrations down to `revision`."""
    _run(conninfo, command.downgrade, revision)


def _run(conninfo: str, step: Callable[[Config, str], None], revision: str) -> None:
    raw, connection = _connected(conninfo)
    config = _config()
    config.attributes["connection"] = connection
    try:
        step(config, revision)
        raw.commit()
    finally:
        connection.close()
        raw.close()


def current(conninfo: str) -> str | None:
    """Return the revision a database is at, None when it holds no schema."""
    raw, connection = _connected(conninfo)
    try:
        return MigrationContext.configure(connection).get_current_revision()
    finally:
        connection.close()
        raw.close()


def newest() -> str | None:
    """Return the revision this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()

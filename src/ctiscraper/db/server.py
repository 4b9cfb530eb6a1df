"""What a PostgreSQL server is: asked before anything else is, so that errors name their cause."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from psycopg import AsyncConnection, Error, OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ctiscraper.db.binaries import OLDEST_MAJOR
from ctiscraper.db.fence import words_of_move
from ctiscraper.db.refusals import explain_refusal
from ctiscraper.errors import Reason, SettingsError, StorageError

CONNECT_SECONDS = 5
_PORT = 5432
# Migrations are named YYYYMMDD_HHMM_…, and so are their revisions.
_REVISION_LENGTH = 13
_ASIDES = ("Is the server running", "DETAIL:", "HINT:", "Multiple connection", "Either provide")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """A server as it answered; `now` is its clock, `revision` the schema's or None.

    `connections` of `most_connections` were in use; `moved` says where the database is now when it
    was moved elsewhere.
    """

    version: str
    major: int
    writable: bool
    now: datetime
    extensions: tuple[str, ...]
    revision: str | None
    standby: bool
    connections: int
    most_connections: int
    moved: str | None = None

    @property
    def has_schema(self) -> bool:
        """Whether the schema is what this program needs, or a newer one, which serves it too."""
        return self.revision is not None and self.revision >= schema_wanted()


async def read_server(conninfo: str, *, password_in_file: bool = False) -> ServerFacts:
    """Return what the server is; `password_in_file` is for the words of a login that is refused.

    Raises SettingsError when it is not what is needed, StorageError when it does not answer.
    """
    place = describe_place(conninfo)
    try:
        connection = await AsyncConnection.connect(conninfo, connect_timeout=CONNECT_SECONDS)
        async with connection:
            facts = await _facts(connection)
    except OperationalError as error:
        refusal = explain_refusal(str(error), password_in_file=password_in_file)
        said = f"PostgreSQL at {place} cannot be used: {_cause(error)}; {refusal.advice}"
        if refusal.lasting:
            raise SettingsError(said) from error
        raise StorageError(Reason.DATABASE, said) from error
    except UnicodeError as error:
        raise SettingsError(f"the host of {place} is no name: mend it in DATABASE_URL") from error
    except Error as error:
        raise SettingsError(
            f"PostgreSQL at {place} refused a first question: {_cause(error)}; "
            "mend DATABASE_URL or the rights of its user"
        ) from error
    if facts.major < OLDEST_MAJOR:
        raise SettingsError(
            f"PostgreSQL at {place} is version {facts.version}, at least {OLDEST_MAJOR} is "
            "needed: upgrade it, or name another in DATABASE_URL (unset, the embedded one is used)"
        )
    # Both are met for a while by whoever starts during a failover.
    if facts.standby:
        raise StorageError(
            Reason.DATABASE,
            f"PostgreSQL at {place} is a standby and so read-only: if no failover is under way, "
            "name the primary server in DATABASE_URL, or all of them with "
            "target_session_attrs=read-write",
        )
    if not facts.writable:
        raise StorageError(
            Reason.DATABASE,
            f"PostgreSQL at {place} is read-only: if that lasts, take "
            "default_transaction_read_only back from its server, database or user, or name "
            "another in DATABASE_URL",
        )
    return facts


@cache
def schema_wanted() -> str:
    """Return the revision of the schema that this program needs, by the names of its migrations.

    As Alembic says too; but that takes the better part of a second to load.
    """
    names = (file.name for file in files("ctiscraper.db.migrations.versions").iterdir())
    return max(name[:_REVISION_LENGTH] for name in names if name.startswith("2"))


def is_newer(revision: str | None) -> bool:
    """Return whether a schema was made by a later version of this program."""
    return revision is not None and revision > schema_wanted()


def with_known_password(into: str, known: str | None) -> str:
    """Return a connection string with the password that is known for this user of this server.

    Whoever names the database of his settings need not write it where others see it. It goes only
    the way that the settings have for it: what they demand of TLS comes along.
    """
    try:
        wanted, ours = conninfo_to_dict(into), conninfo_to_dict(known or "")
    except ProgrammingError:
        # What reads the first says what is wrong with it.
        return into
    if _login(wanted) != _login(ours) or "password" in wanted or "password" not in ours:
        return into
    return make_conninfo("", **{**ours, **wanted})


def _login(parts: Mapping[str, object]) -> tuple[object, ...]:
    """Who logs in where, of the parts of a connection string."""
    named = (parts.get(part) for part in ("service", "host", "hostaddr", "user"))
    return (*named, str(parts.get("port") or _PORT))


def describe_place(conninfo: str) -> str:
    """Return host, port and database of a connection string, without its secrets.

    Raises SettingsError when it cannot be read.
    """
    try:
        parts = conninfo_to_dict(conninfo)
    except Error as error:
        raise SettingsError(
            "DATABASE_URL cannot be read; write postgresql://user:password@host:5432/database"
        ) from error
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    return f"{host}:{parts.get('port') or _PORT}/{parts.get('dbname') or ''}"


async def _facts(connection: AsyncConnection[tuple[object, ...]]) -> ServerFacts:
    cursor = await connection.execute(
        """
        SELECT current_setting('server_version_num')::int, current_setting('server_version'),
            current_setting('transaction_read_only') = 'off', pg_is_in_recovery(),
            clock_timestamp(), ARRAY(SELECT extname::text FROM pg_extension ORDER BY 1),
            to_regclass('alembic_version') IS NOT NULL,
            (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'),
            current_setting('max_connections')::int
        """
    )
    row = await cursor.fetchone()
    assert row is not None, "a query without FROM has one row"
    number, version, writable, standby, now, extensions, has_schema, connections, most = row
    assert isinstance(number, int)
    assert isinstance(now, datetime)
    assert isinstance(extensions, list)
    assert isinstance(connections, int)
    assert isinstance(most, int)
    revision = None
    if has_schema:
        cursor = await connection.execute("SELECT version_num FROM alembic_version")
        found = await cursor.fetchone()
        revision = str(found[0]) if found else None
    return ServerFacts(
        version=str(version).partition(" ")[0],
        major=number // 10_000,
        writable=bool(writable) and not standby,
        standby=bool(standby),
        connections=connections,
        most_connections=most,
        now=now,
        extensions=tuple(extensions),
        revision=revision,
        moved=await words_of_move(connection),
    )


def _cause(error: Error) -> str:
    """The last line of what the driver says that tells a cause: each address is tried in turn."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_ASIDES)]
    return telling[-1].removeprefix("connection failed: ") if telling else type(error).__name__

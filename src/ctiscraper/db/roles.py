"""What each part of the program may do in the database, by roles with no more rights than that."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from psycopg import Connection, Error, connect, sql
from psycopg.errors import InsufficientPrivilege

from ctiscraper.db.server import describe_place
from ctiscraper.db.vector_index import SCHEMA
from ctiscraper.errors import InputError, Reason, SettingsError, StorageError

# "role"; it is held to the end of a transaction that gives rights.
_LOCK = 0x726F6C65
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

READ = ("SELECT",)
WRITE = ("SELECT", "INSERT", "UPDATE", "DELETE")
_EVERY = (*WRITE, "TRUNCATE", "REFERENCES", "TRIGGER")


class Part(StrEnum):
    """A part of the program that has a role of its own."""

    WEB = "web"
    WORKER = "worker"


# Who people are, what lets them in and what they did: nothing that reads pages of strangers may
# know of it.
PRIVATE = frozenset(
    {
        "api_token",
        "app_user",
        "article_highlight",
        "article_note",
        "article_reader",
        "attempt",
        "audit_entry",
        "database_role",
        "detection",
        "detection_version",
        "lost_form",
        "one_time_secret",
        "passkey",
        "reader",
        "recovery_code",
        "saved_search",
        "saved_search_feed",
        "saved_search_seen",
        "session_form",
        "sign_on",
        "sign_on_used",
        "triage_change",
        "user_identity",
        "user_session",
        "user_totp",
        "written_once",
    }
)
# The tables where a part may not do everything. What a page was is written by workers alone, and
# the schema by its owner.
_LIMITED: Mapping[Part, Mapping[str, tuple[str, ...]]] = {
    Part.WEB: {
        "alembic_version": READ,
        "audit_entry": ("SELECT", "INSERT"),
        "database_role": READ,
        "snapshot": READ,
    },
    Part.WORKER: {"alembic_version": READ, **dict.fromkeys(PRIVATE, ())},
}
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
"""
_NOTED = """
SELECT d.name, d.part FROM database_role d JOIN pg_roles r ON r.rolname = d.name ORDER BY 1
"""
# Whoever is the owner, or may become it, takes what he likes.
_IS_OWNER = """
SELECT pg_has_role(%s, c.relowner, 'MEMBER') FROM pg_class c
WHERE c.oid = to_regclass('audit_entry')
"""
_EXCESS = """
SELECT p, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(%(rights)s::text[]) AS p
WHERE n.nspname = current_schema() AND c.relname = %(table)s
    AND CASE WHEN p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        THEN has_any_column_privilege(%(role)s, c.oid, p)
        ELSE has_table_privilege(%(role)s, c.oid, p) END
LIMIT 1
"""

_Conn = Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRole:
    """A role of the server for a part; without a password one that is there already."""

    part: Part
    name: str
    password: str | None = field(default=None, repr=False)


def give_roles(conninfo: str, roles: Iterable[DatabaseRole], *, rights: bool = True) -> None:
    """Make these roles where they are not there, with the rights of their parts and no others.

    Without `rights` they keep those that they have, as on a schema of which this program does not
    know what should be kept from whom. As the owner of the schema, who may make roles unless they
    are there. Raises InputError, SettingsError and StorageError; then nothing was changed.
    """
    with _transaction(conninfo) as conn:
        for role in roles:
            if not rights and not _is_noted(conn, role.name):
                raise SettingsError(
                    f"{role.name} has no rights yet, and which it should have the newer program "
                    "knows that made this schema: run its 'db roles'"
                )
            _make(conn, role)
            conn.execute(
                "INSERT INTO database_role (name, part) VALUES (%s, %s) "
                "ON CONFLICT (name) DO UPDATE SET part = excluded.part",
                (role.name, role.part),
            )
        if rights:
            _renew(conn)


def _is_noted(conn: _Conn, name: str) -> bool:
    found = conn.execute("SELECT 1 FROM database_role WHERE name = %s", (name,)).fetchone()
    return found is not None


def renew_rights(conninfo: str) -> None:
    """Give the roles of `give_roles` the rights on what the schema holds now.

    Raises SettingsError and StorageError.
    """
    with _transaction(conninfo) as conn:
        known = conn.execute("SELECT to_regclass('database_role') IS NOT NULL").fetchone()
        if known == (True,):
            _renew(conn)


@contextmanager
def _transaction(conninfo: str) -> Iterator[_Conn]:
    try:
        with connect(conninfo, application_name="ctiscraper roles") as conn:
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield conn
    except InsufficientPrivilege as error:
        raise SettingsError(
            f"the rights of roles in {describe_place(conninfo)} stay as they are: "
            f"{_first_line(error)}; name the owner of the schema in DATABASE_URL and let it make "
            "roles (ALTER ROLE ... CREATEROLE), or make them yourself and give no password"
        ) from error
    except Error as error:
        raise StorageError(
            Reason.DATABASE,
            f"the rights of roles in {describe_place(conninfo)} stay as they are: "
            f"{_first_line(error)}",
        ) from error


def _make(conn: _Conn, role: DatabaseRole) -> None:
    """Have a role that may log in. Raises InputError and SettingsError."""
    if not _NAME.fullmatch(role.name):
        raise InputError(
            f"'{role.name}' is no name for a role: use small letters, digits and underscores"
        )
    found = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM database_role WHERE name = %(name)s) "
        "FROM pg_roles WHERE rolname = %(name)s",
        {"name": role.name},
    ).fetchone()
    if role.password is None:
        if found is None:
            raise SettingsError(
                f"there is no role {role.name}: give a password for it, or make it first"
            )
        return
    if found == (False,):
        # It may be another installation's, whose password this would replace.
        raise SettingsError(
            f"the role {role.name} is there already and not of this installation: remove it "
            f"(DROP ROLE {role.name}), give no password to use it as it is, or choose another name"
        )
    secret = conn.pgconn.encrypt_password(
        role.password.encode(), role.name.encode(), b"scram-sha-256"
    )
    verb = sql.SQL("CREATE" if found is None else "ALTER")
    conn.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
            verb, sql.Identifier(role.name), sql.Literal(secret.decode())
        )
    )


def _renew(conn: _Conn) -> None:
    """Give every role that is noted its rights. Raises SettingsError."""
    tables = [str(row[0]) for row in conn.execute(_TABLES).fetchall()]
    for name, part in conn.execute(_NOTED).fetchall():
        _grant(conn, str(name), Part(str(part)), tables)


def _grant(conn: _Conn, name: str, part: Part, tables: Iterable[str]) -> None:
    if conn.execute(_IS_OWNER, (name,)).fetchone() == (True,):
        raise SettingsError(
            f"{name} owns the schema, may become its owner, or is a superuser, so that no right "
            "could be kept from it: use another role"
        )
    role, limited = sql.Identifier(name), _LIMITED[part]
    (schema,) = conn.execute("SELECT current_schema()").fetchone() or ("public",)
    place = sql.Identifier(str(schema))
    for statement in (
        "REVOKE ALL ON ALL TABLES IN SCHEMA {1} FROM {0}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {1} TO {0}",
    ):
        conn.execute(sql.SQL(statement).format(role, place))
    by_rights: dict[tuple[str, ...], list[str]] = {}
    for table in tables:
        by_rights.setdefault(limited.get(table, WRITE), []).append(table)
    for rights, named in by_rights.items():
        if rights:
            conn.execute(
                sql.SQL("GRANT {} ON {} TO {}").format(
                    sql.SQL(", ").join(map(sql.SQL, rights)),
                    sql.SQL(", ").join(sql.Identifier(str(schema), table) for table in named),
                    role,
                )
            )
    _open_vectors(conn, role)
    _open_database(conn, name, place)
    _check(conn, name, {table: limited[table] for table in tables if table in limited})


def _open_vectors(conn: _Conn, role: sql.Identifier) -> None:
    """Let a role use the copy of vectors, where there is one."""
    found = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.passage_near",))
    if found.fetchone() == (True,):
        place = sql.Identifier(SCHEMA)
        conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(place, role))
        conn.execute(
            sql.SQL("GRANT SELECT, INSERT, DELETE ON {} TO {}").format(
                sql.Identifier(SCHEMA, "passage_near"), role
            )
        )


def _open_database(conn: _Conn, name: str, schema: sql.Identifier) -> None:
    """Let a role connect and use the schema, which everybody may unless it was taken away."""
    row = conn.execute(
        """
        SELECT current_database(), has_schema_privilege(%(role)s, current_schema(), 'USAGE'),
            has_database_privilege(%(role)s, current_database(), 'CONNECT'),
            has_database_privilege(%(role)s, current_database(), 'TEMPORARY')
        """,
        {"role": name},
    ).fetchone()
    assert row is not None, "a query without FROM has one row"
    database, is_usable, connects, has_temporary = row
    role = sql.Identifier(name)
    if not is_usable:
        conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
    if not (connects and has_temporary):
        place = sql.Identifier(str(database))
        conn.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(place, role))


def _check(conn: _Conn, name: str, limited: Mapping[str, tuple[str, ...]]) -> None:
    """Raise SettingsError for a right that a role has on another way than by its own grants."""
    for table, rights in limited.items():
        wrong = [right for right in _EVERY if right not in rights]
        found = conn.execute(_EXCESS, {"rights": wrong, "table": table, "role": name}).fetchone()
        if found is not None:
            raise SettingsError(
                f"{name} would have the right to {found[0]} {table}, which it must not: take it "
                "from PUBLIC, and from the roles that it is a member of"
            )


def _first_line(error: Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

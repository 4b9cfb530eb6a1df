"""Statements of a test share a connection, for as long as their database is there."""

import psycopg

from databases import FreshDatabases
from statements import connected


def _process(conninfo: str) -> int:
    with connected(conninfo) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def test_statements_of_a_database_share_a_connection(database: str) -> None:
    assert _process(database) == _process(database)


def test_a_connection_that_the_server_ended_is_made_anew(database: str) -> None:
    before = _process(database)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
    assert _process(database) != before


def test_another_database_is_let_go_of_at_once(postgres: str) -> None:
    assert _process(postgres) != _process(postgres)


def test_what_is_dropped_is_let_go_of(fresh_databases: FreshDatabases) -> None:
    name = fresh_databases.take()
    with connected(fresh_databases.conninfo(name)) as connection:
        fresh_databases.drop(name)
        assert connection.closed

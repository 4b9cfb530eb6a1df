"""Statements of a test, over one connection for each database that is made for one.

A connection for each statement cost more than what it does: each is a process of the server that
knows nothing of the database yet.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

Connection = psycopg.Connection[psycopg.rows.TupleRow]

_kept: dict[str, Connection | None] = {}


def lend(conninfo: str) -> None:
    """Keep a connection to this database from now on, once somebody asks for one."""
    _kept[conninfo] = None


def take_back(conninfo: str) -> None:
    """Close what was kept of this database, which is about to go."""
    connection = _kept.pop(conninfo, None)
    if connection is not None:
        connection.close()


@contextmanager
def connected(conninfo: str) -> Iterator[Connection]:
    """Give a connection where each statement is its own transaction."""
    if conninfo not in _kept:
        with _new(conninfo) as connection:
            yield connection
        return
    kept = _kept[conninfo]
    if kept is None or _is_over(kept):
        if kept is not None:
            kept.close()
        kept = _kept[conninfo] = _new(conninfo)
    yield kept


def _new(conninfo: str) -> Connection:
    # What a test changes in the schema must not meet a plan of before.
    return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)


def _is_over(connection: Connection) -> bool:
    """Whether the server has ended it: it says nothing else to who has asked for nothing."""
    if connection.closed:
        return True
    looked_at = select.poll()
    looked_at.register(connection.fileno(), select.POLLIN)
    return bool(looked_at.poll(0))

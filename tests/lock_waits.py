"""Locks of a database: held against everybody, and sessions that wait for one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from patience import SECONDS

_WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@contextmanager
def held(database: str, table: str) -> Iterator[None]:
    """Let everybody wait who reads a table."""
    with psycopg.connect(database) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def until_waiting(database: str, *, end: bool = False) -> None:
    """Return once a session waits for a lock; with `end` it is ended as if its server had."""
    deadline = time.monotonic() + SECONDS
    with psycopg.connect(database, autocommit=True) as watcher:
        while time.monotonic() < deadline:
            waiting = watcher.execute(_WAITING).fetchall()
            for (pid,) in waiting if end else ():
                watcher.execute("SELECT pg_terminate_backend(%s)", (pid,))
            if waiting:
                return
    raise AssertionError("nobody waits")

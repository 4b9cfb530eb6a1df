"""Sessions of a database that wait for a lock which another holds."""

import time

import psycopg

from patience import SECONDS

_WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


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

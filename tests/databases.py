"""Fresh databases, each made while the tests before it run.

To wait for a copy and for a connection that asks for it took each of two thousand tests 0.08 s.
"""

import uuid

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

import statements


class _Session:
    """A session of the server that is told what to do, and asked later how that ended."""

    def __init__(self, server: str) -> None:
        self._connection = psycopg.connect(server, autocommit=True)
        self._is_at_work = False

    def begin(self, statement: sql.Composed) -> None:
        self.settle()
        self._connection.pgconn.send_query(statement.as_bytes(self._connection))
        self._is_at_work = True

    def settle(self) -> None:
        """Return when the statement has ended; raises psycopg.Error where it failed."""
        if not self._is_at_work:
            return
        self._is_at_work = False
        results = []
        while (result := self._connection.pgconn.get_result()) is not None:
            results.append(result)
        for result in results:
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)

    def close(self) -> None:
        self._connection.close()


class FreshDatabases:
    """Copies of a template, the next of which is always on its way."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._making = _Session(server)
        self._dropping = _Session(server)
        self._next = self._begun()

    def take(self) -> str:
        """The name of a database that nobody has used."""
        self._making.settle()
        taken, self._next = self._next, self._begun()
        statements.lend(self.conninfo(taken))
        return taken

    def conninfo(self, name: str) -> str:
        return make_conninfo(self._server, dbname=name)

    def drop(self, name: str) -> None:
        """Begin to drop a database, whoever uses it."""
        statements.take_back(self.conninfo(name))
        self._dropping.begin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        self._making.settle()
        self.drop(self._next)
        self._dropping.settle()
        self._making.close()
        self._dropping.close()

    def _begun(self) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._making.begin(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(self._template)
            )
        )
        return name

"""Publishing queue depth and its like: read from PostgreSQL itself, never behind the backlog."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.session import Database
from ctiscraper.emf import MetricPlace, metric_documents
from ctiscraper.errors import StorageError
from ctiscraper.operations import DatabaseState, Operations
from ctiscraper.telemetry import write_metrics

log = structlog.get_logger()

Write = Callable[[str], None]


async def publish(
    conninfo: str,
    place: MetricPlace,
    *,
    every: float = 30.0,
    alive_seconds: float = 60.0,
    password_file: Path | None = None,
    write: Write = write_metrics,
) -> None:
    """Write the metrics every so many seconds, over a connection of their own, until cancelled.

    While the database is away that is what is published, and the log says why.
    """
    while True:
        try:
            async with Database(conninfo, size=1, password_file=password_file) as database:
                board = OperationsBoard(database, alive_seconds=alive_seconds)
                while True:
                    _publish(await board.read(), place, write)
                    await asyncio.sleep(every)
        except StorageError as error:
            _publish(
                Operations(database=DatabaseState(reachable=False, detail=error.detail)),
                place,
                write,
            )
            await asyncio.sleep(every)


def _publish(seen: Operations, place: MetricPlace, write: Write) -> None:
    if not seen.database.reachable:
        log.warning("database_unreachable", detail=seen.database.detail)
    for document in metric_documents(seen, place, datetime.now(UTC)):
        write(msgspec.json.encode(document).decode())

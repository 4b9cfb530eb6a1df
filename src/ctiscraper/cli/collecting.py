"""The parts of a command that asks sites itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ctiscraper.bootstrap import Services, open_services
from ctiscraper.cli.engine import open_ready_engine
from ctiscraper.config import Settings

CONNECTIONS = 4


@asynccontextmanager
async def open_collecting(settings: Settings) -> AsyncIterator[Services]:
    """Yield the parts; parsers start when something is to be parsed.

    Raises SettingsError and StorageError.
    """
    async with (
        open_ready_engine(settings) as engine,
        open_services(settings, engine.conninfo, connections=CONNECTIONS, warm=False) as services,
    ):
        yield services

"""The database that a command works on: the operator's, or the embedded one."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import structlog

from ctiscraper.config import Settings, load_settings
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.server import ServerFacts, is_newer, read_server, schema_wanted
from ctiscraper.db.session import Database
from ctiscraper.errors import SettingsError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A PostgreSQL that takes connections; `owned` when this process runs it."""

    conninfo: str
    facts: ServerFacts
    embedded: bool
    owned: bool = False


def settings_for(data: Path | None, **more: object) -> Settings:
    """Return the settings, those of the command line first. Raises SettingsError."""
    return load_settings(data_dir=data.absolute() if data else None, **more)


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """Yield the database server, whatever its schema. Raises SettingsError and StorageError."""
    if settings.database_url:
        by_file = settings.database_password_file is not None
        facts = await read_server(settings.database_url, password_in_file=by_file)
        yield Engine(conninfo=settings.database_url, facts=facts, embedded=False)
        return
    binaries = await asyncio.to_thread(find_binaries, settings.pg_bin)
    async with EmbeddedPostgres(settings.data_dir, binaries) as server:
        facts = await read_server(server.conninfo)
        yield Engine(conninfo=server.conninfo, facts=facts, embedded=True, owned=server.is_owner)


@asynccontextmanager
async def open_ready_engine(settings: Settings, *, migrate: bool = False) -> AsyncIterator[Engine]:
    """Yield the database with the schema that this program needs.

    The embedded one is brought up to date in passing, the operator's only when asked. A newer
    one is taken as it is: migrations only add, so that an older program can be put back.
    Raises SettingsError and StorageError.
    """
    loaded: asyncio.Task[ModuleType] | None = None
    if not settings.database_url and not (settings.data_dir / "cluster").exists():
        loaded = asyncio.create_task(_load_migrations())
    async with open_engine(settings) as engine:
        found = engine.facts.revision
        if is_newer(found):
            log.warning("schema_newer", found=found, wanted=schema_wanted())
        elif not engine.facts.has_schema:
            if not (engine.embedded or migrate):
                raise SettingsError(
                    f"the schema of DATABASE_URL is {found or 'empty'}, this program needs "
                    f"{schema_wanted()}: run 'ctiscraper migrate' first"
                )
            migrations = await (loaded or _load_migrations())
            await asyncio.to_thread(migrations.upgrade, engine.conninfo)
        yield engine


async def _load_migrations() -> ModuleType:
    """Return the module that migrates: SQLAlchemy costs most starts 0.8 s and 40 MB for nothing."""
    return await asyncio.to_thread(importlib.import_module, "ctiscraper.db.migrate")


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Yield a pool for a command that reads or notes things. Raises as `open_ready_engine`."""
    async with open_ready_engine(settings) as engine, Database(engine.conninfo, size=2) as database:
        yield database

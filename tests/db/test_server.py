"""What a server is asked first."""

from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.migrate import downgrade, newest
from ctiscraper.db.server import describe_place, read_server, schema_wanted
from ctiscraper.errors import SettingsError, StorageError


async def test_a_server_says_what_it_is(database: str) -> None:
    facts = await read_server(database)
    assert facts.major >= 15
    assert facts.version.startswith(str(facts.major))
    assert facts.read_only == ""
    assert "plpgsql" in facts.extensions
    assert facts.revision == schema_wanted() == newest()


async def test_an_empty_database_has_no_revision(database: str) -> None:
    downgrade(database)
    assert (await read_server(database)).revision is None


async def test_a_read_only_server_is_refused(database: str) -> None:
    read_only = make_conninfo(database, options="-c default_transaction_read_only=on")
    with pytest.raises(
        SettingsError, match=r"read-only .default_transaction_read_only is on.: .* DATABASE_URL"
    ):
        await read_server(read_only)


async def test_a_standby_is_refused(tmp_path: Path) -> None:
    options = {"fsync": "off"}
    async with EmbeddedPostgres(tmp_path / "pg", find_binaries(), options=options):
        (tmp_path / "pg" / "cluster" / "standby.signal").touch()
    async with EmbeddedPostgres(tmp_path / "pg", find_binaries(), options=options) as server:
        with pytest.raises(SettingsError, match=r"read-only \(a standby\): .* DATABASE_URL"):
            await read_server(server.conninfo)


async def test_an_old_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiscraper.db.server.OLDEST_MAJOR", 99)
    with pytest.raises(SettingsError, match="at least 99 is needed"):
        await read_server(database)


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(StorageError) as raised:
        await read_server("postgresql://me:secret@127.0.0.1:1/mine")
    assert "127.0.0.1:1/mine" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_address_that_is_none_is_a_setting() -> None:
    with pytest.raises(SettingsError, match="postgresql://user"):
        describe_place("mysql;//")

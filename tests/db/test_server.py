"""What a server is asked first."""

import signal
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.migrate import downgrade, newest
from ctiscraper.db.server import (
    describe_place,
    read_server,
    schema_wanted,
    with_known_password,
)
from ctiscraper.errors import SettingsError, StorageError
from servers import own_server
from walk.fault_proxy import fault_proxy


async def test_a_server_says_what_it_is(database: str) -> None:
    facts = await read_server(database)
    assert facts.major >= 15
    assert facts.version.startswith(str(facts.major))
    assert facts.writable
    assert "plpgsql" in facts.extensions
    assert facts.revision == schema_wanted() == newest()


async def test_an_empty_database_has_no_revision(database: str) -> None:
    downgrade(database)
    assert (await read_server(database)).revision is None


async def test_a_read_only_server_is_refused(database: str) -> None:
    read_only = make_conninfo(database, options="-c default_transaction_read_only=on")
    with pytest.raises(StorageError, match=r"read-only: .*default_transaction_read_only"):
        await read_server(read_only)


async def test_an_old_server_is_refused(database: str) -> None:
    """A real server that says it is older: none so old can be had everywhere."""
    with psycopg.connect(database) as connection:
        number = str(connection.info.server_version)
    async with fault_proxy(database) as proxy:
        assert (await read_server(proxy.conninfo)).major >= 15
        proxy.spell(number, "140022")
        with pytest.raises(SettingsError, match=r"at least 15 is needed.*DATABASE_URL"):
            await read_server(proxy.conninfo)


async def test_a_standby_is_refused_until_it_is_the_primary(
    place: Path, binaries: PgBinaries
) -> None:
    async with own_server(place / "pg", binaries) as server:
        await server.stop(signal.SIGINT)
        (server.cluster.folder / "standby.signal").touch()
        await server.start()
        with pytest.raises(StorageError, match=r"is a standby.*target_session_attrs=read-write"):
            await read_server(server.conninfo())
        server.run("SELECT pg_promote()")
        facts = await read_server(server.conninfo())
        assert (facts.writable, facts.standby) == (True, False)


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    with pytest.raises(StorageError) as raised:
        await read_server("postgresql://me:secret@127.0.0.1:1/mine")
    assert "127.0.0.1:1/mine" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_address_that_is_none_is_a_setting() -> None:
    with pytest.raises(SettingsError, match="postgresql://user"):
        describe_place("mysql;//")


OURS = "postgresql://cti:s3cret@db:5432/ctiscraper"


@pytest.mark.parametrize(
    ("into", "known", "is_given"),
    [
        ("postgresql://cti@db:5432/restored", OURS, True),
        ("postgresql://cti:other@db:5432/restored", OURS, False),
        ("postgresql://cti@elsewhere:5432/restored", OURS, False),
        ("postgresql://root@db:5432/restored", OURS, False),
        ("postgresql://cti@db:5432/restored", "postgresql://cti@db:5432/ctiscraper", False),
        ("postgresql://cti@db:5432/restored", None, False),
        ("postgresql://cti@db/restored", OURS, True),
        ("host=db user=cti dbname=restored hostaddr=192.0.2.6", OURS, False),
        ("service=theirs user=cti", "service=ours user=cti password=s3cret", False),
        ("postgresql://[", OURS, False),
    ],
)
def test_a_password_is_known_for_its_own_user_and_server_alone(
    into: str, known: str | None, is_given: bool
) -> None:
    place = with_known_password(into, known)
    assert ("s3cret" in place) is is_given
    assert is_given or place == into


def test_a_known_password_goes_only_the_way_that_the_settings_have_for_it() -> None:
    ours = f"{OURS}?sslmode=verify-full&sslrootcert=/ca.pem&channel_binding=require"
    place = conninfo_to_dict(with_known_password("postgresql://cti@db/restored", ours))
    assert place == {**conninfo_to_dict(ours), "dbname": "restored"}
    chosen = conninfo_to_dict(
        with_known_password("postgresql://cti@db/restored?sslmode=verify-ca", ours)
    )
    assert chosen["sslmode"] == "verify-ca"

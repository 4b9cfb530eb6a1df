"""A database that cannot be used is told with its cause, the setting and the way out."""

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
import trustme

from cli.terminal import Terminal, environment
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.migrate import downgrade, upgrade
from servers import OwnServer, binaries_with_tls, own_server, reachable_folder

PEOPLE = """
local all all trust
host postgres all 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
"""
ME = {"host": "127.0.0.1", "user": "me", "password": "right"}
SLOTS = 6


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(binaries: PgBinaries) -> AsyncIterator[OwnServer]:
    """A server that asks for passwords and has few connections to give."""
    slots = {"max_connections": str(SLOTS), "superuser_reserved_connections": "2"}
    with reachable_folder() as folder:
        async with own_server(folder / "pg", binaries, **slots) as opened:
            rules = opened.cluster.folder / "pg_hba.conf"
            rules.write_text(PEOPLE, "ascii")
            opened.give(rules)
            opened.run(
                "SELECT pg_reload_conf()",
                "CREATE ROLE me LOGIN PASSWORD 'right'",
                "CREATE ROLE guest LOGIN PASSWORD 'right'",
                "CREATE DATABASE mine OWNER me",
                "CREATE DATABASE closed OWNER me",
                "REVOKE CONNECT ON DATABASE closed FROM public",
            )
            upgrade(opened.conninfo("mine", **ME))
            yield opened


def refused(conninfo: str, folder: Path, code: int) -> str:
    """What a command says, and the doctor too, in the same words."""
    terminal = Terminal(environment(conninfo, folder))
    ended = terminal.run("articles", "list", "--json", code=code)
    said: str = json.loads(ended.err)["message"]
    findings = terminal.run("doctor", "--no-network", "--json", code=1).json
    [finding] = [one for one in findings if one["part"] == "postgresql"]
    assert (finding["verdict"], finding["words"]) == ("fail", said)
    assert "right" not in said
    assert "wr0ng" not in said
    return said


@pytest.mark.parametrize(
    ("parts", "code", "cause", "way_out"),
    [
        ({"password": "wr0ng"}, 3, "password authentication failed", "the password in D"),
        ({"user": "who"}, 3, "password authentication failed", "mend the user"),
        (
            {"dbname": "none"},
            3,
            'database "none" does not exist',
            "make it (createdb), or mend its name",
        ),
        (
            {"dbname": "closed", "user": "guest"},
            3,
            'permission denied for database "closed"',
            "connect to",
        ),
        ({"dbname": "postgres"}, 3, "pg_hba.conf rejects", "let its pg_hba.conf admit"),
        ({"sslmode": "require"}, 3, "does not support SSL", "mend sslmode or sslrootcert"),
        ({"sslmode": "surely"}, 3, "invalid sslmode value", "that part of DATABASE_URL"),
        ({"port": "1"}, 8, "Connection refused", "start it, or mend DATABASE_URL"),
        ({"host": "db..example"}, 3, "db..example", "is no name: mend it in DATABASE_URL"),
    ],
)
def test_each_refusal_names_its_cause_and_the_way_out(
    server: OwnServer, tmp_path: Path, parts: dict[str, str], code: int, cause: str, way_out: str
) -> None:
    said = refused(server.conninfo(**{**ME, "dbname": "mine", **parts}), tmp_path, code)
    assert cause in said
    assert way_out in said
    assert "DATABASE_URL" in said


def test_a_wrong_password_of_a_file_is_mended_in_that_file(
    server: OwnServer, tmp_path: Path
) -> None:
    file = tmp_path / "database-password"
    file.write_text("wr0ng\n", "utf-8")
    url = f"postgresql://me@127.0.0.1:{server.port}/mine"
    given = environment(url, tmp_path) | {"DATABASE_PASSWORD_FILE": str(file)}
    for command in (["articles", "list"], ["worker"], ["migrate"]):
        said = Terminal(given).run(*command, code=3).err
        assert "password authentication failed" in said
        assert "mend the password in the file of DATABASE_PASSWORD_FILE" in said
        assert "wr0ng" not in said


def test_a_server_without_a_free_connection_is_told_and_used_once_it_has_one(
    server: OwnServer, tmp_path: Path
) -> None:
    conninfo = server.conninfo("mine", **ME)
    with _all_taken(conninfo):
        said = refused(conninfo, tmp_path, 8)
    assert "connection slots are reserved" in said
    assert "raise max_connections" in said
    assert "CTISCRAPER_WORKERS" in said
    Terminal(environment(conninfo, tmp_path)).run("articles", "list")


@contextmanager
def _all_taken(conninfo: str) -> Iterator[None]:
    with ExitStack() as taken:
        for _ in range(SLOTS):
            with suppress(psycopg.OperationalError):
                taken.enter_context(psycopg.connect(conninfo))
        yield


def test_a_read_only_database_is_told(server: OwnServer, tmp_path: Path) -> None:
    server.run("CREATE DATABASE kept TEMPLATE mine", "ALTER DATABASE kept OWNER TO me")
    server.run("ALTER DATABASE kept SET default_transaction_read_only = on")
    said = refused(server.conninfo("kept", **ME), tmp_path, 8)
    assert "take default_transaction_read_only back" in said


def test_an_older_schema_names_the_command_that_mends_it(server: OwnServer, tmp_path: Path) -> None:
    server.run("CREATE DATABASE older OWNER me")
    conninfo = server.conninfo("older", **ME)
    terminal = Terminal(environment(conninfo, tmp_path))
    for command in (["worker"], ["articles", "list"]):
        ended = terminal.run(*command, code=3)
        assert "run 'ctiscraper migrate' first" in ended.err
        assert "DATABASE_URL" in ended.err
    terminal.run("db", "upgrade")
    terminal.run("articles", "list")
    downgrade(conninfo)
    findings = terminal.run("doctor", "--no-network", "--json", code=1).json
    assert [f["advice"] for f in findings if f["part"] == "schema"] == ["run 'ctiscraper migrate'"]


def test_a_newer_schema_serves_this_program_as_well(server: OwnServer, tmp_path: Path) -> None:
    """While a new version rolls out, workers of the old one start on its schema."""
    server.run("CREATE DATABASE newer TEMPLATE mine", "ALTER DATABASE newer OWNER TO me")
    server.run("UPDATE alembic_version SET version_num = '29991231_2359'", dbname="newer")
    terminal = Terminal(environment(server.conninfo("newer", **ME), tmp_path))
    terminal.run("articles", "list")
    assert terminal.run("db", "check", "--json").json["current"] is True
    left = terminal.run("db", "upgrade")
    assert "of a newer version of this program: left as it is" in left.err
    assert "29991231_2359" in terminal.run("db", "check").out


def test_a_user_that_may_make_no_tables_is_told(server: OwnServer, tmp_path: Path) -> None:
    server.run("CREATE DATABASE theirs", "GRANT CONNECT ON DATABASE theirs TO guest")
    server.run("REVOKE CREATE ON SCHEMA public FROM public", dbname="theirs")
    guest = {**ME, "user": "guest"}
    terminal = Terminal(environment(server.conninfo("theirs", **guest), tmp_path))
    said = terminal.run("db", "upgrade", code=3).err
    assert "permission denied for schema public" in said
    assert "GRANT CREATE ON SCHEMA public" in said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tls_server(authority: trustme.CA) -> AsyncIterator[OwnServer]:
    """A server that shows a certificate for 127.0.0.1 and db.example alone."""
    binaries = binaries_with_tls()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine was built with TLS (Debian's is)")
    with reachable_folder() as folder:
        certificate = authority.issue_cert("127.0.0.1", "db.example")
        async with own_server(folder / "pg", binaries) as opened:
            for name, blob in (
                ("server.crt", b"".join(pem.bytes() for pem in certificate.cert_chain_pems)),
                ("server.key", certificate.private_key_pem.bytes()),
            ):
                file = opened.cluster.folder / name
                file.write_bytes(blob)
                opened.give(file)
            opened.run("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
            opened.run("CREATE DATABASE mine")
            upgrade(opened.conninfo("mine"))
            yield opened


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _trusting(authority: trustme.CA, folder: Path) -> str:
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@pytest.mark.parametrize(
    ("host", "known", "cause"),
    [
        ("127.0.0.1", False, "certificate verify failed"),
        ("localhost", True, "does not match host name"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused_with_what_to_mend(
    tls_server: OwnServer,
    authority: trustme.CA,
    tmp_path: Path,
    host: str,
    *,
    known: bool,
    cause: str,
) -> None:
    trusted = _trusting(authority if known else trustme.CA(), tmp_path)
    checked = {"host": host, "sslmode": "verify-full", "sslrootcert": trusted}
    said = refused(tls_server.conninfo("mine", **checked), tmp_path, 3)
    assert cause in said
    assert "sslrootcert names the PEM file" in said


def test_a_certificate_that_fits_is_used(
    tls_server: OwnServer, authority: trustme.CA, tmp_path: Path
) -> None:
    conninfo = tls_server.conninfo(
        "mine",
        host="127.0.0.1",
        sslmode="verify-full",
        sslrootcert=_trusting(authority, tmp_path),
    )
    Terminal(environment(conninfo, tmp_path)).run("articles", "list")
    with closing(psycopg.connect(conninfo)) as connection:
        row = connection.execute(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
    assert row is not None
    assert row[0] is True
    assert row[1] >= f"TLSv{ssl.TLSVersion.TLSv1_2.name[4:].replace('_', '.')}"


def test_an_authority_that_is_no_file_is_named(tls_server: OwnServer, tmp_path: Path) -> None:
    checked = {"host": "127.0.0.1", "sslmode": "verify-full", "sslrootcert": "/no/such.pem"}
    said = refused(tls_server.conninfo("mine", **checked), tmp_path, 3)
    assert "/no/such.pem" in said

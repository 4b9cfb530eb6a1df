"""`migrate` and `db`: the schema of the database."""

from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cli.terminal import PATIENCE, Background, Terminal, catalogue_of, environment
from cli.visitor import PASSWORD, SAME_SITE
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.db.migrate import LOCK_KEY, downgrade, newest
from internet.world import FakeInternet


def test_a_current_schema_is_left_alone(terminal: Terminal) -> None:
    assert terminal.run("db", "check", "--json").json["current"] is True
    assert "nothing to do" in terminal.run("migrate").out
    assert "nothing to do" in terminal.run("db", "upgrade").out


@pytest.mark.parametrize("command", [("db", "upgrade"), ("migrate",)])
def test_a_missing_schema_is_said_and_made(
    database: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    terminal = Terminal(environment(database, tmp_path))
    downgrade(database)
    assert "run 'ctiscraper migrate'" in terminal.run("db", "check", code=3).out
    assert "run 'ctiscraper migrate'" in terminal.run("sources", "list", code=3).err
    assert "was empty and is" in terminal.run(*command).out
    assert terminal.run("sources", "list", "--json").json == []
    assert "current" in terminal.run("db", "check").out


def test_a_deployment_starts_with_the_catalogue(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    assert terminal.run("migrate", "--json").json["added"] == 0
    first = terminal.run("migrate", "--seed", "--json").json
    assert first["before"] == first["after"]
    assert first["added"] == len(default_catalog())
    assert terminal.run("migrate", "--seed").out.count("\n") == 1
    assert len(terminal.run("sources", "list", "--json").json) == first["added"]


def test_started_twice_the_second_waits_and_finds_it_done(database: str, tmp_path: Path) -> None:
    downgrade(database)
    terminal = Terminal(environment(database, tmp_path))
    with psycopg.connect(database, autocommit=True) as turn:
        turn.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        with terminal.running("migrate") as one, terminal.running("migrate", "--json") as two:
            for running in (one, two):
                assert running.process.stderr is not None
                assert "another process migrates" in running.process.stderr.readline()
            turn.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))
            for running in (one, two):
                running.process.communicate(timeout=PATIENCE)
                assert running.process.returncode == 0
    assert f"schema {newest()}" in terminal.run("db", "check").out


def test_a_newer_schema_is_worked_on_and_left_as_it_is(database: str, tmp_path: Path) -> None:
    """After an upgrade that is taken back the older program is deployed and starts again."""
    stem = str(conninfo_to_dict(database)["dbname"])
    secret = tmp_path / "password"
    secret.write_text("a password")
    line = ["db", "roles", f"--web={stem}_w", f"--worker={stem}_k"]
    line += [f"--web-password-file={secret}", f"--worker-password-file={secret}"]
    terminal = Terminal(environment(database, tmp_path))
    terminal.run(*line)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '29990101_0000'")
        connection.execute("CREATE TABLE private_of_tomorrow (secret text)")
    left = terminal.run("migrate")
    assert "29990101_0000, of a newer version of this program: left as it is" in left.err
    assert "29990101_0000: nothing to do" in left.out
    assert "its rights stay" in terminal.run(*line).err
    with psycopg.connect(database) as connection:
        may = "SELECT has_table_privilege(%s, 'private_of_tomorrow', 'SELECT')"
        assert connection.execute(may, (f"{stem}_k",)).fetchone() == (False,)
        held = "SELECT has_table_privilege(%s, 'fetch_job', 'UPDATE')"
        assert connection.execute(held, (f"{stem}_k",)).fetchone() == (True,)
    unknown = terminal.run(*line[:2], f"--web={stem}_x", *line[3:], code=3).err
    assert "run its 'db roles'" in unknown
    assert "newer than" in terminal.run("db", "check").out
    assert terminal.run("sources", "list", "--json").json == []


def test_a_read_only_server_is_not_migrated(database: str, tmp_path: Path) -> None:
    read_only = make_conninfo(database, options="-c default_transaction_read_only=on")
    said = Terminal(environment(read_only, tmp_path)).run("migrate", code=8).err
    assert "take default_transaction_read_only back" in said
    assert "DATABASE_URL" in said


def test_the_pages_and_workers_have_roles_of_their_own(database: str, tmp_path: Path) -> None:
    """Each with its password in a file: a source is collected, and an administrator reads it."""
    stem = str(conninfo_to_dict(database)["dbname"])
    names = {part: f"{stem}_{part}" for part in ("web", "worker")}
    owner = Terminal(environment(database, tmp_path))
    options = []
    for part, name in names.items():
        (tmp_path / part).write_text(f"{PASSWORD} {part}\n", "utf-8")
        options += [f"--{part}", name, f"--{part}-password-file", str(tmp_path / part)]
    try:
        for _ in range(2):
            assert owner.run("db", "roles", *options, "--json").json == names
        assert (
            f"{names['web']} has the rights of the pages" in owner.run("db", "roles", *options).out
        )
        with Background(FakeInternet(hosts=1, items=2)) as net:
            owner.run("sources", "import", catalogue_of(net, tmp_path))
            terminals = {
                part: Terminal(
                    environment(make_conninfo(database, user=name), tmp_path, net)
                    | {"DATABASE_PASSWORD_FILE": str(tmp_path / part)}
                )
                for part, name in names.items()
            }
            terminals["worker"].run("collect", "--once")
        web = terminals["web"]
        web.run("user", "create", "--admin", "jane", stdin=PASSWORD.encode())
        with (
            web.running("web", "--port", "0", "--json") as running,
            httpx2.Client(
                base_url=running.until("ready")["url"], headers=SAME_SITE, timeout=PATIENCE
            ) as client,
        ):
            client.post("login", data={"login": "jane", "password": PASSWORD})
            for page in ("", "sources", "audit", "users", "accounting", "api/v1/articles"):
                assert client.get(page).status_code == 200, page
            assert len(client.get("api/v1/articles").json()["articles"]) == 2
        assert terminals["worker"].run("user", "list", code=None).code != 0
        assert "CREATEROLE" in web.run("db", "roles", *options, code=3).err
    finally:
        with psycopg.connect(database, autocommit=True) as conn:
            for name in names.values():
                for statement in ("DROP OWNED BY {}", "DROP ROLE IF EXISTS {}"):
                    conn.execute(sql.SQL(statement).format(sql.Identifier(name)))


def test_roles_that_cannot_be_are_refused(terminal: Terminal, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    same = terminal.run("db", "roles", "--web", "one", "--worker", "one", code=None)
    assert "a role each" in same.err
    ended = terminal.run("db", "roles", "--web-password-file", str(empty), code=None)
    assert "should hold the password" in ended.err

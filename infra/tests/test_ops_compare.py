"""What the drill's task says of two databases, asked of a real PostgreSQL."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cti_ops import compare
from cti_ops.compare import LASTING, MARK, OPTIONS, compared
from model import ROOT

BIN = Path("/usr/lib/postgresql/15/bin")
SCHEMA = """
CREATE TABLE alembic_version (version_num text);
INSERT INTO alembic_version VALUES ('20261127_0300');
CREATE TABLE article (id bigint, url_hash bytea, collected_at timestamptz, score int);
CREATE TABLE audit_entry (id bigint, at timestamptz, action text, previous_hash bytea, hash bytea);
CREATE TABLE source_change (id bigint, source_key text, changed_at timestamptz, action text);
CREATE TABLE host (name text);
INSERT INTO host VALUES ('one.example'), ('two.example');
INSERT INTO article SELECT n, decode(md5(n::text), 'hex'),
    '2026-11-27 00:00:00+00'::timestamptz + n * interval '1 minute', 0
    FROM generate_series(1, 90) n;
INSERT INTO audit_entry SELECT n, '2026-11-27 00:00:00+00'::timestamptz + n * interval '1 minute',
    'user.login', '\\x00', decode(md5(n::text), 'hex') FROM generate_series(1, 90) n;
"""
# Without rights to become another user PostgreSQL refuses to be started by root.
AS_USER: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if not (BIN / "initdb").is_file():
        pytest.skip("PostgreSQL 15 is not on this machine (Debian: apt install postgresql-15)")
    # A short path: that of a socket may have 107 bytes.
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/drill.XXXXXX"], text=True).strip())
    folder.chmod(0o777)
    data = folder / "data"

    def run(*command: str | Path) -> None:
        # Not its output: a server that is started keeps it open.
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **AS_USER)

    run(BIN / "initdb", "-D", data, "-U", "owner", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    control: list[str | Path] = [BIN / "pg_ctl", "-D", data, "-w", "-s", "-l", folder / "log"]
    run(*control, "-o", options, "start")
    try:
        yield f"host={folder} user=owner"
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def urls(server: str) -> Iterator[tuple[str, str]]:
    names = ("original", "restored")
    with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as admin:
        for name in names:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
            with psycopg.connect(f"{server} dbname={name}") as made:
                made.execute(SCHEMA.encode())
        yield f"{server} dbname={names[0]}", f"{server} dbname={names[1]}"
        for name in names:
            admin.execute(f'DROP DATABASE "{name}"'.encode())


def change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def result(urls: tuple[str, str]) -> dict[str, Any]:
    with (
        psycopg.connect(urls[0], options=OPTIONS) as original,
        psycopg.connect(urls[1], options=OPTIONS) as restored,
    ):
        return compared(original, restored)


def test_what_is_the_same_is_said_to_be(urls: tuple[str, str]) -> None:
    tables = result(urls)["tables"]
    assert tables["article"] == {"original": 90, "restored": 90, "same": True}
    assert tables["audit_entry"]["same"] is True
    assert tables["source_change"] == {"original": 0, "restored": 0, "same": True}
    assert tables["host"] == {"original": 2, "restored": 2}


def test_what_came_after_the_moment_does_not_count(urls: tuple[str, str]) -> None:
    change(urls[0], "INSERT INTO article VALUES (91, '\\x01', '2026-11-27 01:31:00+00', 0)")
    # Its transaction began before the newest that was restored, and ended after it.
    change(urls[0], "INSERT INTO article VALUES (92, '\\x02', '2026-11-27 01:29:30+00', 0)")
    # A score may change at any time.
    change(urls[0], "UPDATE article SET score = 9")
    found = result(urls)
    assert found["tables"]["article"] == {"original": 92, "restored": 90, "same": True}
    assert found["newest"] == ["2026-11-27 01:31:00+00", "2026-11-27 01:30:00+00"]


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("DELETE FROM article WHERE id = 7", "article"),
        ("UPDATE article SET url_hash = '\\x00' WHERE id = 7", "article"),
        ("UPDATE audit_entry SET hash = '\\x00' WHERE id = 1", "audit_entry"),
        ("UPDATE alembic_version SET version_num = 'older'", "alembic_version"),
    ],
)
def test_what_differs_is_said_to(urls: tuple[str, str], statement: str, table: str) -> None:
    change(urls[1], statement)
    assert result(urls)["tables"][table]["same"] is False


def test_what_was_emptied_or_lost_is_said(urls: tuple[str, str]) -> None:
    change(urls[1], "DROP TABLE host; TRUNCATE article")
    tables = result(urls)["tables"]
    assert tables["host"] == {"missing": True}
    assert tables["article"]["same"] is False


def test_it_runs_as_text_and_writes_nothing(urls: tuple[str, str], tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("unused\n", "utf-8")
    script = Path(compare.__file__).read_text("utf-8")
    told = {
        "DATABASE_URL": urls[0],
        "RESTORED_URL": urls[1],
        "DATABASE_PASSWORD_FILE": str(password),
    }
    python = [sys.executable, "-c", script]
    done = subprocess.run(
        python, env={**os.environ, **told}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.removeprefix(MARK))["tables"]["article"]["same"] is True
    with (
        psycopg.connect(urls[0], options=OPTIONS) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("DELETE FROM host")


def test_the_columns_are_those_of_the_product() -> None:
    folder = ROOT / "src/ctiscraper/db/migrations/versions"
    text = "\n".join(file.read_text("utf-8") for file in folder.glob("*.py"))
    for table, (time, columns) in LASTING.items():
        if table == "alembic_version":
            continue
        made = re.search(rf"CREATE TABLE {table} \((.*?)\n    \)", text, re.DOTALL)
        assert made is not None, table
        for column in filter(None, (time, *columns.split(", "))):
            assert re.search(rf"^\s+{column} ", made[1], re.MULTILINE), (table, column)

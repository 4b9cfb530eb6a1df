"""Whatever a migration does and whoever holds its tables: nobody waits for over a second."""

import shutil
import threading
from pathlib import Path
from typing import Self

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

import make
from ctiscraper.db import migrate
from ctiscraper.db.migrate import Patience, downgrade, revisions, upgrade
from ctiscraper.db.session import Database
from ctiscraper.errors import SettingsError, StorageError
from db.stage import Stage

LONGEST = 1
NEXT = "29990101_0000"
MIGRATION = """
from alembic import op
revision, down_revision, branch_labels, depends_on = {revision!r}, {below!r}, None, None

def upgrade() -> None:
    {up}

def downgrade() -> None:
    op.execute("ALTER TABLE article DROP COLUMN IF EXISTS extra")
"""
ADD_COLUMN = """op.execute("SET LOCAL lock_timeout = '1h'")
    op.execute("ALTER TABLE article ADD COLUMN extra int")"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A copy of the migrations, to which a test adds its own."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def add(scripts: Path, up: str) -> None:
    text = MIGRATION.format(revision=NEXT, below=migrate.newest(), up=up)
    (scripts / "versions" / f"{NEXT}_pre_test.py").write_text(text)


class Watcher(threading.Thread):
    """Reads and writes `article` again and again; counts those that waited too long for a lock.

    The server measures: on a busy machine a statement may be slow for other reasons.
    """

    def __init__(self, conninfo: str, statement: str) -> None:
        super().__init__()
        self.conninfo, self.statement = conninfo, statement
        self.refused, self.turns = 0, 0
        self.started, self.stopping = threading.Event(), threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(f"SET lock_timeout = '{LONGEST}s'".encode())
            while not self.stopping.is_set():
                try:
                    connection.execute(self.statement.encode())
                except LockNotAvailable:
                    self.refused += 1
                self.turns += 1
                self.started.set()

    def __enter__(self) -> Self:
        self.start()
        assert self.started.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.join(20)


def reading(conninfo: str) -> Watcher:
    return Watcher(conninfo, "SELECT count(*) FROM article")


def writing(conninfo: str) -> Watcher:
    return Watcher(conninfo, "UPDATE article SET similarity = 1")


async def filled(database: str) -> None:
    async with Database(database) as opened:
        stage = Stage(opened)
        urls = [f"https://acme.example/a/{n}" for n in range(20)]
        await stage.announce([make.announced(url) for url in urls])
        for _ in urls:
            job = await stage.claim()
            await stage.keep(job, make.content(job.url), stage.snapshot(job.url))


def columns(conninfo: str) -> set[str]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'article'"
        )
        return {row[0] for row in rows}


async def test_every_migration_goes_up_and_down_with_rows_while_others_read_and_write(
    database: str,
) -> None:
    await filled(database)
    known = revisions()
    with reading(database) as reader, writing(database) as writer:
        for below in reversed(known[:-1]):
            downgrade(database, below)
        for revision in known[1:]:
            upgrade(database, revision)
            downgrade(database, known[known.index(revision) - 1])
            upgrade(database, revision)
    assert (reader.refused, writer.refused) == (0, 0)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM article").fetchone() == (20,)
    downgrade(database)
    upgrade(database)
    assert migrate.current(database) == migrate.newest()


async def test_a_held_table_is_tried_for_again_and_others_are_let_through(
    database: str, scripts: Path
) -> None:
    add(scripts, ADD_COLUMN)
    await filled(database)
    said: list[str] = []
    holder = psycopg.connect(database, application_name="a long report")
    holder.execute("SELECT count(*) FROM article")

    def told(words: str) -> None:
        said.append(words)
        if len(said) == 2:
            holder.close()

    with reading(database) as reader, writing(database) as writer:
        upgrade(database, patience=Patience(told=told), scripts=scripts)
    assert (reader.refused, writer.refused) == (0, 0)
    assert "extra" in columns(database)
    assert "ALTER TABLE article ADD COLUMN extra int" in said[0]
    assert "(a long report, idle in transaction, for " in said[0]
    assert "holds article" in said[0]


async def test_a_table_held_for_good_is_given_up_with_the_holders_name(
    database: str, scripts: Path
) -> None:
    add(scripts, ADD_COLUMN)
    with psycopg.connect(database, application_name="forgotten") as holder:
        holder.execute("SELECT count(*) FROM article")
        with pytest.raises(StorageError) as raised:
            upgrade(database, patience=Patience(seconds=1), scripts=scripts)
    assert "given up after 1 s and undone" in str(raised.value)
    assert "(forgotten, idle in transaction" in str(raised.value)
    assert "run 'ctiscraper migrate' again" in str(raised.value)
    assert migrate.current(database) == migrate.newest()
    assert "extra" not in columns(database)


async def test_a_migration_that_holds_a_table_too_long_is_ended(
    database: str, scripts: Path
) -> None:
    slow = f"""{ADD_COLUMN}
    for _ in range(30):
        op.execute("SELECT pg_sleep(0.1)")"""
    add(scripts, slow)
    await filled(database)
    with reading(database) as reader, pytest.raises(StorageError) as raised:
        upgrade(database, patience=Patience(seconds=1), scripts=scripts)
    assert reader.refused == 0
    assert "'SELECT pg_sleep(0.1)'" in str(raised.value)
    assert "extra" not in columns(database)


def test_an_index_made_beside_writers_may_take_its_time_with_another_process_waiting(
    database: str, scripts: Path
) -> None:
    """CREATE INDEX CONCURRENTLY waits for every snapshot: the one whose turn is next has none."""
    up = """with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS article_extra")
        op.execute("SELECT pg_sleep(0.5)")
        op.execute("CREATE INDEX CONCURRENTLY article_extra ON article (title)")"""
    add(scripts, up)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(database, scripts=scripts)
        except BaseException as error:  # noqa: BLE001 - a thread has no other way to tell
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert migrate.current(database) == NEXT


def test_a_faulty_migration_is_not_tried_again(database: str, scripts: Path) -> None:
    add(scripts, 'op.execute("ALTER TABLE nothing ADD COLUMN extra int")')
    said: list[str] = []
    with pytest.raises(StorageError, match='relation "nothing" does not exist'):
        upgrade(database, patience=Patience(told=said.append), scripts=scripts)
    assert said == []


def test_a_schema_that_the_program_does_not_know_is_left_alone(database: str) -> None:
    for found, kind in (("29990101_0000", "newer than"), ("20200101_0000", "unknown to")):
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", (found,))
        with pytest.raises(SettingsError, match=f"is {found}, {kind} this program"):
            upgrade(database)

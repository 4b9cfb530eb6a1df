"""A database is in another server whole, or the old one goes on."""

import asyncio
import itertools
import signal
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

import make
from archive.moving import Servers, two_servers
from cli.terminal import Terminal
from ctiscraper.archive import move as moving
from ctiscraper.archive.move import Move, move, undo
from ctiscraper.db.binaries import PgBinaries, find_binaries
from ctiscraper.db.migrate import downgrade
from ctiscraper.db.move import source as holding
from ctiscraper.db.move import target as opening
from ctiscraper.db.move.target import MARK, UNFINISHED
from ctiscraper.db.server import read_server
from ctiscraper.db.session import Database
from ctiscraper.errors import (
    ArchiveError,
    ConflictError,
    Reason,
    SettingsError,
    StorageError,
)
from db.stage import Stage
from servers import reachable_folder

ROWS = 1000
FIFTEEN = Path("/usr/lib/postgresql/15/bin")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(binaries: PgBinaries) -> AsyncIterator[Servers]:
    """The target is of the version that RDS runs, where that is here."""
    with reachable_folder() as folder:
        async with two_servers(folder, binaries, _fifteen(binaries)) as servers:
            yield servers


def _fifteen(binaries: PgBinaries) -> PgBinaries:
    return find_binaries(FIFTEEN) if FIFTEEN.is_dir() else binaries


@pytest.fixture
def servers(both: Servers) -> Servers:
    both.fresh(ROWS)
    return both


def wanted(servers: Servers, told: list[str] | None = None, **more: object) -> Move:
    heard = [] if told is None else told
    values = {"source": servers.source, "target": servers.target, "told": heard.append, **more}
    return Move(**values)  # type: ignore[arg-type]  # a builder


async def store_on(place: str, stored: list[int]) -> str:
    """Announce and store articles as a worker does, until the database refuses; what it said."""
    settings = make.settings("live", "live.example")
    async with Database(place, size=2) as database:
        stage = Stage(database)
        # What the filling left out of the settings is read by nobody else.
        await stage.run(
            'UPDATE source SET settings = settings || \'{"url": "https://a.example/"}\''
        )
        for number in itertools.count():
            url = f"https://live.example/{number}"
            try:
                await stage.announce([make.announced(url, "live.example")], settings)
                kept = await stage.keep(
                    await stage.claim("live.example"), make.content(url, url), settings=settings
                )
            except StorageError as refusal:
                # Who waits for the move that waits for him goes on, as a worker does.
                if "deadlock" not in str(refusal):
                    return str(refusal)
            else:
                assert kept is not None
                stored.append(kept.article_id)
    raise AssertionError


async def until(place: str, query: str) -> None:
    """Return when a query has an answer."""

    def look() -> None:
        with psycopg.connect(place, autocommit=True) as watcher:
            while not watcher.execute(query.encode()).fetchone():
                pass

    await asyncio.to_thread(look)


def terminal(servers: Servers, folder: Path) -> tuple[Terminal, list[str]]:
    """The program on the source, and the words that name the target."""
    file = folder / "target"
    place = servers.new.conninfo("cti", user="rds", password="s3cret word", host="127.0.0.1")
    file.write_text(f"{place}\n")
    said = {"DATABASE_URL": servers.source, "CTISCRAPER_DATA_DIR": str(folder / "data")}
    return Terminal(said), ["db", "move", "--to-file", str(file)]


async def test_all_is_elsewhere_while_articles_are_stored(servers: Servers) -> None:
    stored, told = list[int](), list[str]()
    storing = asyncio.create_task(store_on(servers.source, stored))
    await until(servers.source, "SELECT 1 FROM article WHERE url LIKE '%live.example%'")
    moved = await move(wanted(servers, told))
    assert "this database was moved to" in await storing
    assert len(stored) > 10
    with psycopg.connect(servers.target) as conn:
        query = "SELECT count(*) FROM article WHERE id = ANY(%s) AND url LIKE '%%live.example%%'"
        assert conn.execute(query, (stored,)).fetchone() == (len(stored),)
    assert servers.every_row(servers.target) == servers.every_row(servers.source)
    assert servers.structure(servers.target) == servers.structure(servers.source)
    assert moved.rows == sum(map(len, servers.every_row(servers.target).values())) - 1
    assert moved.tables["article"].rows == ROWS * 9 // 10 + len(stored)
    assert moved.stop_seconds is not None
    assert moved.stop_seconds < 60
    assert "writers are held" in told


async def test_the_new_database_is_used_as_the_old_one_was(servers: Servers) -> None:
    await move(wanted(servers))
    assert (await read_server(servers.target)).has_schema
    with psycopg.connect(servers.target) as conn:
        row = conn.execute(
            "INSERT INTO source (key, settings) VALUES ('next', "
            """'{"name": "n", "tier": "basic", "active": true}') RETURNING id"""
        ).fetchone()
        assert row == (servers.rows(servers.source, "source") + 1,)
        assert conn.execute("SELECT to_regclass(%s)", (MARK,)).fetchone() == (None,)
        unbalanced = "SELECT count(*) FROM accounting WHERE discovered <> stored + failed"
        assert conn.execute(unbalanced).fetchone() == (0,)


async def test_what_changed_and_went_after_the_copy_is_followed(servers: Servers) -> None:
    first = await move(wanted(servers, copy_only=True))
    assert first.stop_seconds is None
    assert first.copied > ROWS
    with psycopg.connect(servers.source) as conn:
        conn.execute("UPDATE article SET title = 'Changed' WHERE id % 7 = 0")
        conn.execute("DELETE FROM mention WHERE article_id % 5 = 0")
        conn.execute("DELETE FROM verdict")
    told: list[str] = []
    second = await move(wanted(servers, told))
    assert told[2] == "going on with the move that was begun here"
    assert second.copied == 0
    assert second.passes[0] > ROWS * 9 // 10 // 7
    assert servers.every_row(servers.target) == servers.every_row(servers.source)
    assert servers.structure(servers.target) == servers.structure(servers.source)


async def test_an_unfinished_copy_is_used_by_nobody(servers: Servers, tmp_path: Path) -> None:
    await move(wanted(servers, copy_only=True))
    facts = await read_server(servers.target)
    assert facts.revision == UNFINISHED
    assert not facts.has_schema
    program = Terminal({"DATABASE_URL": servers.target, "CTISCRAPER_DATA_DIR": str(tmp_path)})
    listed = await asyncio.to_thread(program.run, "sources", "list", code=3)
    assert "run 'ctiscraper migrate' first" in listed.err
    migration = await asyncio.to_thread(program.run, "migrate", code=3)
    assert "unknown to this program" in migration.err


async def test_a_planted_difference_is_found_and_the_source_goes_on(servers: Servers) -> None:
    await move(wanted(servers, copy_only=True))
    # As a target would that rounds what it is given.
    with psycopg.connect(servers.target) as conn:
        conn.execute("ALTER TABLE article ALTER COLUMN similarity TYPE numeric(6, 2)")
    told: list[str] = []
    with pytest.raises(ArchiveError, match=r"article differs in \d+ of 4096 parts"):
        await move(wanted(servers, told))
    assert told[-1] == moving.TRUTH
    servers.old.run("DELETE FROM verdict", dbname="cti")
    assert not (await read_server(servers.target)).has_schema


@pytest.mark.parametrize("moment", ["copying", "held"])
async def test_a_move_that_is_killed_harms_nobody_and_goes_on(
    servers: Servers, tmp_path: Path, moment: str
) -> None:
    program, words = terminal(servers, tmp_path)
    watched = {
        "copying": (
            servers.new,
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'",
        ),
        "held": (
            servers.old,
            "SELECT 1 FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' AND granted",
        ),
    }
    server, query = watched[moment]
    with (
        psycopg.connect(server.conninfo("cti"), autocommit=True) as watcher,
        program.running(*words) as running,
    ):
        while not watcher.execute(query.encode()).fetchone():
            assert running.process.poll() is None
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
    await _let_go(servers)
    with psycopg.connect(servers.source) as conn:
        conn.execute("SET statement_timeout = '5s'")
        conn.execute("UPDATE article SET title = 'After the end of the first move'")
    assert not (await read_server(servers.target)).has_schema
    await move(wanted(servers))
    assert servers.every_row(servers.target) == servers.every_row(servers.source)
    assert servers.structure(servers.target) == servers.structure(servers.source)


async def _let_go(servers: Servers) -> None:
    """Return when both servers noticed that a move has ended."""
    for server in (servers.old, servers.new):
        await until(
            server.conninfo(),
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity "
            "WHERE application_name = 'ctiscraper move')",
        )


async def test_a_move_that_ends_between_closing_and_opening_is_finished(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise StorageError(Reason.DATABASE, "gone")

    told: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(opening, "finish", breaks)
        with pytest.raises(StorageError, match="gone"):
            await move(wanted(servers, told))
    assert told[-1] == moving.AMBIGUOUS
    with (
        psycopg.connect(servers.source) as conn,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="db move --undo"),
    ):
        conn.execute("DELETE FROM verdict")
    assert not (await read_server(servers.target)).has_schema
    await move(wanted(servers))
    assert (await read_server(servers.target)).has_schema
    assert servers.every_row(servers.target) == servers.every_row(servers.source)


async def test_a_second_move_at_the_same_time_is_refused(servers: Servers, tmp_path: Path) -> None:
    program, words = terminal(servers, tmp_path)
    with psycopg.connect(servers.source) as writer:
        writer.execute("DELETE FROM verdict")
        first = asyncio.create_task(move(wanted(servers)))
        await until(
            servers.source,
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1836021349 AND granted",
        )
        with program.running(*words) as running:
            _, said = await asyncio.to_thread(running.process.communicate)
        assert running.process.returncode == 6
        assert "is under way" in said
    await first


async def test_a_writer_who_does_not_let_go_is_named(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "LOCK_WAIT", "100ms")
    monkeypatch.setattr(holding, "PATIENCE", 0.5)
    told: list[str] = []
    with psycopg.connect(servers.source, application_name="the slow one") as writer:
        writer.execute("DELETE FROM verdict")
        with pytest.raises(StorageError, match=r"the slow one\) is in the midst of writing"):
            await move(wanted(servers, told))
    assert told[-1] == moving.TRUTH


async def test_a_stop_that_takes_too_long_is_given_up(servers: Servers) -> None:
    await move(wanted(servers, copy_only=True))
    with pytest.raises(StorageError, match="the stop took longer than 0 s"):
        await move(wanted(servers, longest_stop=0.01))
    servers.old.run("DELETE FROM verdict", dbname="cti")
    await move(wanted(servers))
    assert servers.rows(servers.target, "verdict") == 0


def test_a_move_is_taken_back(servers: Servers, tmp_path: Path) -> None:
    program, words = terminal(servers, tmp_path)
    said = program.run(*words)
    assert "tables are equal, by count and by hash" in said.out
    assert "Nobody could write for" in said.out
    assert "s3cret" not in said.out + said.err
    new = Terminal({**program.environment, "DATABASE_URL": Path(words[-1]).read_text().strip()})
    assert new.noted()[-1] == "database.move"
    # The old one is still there to be read, and says where all went.
    assert len(program.run("articles", "list", "--json").json["articles"]) == 20
    refused = program.run("dead", "discard", "1", code=8).err
    assert f"this database was moved to 127.0.0.1:{servers.new.port}/cti" in refused
    servers.new.run("CREATE DATABASE other OWNER rds")
    other = tmp_path / "other"
    other.write_text(Path(words[-1]).read_text().replace("dbname=cti", "dbname=other"))
    assert "was moved already" in program.run(*words[:-1], str(other), code=3).err
    servers.new.run("DROP DATABASE other")
    assert "can be written again" in program.run("db", "move", "--undo").out
    servers.old.run("DELETE FROM verdict", dbname="cti")
    assert not asyncio.run(undo(servers.source))
    assert "is not empty" in program.run(*words, code=3).err


def test_a_password_is_in_no_list_of_processes(servers: Servers, tmp_path: Path) -> None:
    program, words = terminal(servers, tmp_path)
    seen = set[str]()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(line.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with program.running(*words, "--copy-only") as running:
            running.process.communicate()
            assert running.process.returncode == 0
    finally:
        done.set()
        watcher.join()
    assert any("db move --to-file" in line for line in seen)
    assert not any("s3cret" in line for line in seen if "pytest" not in line)


async def test_what_stands_in_the_way_is_said_before_anything_changes(servers: Servers) -> None:
    servers.new.run("CREATE TABLE theirs (id int)", dbname="cti")
    servers.new.run("REVOKE ALL ON SCHEMA public FROM rds, PUBLIC, pg_database_owner", dbname="cti")
    servers.old.run("CREATE TABLE theirs (id int)", dbname="cti")
    downgrade(servers.source, "20261127_0300")
    with pytest.raises(SettingsError) as refused:
        await move(wanted(servers))
    for words in (
        "holds public.theirs: name an empty database",
        "rds may not make tables",
        "does not own theirs",
        "'ctiscraper migrate'",
    ):
        assert words in str(refused.value)


def test_a_look_changes_nothing_and_tells_what_is_to_be_known(
    servers: Servers, tmp_path: Path
) -> None:
    servers.old.run("INSERT INTO database_role VALUES ('cti_web', 'web')", dbname="cti")
    program, words = terminal(servers, tmp_path)
    said = program.run(*words, "--check")
    assert "Nothing stands in the way" in said.out
    assert "the target has no role cti_web" in said.err
    assert "FreeStorageSpace" in said.err
    with psycopg.connect(servers.target) as conn:
        assert conn.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


async def test_a_table_that_the_target_does_not_have_is_named(servers: Servers) -> None:
    with psycopg.connect(servers.source) as conn:
        conn.execute("CREATE TABLE theirs (id int PRIMARY KEY)")
        conn.execute("ALTER TABLE verdict ADD COLUMN theirs int")
    with pytest.raises(
        SettingsError, match=r"only the source has the table theirs; the columns of verdict"
    ):
        await move(wanted(servers))


async def test_a_database_is_not_moved_into_itself(servers: Servers) -> None:
    with pytest.raises(ConflictError, match="are of this one database"):
        await move(wanted(servers, target=servers.source))


async def test_a_target_of_another_encoding_is_refused(servers: Servers) -> None:
    servers.new.run(
        "DROP DATABASE cti",
        "CREATE DATABASE cti OWNER rds ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    )
    with pytest.raises(SettingsError, match="is in LATIN1"):
        await move(wanted(servers))


async def test_a_target_that_goes_away_leaves_the_source(servers: Servers) -> None:
    with psycopg.connect(servers.source) as writer:
        writer.execute("DELETE FROM verdict")
        going = asyncio.create_task(move(wanted(servers)))
        await until(
            servers.source,
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LOCK TABLE%' AND state = 'active'",
        )
        servers.new.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'ctiscraper move'"
        )
    with pytest.raises(StorageError, match="terminating connection"):
        await going
    servers.old.run("DELETE FROM verdict", dbname="cti")
    await move(wanted(servers))
    assert servers.every_row(servers.target) == servers.every_row(servers.source)


def test_a_target_that_lets_nobody_in_is_named_as_the_target(
    servers: Servers, tmp_path: Path
) -> None:
    program, words = terminal(servers, tmp_path)
    place = Path(words[-1])
    place.write_text(place.read_text().replace("dbname=cti", "dbname=nowhere"))
    said = program.run(*words, code=3).err
    assert "the connection string of the target" in said
    assert "DATABASE_URL" not in said
    place.write_text("postgresql://nobody:s3cret@[/x")
    said = program.run(*words, code=7).err
    assert "holds no connection string" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("words", ["", "one\ntwo\n"])
def test_a_file_that_names_no_database_is_refused(
    servers: Servers, tmp_path: Path, words: str
) -> None:
    program, asked = terminal(servers, tmp_path)
    Path(asked[-1]).write_text(words)
    assert "on one line" in program.run(*asked, code=7).err
    assert "take a move back with --undo" in program.run("db", "move", code=7).err


def test_a_program_may_read_what_came_of_it(servers: Servers, tmp_path: Path) -> None:
    program, words = terminal(servers, tmp_path)
    said = program.run(*words, "--json").json
    assert said["tables"]["article"]["rows"] == ROWS * 9 // 10
    assert len(said["tables"]["article"]["sha256"]) == 64
    assert said["stop_seconds"] > 0
    assert said["target"] == f"127.0.0.1:{servers.new.port}/cti"
    assert program.run("db", "move", "--undo", "--json").json == {"reopened": True}

"""A disaster, and the database as it was the second before: from logs, and from an archive."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from ctiscraper.db.binaries import PgBinaries, find_binaries
from ctiscraper.db.contents import TableContent, open_moment
from ctiscraper.db.migrate import upgrade
from servers import OwnServer, own_server

DATABASE = "drill"
# As an article of the measured kind is stored: text, markup of twice its size, an index of words.
FILL = """
INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text, html,
    published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
SELECT sha256(('u' || n)::bytea), 1, 'standard', 'http://h.example/' || n, '',
    'Title ' || n, made.text, '<p>' || made.text || '</p>', d, d, 450, 2, 'general',
    sha256(('t' || n)::bytea), to_tsvector('simple', left(made.text, 2000))
FROM (SELECT n, now() - make_interval(secs => n) AS d,
        (SELECT string_agg(md5(n || ':' || w), ' ') FROM generate_series(1, 120) w) AS text
    FROM generate_series(%(first)s::int, %(last)s::int) n) made
"""
ANNOUNCED = """
INSERT INTO fetch_job (url_hash, url, host, source_id, rank, state, run_after, entry, finished_at,
    article_id)
SELECT url_hash, url, 'h.example', 1, 1, 'stored', now(), '{}', now(), id FROM article a
WHERE NOT EXISTS (SELECT 1 FROM fetch_job j WHERE j.url_hash = a.url_hash)
"""
SEEN = """
INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first)
SELECT 1, url_hash, id, url_hash, true FROM fetch_job j
WHERE NOT EXISTS (SELECT 1 FROM sighting s WHERE s.job_id = j.id)
"""
SOURCE = """
INSERT INTO source (key, settings)
VALUES ('drill', '{"name": "Drill", "tier": "standard", "active": true}')
"""
Contents = dict[str, TableContent]


@dataclass(frozen=True, kw_only=True)
class RestoreReport:
    """Whether everything came back equal, and the seconds that each step took."""

    rows: int
    megabytes: float
    equal_from_logs: bool
    equal_from_dump: bool
    seconds: dict[str, float]

    def rate(self, step: str) -> float:
        """Return the megabytes a second of a step."""
        return self.megabytes / max(self.seconds[step], 1e-3)


def binaries_with_base_backup() -> PgBinaries | None:
    """Return PostgreSQL programs that have pg_basebackup, None where there are none."""
    folders = [os.environ.get("CTISCRAPER_PG_BIN", ""), *sorted(map(str, _installed()))]
    for folder in folders:
        if folder and (Path(folder) / "pg_basebackup").exists():
            return find_binaries(Path(folder))
    return None


def _installed() -> list[Path]:
    return list(Path("/usr/lib/postgresql").glob("*/bin"))


async def restore_drill(folder: Path, binaries: PgBinaries, rows: int) -> RestoreReport:
    """Return what became of so many articles after the disaster."""
    kept, seconds = folder / "kept", {}
    options = {
        "fsync": "on",
        "wal_level": "replica",
        "archive_mode": "on",
        "archive_command": f"test ! -f {kept}/%f && cp %p {kept}/%f",
        "max_wal_size": "1GB",
        "shared_buffers": "128MB",
    }
    async with own_server(folder / "pg", binaries, **options) as server:
        kept.mkdir()
        server.cluster.account.hand_over(kept)
        server.run(f"CREATE DATABASE {DATABASE}")
        await asyncio.to_thread(upgrade, server.conninfo(DATABASE))
        half = rows // 2
        seconds["fill"] = await _timed(_fill(server, 1, half))
        base = folder / "base"
        seconds["base backup"] = await _timed(_base_backup(server, base))
        seconds["rows after it"] = await _timed(_fill(server, half + 1, rows))
        before = await contents(server.conninfo(DATABASE))
        megabytes = _ask(server, f"SELECT pg_database_size('{DATABASE}')") / 1e6
        archive = folder / "archive"
        seconds["dump (backup)"] = await _timed(_product(server, folder, "backup", str(archive)))
        moment = _moment(server)
        server.run("TRUNCATE article CASCADE", dbname=DATABASE)
        seconds["log kept elsewhere"] = await _timed(_until_kept(server))
        await server.stop()
        seconds["recovery to the second before"] = await _timed(
            _recover(server, base, kept, moment)
        )
        from_logs = await contents(server.conninfo(DATABASE))
        server.run("CREATE DATABASE restored")
        into = server.conninfo("restored", host="127.0.0.1")
        arguments = ("restore", str(archive), "--into", into)
        seconds["dump restored"] = await _timed(_product(server, folder, *arguments))
        from_dump = await contents(server.conninfo("restored"))
    return RestoreReport(
        rows=before["article"].rows,
        megabytes=megabytes,
        equal_from_logs=from_logs == before,
        equal_from_dump=from_dump == before,
        seconds=seconds,
    )


async def contents(conninfo: str) -> Contents:
    """Return rows and hash of every table."""
    async with open_moment(conninfo) as moment:
        return await moment.tables()


async def _timed(work: Coroutine[object, object, None]) -> float:
    began = time.monotonic()
    await work
    return time.monotonic() - began


async def _fill(server: OwnServer, first: int, last: int) -> None:
    def fill() -> None:
        with psycopg.connect(server.conninfo(DATABASE), autocommit=True) as conn:
            if first == 1:
                conn.execute(SOURCE)
            with conn.transaction():
                conn.execute(FILL, {"first": first, "last": last})
                conn.execute(ANNOUNCED)
                conn.execute(SEEN)

    await asyncio.to_thread(fill)


async def _base_backup(server: OwnServer, base: Path) -> None:
    program = server.cluster.binaries.bin_dir / "pg_basebackup"
    place = make_conninfo(server.conninfo())
    log = server.folder / "base-backup.log"
    base.mkdir()
    server.cluster.account.hand_over(base)
    command = (program, "-D", base, "-d", place, "-X", "none", "--checkpoint=fast")
    if await server.cluster.run(*command, log=log) != 0:
        raise RuntimeError(log.read_text("utf-8"))


def _ask(server: OwnServer, query: str) -> float:
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return float(row[0])


def _moment(server: OwnServer) -> str:
    """Return a moment after all that was written, with a second before what comes."""
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        row = conn.execute("SELECT clock_timestamp()::text, pg_sleep(1)").fetchone()
    assert row is not None
    return str(row[0])


async def _until_kept(server: OwnServer) -> None:
    """Return once the log up to now is where a fire of the server does not reach it."""
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        row = conn.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    assert row is not None
    query = f"SELECT (last_archived_wal >= '{row[0]}')::int FROM pg_stat_archiver"
    async with asyncio.timeout(120):
        while not _ask(server, query):
            await asyncio.sleep(0.05)


async def _recover(server: OwnServer, base: Path, kept: Path, moment: str) -> None:
    """Put the base backup in the place of the cluster, and let the logs bring it to a moment."""
    shutil.rmtree(server.cluster.folder)
    copy = ("cp", "-a", str(base), str(server.cluster.folder))
    await asyncio.to_thread(subprocess.run, copy, check=True)
    server.give(server.cluster.folder)
    signal_file = server.cluster.folder / "recovery.signal"
    signal_file.touch()
    server.give(signal_file)
    server.options |= {
        "restore_command": f"cp {kept}/%f %p",
        "recovery_target_time": moment,
        "recovery_target_action": "promote",
    }
    await server.start()
    async with asyncio.timeout(600):
        while _ask(server, "SELECT pg_is_in_recovery()::int"):
            await asyncio.sleep(0.05)


async def _product(server: OwnServer, folder: Path, *arguments: str) -> None:
    """Run a command of the product on the server."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "ctiscraper.cli", *arguments],
        env={
            **os.environ,
            "DATABASE_URL": server.conninfo(DATABASE, host="127.0.0.1"),
            "CTISCRAPER_DATA_DIR": str(folder / "data"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)

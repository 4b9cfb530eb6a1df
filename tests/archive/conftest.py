"""An installation to back up, with ten thousand items, and places to restore it to."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ctiscraper.archive.make import Original, make_archive
from ctiscraper.archive.manifest import Manifest
from ctiscraper.db.raw import FolderStore
from ctiscraper.db.server import read_server

ROWS = 10_000


class SlowStore(FolderStore):
    """A store whose bodies take until the gate is open; it keeps how many were asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked = 0
        self.begun, self.gate = threading.Event(), threading.Event()

    def get(self, sha256: bytes) -> bytes | None:
        self._wait()
        return super().get(sha256)

    def put(self, body: bytes) -> bytes:
        self._wait()
        return super().put(body)

    def _wait(self) -> None:
        self.asked += 1
        self.begun.set()
        self.gate.wait()


async def is_cut_off(work: Coroutine[object, object, object], store: SlowStore) -> None:
    """Cancel what is at its first body; it goes on until that is there, and no further."""
    task = asyncio.create_task(work)
    await asyncio.to_thread(store.begun.wait)
    try:
        for _ in range(20):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
    finally:
        store.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.asked == 1


FILL = """
INSERT INTO source (key, settings)
    VALUES ('acme', '{"key": "acme", "name": "Acme", "tier": "standard", "active": true}');
INSERT INTO source_state (source_id, host) SELECT id, 'acme.example' FROM source;
INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
SELECT sha256(('u' || n)::bytea), 'https://acme.example/' || n, 'acme.example', s.id,
    CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'stored' END, '{"guid": "g", "url": "u"}', now()
FROM source s, generate_series(1, %(rows)s) AS n;
INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first)
SELECT source_id, url_hash, id, url_hash, true FROM fetch_job;
INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
    sort_at, word_count, reading_minutes, method, text_sha256, similarity, search)
SELECT id, url_hash, source_id, 'standard', url, url, 'Title ' || id, 'Tëxt' || id, '<p>x</p>',
    now() - id * interval '1 minute', 1, 1, 'general', url_hash, random(),
    to_tsvector('english', 'title ' || id)
FROM fetch_job WHERE state = 'stored';
UPDATE fetch_job j SET article_id = a.id FROM article a WHERE a.job_id = j.id;
INSERT INTO entity (key, kind, value, host, articles, sources, first_seen, last_seen)
SELECT decode(md5(n::text), 'hex'), 'domain', 'h' || n || '.example', 'example.h' || n, 10, 1,
    now(), now() FROM generate_series(1, 100) AS n;
INSERT INTO mention (article_id, entity_id, source_id, seen_at, count, starts, ends, verdict,
    reasons, extractor, version)
SELECT a.id, e.id, a.source_id, a.sort_at, 2, ARRAY[1, 5], ARRAY[4, 9], 'malicious',
    ARRAY['defanged'], 'observables', '1'
FROM article a JOIN entity e ON e.id = 1 + a.id % 100 WHERE a.id % 9 = 0;
INSERT INTO entity_source (entity_id, source_id, articles, first_seen, last_seen)
SELECT entity_id, source_id, count(*), min(seen_at), max(seen_at) FROM mention GROUP BY 1, 2;
INSERT INTO verdict (scope, kind, value, key, verdict, actor)
SELECT 'value', kind, value, key, 'benign', 'ann' FROM entity LIMIT 1;
"""


@dataclass
class Installation:
    """A database and a raw store."""

    conninfo: str
    raw: FolderStore

    def run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement.encode(), values or None)

    def count(self, table: str) -> int:
        with psycopg.connect(self.conninfo) as connection:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def keep_page(self, body: bytes) -> bytes:
        """Keep a raw page of the first item."""
        digest = self.raw.put(body)
        self.run(
            """
            INSERT INTO snapshot (job_id, sha256, url, status, bytes, fetched_at)
            SELECT min(id), %s, 'u', 200, 1, now() FROM fetch_job
            """,
            digest,
        )
        return digest

    async def archive(self, target: Path) -> tuple[Path, Manifest]:
        original = Original(
            conninfo=self.conninfo, facts=await read_server(self.conninfo), raw=self.raw
        )
        return await make_archive(original, target, print)


@pytest.fixture
def installation(database: str, tmp_path: Path) -> Installation:
    made = Installation(database, FolderStore(tmp_path / "raw"))
    with psycopg.connect(database) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(FILL.replace("%(rows)s", str(ROWS)).encode())
    for n in range(3):
        made.keep_page(b"page %d" % n)
    return made


@pytest.fixture
def empty_database(postgres: str) -> Iterator[Callable[[], str]]:
    """Makes empty databases."""
    made: list[str] = []

    def make() -> str:
        name = f"empty_{uuid.uuid4().hex[:12]}"
        made.append(name)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return make_conninfo(postgres, dbname=name)

    with psycopg.connect(postgres, autocommit=True) as admin:
        yield make
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

"""How long anybody waits for `article` while every migration goes up and down on a million rows.

Run: .venv/bin/python bench/migrations.py [--rows 1000000]
"""

import argparse
import asyncio
import threading
import time

import psycopg

import rig
from ctiscraper.db.migrate import current, downgrade, revisions, upgrade

LONGEST = 1.0
STEP = 50_000
# Short texts: what is measured is how long locks are held, and that hangs on rows, not on words.
FILL = """
WITH jobs AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
    SELECT sha256(('u' || n)::bytea), 'http://h.example/' || n, 'h.example', 1, 'stored',
        '{"guid": "g", "url": "http://h.example/"}', now()
    FROM generate_series(%(first)s::int, %(last)s::int) AS n
    RETURNING id, url, url_hash, source_id),
sights AS (
    INSERT INTO sighting (source_id, guid_hash, job_id, entry_hash, first)
    SELECT source_id, url_hash, id, url_hash, true FROM jobs),
snaps AS (
    INSERT INTO snapshot (job_id, sha256, url, status, bytes, fetched_at)
    SELECT id, url_hash, url, 200, 1000, now() FROM jobs)
INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
    sort_at, word_count, reading_minutes, method, text_sha256, search)
SELECT id, url_hash, source_id, 'standard', url, url, 'Title ' || id, 'A text.', '<p>A text.</p>',
    now() - random() * interval '3650 days', 2, 1, 'general', url_hash,
    to_tsvector('english', 'title ' || id)
FROM jobs
"""
SOURCE = """
INSERT INTO source (key, settings)
VALUES ('acme', '{"key": "acme", "name": "Acme", "tier": "standard", "active": true}')
"""


class Watcher(threading.Thread):
    """Asks for one row of `article` after the other; keeps the longest wait of each step."""

    def __init__(self, conninfo: str, statement: str, rows: int) -> None:
        super().__init__(daemon=True)
        self.conninfo, self.statement, self.rows = conninfo, statement, rows
        self.longest, self.turns = 0.0, 0
        self.stopping = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            number = 0
            while not self.stopping.is_set():
                number = number * 7919 % self.rows + 1
                began = time.monotonic()
                connection.execute(self.statement.encode(), (number,))
                self.longest = max(self.longest, time.monotonic() - began)
                self.turns += 1

    def taken(self) -> tuple[float, int]:
        found = self.longest, self.turns
        self.longest, self.turns = 0.0, 0
        return found


def fill(conninfo: str, rows: int) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(SOURCE)
        for first in range(1, rows + 1, STEP):
            connection.execute(FILL, {"first": first, "last": min(first + STEP - 1, rows)})
        connection.execute("VACUUM ANALYZE")


def measure(conninfo: str, rows: int) -> float:
    """Migrate up and down, and return the longest that anybody waited."""
    watchers = [
        Watcher(conninfo, "SELECT title FROM article WHERE id = %s", rows),
        Watcher(conninfo, "UPDATE article SET similarity = 0.5 WHERE id = %s", rows),
    ]
    for watcher in watchers:
        watcher.start()
    time.sleep(2)
    longest = 0.0
    known = revisions()
    steps = [("up", revision) for revision in known[1:]]
    steps += [("down", revision) for revision in reversed(known[:-1])] + steps
    for way, revision in steps:
        for watcher in watchers:
            watcher.taken()
        began = time.monotonic()
        (upgrade if way == "up" else downgrade)(conninfo, revision)
        spent = time.monotonic() - began
        (read, reads), (wrote, writes) = (watcher.taken() for watcher in watchers)
        longest = max(longest, read, wrote)
        print(
            f"  {way:4} to {revision}: {spent:5.1f} s; longest SELECT {read * 1e3:6.1f} ms of "
            f"{reads}, longest UPDATE {wrote * 1e3:6.1f} ms of {writes}"
        )
    for watcher in watchers:
        watcher.stopping.set()
        watcher.join()
    return longest


async def main(rows: int) -> None:
    options = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
    async with rig.installation(options=options) as made:
        await asyncio.to_thread(downgrade, made.conninfo)
        await asyncio.to_thread(upgrade, made.conninfo, revisions()[0])
        began = time.monotonic()
        await asyncio.to_thread(fill, made.conninfo, rows)
        print(f"{rows:,} articles filled in {time.monotonic() - began:.0f} s", flush=True)
        longest = await asyncio.to_thread(measure, made.conninfo, rows)
        assert current(made.conninfo) == revisions()[-1]
    verdict = "within" if longest <= LONGEST else "BEYOND"
    print(f"longest wait {longest * 1e3:.1f} ms: {verdict} the bar of {LONGEST:.0f} s")
    if longest > LONGEST:
        raise SystemExit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))

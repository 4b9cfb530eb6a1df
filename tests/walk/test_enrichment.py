"""Several processes look through the same articles, some are killed: nothing is counted wrong."""

import asyncio
import os
import random
import signal
import subprocess
import sys

import pytest

import make
from ctiscraper.db.session import Database
from db import claimed
from db.stage import Stage

ARTICLES = 60
WORKERS = 4
KILLS = 8
PATIENCE = 90.0

# Everyone names what is hot, in an order of his own, and things of his own beside it; a claim of
# a killed one runs out at once.
WORKER = """
import asyncio, random, sys
from uuid import uuid4
from ctiscraper.db.enrichments import Enrichments, Finding
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Enrichment, Extractor, Mention, Verdict

def claims(text, chance):
    hot = [f"hot{n}.example" for n in range(12)]
    chance.shuffle(hot)
    own = [f"a{text.article_id}-{n}.example" for n in range(6)]
    verdicts = list(Verdict)
    return Enrichment(mentions=tuple(
        Mention(kind="domain", value=value, extractor=Extractor.OBSERVABLES, places=((0, 3),),
            count=1, host=value, verdict=chance.choice(verdicts))
        for value in [*hot[:8], *own]), parts=(), versions={"observables": str(chance.random())})

async def main(conninfo, seed):
    chance = random.Random(seed)
    async with Database(conninfo, size=2) as database:
        enrichments = Enrichments(database)
        while True:
            texts = await enrichments.claim(uuid4(), limit=5)
            if texts:
                print("claimed", flush=True)
                await enrichments.keep(
                    [Finding(text=text, enrichment=claims(text, chance)) for text in texts])
            elif not await enrichments.waiting():
                return

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

WRONG = """
SELECT e.value FROM entity e LEFT JOIN (
    SELECT entity_id, count(*) AS n, count(DISTINCT source_id) AS s, min(seen_at) AS f,
        max(seen_at) AS l, max(array_position(
            '{benign,mentioned,suspicious,malicious}'::text[], verdict)) - 1 AS g
    FROM mention GROUP BY 1) m ON m.entity_id = e.id
WHERE (e.articles, e.sources, e.first_seen, e.last_seen, e.level)
    IS DISTINCT FROM (coalesce(n, 0), coalesce(s, 0), f, l, coalesce(g, 0))
"""
WRONG_BY_SOURCE = """
SELECT * FROM entity_source s FULL JOIN (SELECT entity_id, source_id, count(*) AS n,
        min(seen_at) AS f, max(seen_at) AS l FROM mention GROUP BY 1, 2) m
    USING (entity_id, source_id)
WHERE (s.articles, s.first_seen, s.last_seen) IS DISTINCT FROM (m.n, m.f, m.l)
"""


class Crew:
    """Workers over one database; one that is killed is replaced."""

    def __init__(self, conninfo: str, chance: random.Random) -> None:
        self._conninfo, self._chance = conninfo, chance
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        command = [sys.executable, "-c", WORKER, self._conninfo, str(self._chance.random())[2:9]]
        # Its lines fill no pipe: whoever reads them is this test, until it kills.
        self.running.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ))

    async def kill_at_work(self) -> None:
        """Kill one that has just claimed, and start another."""
        worker = self.running.pop(0)
        assert worker.stdout is not None
        await asyncio.to_thread(worker.stdout.readline)
        worker.send_signal(signal.SIGKILL)
        await asyncio.to_thread(worker.communicate)
        self.start()

    async def ended(self) -> list[int]:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(asyncio.to_thread(one.communicate) for one in self.running))
        return [one.returncode for one in self.running]

    def stop(self) -> None:
        for one in self.running:
            if one.poll() is None:
                one.kill()
                one.communicate()


@pytest.mark.timeout(240)
async def test_counts_are_those_of_the_mentions_whoever_is_killed(database: str) -> None:
    chance = random.Random(11)
    async with Database(database, size=4) as opened:
        stage = Stage(opened)
        others = [None, make.settings("other", "other.example")]
        for number in range(ARTICLES):
            await claimed.store(stage, f"n{number}", settings=others[number % 2])
        crew = Crew(database, chance)
        try:
            for _ in range(WORKERS):
                crew.start()
            for _ in range(KILLS):
                await crew.kill_at_work()
                # What the killed one held is free again, as it would be a minute later; and
                # what is done is asked for once more, so that there is something to take away.
                await stage.run("UPDATE enrichment_job SET claimed_until = now()")
                await stage.enrichments.queue()
            await stage.run("UPDATE enrichment_job SET claimed_until = now()")
            assert await crew.ended() == [0] * WORKERS
        finally:
            crew.stop()
        assert await stage.rows(WRONG) == []
        assert await stage.rows(WRONG_BY_SOURCE) == []
        assert await stage.value("SELECT count(DISTINCT article_id) FROM mention") == ARTICLES
        per_article = await stage.rows("SELECT DISTINCT count(*) FROM mention GROUP BY article_id")
        assert per_article == [(14,)]
        assert await stage.value("SELECT count(*) FROM entity") == 12 + 6 * ARTICLES

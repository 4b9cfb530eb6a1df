"""What a search by meaning costs with many passages: by pgvector's index, and exactly without it.

Run: .venv/bin/python bench/meaning.py [--passages 100000] [--questions 200]
Vectors are those of real sentences, the same moved a little each way, and one in ten random. A
question is embedded, searched, and its page is read; beside how long that took stands what the
processors of this program and of the server worked for it, which other programs change little.
What is found is held against all vectors of the database in plain numpy, under the same filter:
each one that is not found is missed. It ends with 1 where a bar is missed: p95 100 ms on either
way, 95 of 100 of the ten nearest found by the index, and all of them without it.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

import rig
from ctiscraper.asking import understand
from ctiscraper.db.article_filters import to_wanted
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.meaning import Mode
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.nearest import REACH, Asked, Nearest
from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.db.vector_index import VectorModel
from ctiscraper.demo.library import load_articles
from ctiscraper.embed.weights import Floats
from ctiscraper.embedding import BuiltinEmbedder, Embedding
from ctiscraper.meaning import Meaning
from ctiscraper.types import SourceSettings
from ctiscraper.views import ArticleQuery

OF_ONE = 5
LETTERS = 200
SOURCE = "s3"
REAL = 2_000
BATCH = 2_000
BAR, RECALL, RECALL_EXACT = 0.100, 0.95, 0.999

FILL = """
WITH jobs AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
    SELECT sha256(('u' || n)::bytea), 'http://h.example/' || n, 'h.example', 1 + n %% 10,
        'stored', '{"guid": "g", "url": "http://h.example/"}', now()
    FROM generate_series(1, %(articles)s) AS n RETURNING id, url, url_hash, source_id)
INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
    language, published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
SELECT j.id, j.url_hash, j.source_id, 'standard', j.url, j.url, 'Report ' || j.id, p.text, '', 'en',
    d, d, 150, 1, 'general', j.url_hash, to_tsvector('english', p.text)
FROM (SELECT *, now() - random() * interval '900 days' AS d FROM jobs) j
JOIN unnest(%(texts)s::text[]) WITH ORDINALITY AS p (text, n) ON p.n = 1 + j.id %% %(pool)s
"""


def sentences() -> list[str]:
    """The sentences of the sample site's reports."""
    found = []
    for article in load_articles():
        text = " ".join(re.sub(r"<[^>]+>", " ", article.html).split())
        found += re.split(r"(?<=[.!?])\s+", text)
    return list(dict.fromkeys(one for one in found if len(one) > 40))


def mixed(count: int, choice: random.Random) -> list[str]:
    """Texts of two sentences that may have nothing to do with each other."""
    known = sentences()
    return [" ".join(choice.sample(known, 2)) for _ in range(count)]


def vectors(real: Floats, count: int, numbers: np.random.Generator) -> Floats:
    """As many as are wanted, like real ones."""
    made = real[numbers.integers(len(real), size=count)]
    noise = numbers.normal(size=made.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    made = made + noise * numbers.uniform(0, 0.8, (count, 1)).astype(np.float32)
    strange = numbers.random(count) < 0.1
    made[strange] = noise[strange]
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


async def fill(database: Database, model: VectorModel, real: Floats, count: int) -> None:
    """Write articles and the passages of each."""
    choice, numbers = random.Random(1), np.random.default_rng(1)
    pool = [" ".join(mixed(1, choice) * 6)[: OF_ONE * LETTERS] for _ in range(300)]
    sources = Sources(database)
    for number in range(10):
        await sources.add(
            SourceSettings(
                key=f"s{number}", name=f"S{number}", url="http://h.example/", feed_url=None
            ),
            actor="bench",
        )
    articles = count // OF_ONE
    async with database.apart() as conn:
        await conn.execute(FILL, {"articles": articles, "texts": pool, "pool": len(pool)})
        await conn.execute("ANALYZE article")
        first = await (await conn.execute("SELECT min(id) FROM article")).fetchone()
        assert first is not None
        for start in range(0, count, BATCH):
            made = vectors(real, min(BATCH, count - start), numbers).astype("<f2")
            rows = range(start, start + len(made))
            await conn.execute(
                """
                INSERT INTO passage (article_id, model_id, revision, position, begins, ends, vector)
                SELECT r.article, %(model)s, 1, r.position, r.position * %(letters)s,
                    (r.position + 1) * %(letters)s, r.vector
                FROM unnest(%(articles)s::bigint[], %(positions)s::int[], %(vectors)s::bytea[])
                    AS r (article, position, vector)
                """,
                {
                    "model": model.id,
                    "letters": LETTERS,
                    "articles": [first[0] + row // OF_ONE for row in rows],
                    "positions": [row % OF_ONE for row in rows],
                    "vectors": [one.tobytes() for one in made],
                },
            )
        await conn.execute(
            "INSERT INTO embedded_text (article_id, model_id, revision, passages)"
            " SELECT id, %s, revision, %s FROM article",
            (model.id, OF_ONE),
        )
        await conn.execute("ANALYZE passage")


@dataclass(frozen=True, slots=True)
class Rig:
    """What is measured: a database, whoever serves it, and the questions."""

    database: Database
    server: psutil.Process
    embedding: Embedding
    questions: Sequence[str]

    def worked(self) -> tuple[float, float]:
        """Seconds of processors: of this program, and of the server for those connected now."""
        ours = time.process_time()
        theirs = 0.0
        for one in self.server.children():
            with suppress(psutil.Error):
                times = one.cpu_times()
                theirs += times.user + times.system
        return ours, theirs

    async def timed(self, what: str, nearest: Nearest, mode: Mode, **more: str) -> float:
        """Print how long the questions took, from words to page; return the 95th percentile."""
        meaning = Meaning(self.database, self.embedding, nearest)
        took = []
        ours, theirs = self.worked()
        for question in self.questions:
            query = replace(ArticleQuery(), q=understand(question), **more)  # type: ignore[arg-type]
            begun = time.perf_counter()
            await meaning.page(query, mode)
            took.append(time.perf_counter() - begun)
        now = self.worked()
        each = tuple(
            1000 * (after - before) / len(took)
            for after, before in zip(now, (ours, theirs), strict=True)
        )
        return told(what, took, each)


@dataclass(frozen=True, slots=True)
class Truth:
    """All vectors of the database, and whose they are."""

    vectors: Floats
    passages: list[int]
    articles: NDArray[np.int64]
    sources: NDArray[np.str_]

    @classmethod
    async def read(cls, database: Database, model: VectorModel) -> "Truth":
        async with database.apart() as conn:
            cursor = await conn.execute(
                "SELECT p.id, p.article_id, s.key, p.vector FROM passage p"
                " JOIN article a ON a.id = p.article_id JOIN source s ON s.id = a.source_id"
                " WHERE p.model_id = %s",
                (model.id,),
                binary=True,
            )
            rows = await cursor.fetchall()
        stored = np.frombuffer(b"".join(row[3] for row in rows), "<f2")
        return cls(
            vectors=stored.reshape(len(rows), -1).astype(np.float32),
            passages=[row[0] for row in rows],
            articles=np.array([row[1] for row in rows]),
            sources=np.array([row[2] for row in rows]),
        )

    def nearest(self, vector: Floats, most: int) -> set[int]:
        """The passages that are nearest of all."""
        best = np.argsort(-(self.vectors @ vector), kind="stable")[:most]
        return {self.passages[row] for row in best}

    def nearest_of(self, source: str, vector: Floats, floor: float, most: int) -> set[int]:
        """The articles of one source whose best passages are nearest, none below the floor."""
        close = self.vectors @ vector
        close[(self.sources != source) | (close < floor)] = -np.inf
        order = np.argsort(-close, kind="stable")
        order = order[np.isfinite(close[order])]
        return set(list(dict.fromkeys(self.articles[order].tolist()))[:most])


async def recall(here: Rig, truth: Truth, nearest: Nearest, most: int) -> float:
    """Which part of the passages that are nearest of all is found when as many are asked for."""
    model = await here.embedding.model()
    found = wanted = 0
    for vector in await here.embedding.embedder.embed(here.questions):
        true = truth.nearest(vector, most)
        asked = Asked(model=model, vector=vector, floor=-1.0)
        async with here.database.transaction() as conn:
            # As a search asks: for some hundreds, of which the first are looked at here.
            near = await nearest.passages(conn, asked, limit=REACH)
        found += len(true & {one.passage for one in near[:most]})
        wanted += len(true)
    return found / wanted


async def recall_of_source(here: Rig, truth: Truth, nearest: Nearest, most: int) -> float:
    """Which part of the articles of one source that are nearest a search within it finds first."""
    model = await here.embedding.model()
    floor = here.embedding.embedder.floor
    wanted = to_wanted(ArticleQuery(source=SOURCE))
    found = true_ones = 0
    for vector in await here.embedding.embedder.embed(here.questions):
        true = truth.nearest_of(SOURCE, vector, floor, most)
        asked = Asked(model=model, vector=vector, floor=floor)
        async with here.database.transaction() as conn:
            near = await nearest.articles(conn, asked, wanted, enough=51)
        found += len(true & {one.article for one in near[:most]})
        true_ones += len(true)
    return found / true_ones


def told(what: str, took: list[float], worked: Sequence[float] = ()) -> float:
    """Print what was measured; return the 95th percentile."""
    took = sorted(took)
    p95 = took[int(len(took) * 0.95)]
    cpu = "   CPU {:5.1f} ms ours, {:5.1f} ms the server's".format(*worked) if worked else ""
    print(f"{what:26} p50 {took[len(took) // 2] * 1000:6.1f} ms   p95 {p95 * 1000:6.1f} ms{cpu}")
    return p95


def memory() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


async def measure(passages: int, asked: int) -> bool:
    """Fill a database, ask it both ways, and say what that cost."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        options = {**rig.SMALL_SERVER, "fsync": "off", "maintenance_work_mem": "512MB"}
        async with EmbeddedPostgres(folder / "data", find_binaries(None), options=options) as pg:
            await asyncio.to_thread(upgrade, pg.conninfo)
            async with Database(pg.conninfo, size=2, statement_seconds=600) as database:
                assert pg.pid is not None, "it is this process's own server"
                return await _measured(database, pg.pid, folder, passages, asked)


async def _measured(
    database: Database, server: int, folder: Path, passages: int, asked: int
) -> bool:
    before = memory()
    embedder = BuiltinEmbedder(folder / "models")
    embedding = Embedding(Passages(database), embedder)
    model = await embedding.model()
    print(f"the model in memory: {memory() - before:.0f} MB")
    begun = time.perf_counter()
    real = await embedder.embed(mixed(REAL, random.Random(2)))
    print(f"{REAL / (time.perf_counter() - begun):.0f} texts of two sentences a second")
    await fill(database, model, real, passages)
    questions = [
        re.sub(r"[^\w\s]", " ", " ".join(one.split()[:12]))
        for one in random.Random(3).sample(sentences(), asked)
    ]
    here = Rig(database, psutil.Process(server), embedding, questions)
    exactly = await _without_index(here, Nearest(folder, by_index=False))
    begun = time.perf_counter()
    while await embedding.passages.tidy(model):
        pass
    print(f"copied and indexed by pgvector: {time.perf_counter() - begun:.1f} s")
    if not (await embedding.passages.progress(model)).indexed:
        print("this server has no pgvector: only the exact search was measured")
        return exactly
    indexed = await _with_index(here, Nearest(folder))
    alone = []
    for question in questions:
        begun = time.perf_counter()
        await embedder.embed([question])
        alone.append(time.perf_counter() - begun)
    told("of which embedding it", alone)
    return exactly and indexed


async def _without_index(here: Rig, nearest: Nearest) -> bool:
    model = await here.embedding.model()
    before, begun, worked = memory(), time.perf_counter(), time.process_time()
    async with here.database.transaction() as conn:
        vector = np.eye(1, model.dimensions, dtype=np.float32)[0]
        await nearest.passages(conn, Asked(model=model, vector=vector, floor=0), limit=1)
    print(
        f"vectors read for the exact search: {time.perf_counter() - begun:.1f} s, of CPU"
        f" {time.process_time() - worked:.1f} s; {memory() - before:.0f} MB of memory"
    )
    took = [
        await here.timed("exact, by meaning", nearest, Mode.MEANING),
        await here.timed("exact, of one source", nearest, Mode.MEANING, source=SOURCE),
    ]
    await here.timed("exact, with words", nearest, Mode.BOTH)
    return await _found("without an index", here, nearest) >= RECALL_EXACT and max(took) <= BAR


async def _with_index(here: Rig, nearest: Nearest) -> bool:
    took = [
        await here.timed("index, by meaning", nearest, Mode.MEANING),
        await here.timed("index, of one source", nearest, Mode.MEANING, source=SOURCE),
    ]
    await here.timed("index, with words", nearest, Mode.BOTH)
    return await _found("by the index", here, nearest) >= RECALL and max(took) <= BAR


async def _found(what: str, here: Rig, nearest: Nearest) -> float:
    """Print what is found of what is nearest; return that of the first ten."""
    truth = await Truth.read(here.database, await here.embedding.model())
    ten = await recall(here, truth, nearest, 10)
    hundred = await recall(here, truth, nearest, 100)
    of_one = await recall_of_source(here, truth, nearest, 10)
    print(
        f"found {what} of the nearest 10: {ten:.4f}, of 100: {hundred:.4f},"
        f" of the 10 articles nearest within one source: {of_one:.4f}"
    )
    return min(ten, of_one)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    return 0 if asyncio.run(measure(given.passages, given.questions)) else 1


if __name__ == "__main__":
    sys.exit(main())

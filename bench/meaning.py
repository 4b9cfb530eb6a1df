"""What a search by meaning costs with many passages: by pgvector's index, and exactly without it.

Run: .venv/bin/python bench/meaning.py [--passages 100000] [--questions 200]
Vectors are those of real sentences, the same moved a little each way, and one in ten random. A
question is embedded, searched, and its page is read. It ends with 1 where a bar is missed: p95
100 ms on either way, and 95 of 100 of the exact ten nearest found by the index.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

import rig
from ctiscraper.asking import understand
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.meaning import Mode
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.nearest import Asked, Nearest
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
REAL = 2_000
BATCH = 2_000
BAR, RECALL = 0.100, 0.95

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


async def timed(meaning: Meaning, questions: Sequence[str], mode: Mode, **more: str) -> list[float]:
    """Seconds of each question, from its words to its page."""
    took = []
    for question in questions:
        query = replace(ArticleQuery(), q=understand(question), **more)  # type: ignore[arg-type]
        begun = time.perf_counter()
        await meaning.page(query, mode)
        took.append(time.perf_counter() - begun)
    return took


async def recall(
    database: Database, embedding: Embedding, questions: Sequence[str], most: int
) -> float:
    """Which part of the exact nearest the index finds."""
    model = await embedding.model()
    by_index, exact = Nearest(), Nearest(by_index=False)
    found = wanted = 0
    for vector in await embedding.embedder.embed(questions):
        asked = Asked(model=model, vector=vector, floor=-1.0)
        async with database.transaction() as conn:
            near = await by_index.passages(conn, asked, limit=500)
            true = await exact.passages(conn, asked, limit=most)
        known = {one.passage for one in near[: most + most // 10]}
        found += sum(one.passage in known for one in true)
        wanted += len(true)
    return found / wanted


def told(what: str, took: list[float]) -> float:
    """Print what was measured; return the 95th percentile."""
    took = sorted(took)
    p95 = took[int(len(took) * 0.95)]
    print(f"{what:34} p50 {took[len(took) // 2] * 1000:6.1f} ms   p95 {p95 * 1000:6.1f} ms")
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
                return await _measured(database, folder, passages, asked)


async def _measured(database: Database, folder: Path, passages: int, asked: int) -> bool:
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
    took = {}
    before = memory()
    exact = Meaning(database, embedding, Nearest(folder, by_index=False))
    begun = time.perf_counter()
    await timed(exact, questions[:1], Mode.MEANING)
    print(f"vectors read for the exact search: {time.perf_counter() - begun:.1f} s")
    took["exact"] = told("exact, by meaning", await timed(exact, questions, Mode.MEANING))
    took["exact, narrowed"] = told(
        "exact, of one source", await timed(exact, questions, Mode.MEANING, source="s3")
    )
    told("exact, with words", await timed(exact, questions, Mode.BOTH))
    print(f"memory of the exact search, its mapped file included: {memory() - before:.0f} MB")
    begun = time.perf_counter()
    while await embedding.passages.tidy(model):
        pass
    print(f"copied and indexed by pgvector: {time.perf_counter() - begun:.1f} s")
    if not (await embedding.passages.progress(model)).indexed:
        print("this server has no pgvector: only the exact search was measured")
        return took["exact"] <= BAR
    indexed = Meaning(database, embedding, Nearest(folder))
    took["index"] = told("index, by meaning", await timed(indexed, questions, Mode.MEANING))
    took["index, narrowed"] = told(
        "index, of one source", await timed(indexed, questions, Mode.MEANING, source="s3")
    )
    told("index, with words", await timed(indexed, questions, Mode.BOTH))
    ten = await recall(database, embedding, questions, 10)
    hundred = await recall(database, embedding, questions, 100)
    print(f"found by the index of the exact nearest: 10: {ten:.3f}, 100: {hundred:.3f}")
    alone = []
    for question in questions:
        begun = time.perf_counter()
        await embedder.embed([question])
        alone.append(time.perf_counter() - begun)
    told("of which embedding the question", alone)
    return max(took.values()) <= BAR and ten >= RECALL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    return 0 if asyncio.run(measure(given.passages, given.questions)) else 1


if __name__ == "__main__":
    sys.exit(main())

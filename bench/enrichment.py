"""What it costs to find and to keep what an article of 10 KB names, and what a worker then takes.

Run: .venv/bin/python bench/enrichment.py [--articles 200]

Texts are pieces of the labelled reports in shared/eval where they are, else of the corpus that
comes along.
The time is process CPU, each extractor alone and all together; keeping is the client's and
PostgreSQL's CPU for the same articles in batches as a worker makes them.
"""

import argparse
import asyncio
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil

import rig
from ctiscraper.db.enrichments import Enrichments, Finding
from ctiscraper.db.session import Conn, Database
from ctiscraper.enrich.enrichment import Knowledge, enrich_article, knowledge_of, use_packs
from ctiscraper.enrich.evaluate import bundled_corpus
from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.text_score import text_parts
from ctiscraper.intelligence import Enrichment, Mention
from ctiscraper.messages import EnrichMessage
from ctiscraper.packs.registry import KNOWN, build_default
from ctiscraper.pipeline import ENRICH_BATCH
from ctiscraper.scoring import ScoredText, Scoring

if TYPE_CHECKING:
    from ctiscraper.enrich.kinds import Observable

SIZE = 10_000
MOST_MS = 15.0
MOST_MB = 300.0
REPORTS = ("data/ioc/docs.jsonl.gz", "data/attack/docs.jsonl.gz")


def texts(number: int) -> list[str]:
    """Return so many texts of 10 KB, the same ones each time."""
    folder = rig.ROOT.parent / "shared" / "eval"
    whole: list[str] = []
    for name in REPORTS:
        if (folder / name).is_file():
            lines = gzip.decompress((folder / name).read_bytes()).decode().strip().split("\n")
            whole += [json.loads(line)["text"] for line in lines]
    whole = whole or ["\n".join(one.text for one in bundled_corpus()) * 3]
    pieces = [
        text[at : at + SIZE] for text in whole for at in range(0, max(1, len(text) - SIZE), SIZE)
    ]
    full = [piece for piece in pieces if len(piece) == SIZE] or pieces
    return [full[n * len(full) // number] for n in range(number)]


def messages(number: int) -> list[EnrichMessage]:
    """Return articles with these texts, their markup a paragraph a line."""
    return [
        EnrichMessage(
            title=text[:80],
            text=text,
            html="".join(f"<p>{line}</p>" for line in text.replace("<", "").split("\n")),
            url=f"https://blog.example/{n}",
            source_url="https://blog.example/",
        )
        for n, text in enumerate(texts(number))
    ]


def steps(known: Knowledge) -> dict[str, Callable[[EnrichMessage], object]]:
    """Return each extractor by itself."""
    seen: dict[str, list[Observable]] = {}
    named: dict[str, list[Mention]] = {}

    def observables(one: EnrichMessage) -> None:
        seen[one.url] = find_observables(one.text)

    def judged(one: EnrichMessage) -> None:
        assert known.verdicts is not None
        named[one.url] = known.verdicts.judge(
            one.text, one.html, seen[one.url], one.url, "blog.example"
        )

    assert known.techniques is not None
    assert known.names is not None
    techniques, names = known.techniques, known.names
    return {
        "observables": observables,
        "verdicts": judged,
        "attack": lambda one: techniques.find(one.text),
        "names": lambda one: names.find(one.text),
        "score": lambda one: text_parts(one.text, one.title, named[one.url]),
    }


def find(articles: list[EnrichMessage], known: Knowledge) -> tuple[float, list[Enrichment]]:
    """Return CPU milliseconds an article, and what was found."""
    for article in articles[:20]:
        enrich_article(article, known)
    began = time.process_time()
    found = [enrich_article(article, known) for article in articles]
    return (time.process_time() - began) * 1000 / len(articles), found


async def keep(found: list[Enrichment]) -> tuple[float, float]:
    """Return the client's and PostgreSQL's CPU milliseconds for keeping what one article names."""
    async with rig.installation() as made, Database(made.conninfo) as database:
        await seed(database, ["word " * 2000] * len(found))
        enrichments, scoring = Enrichments(database), Scoring(database)

        async def score(conn: Conn, kept: Sequence[Finding]) -> None:
            texts = [
                ScoredText(
                    article_id=one.text.article_id,
                    title=one.text.title,
                    text=one.text.text,
                    mentions=one.enrichment.mentions,
                    parts=one.enrichment.parts,
                )
                for one in kept
                if one.enrichment is not None
            ]
            await scoring.join(conn, texts)

        mine, theirs = time.process_time(), made.postgres_cpu()
        done = 0
        while batch := await enrichments.claim(uuid4(), limit=ENRICH_BATCH):
            ends = [
                Finding(text=text, enrichment=found[(done + n) % len(found)])
                for n, text in enumerate(batch)
            ]
            done += await enrichments.keep(ends, score)
        assert done == len(found), f"{done} of {len(found)} kept"
        return (
            (time.process_time() - mine) * 1000 / done,
            (made.postgres_cpu() - theirs) * 1000 / done,
        )


SEED = """
WITH s AS (
    INSERT INTO source (key, settings)
    SELECT 's' || n, '{"name": "S", "tier": "standard", "active": true, "url": "https://s.example/"}'
    FROM generate_series(1, 20) n RETURNING id
),
a AS (
    INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text, html, sort_at,
        word_count, reading_minutes, method, text_sha256, search)
    SELECT sha256(n::text::bytea), (SELECT min(id) FROM s) + n %% 20, 'standard', 'https://s.example/'
        || n, '', 'title', text, '', now() - n * interval '1 minute', 1, 1,
        'general', sha256(n::text::bytea), ''
    FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS given (text, n) RETURNING id
)
INSERT INTO enrichment_job (article_id, revision) SELECT id, 1 FROM a
"""


async def seed(database: Database, given: Sequence[str]) -> None:
    """Store articles with these texts, each to be looked through."""
    async with database.connection() as conn:
        await conn.execute(SEED, {"texts": [text.replace("\0", "") for text in given]})


async def worker_memory(given: Sequence[str]) -> list[tuple[str, float]]:
    """Return name and proportional set size (MB) of a worker's processes after it read texts."""
    environment = {"CTISCRAPER_ENRICH": "true"}
    async with rig.installation(environment) as made, Database(made.conninfo) as database:
        worker = made.start_worker()
        for _ in range(3):
            await seed_again(database, given)
        return rig.memory_of_tree(worker.pid)


async def seed_again(database: Database, given: Sequence[str]) -> None:
    """Have texts looked through, from the beginning, and return when all were."""
    async with database.connection() as conn:
        await conn.execute("TRUNCATE source, article CASCADE")
        await seed(database, given)
        while True:
            cursor = await conn.execute("SELECT count(*) FROM enrichment_job")
            row = await cursor.fetchone()
            if row == (0,):
                return
            await asyncio.sleep(0.5)


async def memory(packs: dict[str, bytes]) -> float:
    """Return by how many MB a fresh process grows when it makes the recognisers of packs."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in packs}
        for name, path in paths.items():
            path.write_bytes(packs[name])
        told = json.dumps({name: str(path) for name, path in paths.items()})
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--child", told, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await child.communicate()
    return float(said)


def child(paths: str) -> None:
    """Print by how many MB this process grows."""
    before = psutil.Process().memory_info().rss
    use_packs(json.loads(paths))
    print((psutil.Process().memory_info().rss - before) / 1e6)


def main(number: int) -> bool:
    """Print the table; return whether the bars were reached."""
    articles = messages(number)
    began = time.process_time()
    packs = {name: build_default(known) for name, known in KNOWN.items()}
    sizes = ", ".join(f"{name} {len(data) / 1e6:.1f} MB" for name, data in packs.items())
    print(f"packs built in {time.process_time() - began:.1f} s of CPU: {sizes}")
    began = time.process_time()
    known = knowledge_of(packs)
    print(f"recognisers made in {time.process_time() - began:.2f} s of CPU")
    for name, step in steps(known).items():
        for article in articles[:20]:
            step(article)
        began = time.process_time()
        for article in articles:
            step(article)
        spent = (time.process_time() - began) * 1000 / len(articles)
        print(f"  {name:12} {spent:6.2f} ms")
    spent, found = find(articles, known)
    named = sum(len(one.mentions) for one in found) / len(found)
    print(
        f"all together   {spent:6.2f} ms of CPU an article of {SIZE // 1000} KB, {named:.0f} things"
    )
    client, server = asyncio.run(keep(found))
    print(f"keeping it     {client:6.2f} ms client + {server:.2f} ms PostgreSQL")
    total = spent + client + server
    print(f"in all         {total:6.2f} ms (at most {MOST_MS:g})")
    print(f"recognisers take {asyncio.run(memory(packs)):.0f} MB in a process of their own")
    processes = asyncio.run(worker_memory([article.text for article in articles]))
    whole = sum(size for _, size in processes)
    print(f"a worker takes {whole:.0f} MB (at most {MOST_MB:g}):")
    for name, size in processes:
        print(f"  {name:20} {size:6.0f} MB")
    return total <= MOST_MS and whole <= MOST_MB


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=200)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        raise SystemExit(0)
    raise SystemExit(0 if main(options.articles) else 1)

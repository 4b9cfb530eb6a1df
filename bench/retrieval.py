"""How well questions are answered by the articles that are found for them.

Run: .venv/bin/python bench/retrieval.py [--fit]
The bundled questions (src/ctiscraper/analysis/sets/questions.yaml) are asked of the demo's articles
and of the other bundled sets, in a PostgreSQL of its own, with the model that comes along. What the
program does with its constants is told of either half; with --fit every constant is tried on the
first half alone, and the best of them are told with what they do on the other. It ends with 1
where the half that nothing was fitted to misses a bar.
"""

import argparse
import asyncio
import hashlib
import html
import itertools
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import rig
from ctiscraper.analysis.labelled import bundled_set
from ctiscraper.analysis.questioned import (
    LabelledQuestion,
    Standing,
    bundled_questions,
    halves,
    standing_of,
)
from ctiscraper.asking import understand
from ctiscraper.db.article_filters import to_wanted
from ctiscraper.db.binaries import find_binaries
from ctiscraper.db.embedded import EmbeddedPostgres
from ctiscraper.db.fusing import MEANING_AND_WORDS, Fusion, fuse
from ctiscraper.db.meaning import Mode, by_words
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.nearest import Asked, Nearest
from ctiscraper.db.passages import Passages
from ctiscraper.db.retrieving import RetrievedPassage
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.demo.library import load_articles
from ctiscraper.embedding import BuiltinEmbedder, Embedding
from ctiscraper.meaning import Meaning, support_of
from ctiscraper.questions import AnswerState, Questions
from ctiscraper.types import SourceSettings
from ctiscraper.views import ArticleQuery

# Of the half that nothing was fitted to.
BARS = Standing(recall=0.9, reciprocal=0.85, refused=0.8, kept=0.85)
FIRST = 10
WEIGHTS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0)
# A reprint of another, which a collection folds into it.
REPRINT = "guest-report-gravel-backups"

ADD = """
WITH job AS (
    INSERT INTO fetch_job (url_hash, url, host, source_id, state, entry, finished_at)
    VALUES (%(hash)s, %(url)s, 'h.example', 1, 'stored', '{"guid": "g", "url": "http://h.example/"}',
        now()) RETURNING id)
INSERT INTO article (job_id, url_hash, source_id, tier, url, canonical_url, title, text, html,
    language, published_at, sort_at, word_count, reading_minutes, method, text_sha256, search)
SELECT id, %(hash)s, 1, 'standard', %(url)s, %(url)s, %(title)s, %(text)s, '', 'en', now(), now(),
    150, 1, 'general', %(hash)s,
    setweight(to_tsvector('english', %(title)s), 'A') || to_tsvector('english', %(text)s) FROM job
RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A question, and what was found for it in each way, before constants decide."""

    labelled: LabelledQuestion
    near: list[tuple[str, float]]
    worded: list[str]
    passages: tuple[RetrievedPassage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the program does with a question: the articles of a page, and those of passages."""

    labelled: LabelledQuestion
    page: list[str]
    passages: list[str]
    refused: bool


def documents() -> dict[str, tuple[str, str]]:
    """All articles by their names: title and text."""
    found = {}
    for one in load_articles():
        blocks = re.sub(r"</(p|h\d|li|tr|pre|blockquote)>", "\n\n", one.html + one.revision)
        lines = html.unescape(re.sub(r"<[^>]+>", " ", blocks)).split("\n")
        found[one.slug] = (one.title, "\n".join(" ".join(line.split()) for line in lines).strip())
    del found[REPRINT]
    return found | {one.name: (one.title, one.text) for one in bundled_set().articles}


async def fill(database: Database) -> dict[int, str]:
    """Write all articles; return their names by their numbers."""
    settings = SourceSettings(key="s", name="S", url="http://h.example/", feed_url=None)
    await Sources(database).add(settings, actor="bench")
    names = {}
    async with database.transaction() as conn:
        for name, (title, text) in documents().items():
            url = f"http://h.example/{name.replace(' ', '-')}"
            values = {"title": title, "text": text, "url": url}
            digest = hashlib.sha256(url.encode()).digest()
            row = await (await conn.execute(ADD, {**values, "hash": digest})).fetchone()
            assert row is not None, "one row was written"
            names[int(row[0])] = name
    return names


@dataclass(frozen=True, slots=True)
class Bench:
    """A filled database, and what searches it."""

    database: Database
    meaning: Meaning
    names: dict[int, str]

    async def asked(self, labelled: LabelledQuestion) -> Asking:
        """Ask in each way, with no floor."""
        embedding = self.meaning.embedding
        assert embedding is not None, "this is about a model"
        (vector,) = await embedding.embedder.embed([labelled.question])
        asked = Asked(model=await embedding.model(), vector=vector, floor=-1.0)
        query = ArticleQuery(q=understand(labelled.question))
        async with self.database.transaction() as conn:
            wanted = to_wanted(ArticleQuery())
            near = await self.meaning.nearest.articles(conn, asked, wanted, enough=FIRST)
            _, worded = await by_words(conn, query)
        found = await self.meaning.passages(labelled.question, ArticleQuery(), limit=8)
        return Asking(
            labelled=labelled,
            near=[(self.names[one.article], one.closeness) for one in near],
            worded=[self.names[one] for one in worded],
            passages=found.passages,
        )

    async def answered(self, labelled: LabelledQuestion) -> Answered:
        """What the program does with a question."""
        query = ArticleQuery(q=understand(labelled.question))
        page = await self.meaning.page(query, Mode.BOTH, limit=FIRST)
        answer = await Questions(meaning=self.meaning).ask(labelled.question)
        return Answered(
            labelled=labelled,
            page=[self.names[one.id] for one in page.articles],
            passages=list(dict.fromkeys(self.names[one.article.id] for one in answer.passages)),
            refused=answer.state is AnswerState.REFUSED,
        )


def fused(one: Asking, fusion: Fusion, floor: float) -> list[str]:
    """The articles of a page, with other constants than the program's."""
    near = [name for name, closeness in one.near if closeness >= floor]
    number = {name: at for at, name in enumerate(dict.fromkeys([*near, *one.worded]))}
    known = {at: name for name, at in number.items()}
    lists = [[number[name] for name in near], [number[name] for name in one.worded]]
    return [known[at] for at, _ in fuse(lists, fusion)]


def support(one: Asking, weight: float) -> float:
    """How well the passage that bears out most does so."""
    return max((support_of(p, weight) or 0.0 for p in one.passages), default=0.0)


def judged(
    askings: Sequence[Asking], fusion: Fusion, floor: float, refuses: Callable[[Asking], bool]
) -> Standing:
    return standing_of([(one.labelled, fused(one, fusion, floor), refuses(one)) for one in askings])


def told(what: str, standing: Standing) -> None:
    print(
        f"{what:40} recall@5 {standing.recall:.3f}   MRR {standing.reciprocal:.3f}   "
        f"right refusals {standing.refused:.3f}   not refused {standing.kept:.3f}"
    )


def _fit(known: Sequence[Asking], others: Sequence[Asking]) -> None:
    """Try all constants on the one half, and tell what the best do on the other."""
    for what, words in (("meaning alone", 0.0), ("words alone", 1.0)):
        fusion = Fusion(constant=60, weights=(1.0 - words, words))
        for name, half in (("half fitted to", known), ("other half", others)):
            told(f"{what}, {name}", judged(half, fusion, 0.0, lambda _: False))
    ranked = []
    for constant, words in itertools.product((1, 3, 5, 7, 10, 20, 60), WEIGHTS):
        fusion = Fusion(constant=constant, weights=(1.0, words))
        ranked.append((_goodness(known, fusion, 0.0), fusion))
    ranked.sort(key=lambda one: -one[0])
    print("recall@5 and MRR, their mean, of a page by both:")
    for good, fusion in ranked[:12]:
        print(
            f"  constant {fusion.constant:2}, words {fusion.weights[1]:.2f}: {good:.3f},"
            f" on the other half {_goodness(others, fusion, 0.0):.3f}"
        )
    print("the least closeness, with what the program fuses by:")
    for hundredths in range(15, 45, 5):
        floor = hundredths / 100
        some = [
            any(closeness >= floor for _, closeness in one.near)
            for one in known
            if not one.labelled.is_answered
        ]
        print(
            f"  {floor:.2f}: {_goodness(known, MEANING_AND_WORDS, floor):.3f}, on the other half"
            f" {_goodness(others, MEANING_AND_WORDS, floor):.3f}; something is near to"
            f" {sum(some)} of {len(some)} questions that nothing answers"
        )
    fit_support(known, others)


def _goodness(half: Sequence[Asking], fusion: Fusion, floor: float) -> float:
    got = judged(half, fusion, floor, lambda _: False)
    return (got.recall + got.reciprocal) / 2


def fit_support(known: Sequence[Asking], others: Sequence[Asking]) -> None:
    """Try what bears an answer out, and tell the middle of the widest span that does best.

    A wrong refusal counts double: what is wrongly kept is still to be proved by its passages.
    """
    spans: dict[tuple[float, float], list[float]] = {}
    for weight, hundredths in itertools.product(WEIGHTS, range(20, 80)):
        least = hundredths / 100
        got = standing_of([(one.labelled, (), support(one, weight) < least) for one in known])
        spans.setdefault((got.refused + 2 * got.kept, weight), []).append(least)
    best = sorted(spans.items(), key=lambda one: (-one[0][0], -len(one[1])))
    for (_, weight), span in best[:6]:
        least = span[len(span) // 2]
        for what, half in (("half fitted to", known), ("other half", others)):
            got = standing_of([(one.labelled, (), support(one, weight) < least) for one in half])
            print(
                f"words {weight:.2f}, least {least:.2f} ({span[0]:.2f} to {span[-1]:.2f}), {what}:"
                f" right refusals {got.refused:.3f}, not refused {got.kept:.3f}"
            )


async def measure(*, fitting: bool, verbose: bool) -> bool:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        options = {**rig.SMALL_SERVER, "fsync": "off"}
        async with EmbeddedPostgres(folder / "data", find_binaries(None), options=options) as pg:
            await asyncio.to_thread(upgrade, pg.conninfo)
            async with Database(pg.conninfo, size=2) as database:
                embedding = Embedding(Passages(database), BuiltinEmbedder(folder / "models"))
                names = await fill(database)
                await embedding.embed_all()
                bench = Bench(database, Meaning(database, embedding, Nearest(folder)), names)
                return await _measured(bench, fitting=fitting, verbose=verbose)


def _show(one: Answered) -> None:
    """Print a question with the places of its first answers, marked where they are not right."""
    places = [
        next((at for at, name in enumerate(listed, 1) if name in one.labelled.answers), 0)
        for listed in (one.page, one.passages)
    ]
    wrong = one.refused or places != [1, 1] if one.labelled.is_answered else not one.refused
    said = "refused" if one.refused else ""
    print(f"  {'!' if wrong else ' '} {places[0]:2} {places[1]:2} {said:8}{one.labelled.question}")


async def _measured(bench: Bench, *, fitting: bool, verbose: bool) -> bool:
    questions = bundled_questions()
    print(f"{len(questions)} questions, {sum(one.is_answered for one in questions)} with an answer")
    standings = []
    for what, half in zip(("half fitted to", "other half"), halves(questions), strict=True):
        done = [await bench.answered(one) for one in half]
        standings.append(standing_of([(one.labelled, one.page, one.refused) for one in done]))
        told(f"a page by both, {what}", standings[-1])
        told(
            f"passages to answer by, {what}",
            standing_of([(one.labelled, one.passages, one.refused) for one in done]),
        )
        if verbose:
            for one in done:
                _show(one)
    if fitting:
        askings = [await bench.asked(one) for one in questions]
        _fit(askings[::2], askings[1::2])
    other = standings[1]
    return all(
        getattr(other, name) >= getattr(BARS, name)
        for name in ("recall", "reciprocal", "refused", "kept")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    return 0 if asyncio.run(measure(fitting=given.fit, verbose=given.verbose)) else 1


if __name__ == "__main__":
    sys.exit(main())

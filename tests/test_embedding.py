"""Texts get their passages: the newest first, each once, whatever ends a process midway."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg
import pytest

from ctiscraper import embedding
from ctiscraper.bootstrap import open_meaning
from ctiscraper.config import Settings
from ctiscraper.db import passages
from ctiscraper.db.passages import EmbeddingProgress, Passages, WaitingText, Walk
from ctiscraper.db.session import Database
from ctiscraper.db.vector_index import VectorModel
from ctiscraper.embed.weights import Floats
from ctiscraper.embedding import BuiltinEmbedder, Embedding, ServedEmbedder
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.server import Embedded, Model
from ctiscraper.types import Tlp
from web.shelf import Shelf
from worded_vectors import WordedEmbedder


def rows(database: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(statement).fetchall()


async def embed_all(database: str, embedder: WordedEmbedder, most: int | None = None) -> int:
    async with Database(database, size=2) as opened:
        return await Embedding(Passages(opened), embedder).embed_all(most=most)


async def test_every_text_gets_its_passages_once(database: str) -> None:
    shelf = Shelf(database)
    long = "One sentence about nothing much. " * 200
    first = shelf.article("first", text=long)
    second = shelf.article("second", text="Short.")
    empty = shelf.article("empty", text=" ")
    shelf.article("copy", duplicate_of=first)
    embedder = WordedEmbedder()
    assert await embed_all(database, embedder) == 3
    found = rows(
        database, "SELECT article_id, position, begins, ends, revision FROM passage ORDER BY 1, 2"
    )
    of_first = [row for row in found if row[0] == first]
    assert len(of_first) > 3
    assert of_first[0][2] == 0
    assert of_first[-1][3] == len(long)
    assert [row[0] for row in found if row[0] != first] == [second]
    assert rows(database, f"SELECT passages FROM embedded_text WHERE article_id = {empty}") == [
        (0,)
    ]
    asked = len(embedder.given)
    assert await embed_all(database, embedder) == 0
    assert len(embedder.given) == asked


async def test_a_text_that_changed_gets_others_in_their_place(database: str) -> None:
    shelf = Shelf(database)
    number = shelf.article("title", text="Old words.")
    await embed_all(database, WordedEmbedder())
    shelf.run("UPDATE article SET text = 'New words!', revision = 2 WHERE id = %s", (number,))
    embedder = WordedEmbedder()
    assert await embed_all(database, embedder) == 1
    assert embedder.given == ["a text", "title\nNew words!"]
    assert rows(database, "SELECT revision, ends FROM passage") == [(2, 10)]


async def test_another_model_makes_all_anew_and_the_old_vectors_go(database: str) -> None:
    shelf = Shelf(database)
    for number in range(5):
        shelf.article(f"n{number}", text=f"Text {number}.")
    await embed_all(database, WordedEmbedder())
    assert await embed_all(database, WordedEmbedder(version="2"), most=3) == 3
    assert rows(database, "SELECT count(*), count(DISTINCT model_id) FROM passage") == [(8, 2)]
    assert await embed_all(database, WordedEmbedder(version="2")) == 2
    assert rows(database, "SELECT count(*), count(DISTINCT model_id) FROM passage") == [(10, 2)]
    shelf.run("UPDATE embedding_model SET wanted_at = now() - interval '25 hours'")
    assert await embed_all(database, WordedEmbedder(version="2")) == 0
    assert rows(database, "SELECT version FROM embedding_model") == [("2",)]
    assert rows(database, "SELECT count(*), count(DISTINCT model_id) FROM passage") == [(5, 1)]


async def test_two_processes_with_different_models_undo_nothing_of_each_other(
    database: str,
) -> None:
    shelf = Shelf(database)
    shelf.article("one", text="Text.")
    one, other = WordedEmbedder(), WordedEmbedder(version="2")
    for turn in range(3):
        for embedder in (one, other):
            assert await embed_all(database, embedder) == (1 if turn == 0 else 0)
            async with Database(database, size=1) as opened:
                passages = Passages(opened)
                known = await Embedding(passages, embedder).known()
                assert known is not None
                await passages.note_wanted(known)
        shelf.run("UPDATE embedding_model SET wanted_at = wanted_at - interval '20 hours'")
    assert rows(database, "SELECT count(DISTINCT model_id) FROM passage") == [(2,)]


async def test_old_texts_are_reached_beyond_the_newest(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.db.passages._NEWEST", 2)
    monkeypatch.setattr("ctiscraper.db.passages._WINDOW", 3)
    shelf = Shelf(database)
    for number in range(17):
        shelf.article(f"n{number}", text=f"Text {number}.")
    assert await embed_all(database, WordedEmbedder()) == 17


class BrokenEmbedder(WordedEmbedder):
    """Fails as told from the second text on."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def embed(self, texts: Sequence[str]) -> Floats:
        if any("second" in text for text in texts):
            raise self.error
        return await super().embed(texts)


async def test_a_text_that_a_model_refuses_fails_alone(database: str) -> None:
    shelf = Shelf(database)
    for title in ("third", "second", "first"):
        shelf.article(title)
    assert await embed_all(database, BrokenEmbedder(ModelError(ModelFault.TOO_LONG, "9000"))) == 3
    found = rows(database, "SELECT failure FROM embedded_text WHERE failure <> ''")
    assert found == [("too_long: 9000",)]
    async with Database(database, size=1) as opened:
        progress = await Embedding(Passages(opened), WordedEmbedder()).progress()
    assert progress is not None
    assert (progress.articles, progress.texts, progress.failed) == (3, 2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        ModelFault.AWAY,
        ModelFault.BROKE_OFF,
        ModelFault.OUT_OF_MEMORY,
        ModelFault.REFUSED,
        ModelFault.TIMEOUT,
    ],
)
async def test_a_text_that_makes_its_server_fail_stops_no_other(
    database: str, fault: ModelFault
) -> None:
    shelf = Shelf(database)
    for title in ("third", "second", "first"):
        shelf.article(title)
    asked = "SELECT passages, attempts, failure FROM embedded_text ORDER BY article_id"
    for attempt in (1, 2):
        await embed_all(database, BrokenEmbedder(ModelError(fault, "it fell over")))
        assert rows(database, asked) == [(1, 1, ""), (None, attempt, ""), (1, 1, "")]
        shelf.run("UPDATE embedded_text SET leased_until = now() - interval '1 s'")
    await embed_all(database, BrokenEmbedder(ModelError(fault, "it fell over")))
    assert rows(database, asked)[1] == (0, 3, f"{fault}: it fell over")


async def test_a_refusal_for_good_is_of_one_text(database: str) -> None:
    shelf = Shelf(database)
    for title in ("third", "second", "first"):
        shelf.article(title)
    refused = ModelError(ModelFault.REFUSED, "status 400", transient=False)
    assert await embed_all(database, BrokenEmbedder(refused)) == 3
    found = rows(database, "SELECT failure FROM embedded_text ORDER BY article_id")
    assert found == [("",), ("refused: status 400",), ("",)]


@pytest.mark.parametrize(
    "final", [ModelFault.AWAY, ModelFault.TIMEOUT, ModelFault.BROKE_OFF, ModelFault.REFUSED]
)
async def test_no_outage_costs_an_attempt(database: str, final: ModelFault) -> None:
    await embed_all(database, WordedEmbedder())
    shelf = Shelf(database)
    for title in ("third", "second", "first"):
        shelf.article(title)
    error = ModelError(final, "nobody has vectors", transient=final is not ModelFault.REFUSED)

    class Down(WordedEmbedder):
        async def embed(self, texts: Sequence[str]) -> Floats:
            del texts
            raise error

    for _ in range(9):
        with pytest.raises(ModelError, match="nobody has vectors"):
            await embed_all(database, Down())
        shelf.run("UPDATE embedded_text SET leased_until = now() - interval '1 s'")
    assert rows(database, "SELECT max(attempts), max(failure) FROM embedded_text") == [(0, "")]
    assert await embed_all(database, WordedEmbedder()) == 3


@pytest.mark.parametrize(
    ("fault", "paid"), [(ModelFault.AWAY, 1), (ModelFault.TIMEOUT, 1), (ModelFault.REFUSED, 0)]
)
async def test_who_was_in_hand_when_an_outage_began_pays_once(
    database: str, fault: ModelFault, paid: int
) -> None:
    shelf = Shelf(database)
    for title in ("third", "second", "first"):
        shelf.article(title)
    down = ModelError(fault, "late")

    class FromTheSecondOn(BrokenEmbedder):
        is_down = False

        async def embed(self, texts: Sequence[str]) -> Floats:
            self.is_down = self.is_down or "second" in texts[0]
            if self.is_down:
                raise self.error
            return await super().embed(texts)

    with pytest.raises(ModelError, match="late"):
        await embed_all(database, FromTheSecondOn(down))
    found = rows(database, "SELECT passages, attempts FROM embedded_text ORDER BY article_id")
    assert found == [(None, 0), (None, paid), (1, 1)]


CHILD = """
import asyncio, sys
sys.path[:0] = sys.argv[2:]
from ctiscraper.db.passages import Passages
from ctiscraper.db.session import Database
from ctiscraper.embedding import Embedding
from worded_vectors import WordedEmbedder

class Slow(WordedEmbedder):
    async def embed(self, texts):
        if "poison" in texts[0]:
            print("here", flush=True)
            await asyncio.sleep(600)
        return await super().embed(texts)

async def main():
    async with Database(sys.argv[1], size=2) as database:
        await Embedding(Passages(database), Slow()).embed_all()

asyncio.run(main())
"""


async def killed_midway(database: str) -> None:
    paths = [path for path in sys.path if path.endswith("tests")]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, database, *paths, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(60):
        assert await child.stdout.readline() == b"here\n"
        child.kill()
        await child.wait()


async def test_what_a_killed_process_held_is_another_s_later(database: str) -> None:
    shelf = Shelf(database)
    shelf.article("old", text="Old text.")
    shelf.article("poison", text="Text.")
    await killed_midway(database)
    # Its texts are held for some minutes, so that nobody does them twice.
    assert await embed_all(database, WordedEmbedder()) == 0
    shelf.run("UPDATE embedded_text SET leased_until = now() - interval '1 second'")
    assert await embed_all(database, WordedEmbedder()) == 2
    assert rows(database, "SELECT count(*) FROM passage") == [(2,)]


async def test_a_text_that_ends_its_process_each_time_is_given_up(database: str) -> None:
    shelf = Shelf(database)
    number = shelf.article("poison", text="Text.")
    embedder = WordedEmbedder()
    for attempt in range(5):
        async with Database(database, size=1) as opened:
            stage = Embedding(Passages(opened), embedder)
            model = await stage.model()
            if attempt < 3:
                # What a killed process leaves behind.
                await stage.passages.claim(model, stage.owner, Walk(), limit=1)
                shelf.run("UPDATE embedded_text SET leased_until = now() - interval '1 s'")
            else:
                await stage.embed_all()
    found = rows(database, f"SELECT passages, failure FROM embedded_text WHERE article_id={number}")
    assert found == [(0, "its passages ended their process each time")]


class _Killed(BaseException):
    """A process ends in the midst of a text, and cleans nothing up."""


class _Mortal(Passages):
    killed = False

    async def give_back(
        self, model: VectorModel, owner: UUID, texts: Sequence[WaitingText]
    ) -> None:
        if not self.killed:
            await super().give_back(model, owner, texts)


class _Killer(WordedEmbedder):
    def __init__(self, killed: _Mortal) -> None:
        super().__init__()
        self.mortal = killed

    async def embed(self, texts: Sequence[str]) -> Floats:
        if any("Poison" in text for text in texts):
            self.mortal.killed = True
            raise _Killed
        return await super().embed(texts)


async def test_a_text_that_ends_its_process_takes_none_with_it_that_was_claimed_beside_it(
    database: str,
) -> None:
    shelf = Shelf(database)
    others = [shelf.article(f"n{number}", text="Text.") for number in range(3)]
    poison = shelf.article("poison", text="Poison.")

    for _ in range(20):
        async with Database(database, size=2) as opened:
            mortal = _Mortal(opened)
            with contextlib.suppress(_Killed):
                await Embedding(mortal, _Killer(mortal)).embed_some()
            shelf.run("UPDATE embedded_text SET leased_until = now() WHERE owner IS NOT NULL")
    found = rows(database, "SELECT article_id, failure <> '' FROM embedded_text ORDER BY 1")
    assert found == [*((number, False) for number in others), (poison, True)]
    assert rows(database, "SELECT count(*) FROM passage") == [(3,)]


async def test_a_text_that_takes_long_stays_with_whom_it_is_worked_on_by(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "_LEASE_SECONDS", 0.6)
    monkeypatch.setattr(embedding, "RENEW_SECONDS", 0.05)
    Shelf(database).article("long", text="Text.")
    async with Database(database, size=2) as opened, Database(database, size=2) as beside:
        other = Embedding(Passages(beside), WordedEmbedder())
        model = await other.model()
        claimed: list[WaitingText] = []

        class Slow(WordedEmbedder):
            async def embed(self, texts: Sequence[str]) -> Floats:
                until = asyncio.get_running_loop().time() + 1.5
                while "Text" in texts[0] and asyncio.get_running_loop().time() < until:
                    claimed.extend(await other.passages.claim(model, other.owner, Walk(), limit=4))
                return await super().embed(texts)

        assert await Embedding(Passages(opened), Slow()).embed_some() == 1
    assert claimed == []
    assert rows(database, "SELECT passages, attempts FROM embedded_text") == [(1, 1)]


async def test_a_text_that_changed_meanwhile_is_left_for_its_next_turn(database: str) -> None:
    shelf = Shelf(database)
    shelf.article("one", text="Text.")

    class Meddler(WordedEmbedder):
        async def embed(self, texts: Sequence[str]) -> Floats:
            if texts != ["a text"]:
                shelf.run("UPDATE article SET revision = revision + 1 WHERE revision < 2")
            return await super().embed(texts)

    assert await embed_all(database, Meddler()) == 2
    assert rows(database, "SELECT revision FROM passage") == [(2,)]


async def test_two_processes_share_the_work(database: str) -> None:
    shelf = Shelf(database)
    for number in range(30):
        shelf.article(f"n{number}", text=f"Text {number}.")
    one, two = WordedEmbedder(), WordedEmbedder()
    counts = await asyncio.gather(embed_all(database, one), embed_all(database, two))
    assert sum(counts) == 30
    given = [text for text in one.given + two.given if text != "a text"]
    assert len(given) == len(set(given)) == 30


async def embed_up_to(database: str, ceiling: Tlp) -> list[str]:
    """What a model is given that texts above a marking may not go to."""
    embedder = WordedEmbedder()
    async with Database(database, size=2) as opened:
        await Embedding(Passages(opened, ceiling), embedder).embed_all()
    return [text for text in embedder.given if text != "a text"]


async def progress_up_to(database: str, ceiling: Tlp) -> EmbeddingProgress:
    async with Database(database, size=1) as opened:
        found = await Embedding(Passages(opened, ceiling), WordedEmbedder()).progress()
    assert found is not None
    return found


async def test_marked_texts_are_given_to_no_model_on_another_network(database: str) -> None:
    shelf = Shelf(database)
    shelf.source("closed", tlp="amber")
    shelf.article("TLP:RED in its title", text="Plain words.")
    shelf.article("marked at its very end", text="Plain. " * 70_000 + "\nTLP:AMBER")
    shelf.article("of a closed source", "closed", text="Plain words.")
    shelf.article("open", text="TLP:GREEN and open.")
    assert await embed_up_to(database, Tlp.GREEN) == ["open\nTLP:GREEN and open."]
    progress = await progress_up_to(database, Tlp.GREEN)
    counts = (progress.articles, progress.texts, progress.withheld, progress.failed)
    assert counts == (4, 1, 3, 0)
    assert progress.is_whole
    # What is known is not asked again, by whoever looks.
    assert await embed_up_to(database, Tlp.GREEN) == []
    async with Database(database, size=1) as opened:
        stage = Embedding(Passages(opened, Tlp.GREEN), WordedEmbedder())
        assert not await stage.passages.is_waited_for(await stage.model())


async def test_what_was_withheld_is_given_once_it_may_be(database: str) -> None:
    shelf = Shelf(database)
    shelf.source("closed", tlp="amber")
    shelf.article("red", text="TLP:RED words.")
    shelf.article("closed", "closed", text="Plain words.")
    for _ in range(4):
        assert await embed_up_to(database, Tlp.GREEN) == []
    shelf.run(
        "UPDATE source SET settings = settings || '{\"tlp\": \"green\"}' WHERE key = 'closed'"
    )
    assert await embed_up_to(database, Tlp.GREEN) == ["closed\nPlain words."]
    assert (await progress_up_to(database, Tlp.GREEN)).withheld == 1
    assert await embed_up_to(database, Tlp.RED) == ["red\nTLP:RED words."]
    assert (await progress_up_to(database, Tlp.RED)).withheld == 0


@pytest.mark.parametrize(
    ("url", "model", "ceiling"),
    [
        ("https://models.example.org", "nomic", Tlp.GREEN),
        ("http://127.0.0.1:9", "nomic", Tlp.RED),
        ("http://127.0.0.1:9", "nomic-cloud", Tlp.GREEN),
    ],
)
async def test_the_ceiling_holds_for_servers_on_other_networks(
    database: str, url: str, model: str, ceiling: Tlp
) -> None:
    settings = Settings(model_url=url, embedding=model, model_tlp="green")
    async with Database(database, size=1) as opened, open_meaning(settings, opened) as meaning:
        assert meaning.embedding is not None
        assert meaning.embedding.passages.ceiling is ceiling


class AServer:
    """Gives vectors as told."""

    name, is_remote = "a server", False

    def __init__(self, *vectors: tuple[float, ...]) -> None:
        self.vectors = vectors

    async def models(self) -> tuple[Model, ...]:
        return (Model(name="nomic:latest", digest="sha256:0123456789abcdef"),)

    async def embed(self, model: str, texts: Sequence[str], *, seconds: float) -> Embedded:
        del texts, seconds
        return Embedded(model=model, vectors=self.vectors)


async def test_the_vectors_of_a_server_are_made_to_one_length() -> None:
    embedder = ServedEmbedder(AServer((3.0, 4.0)), "nomic")  # type: ignore[arg-type]  # what it is asked for here
    assert await embedder.identity() == ("nomic", "sha256:0123456789ab/1")
    assert np.allclose(await embedder.embed(["x"]), [[0.6, 0.8]])


@pytest.mark.parametrize(
    "vectors",
    [(), ((1.0,), (2.0,)), ((0.0, 0.0),), ((float("nan"), 1.0),), ((float("inf"), 1.0),), ((),)],
)
async def test_what_is_no_vector_is_refused(vectors: tuple[tuple[float, ...], ...]) -> None:
    embedder = ServedEmbedder(AServer(*vectors), "nomic")  # type: ignore[arg-type]  # what it is asked for here
    with pytest.raises(ModelError):
        await embedder.embed(["x"])


async def test_the_model_that_comes_along_says_its_version_unloaded(tmp_path: Path) -> None:
    name, version = await BuiltinEmbedder(tmp_path).identity()
    assert name == "all-MiniLM-L6-v2"
    assert re.fullmatch(r"int8\.\d+/\d+", version)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing else runs in this loop

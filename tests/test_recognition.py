"""Recognisers follow the data packs in use, and serve on with what they had when one is off."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

import make_packs as make
from ctiscraper.db.known_names import KnownNames
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.db.touched import Touched
from ctiscraper.errors import PackError
from ctiscraper.intelligence import Enrichment, Extractor
from ctiscraper.messages import PARSERS, WARM_UP, EnrichMessage
from ctiscraper.packs.pack import write_pack
from ctiscraper.packs.registry import KNOWN, build_default, read_known
from ctiscraper.packs.shelf import Shelf
from ctiscraper.recognition import Recognition
from ctiscraper.reference import Reference
from ctiscraper.sandbox import Sandbox
from db import claimed
from db.stage import Stage

LISTS = KNOWN["warninglists"]


@pytest.fixture(scope="module")
def lists() -> bytes:
    return build_default(LISTS)


@dataclass
class Scene:
    """A parsers' process over the packs of one database."""

    stage: Stage
    packs: Packs
    sandbox: Sandbox
    recognition: Recognition
    folder: Path

    async def reasons(self) -> tuple[str, ...]:
        """Why the one address of a text is held to be what it is."""
        message = EnrichMessage(
            title="", text="It asked 8.8.8.8 first.", html="", url="https://a.example/1",
            source_url="https://a.example/", extractors=(Extractor.OBSERVABLES,),
        )  # fmt: skip
        answer = await self.sandbox.call("enrich", msgspec.msgpack.encode(message))
        [mention] = msgspec.msgpack.decode(answer, type=Enrichment).mentions
        return mention.reasons

    async def later(self) -> bool:
        """Whether recognisers are there after the next look at the packs."""
        self.recognition._looked_at = float("-inf")
        return await self.recognition.refresh()


@pytest_asyncio.fixture
async def scene(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        Database(database, size=8) as opened,
        Sandbox(PARSERS, warm_up=WARM_UP) as sandbox,
    ):
        stage = Stage(opened)
        packs = Packs(stage.database, {LISTS.name: LISTS})
        recognition = Recognition(
            Reference(packs),
            Shelf(tmp_path / "packs"),
            sandbox,
            Touched(opened),
            KnownNames(opened, packs.known),
        )
        yield Scene(stage, packs, sandbox, recognition, tmp_path / "packs")


async def test_recognisers_are_made_of_the_packs_in_use(scene: Scene, lists: bytes) -> None:
    assert await scene.reasons() == ()
    await scene.packs.install(lists, build=LISTS.build())
    assert await scene.recognition.refresh()
    assert any("public-dns" in reason for reason in await scene.reasons())
    nursery = scene.sandbox.pids[0]
    assert await scene.later()
    assert scene.sandbox.pids[0] == nursery


async def test_a_missing_default_is_built_and_used(scene: Scene) -> None:
    assert await scene.recognition.refresh()
    assert (await scene.packs.active()).keys() == {"warninglists"}
    assert await scene.reasons() != ()


async def test_a_damaged_copy_is_fetched_again(scene: Scene, lists: bytes) -> None:
    await scene.packs.install(lists, build=LISTS.build())
    await scene.recognition.refresh()
    [copy] = scene.folder.iterdir()
    copy.write_bytes(copy.read_bytes()[:1000])
    assert await scene.later()
    assert copy.read_bytes() == lists


async def test_a_pack_that_cannot_be_used_leaves_what_was_there(scene: Scene, lists: bytes) -> None:
    await scene.packs.install(lists, build=LISTS.build())
    await scene.recognition.refresh()
    told = await scene.reasons()
    await scene.stage.run("UPDATE pack SET body = 'x', sha256 = sha256('x')")
    assert await scene.later()
    assert await scene.reasons() == told


def _older(lists: bytes) -> bytes:
    pack, records = read_known(lists)
    return write_pack(pack.info, msgspec.structs.replace(records, patterns=(("x", 0),)))


async def _age(scene: Scene) -> None:
    """Let it be some minutes later."""
    await scene.stage.run("UPDATE pack_change SET changed_at = changed_at - interval '3 minutes'")


async def test_a_newer_default_has_texts_looked_through_again(scene: Scene, lists: bytes) -> None:
    await claimed.article(scene.stage, "one")
    await scene.packs.install(_older(lists), build="0.1+1")
    await scene.recognition.refresh()
    # Others may look texts through with the older pack for a minute still.
    assert await scene.later()
    assert await claimed.claim(scene.stage) == []
    await _age(scene)
    assert await scene.later()
    [text] = await claimed.claim(scene.stage)
    assert text.extractors == (Extractor.OBSERVABLES,)
    await scene.stage.run("DELETE FROM enrichment_job")
    await _age(scene)
    assert await scene.later()
    assert await scene.stage.enrichments.waiting() == 0


async def test_texts_are_looked_through_again_whoever_installed_the_newer_default(
    scene: Scene, lists: bytes
) -> None:
    """A command, or a worker that was killed before it queued them."""
    await claimed.article(scene.stage, "one")
    await scene.packs.install(_older(lists), build="0.1+1")
    assert len(await Reference(scene.packs).install_defaults()) == 1
    await _age(scene)
    assert await scene.packs.take_change(older_than=60) is not None
    assert await scene.later()
    assert await scene.stage.enrichments.waiting() == 0
    await scene.stage.run("UPDATE pack_change SET held_until = now() - interval '1 second'")
    assert await scene.later()
    assert await scene.stage.enrichments.waiting() == 1


async def test_texts_are_looked_through_again_though_another_pack_cannot_be_built(
    scene: Scene, lists: bytes
) -> None:
    packs = Packs(scene.stage.database, {"zoo": make.ZOO, LISTS.name: LISTS})
    await claimed.article(scene.stage, "one")
    await scene.packs.install(_older(lists), build="0.1+1")
    with pytest.raises(PackError):
        await Reference(packs).install_defaults()
    await _age(scene)
    assert await scene.later()
    assert await scene.stage.enrichments.waiting() == 1


async def test_a_change_that_follows_another_is_told_from_before_both(
    scene: Scene, lists: bytes
) -> None:
    packs = Packs(scene.stage.database, scene.packs.known, again=True)
    first = (await packs.install(_older(lists))).new
    await packs.install(lists)
    pack, records = read_known(lists)
    last = write_pack(pack.info, msgspec.structs.replace(records, patterns=(("y", 0),)))
    taken = await packs.take_change(older_than=0)
    assert taken is not None
    await packs.install(last)
    await packs.end_change(taken)
    due = await packs.take_change(older_than=0)
    assert due is not None
    assert due.old == first.sha256
    assert due.new == (await packs.active())["warninglists"].sha256


async def test_a_turn_that_another_holds_stops_nobody_who_has_older_packs(
    scene: Scene, lists: bytes
) -> None:
    await scene.packs.install(_older(lists), build="0.1+1")
    async with scene.packs.build_turn() as ours, asyncio.timeout(20):
        assert ours
        assert await scene.recognition.refresh()
    assert (await scene.packs.active())["warninglists"].build == "0.1+1"


async def test_the_first_packs_have_nothing_looked_through_twice(
    scene: Scene, lists: bytes
) -> None:
    await claimed.article(scene.stage, "one")
    await scene.packs.install(lists, build=LISTS.build())
    await scene.recognition.refresh()
    assert await scene.stage.enrichments.waiting() == 0

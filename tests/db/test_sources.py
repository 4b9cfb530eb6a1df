"""Versions of a source's settings: two editors, and the way back."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

import make
from ctiscraper.errors import ConflictError, NotFoundError, StaleError
from ctiscraper.types import Selectors, Tier, Validators
from db.stage import Stage
from lock_waits import until_waiting
from make import settings


async def test_an_edit_of_an_old_version_is_refused(stage: Stage) -> None:
    await stage.sources.add(settings(), actor="a")
    seen = await stage.sources.version("acme")
    await stage.sources.update("acme", settings(min_length=5), actor="b", expected=seen)
    with pytest.raises(StaleError) as raised:
        await stage.sources.update("acme", settings(min_length=9), actor="c", expected=seen)
    assert raised.value.seen == seen
    assert (await stage.sources.get("acme")).settings.min_length == 5
    now = await stage.sources.version("acme")
    await stage.sources.update("acme", settings(min_length=9), actor="c", expected=now)


async def test_of_two_edits_at_once_one_wins(stage: Stage) -> None:
    await stage.sources.add(settings(), actor="a")
    seen = await stage.sources.version("acme")
    done = await asyncio.gather(
        *(
            stage.sources.update("acme", settings(min_length=n), actor=f"{n}", expected=seen)
            for n in range(1, 4)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, StaleError) for one in done) == 2
    assert await stage.value("SELECT count(*) FROM source_change WHERE action = 'update'") == 1


async def test_an_edit_that_waits_for_a_check_holds_up_nothing_of_it(
    stage: Stage, database: str
) -> None:
    """A check holds where its source stands, and refers to the source by each item after that."""
    await stage.sources.add(settings(), actor="a")
    with psycopg.connect(database) as check:
        check.execute("SELECT 1 FROM source_state FOR UPDATE")
        edit = asyncio.create_task(stage.sources.update("acme", settings(min_length=5), actor="b"))
        await asyncio.to_thread(until_waiting, database)
        check.execute("SELECT 1 FROM source FOR KEY SHARE NOWAIT")
    assert (await edit).settings.min_length == 5


async def test_the_last_edit_is_undone_and_brought_back(stage: Stage) -> None:
    await stage.sources.add(settings(), actor="a")
    with pytest.raises(ConflictError, match="no edit"):
        await stage.sources.undo("acme", actor="a")
    edited = replace(settings(), tier=Tier.PREMIUM, min_length=7)
    await stage.sources.update("acme", edited, actor="b")
    assert (await stage.sources.undo("acme", actor="c")).settings == settings()
    assert (await stage.sources.undo("acme", actor="c")).settings == edited
    seen = await stage.sources.version("acme")
    with pytest.raises(StaleError):
        await stage.sources.undo("acme", actor="d", expected=seen - 1)
    with pytest.raises(NotFoundError):
        await stage.sources.undo("other", actor="d")


async def test_what_is_read_by_other_settings_is_read_whole(stage: Stage) -> None:
    """A host that calls its page unchanged would keep another selector from being heard."""
    await stage.announce([make.announced("https://acme.example/a")])
    assert (await stage.sources.get("acme")).validators.etag == '"1"'
    there = settings(feed_url="https://acme.example/new.xml")
    await stage.sources.update("acme", there, actor="discovery", same_feed=True)
    assert (await stage.sources.get("acme")).validators.etag == '"1"', "it was read just now"
    await stage.sources.update(
        "acme", replace(there, selectors=Selectors(listing=".post a")), actor="ann"
    )
    assert (await stage.sources.get("acme")).validators == Validators()

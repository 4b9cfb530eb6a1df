"""What readers judged, read with the articles as they are now."""

import pytest

import make
from ctiscraper.analysis.analysed import Quote, TaskName
from ctiscraper.db.analyses import Analyses
from ctiscraper.db.judged import JudgedTexts
from ctiscraper.db.model_queue import ModelQueue
from ctiscraper.errors import ConflictError
from ctiscraper.types import Tlp
from db import modelled
from db.stage import Stage

TEXT = "The text of it. Another sentence of it."


async def answered(stage: Stage, article: int) -> int:
    [number] = await modelled.ask(stage, article)
    queue = ModelQueue(stage.database)
    assert await modelled.finish(queue, await modelled.claim_one(queue))
    return number


async def test_thumbs_are_counted_and_what_was_judged_last_comes_first(stage: Stage) -> None:
    analyses, judged = Analyses(stage.database), JudgedTexts(stage.database)
    assert await judged.latest(10) == ()
    one = await modelled.article(stage, "one", TEXT)
    two = await modelled.article(stage, "two", f"Two: {TEXT}")
    first, second = [await answered(stage, article) for article in (one, two)]
    await analyses.judge(second, 1, good=True, actor="ann")
    for actor, good in (("ann", True), ("bo", True), ("cy", False)):
        await analyses.judge(first, 1, good=good, actor=actor)
    found = await judged.latest(10)
    assert [text.number for text in found] == [one, two]
    assert [text.number for text in await judged.latest(1)] == [one]
    assert (found[0].text, found[0].least, found[0].language) == (TEXT, Tlp.CLEAR, "")
    [thumb] = found[0].thumbed
    assert (thumb.task, thumb.good, thumb.bad) == (TaskName.SUMMARY, 2, 1)
    assert thumb.claim.text == "It is a text."
    assert thumb.claim.quotes == (Quote("text", 4, 8),)
    await analyses.judge(second, 1, good=None, actor="ann")
    assert [text.number for text in await judged.latest(10)] == [one]


async def test_how_guarded_its_source_is_comes_along(stage: Stage) -> None:
    guarded = await modelled.article(stage, "one", TEXT, make.settings(tlp=Tlp.AMBER))
    await Analyses(stage.database).judge(await answered(stage, guarded), 1, good=False, actor="a")
    [text] = await JudgedTexts(stage.database).latest(5)
    assert text.least is Tlp.AMBER


async def test_who_read_another_claim_judges_none(stage: Stage) -> None:
    analyses = Analyses(stage.database)
    number = await answered(stage, await modelled.article(stage, "one", TEXT))
    with pytest.raises(ConflictError, match="answered anew"):
        await analyses.judge(number, 1, good=True, actor="ann", seen="It was a text.")
    assert await JudgedTexts(stage.database).latest(5) == ()
    await analyses.judge(number, 1, good=True, actor="ann", seen="It is a text.")
    assert len(await JudgedTexts(stage.database).latest(5)) == 1

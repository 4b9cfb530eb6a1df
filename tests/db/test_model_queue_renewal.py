"""What is asked when texts and prompts go back and forth: no question is lost, no answer goes."""

import pytest

import make
from ctiscraper.db.analyses import Analyses
from ctiscraper.db.links import Links
from ctiscraper.db.model_queue import ModelQueue
from ctiscraper.db.model_spending import Spent
from ctiscraper.errors import ModelFault
from db import claimed as stored
from db import modelled
from db.stage import Stage

ADDRESS = "https://acme.example/a/one"


@pytest.fixture
def queue(stage: Stage) -> ModelQueue:
    return ModelQueue(stage.database)


async def revise(stage: Stage, number: int, text: str) -> None:
    await stage.run(f"UPDATE fetch_job SET state = 'pending' WHERE article_id = {number}")
    await stage.keep(await stage.claim(), make.content(ADDRESS, text))
    await stage.links.link_next(stored.never)


async def rows(stage: Stage) -> list[tuple[object, ...]]:
    return await stage.rows(
        "SELECT prompt_version, state, jsonb_array_length(claims) FROM model_analysis ORDER BY id"
    )


async def answered(stage: Stage, queue: ModelQueue) -> int:
    """An article with an answer to the first version of the prompt, asked again by somebody."""
    number = await modelled.article(stage, "one")
    [analysis] = await modelled.ask(stage, number)
    await modelled.finish(queue, await modelled.claim_one(queue))
    await Analyses(stage.database).retry(analysis, actor="ann")
    return number


async def test_a_text_that_comes_back_is_asked_about(stage: Stage, queue: ModelQueue) -> None:
    stage.links = Links(stage.database, modelled.wanted())
    number = await modelled.article(stage, "one", "First words.")
    late = await modelled.claim_one(queue)
    await queue.fail(late, ModelFault.TIMEOUT, "late", Spent(), transient=True)
    await revise(stage, number, "Other words.")
    await revise(stage, number, "First words.")
    found = await modelled.claim_one(queue)
    assert (found.text, found.attempts) == ("First words.", 1)
    assert await modelled.claim(queue) is None
    assert await stage.rows(
        "SELECT count(*) FROM model_analysis WHERE state = 'running' AND detail = ''"
    ) == [(1,)]


@pytest.mark.parametrize("how", ["all", "one"])
async def test_what_somebody_cancelled_is_not_asked_by_itself(
    stage: Stage, queue: ModelQueue, how: str
) -> None:
    stage.links = Links(stage.database, modelled.wanted())
    number = await modelled.article(stage, "one", "First words.")
    people = Analyses(stage.database)
    if how == "all":
        assert await people.cancel_all() == 1
    else:
        await people.cancel(1)
    await revise(stage, number, "Other words.")
    await people.cancel_all()
    await revise(stage, number, "First words.")
    assert await modelled.claim(queue) is None
    # Who asks himself is answered all the same.
    await people.ask(number, modelled.wanted(), actor="ann")
    assert (await modelled.claim_one(queue)).text == "First words."


async def test_two_versions_of_this_program_lose_no_question(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    await queue.renew_prompt(await modelled.claim_one(queue), "2")
    await queue.renew_prompt(await modelled.claim_one(queue), "1")
    found = await modelled.claim_one(queue)
    assert (found.prompt_version, found.attempts) == ("1", 1)
    await modelled.finish(queue, found)
    assert await rows(stage) == [("1", "done", 1), ("2", "cancelled", 0)]


async def test_what_somebody_cancelled_stays_so_when_the_prompt_changes(
    stage: Stage, queue: ModelQueue
) -> None:
    number = await modelled.article(stage, "one")
    [newer] = await modelled.ask(stage, number, what=modelled.wanted(version="2"))
    await Analyses(stage.database).cancel(newer)
    await modelled.ask(stage, number)
    await queue.renew_prompt(await modelled.claim_one(queue), "2")
    assert await modelled.claim(queue) is None


async def test_an_answer_stands_while_it_is_asked_again_by_another_prompt(
    stage: Stage, queue: ModelQueue
) -> None:
    await answered(stage, queue)
    await queue.renew_prompt(await modelled.claim_one(queue), "2")
    assert await rows(stage) == [("1", "done", 1), ("2", "pending", 0)]


async def test_who_asks_again_is_asked_again_by_the_prompt_of_now(
    stage: Stage, queue: ModelQueue
) -> None:
    number = await answered(stage, queue)
    await modelled.ask(stage, number, what=modelled.wanted(version="2"))
    first, second = [await modelled.claim_one(queue) for _ in range(2)]
    assert (first.prompt_version, second.prompt_version) == ("1", "2")
    await modelled.finish(queue, second)
    await queue.renew_prompt(first, "2")
    found = await modelled.claim_one(queue)
    assert (found.id, found.attempts) == (second.id, 1)


async def test_an_answer_stands_while_its_text_is_revised_before_it_is_asked_again(
    stage: Stage, queue: ModelQueue
) -> None:
    number = await answered(stage, queue)
    await stage.run(f"UPDATE article SET text = 'Others.' WHERE id = {number}")
    assert await modelled.claim(queue) is None
    assert await rows(stage) == [("1", "done", 1)]
    # What was asked for is not forgotten either.
    await stage.run(f"UPDATE article SET text = 'The text of it.' WHERE id = {number}")
    await modelled.ask(stage, number)
    assert (await modelled.claim_one(queue)).prompt_version == "1"

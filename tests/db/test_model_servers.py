"""Servers of models that are left alone: for how long, what it costs texts, and when it is over."""

from uuid import uuid4

import pytest

from ctiscraper.db.analyses import Analyses
from ctiscraper.db.model_queue import ModelQueue
from ctiscraper.db.model_report import ModelBoard
from ctiscraper.db.model_servers import BREAKS_AFTER, ModelServers
from ctiscraper.db.model_spending import Spent
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.model_views import Waits
from db import modelled
from db.stage import Stage

NOTHING = Spent()
FREE = modelled.FREE


@pytest.fixture
def queue(stage: Stage) -> ModelQueue:
    return ModelQueue(stage.database)


async def texts(stage: Stage, count: int) -> None:
    for number in range(count):
        await modelled.ask(stage, await modelled.article(stage, f"a{number}", f"Text {number}."))


async def fail(queue: ModelQueue, fault: ModelFault, *, transient: bool = True) -> None:
    found = await modelled.claim_one(queue)
    await queue.fail(found, fault, "so it is", NOTHING, transient=transient, server=modelled.SERVER)


async def note(stage: Stage, *, has_model: bool = True, model: str = "small") -> None:
    await ModelServers(stage.database).note(
        modelled.SERVER,
        version="1",
        models=[model if has_model else "other"],
        remote=False,
        missing="" if has_model else model,
    )


async def rest(stage: Stage) -> int:
    question = "SELECT round(extract(epoch FROM rest_until - now())) FROM model_server"
    return int(str(await stage.value(question)))


@pytest.mark.parametrize(
    ("fault", "needed"), [(ModelFault.MODEL_MISSING, 1), (ModelFault.REFUSED, 2)]
)
async def test_what_is_so_for_every_text_costs_none_and_is_said_at_each(
    stage: Stage, queue: ModelQueue, fault: ModelFault, needed: int
) -> None:
    await texts(stage, 4)
    for _ in range(needed):
        await fail(queue, fault)
    assert await modelled.claim(queue) is None
    assert await stage.rows("SELECT state, max(attempts) FROM model_analysis GROUP BY 1") == [
        ("pending", 0)
    ]
    page = await Analyses(stage.database, server=modelled.SERVER).page()
    told = {(one.analysis.waits, one.analysis.fault, one.analysis.detail) for one in page.analyses}
    assert told == {(Waits.SERVER, fault, "so it is")}
    assert all("asked again by itself" in one.analysis.advice for one in page.analyses)
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert (server.reachable, server.fault, server.detail) == (False, fault, "so it is")


async def test_it_is_tried_with_one_text_ever_later_and_those_who_had_asked_change_nothing(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 4)
    held = [await modelled.claim_one(queue) for _ in range(3)]
    for found in held:
        await queue.fail(
            found, ModelFault.REFUSED, "key", NOTHING, transient=True, server=modelled.SERVER
        )
    assert await rest(stage) == 30
    await stage.run("UPDATE model_server SET rest_until = now()")
    await fail(queue, ModelFault.REFUSED)
    assert await rest(stage) == 60
    await stage.run("UPDATE model_server SET rest_until = now()")
    await stage.run("UPDATE model_analysis SET run_after = now()")
    probe = await modelled.claim_one(queue)
    assert await modelled.claim(queue) is None
    assert await modelled.finish(queue, probe)
    assert await modelled.claim(queue) is not None


@pytest.mark.parametrize(
    ("fault", "has_model", "over"),
    [
        (ModelFault.MODEL_MISSING, True, True),
        (ModelFault.MODEL_MISSING, False, False),
        (ModelFault.REFUSED, False, True),
    ],
)
async def test_it_is_over_once_the_server_has_what_it_lacked(
    stage: Stage, queue: ModelQueue, fault: ModelFault, has_model: bool, over: bool
) -> None:
    await texts(stage, 3)
    await fail(queue, fault)
    await note(stage, has_model=has_model)
    assert (await modelled.claim(queue) is not None) is over
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert server.reachable is over


async def test_who_names_another_model_than_the_one_that_is_missing_does_not_wait(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 3)
    other = await modelled.article(stage, "other", "Other text.")
    await modelled.ask(stage, other, what=modelled.wanted(model="large"))
    await modelled.ask(stage, 1, what=modelled.wanted(model="large"))
    await fail(queue, ModelFault.MODEL_MISSING)
    page = await Analyses(stage.database, server=modelled.SERVER).page()
    waits = {(one.analysis.model, one.analysis.waits, one.analysis.fault) for one in page.analyses}
    assert waits == {
        ("small", Waits.SERVER, ModelFault.MODEL_MISSING),
        ("large", None, None),
    }
    for _ in range(2):
        found = await modelled.claim_one(queue)
        assert found.model == "large"
        await modelled.finish(queue, found)
    # That another model answered tells nothing of the one that is not there.
    assert await modelled.claim(queue) is None
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert (server.reachable, server.fault) == (False, ModelFault.MODEL_MISSING)
    await note(stage)
    assert (await modelled.claim_one(queue)).model == "small"


async def test_a_missing_model_is_tried_with_one_text_ever_later_while_others_go_on(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 4)
    question = "SELECT round(extract(epoch FROM rest_until - now())) FROM model_missing"
    for seconds in (30, 60, 120):
        await fail(queue, ModelFault.MODEL_MISSING)
        assert int(str(await stage.value(question))) == seconds
        assert await modelled.claim(queue) is None
        await stage.run("UPDATE model_missing SET rest_until = now()")
    probe = await modelled.claim_one(queue)
    assert await modelled.claim(queue) is None
    await modelled.ask(stage, 1, what=modelled.wanted(model="large"))
    await modelled.finish(queue, await modelled.claim_one(queue))
    assert await modelled.claim(queue) is None
    await modelled.finish(queue, probe)
    assert await stage.value("SELECT count(*) FROM model_missing") == 0
    await stage.run("UPDATE model_analysis SET run_after = now()")
    assert len([await modelled.claim_one(queue) for _ in range(3)]) == 3


async def test_those_who_had_asked_for_a_missing_model_change_nothing(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 3)
    for found in [await modelled.claim_one(queue) for _ in range(3)]:
        await queue.fail(
            found, ModelFault.MODEL_MISSING, "gone", NOTHING, transient=True, server=modelled.SERVER
        )
    assert await stage.rows("SELECT model, tries FROM model_missing") == [("small", 1)]
    assert await stage.value("SELECT max(attempts) FROM model_analysis") == 0


async def test_an_outage_is_told_before_a_missing_model_and_rests_all(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 2)
    for number in (1, 2):
        await modelled.ask(stage, number, what=modelled.wanted(model="large"))
    await fail(queue, ModelFault.MODEL_MISSING)
    for _ in range(BREAKS_AFTER):
        await fail(queue, ModelFault.AWAY)
        await stage.run("UPDATE model_analysis SET run_after = now()")
    assert await modelled.claim(queue) is None
    page = await Analyses(stage.database, server=modelled.SERVER).page()
    assert {one.analysis.fault for one in page.analyses} == {ModelFault.AWAY}
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert server.fault is ModelFault.AWAY


async def test_a_model_that_is_configured_no_more_is_not_waited_for(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 1)
    await fail(queue, ModelFault.MODEL_MISSING)
    await note(stage, model="large")
    await stage.run("UPDATE model_analysis SET run_after = now()")
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert server.reachable
    # It is given out, so that its worker can have the other model asked.
    assert (await modelled.claim_one(queue)).model == "small"


async def test_a_server_is_tried_while_another_is_busy(stage: Stage, queue: ModelQueue) -> None:
    await texts(stage, BREAKS_AFTER + 4)
    for _ in range(BREAKS_AFTER):
        await fail(queue, ModelFault.BUSY)
    await stage.run("UPDATE model_server SET rest_until = NULL")
    held = await queue.claim(uuid4(), server="http://other.example", limits=FREE, seconds=60.0)
    assert held is not None
    probe = await modelled.claim_one(queue)
    assert await modelled.claim(queue) is None, "one text tells whether it is well"
    await modelled.finish(queue, probe)
    assert await modelled.claim(queue) is not None


async def test_what_one_text_is_refused_for_rests_nobody(stage: Stage, queue: ModelQueue) -> None:
    await texts(stage, 2)
    await fail(queue, ModelFault.REFUSED, transient=False)
    assert await modelled.claim(queue) is not None
    assert await stage.value("SELECT count(*) FROM model_analysis WHERE state = 'failed'") == 1


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (ModelError(ModelFault.REFUSED, "a wrong key"), False),
        # A list that is not there tells nothing of chats.
        (ModelError(ModelFault.REFUSED, "no such route", transient=False), True),
        (ModelError(ModelFault.AWAY, "nobody there"), True),
    ],
)
async def test_what_stands_in_the_way_from_the_start_is_told(
    stage: Stage, queue: ModelQueue, error: ModelError, asked: bool
) -> None:
    await texts(stage, 1)
    await ModelServers(stage.database).note_fault(modelled.SERVER, error)
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert (server.reachable, server.fault, server.detail) == (False, error.fault, error.detail)
    assert (await modelled.claim(queue) is not None) is asked
    await note(stage)
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert (server.reachable, server.fault, server.detail) == (True, None, "")


async def test_a_key_that_is_good_for_texts_and_not_for_lists_goes_on_being_used(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 3)
    servers = ModelServers(stage.database)
    closed = ModelError(ModelFault.REFUSED, "no right to lists")
    await servers.note_fault(modelled.SERVER, closed)
    assert await modelled.claim(queue) is None
    await stage.run("UPDATE model_server SET rest_until = now()")
    assert await modelled.finish(queue, await modelled.claim_one(queue))
    await servers.note_fault(modelled.SERVER, closed)
    assert await modelled.finish(queue, await modelled.claim_one(queue))
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert server.reachable
    # Long after, without texts that tell, it is told and rests nobody.
    await stage.run("UPDATE model_server SET seen_at = now() - interval '1 hour'")
    await servers.note_fault(modelled.SERVER, closed)
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert (server.reachable, server.rest_until) == (False, None)
    assert await modelled.claim(queue) is not None


async def test_a_look_in_vain_does_not_hide_what_texts_met(stage: Stage, queue: ModelQueue) -> None:
    await texts(stage, 1)
    await fail(queue, ModelFault.MODEL_MISSING)
    await ModelServers(stage.database).note_fault(
        modelled.SERVER, ModelError(ModelFault.TIMEOUT, "slow")
    )
    server = await ModelBoard(stage.database).server(modelled.SERVER)
    assert server is not None
    assert server.fault is ModelFault.MODEL_MISSING


@pytest.mark.parametrize(
    ("fault", "count"), [(None, 3), (ModelFault.REFUSED, 2), (ModelFault.LOST, 1)]
)
async def test_all_that_failed_is_asked_again_or_what_failed_so(
    stage: Stage, queue: ModelQueue, fault: ModelFault | None, count: int
) -> None:
    await texts(stage, 5)
    for _ in range(2):
        await fail(queue, ModelFault.REFUSED, transient=False)
    await modelled.finish(queue, await modelled.claim_one(queue))
    await stage.run(
        "UPDATE model_analysis SET state = 'failed', attempts = 5 WHERE id ="
        " (SELECT min(id) FROM model_analysis WHERE state = 'pending')"
    )
    await Analyses(stage.database).cancel(
        int(str(await stage.value("SELECT id FROM model_analysis WHERE state = 'pending'")))
    )
    assert await Analyses(stage.database).retry_all(fault) == count
    found = await stage.rows("SELECT state, count(*) FROM model_analysis GROUP BY 1 ORDER BY 1")
    assert [one for one in found if one[0] != "failed"] == [
        ("cancelled", 1),
        ("done", 1),
        ("pending", count),
    ]
    assert (await modelled.claim_one(queue)).attempts == 1

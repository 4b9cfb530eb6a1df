"""What a fault costs a text: by whether the server was well, and by how often it was let off."""

import pytest

from ctiscraper.db.analyses import Analyses
from ctiscraper.db.model_attempts import MOST_ATTEMPTS, MOST_SPARED, judged, pause_after
from ctiscraper.db.model_queue import Claimed, ModelQueue
from ctiscraper.db.model_servers import BREAKS_AFTER, ModelServers
from ctiscraper.db.model_spending import Spent
from ctiscraper.errors import ModelFault
from ctiscraper.model_views import Waits
from db import modelled
from db.stage import Stage

NOTHING = Spent()
OF_ONE_OR_ALL = [ModelFault.BROKE_OFF, ModelFault.OUT_OF_MEMORY]


@pytest.fixture
def queue(stage: Stage) -> ModelQueue:
    return ModelQueue(stage.database)


def told(fault: ModelFault) -> str:
    """What is told of a text that did this to a server each time."""
    return "broke_off" if fault is ModelFault.AWAY else fault.value


async def texts(stage: Stage, count: int, name: str = "a") -> None:
    for number in range(count):
        text = f"{name}: text {number}."
        await modelled.ask(stage, await modelled.article(stage, f"{name}{number}", text))


async def fail(queue: ModelQueue, found: Claimed, fault: ModelFault) -> None:
    await queue.fail(found, fault, "why", NOTHING, transient=True, server=modelled.SERVER)


async def time_passes(stage: Stage) -> None:
    """The rest of the server and the pauses of texts are over."""
    await stage.run(
        "UPDATE model_server SET rest_until = now() - interval '1 second'"
        " WHERE rest_until IS NOT NULL"
    )
    await stage.run("UPDATE model_analysis SET run_after = now()")


async def ends(stage: Stage) -> set[tuple[object, ...]]:
    return set(await stage.rows("SELECT state, fault, attempts FROM model_analysis"))


@pytest.mark.parametrize(
    ("fault", "was_well", "spared", "charged"),
    [
        (ModelFault.AWAY, True, 0, False),
        (ModelFault.AWAY, True, MOST_SPARED - 1, False),
        (ModelFault.AWAY, True, MOST_SPARED, True),
        (ModelFault.AWAY, False, 100, False),
        (ModelFault.BUSY, True, 100, False),
        (ModelFault.OFF, True, 100, False),
        (ModelFault.REFUSED, True, 0, False),
        (ModelFault.REFUSED, True, MOST_SPARED, True),
        (ModelFault.REFUSED, False, 100, False),
        (ModelFault.MODEL_MISSING, True, 100, False),
        (ModelFault.BROKE_OFF, True, 0, True),
        (ModelFault.BROKE_OFF, False, 0, False),
        (ModelFault.BROKE_OFF, False, MOST_SPARED, True),
        (ModelFault.OUT_OF_MEMORY, True, 0, True),
        (ModelFault.OUT_OF_MEMORY, False, 0, False),
        (ModelFault.OUT_OF_MEMORY, False, MOST_SPARED, True),
        (ModelFault.TIMEOUT, False, 0, True),
        (ModelFault.BAD_ANSWER, False, 0, True),
        (ModelFault.UNFORESEEN, False, 0, True),
    ],
)
def test_what_says_more_of_the_server_costs_no_attempt(
    fault: ModelFault, was_well: bool, spared: int, charged: bool
) -> None:
    cost = judged(fault, transient=True, attempts=1, spared=spared, was_well=was_well)
    assert cost.refund is not charged
    assert cost.again
    last = judged(fault, transient=True, attempts=MOST_ATTEMPTS, spared=spared, was_well=was_well)
    assert last.again is not charged


@pytest.mark.parametrize("fault", list(ModelFault))
def test_what_no_later_try_helps_ends_at_once(fault: ModelFault) -> None:
    cost = judged(fault, transient=False, attempts=1, spared=0, was_well=True)
    assert (cost.again, cost.refund, cost.fault) == (False, False, fault)


def test_a_text_that_has_a_server_go_away_is_said_to_break_it() -> None:
    cost = judged(ModelFault.AWAY, transient=True, attempts=1, spared=MOST_SPARED, was_well=True)
    assert cost.fault is ModelFault.BROKE_OFF
    cost = judged(ModelFault.AWAY, transient=True, attempts=1, spared=0, was_well=True)
    assert cost.fault is ModelFault.AWAY


def test_pauses_grow_to_an_hour_and_not_for_an_outage() -> None:
    assert [pause_after(n) for n in (0, 1, 2, 9)] == [30.0, 30.0, 120.0, 3600.0]
    for spared, pause in ((0, 30.0), (2, 480.0)):
        cost = judged(
            ModelFault.BROKE_OFF, transient=True, attempts=1, spared=spared, was_well=False
        )
        assert cost.pause == pause
    cost = judged(ModelFault.AWAY, transient=True, attempts=1, spared=4, was_well=False)
    assert cost.pause == 30.0
    for well, pause in ((True, 3600.0), (False, 900.0)):
        cost = judged(ModelFault.REFUSED, transient=True, attempts=1, spared=4, was_well=well)
        assert cost.pause == pause


async def test_a_long_outage_costs_no_text_an_attempt(stage: Stage, queue: ModelQueue) -> None:
    await texts(stage, 2)
    for _ in range(8 * BREAKS_AFTER):
        await fail(queue, await modelled.claim_one(queue), ModelFault.AWAY)
        await time_passes(stage)
    assert await ends(stage) == {("pending", "away", 0)}


@pytest.mark.parametrize("fault", OF_ONE_OR_ALL)
async def test_a_server_that_cannot_is_left_alone_and_burns_no_queue(
    stage: Stage, queue: ModelQueue, fault: ModelFault
) -> None:
    await texts(stage, BREAKS_AFTER + 3)
    for _ in range(BREAKS_AFTER):
        await fail(queue, await modelled.claim_one(queue), fault)
    assert await modelled.claim(queue) is None
    assert await stage.value("SELECT sum(attempts) FROM model_analysis") == 1
    page = await Analyses(stage.database, server=modelled.SERVER).page()
    assert {(one.analysis.waits, one.analysis.fault) for one in page.analyses} == {
        (Waits.SERVER, fault)
    }
    # A look tells that it is there, not that it can.
    await ModelServers(stage.database).note(
        modelled.SERVER, version="1", models=["small"], remote=False, missing=""
    )
    assert await modelled.claim(queue) is None


@pytest.mark.parametrize("fault", OF_ONE_OR_ALL)
async def test_a_server_that_fails_at_everything_costs_one_text_one_attempt(
    stage: Stage, queue: ModelQueue, fault: ModelFault
) -> None:
    await texts(stage, 4)
    for _ in range(4 * MOST_SPARED):
        await fail(queue, await modelled.claim_one(queue), fault)
        await time_passes(stage)
    attempts = await stage.value("SELECT sum(attempts) FROM model_analysis")
    assert attempts == 1
    assert await stage.value("SELECT count(*) FROM model_analysis WHERE state = 'pending'") == 4


@pytest.mark.parametrize("fault", [ModelFault.AWAY, ModelFault.REFUSED, *OF_ONE_OR_ALL])
async def test_a_text_that_breaks_a_server_ends_while_others_go_on(
    stage: Stage, queue: ModelQueue, fault: ModelFault
) -> None:
    # Behind a gateway a server that a text has crashed looks as if it were away.
    await texts(stage, 1, "bad")
    await texts(stage, 30, "good")
    for _ in range(60):
        found = await modelled.claim(queue)
        if found is None:
            break
        if found.text.startswith("bad"):
            await fail(queue, found, fault)
        else:
            await modelled.finish(queue, found)
            await time_passes(stage)
    assert await ends(stage) == {("failed", told(fault), MOST_ATTEMPTS), ("done", None, 1)}


@pytest.mark.parametrize("fault", [ModelFault.AWAY, *OF_ONE_OR_ALL])
async def test_a_text_that_breaks_a_server_ends_where_it_is_the_only_one(
    stage: Stage, queue: ModelQueue, fault: ModelFault
) -> None:
    await texts(stage, 1)
    tries = 0
    while (found := await modelled.claim(queue)) is not None:
        tries += 1
        assert tries <= MOST_ATTEMPTS + MOST_SPARED + BREAKS_AFTER
        await fail(queue, found, fault)
        # The server has started again, and the next look finds it.
        await ModelServers(stage.database).note(
            modelled.SERVER, version="1", models=["small"], remote=False, missing=""
        )
        await time_passes(stage)
    assert await ends(stage) == {("failed", told(fault), MOST_ATTEMPTS)}


async def test_what_is_asked_for_once_more_is_let_off_anew(stage: Stage, queue: ModelQueue) -> None:
    await texts(stage, 1)
    await fail(queue, await modelled.claim_one(queue), ModelFault.AWAY)
    assert await stage.value("SELECT spared FROM model_analysis") == 1
    await stage.run("UPDATE model_analysis SET state = 'failed'")
    await Analyses(stage.database).retry_all()
    assert await stage.rows("SELECT state, spared FROM model_analysis") == [("pending", 0)]


async def test_what_made_a_server_go_away_is_not_the_first_to_try_whether_it_is_back(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "bad", "Bad."), rank=0)
    await texts(stage, 3)
    await fail(queue, await modelled.claim_one(queue), ModelFault.AWAY)
    await time_passes(stage)
    await stage.run(f"UPDATE model_server SET failures = {BREAKS_AFTER}")
    assert (await modelled.claim_one(queue)).text != "Bad."


async def test_a_text_that_is_refused_alone_holds_up_no_other(
    stage: Stage, queue: ModelQueue
) -> None:
    # A filter before a server refuses words as a server refuses a key.
    await texts(stage, 1, "bad")
    await texts(stage, 3, "good")
    await fail(queue, await modelled.claim_one(queue), ModelFault.REFUSED)
    for _ in range(3):
        found = await modelled.claim_one(queue)
        assert found.text.startswith("good")
        await modelled.finish(queue, found)
    # There is nobody else, and it is asked ever later; whoever comes meanwhile does not wait.
    for _ in range(3 * MOST_SPARED):
        await time_passes(stage)
        if (alone := await modelled.claim(queue)) is not None:
            await fail(queue, alone, ModelFault.REFUSED)
    later = "SELECT run_after FROM model_analysis WHERE state = 'pending'"
    assert await stage.value(f"SELECT ({later}) > now() + interval '14 minutes'")
    await texts(stage, 1, "new")
    assert (await modelled.claim_one(queue)).text.startswith("new")


async def test_texts_that_are_refused_one_after_the_other_let_others_try(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 2, "bad")
    await texts(stage, 1, "good")
    for _ in range(2):
        found = await modelled.claim_one(queue)
        assert found.text.startswith("bad")
        await fail(queue, found, ModelFault.REFUSED)
    assert await modelled.claim(queue) is None
    await time_passes(stage)
    assert (await modelled.claim_one(queue)).text.startswith("good")


async def test_a_wrong_key_costs_no_attempt_though_lists_are_open_to_all(
    stage: Stage, queue: ModelQueue
) -> None:
    await texts(stage, 3)
    for _ in range(20 * MOST_SPARED):
        await ModelServers(stage.database).note(
            modelled.SERVER, version="1", models=["small"], remote=True, missing=""
        )
        while (found := await modelled.claim(queue)) is not None:
            await fail(queue, found, ModelFault.REFUSED)
        await time_passes(stage)
    assert {(state, attempts) for state, _, attempts in await ends(stage)} == {("pending", 0)}
    await modelled.finish(queue, await modelled.claim_one(queue))
    assert await modelled.claim(queue) is not None

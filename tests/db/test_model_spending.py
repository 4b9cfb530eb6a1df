"""What is held back for questions under way: never more than a day has, and given back after."""

import asyncio

import pytest

from ctiscraper.db.analyses import Analyses
from ctiscraper.db.model_queue import Claimed, ModelQueue
from ctiscraper.db.model_spending import SOON_SECONDS, Limits, Over, Reserved, Spending, Spent
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelFault
from db import modelled
from db.stage import Stage

DAY = Limits(day=1_000)
SUMMARY = Limits().estimate("summary", "A title", "The text of it.")
LATER = f"{SOON_SECONDS:g} seconds"


@pytest.fixture
def spending(stage: Stage) -> Spending:
    return Spending(stage.database)


async def reserve(
    spending: Spending, tokens: int, limits: Limits = DAY, *, seconds: float = 60.0
) -> Reserved | Over:
    return await spending.reserve("small", tokens, limits, seconds=seconds)


async def held(spending: Spending, tokens: int, limits: Limits = DAY) -> Reserved:
    found = await reserve(spending, tokens, limits)
    assert isinstance(found, Reserved)
    return found


async def lose_all(stage: Stage) -> None:
    await stage.run("UPDATE model_reserved SET held_until = now() - interval '1 second'")


async def test_what_is_held_back_is_no_others_until_it_is_settled(
    stage: Stage, spending: Spending
) -> None:
    first = await held(spending, 600)
    over = await reserve(spending, 500)
    assert isinstance(over, Over)
    assert over.today
    assert "600 of 1,000 tokens for today (CTISCRAPER_MODEL_DAY_TOKENS)" in over.detail
    await held(spending, 400)
    await spending.settle(first, "small", Spent(prompt_tokens=100, calls=1), DAY)
    await held(spending, 500)
    assert isinstance(await reserve(spending, 1), Over)
    assert await stage.rows("SELECT source_id, model, calls, prompt_tokens FROM model_spent") == [
        (0, "small", 1, 100)
    ]


async def test_where_a_day_has_no_budget_nothing_is_held_back(
    stage: Stage, spending: Spending
) -> None:
    free = Limits()
    found = await held(spending, 10**9, free)
    assert await stage.value("SELECT count(*) FROM model_reserved") == 0
    await spending.settle(found, "small", Spent(answer_tokens=5, calls=1), free)
    assert await stage.value("SELECT sum(answer_tokens) FROM model_spent") == 5


async def test_what_never_began_leaves_nothing(stage: Stage, spending: Spending) -> None:
    await spending.settle(await held(spending, 600), "small", Spent(), DAY)
    assert await stage.value("SELECT count(*) FROM model_reserved") == 0
    assert await stage.value("SELECT count(*) FROM model_spent") == 0
    await held(spending, 1_000)


@pytest.mark.parametrize("by", ["a question", "an analysis"])
async def test_what_a_process_left_that_ended_counts_as_spent_and_is_over_with_its_day(
    stage: Stage, spending: Spending, by: str
) -> None:
    await held(spending, 600)
    await lose_all(stage)
    # Before anybody looks it counts as well.
    assert isinstance(await reserve(spending, 500), Over)
    if by == "an analysis":
        await held(spending, 1)
        await lose_all(stage)
        assert await modelled.claim(ModelQueue(stage.database), DAY) is None
    assert await stage.value("SELECT count(*) FROM model_reserved") == 0
    spent = await stage.value("SELECT sum(estimated) FROM model_spent")
    assert spent == (601 if by == "an analysis" else 600)
    await stage.run("UPDATE model_spent SET day = day - 1")
    await held(spending, 1_000)


async def test_who_is_late_to_settle_is_counted_too(stage: Stage, spending: Spending) -> None:
    late = await held(spending, 100)
    await lose_all(stage)
    other = await held(spending, 1)
    await spending.settle(late, "small", Spent(prompt_tokens=80, calls=1), DAY)
    await spending.settle(other, "small", Spent(), DAY)
    assert await stage.rows("SELECT estimated, prompt_tokens FROM model_spent") == [(100, 80)]


async def test_analyses_see_what_questions_hold_back_and_the_other_way(
    stage: Stage, spending: Spending
) -> None:
    queue, limits = ModelQueue(stage.database), Limits(day=SUMMARY + 500)
    await modelled.ask(stage, await modelled.article(stage, "one"))
    question = await held(spending, 501, limits)
    assert await modelled.claim(queue, limits) is None
    await spending.settle(question, "small", Spent(), limits)
    await stage.run("UPDATE model_analysis SET run_after = now()")
    claimed = await modelled.claim_one(queue, limits)
    assert isinstance(await reserve(spending, 501, limits), Over)
    await modelled.finish(queue, claimed, Spent(prompt_tokens=10, calls=1), limits)
    await held(spending, 501, limits)


async def test_however_many_ask_at_once_no_day_is_overspent(stage: Stage, database: str) -> None:
    """Questions and analyses of several processes, each of which takes all that it may."""
    limits = Limits(day=4 * SUMMARY)
    articles = [await modelled.article(stage, f"a{n}", f"Text {n}.") for n in range(6)]
    await modelled.ask(stage, *articles)
    most = 0

    async def spent() -> int:
        async with stage.database.connection() as conn:
            cursor = await conn.execute(
                "SELECT (SELECT coalesce(sum(prompt_tokens), 0) FROM model_spent)"
                " + (SELECT coalesce(sum(reserved), 0) FROM model_analysis)"
                " + (SELECT coalesce(sum(tokens), 0) FROM model_reserved)"
            )
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def question(opened: Database, tokens: int) -> None:
        nonlocal most
        spending = Spending(opened)
        found = await reserve(spending, tokens, limits)
        most = max(most, await spent())
        if isinstance(found, Reserved):
            await spending.settle(found, "small", Spent(prompt_tokens=tokens, calls=1), limits)

    async def analysis(opened: Database) -> None:
        nonlocal most
        queue = ModelQueue(opened)
        claimed = await modelled.claim(queue, limits)
        most = max(most, await spent())
        if claimed is not None:
            paid = Spent(prompt_tokens=SUMMARY, calls=1)
            await modelled.finish(queue, claimed, paid, limits)

    async with Database(database, size=3) as one, Database(database, size=3) as two:
        await asyncio.gather(
            *(question(one if n % 2 else two, SUMMARY // 2 + n) for n in range(16)),
            *(analysis(two if n % 2 else one) for n in range(6)),
        )
    assert limits.day // 2 < most <= limits.day
    assert await spent() <= limits.day


@pytest.fixture
def queue(stage: Stage) -> ModelQueue:
    return ModelQueue(stage.database)


async def test_the_budget_of_an_article_counts_answers_that_never_came(
    stage: Stage, queue: ModelQueue
) -> None:
    limits = Limits(article=2 * SUMMARY)
    await modelled.ask(stage, await modelled.article(stage, "one"))
    tries = 0
    while (found := await modelled.claim(queue, limits)) is not None:
        tries += 1
        late = Spent(calls=1, estimated=SUMMARY)
        await queue.fail(found, ModelFault.TIMEOUT, "late", late, transient=True, limits=limits)
        await stage.run("UPDATE model_analysis SET run_after = now()")
        await stage.run("UPDATE model_server SET failures = 0, rest_until = NULL")
    assert tries == 2
    assert await stage.rows("SELECT state, fault, prompt_tokens FROM model_analysis") == [
        ("failed", "over_budget", 2 * SUMMARY)
    ]


async def test_what_was_broken_off_counts_for_its_article(stage: Stage, queue: ModelQueue) -> None:
    limits = Limits(article=SUMMARY)
    await modelled.ask(stage, await modelled.article(stage, "one"))
    found = await modelled.claim_one(queue, limits)
    await queue.pay(found, Spent(calls=1, estimated=100), limits)
    await queue.give_back(found)
    assert await modelled.claim(queue, limits) is None
    assert await stage.value("SELECT fault FROM model_analysis") == "over_budget"


async def test_what_is_held_back_for_others_ends_no_text_of_the_article(
    stage: Stage, queue: ModelQueue
) -> None:
    limits = Limits(article=2 * SUMMARY)
    number = await modelled.article(stage, "one")
    for model in ("small", "large", "huge"):
        await modelled.ask(stage, number, what=modelled.wanted(model=model))
    under_way = [await modelled.claim_one(queue, limits) for _ in range(2)]
    assert await modelled.claim(queue, limits) is None
    for one in under_way:
        await modelled.finish(queue, one, limits=limits)
    await stage.run(f"UPDATE model_analysis SET run_after = run_after - interval '{LATER}'")
    assert (await modelled.claim_one(queue, limits)).model == "huge"


async def test_what_is_held_back_for_others_rests_no_source_until_tomorrow(
    stage: Stage, queue: ModelQueue
) -> None:
    limits = Limits(source=2 * SUMMARY)
    await modelled.ask(
        stage, *[await modelled.article(stage, f"a{n}", f"The text {n}.") for n in range(3)]
    )
    under_way = [await modelled.claim_one(queue, limits) for _ in range(2)]
    assert await modelled.claim(queue, limits) is None
    for one in under_way:
        await modelled.finish(queue, one, limits=limits)
    await stage.run(f"UPDATE model_analysis SET run_after = run_after - interval '{LATER}'")
    assert await modelled.claim(queue, limits) is not None


@pytest.mark.parametrize("budget", ["source", "day"])
async def test_a_budget_that_was_raised_holds_from_the_next_start_of_a_worker(
    stage: Stage, queue: ModelQueue, budget: str
) -> None:
    few, more = Limits(**{budget: SUMMARY + 10}), Limits(**{budget: 10 * SUMMARY})
    await modelled.ask(
        stage, *[await modelled.article(stage, f"a{n}", f"The text {n}.") for n in range(2)]
    )
    first = await modelled.claim_one(queue, few)
    await modelled.finish(queue, first, Spent(prompt_tokens=SUMMARY, calls=1), few)
    assert await modelled.claim(queue, few) is None
    await queue.look_again()
    assert await modelled.claim(queue, few) is None, "it is as it was"
    await queue.look_again()
    assert await modelled.claim(queue, more) is not None


async def test_what_a_cancelled_question_may_cost_is_held_back_until_it_is_paid(
    stage: Stage, queue: ModelQueue
) -> None:
    limits = Limits(day=SUMMARY + 10)
    await modelled.ask(
        stage, *[await modelled.article(stage, f"a{n}", f"The text {n}.") for n in range(2)]
    )
    first = await modelled.claim_one(queue, limits)
    await Analyses(stage.database).cancel(first.id)
    assert await modelled.claim(queue, limits) is None
    await queue.pay(first, Spent(prompt_tokens=5, calls=1), limits)
    await stage.run("UPDATE model_analysis SET run_after = now()")
    assert await modelled.claim(queue, limits) is not None


async def test_what_a_worker_that_ended_held_of_a_cancelled_question_counts_as_spent(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    first = await modelled.claim_one(queue)
    await Analyses(stage.database).cancel(first.id)
    await stage.run("UPDATE model_analysis SET lease_until = now() - interval '1 second'")
    for _ in range(2):
        assert await modelled.claim(queue) is None
        assert await stage.value("SELECT sum(estimated) FROM model_spent") == SUMMARY


HELD = "SELECT sum(reserved) FROM model_analysis"
OVER = "UPDATE model_analysis SET lease_until = now() - interval '1 second'"


async def asked_once_more(stage: Stage, queue: ModelQueue) -> Claimed:
    """A question that somebody cancelled and had asked again, while a model answers it yet."""
    await modelled.ask(stage, await modelled.article(stage, "one"))
    first = await modelled.claim_one(queue)
    analyses = Analyses(stage.database)
    await analyses.cancel(first.id)
    await analyses.retry(first.id, actor="ann")
    return first


async def test_what_was_cancelled_stays_held_back_while_it_is_asked_once_more(
    stage: Stage, queue: ModelQueue
) -> None:
    first = await asked_once_more(stage, queue)
    await modelled.ask(stage, await modelled.article(stage, "two", "The text of us."))
    second = await modelled.claim_one(queue)
    assert second.id == first.id
    assert await stage.value(HELD) == 2 * SUMMARY
    assert await modelled.claim(queue, Limits(day=2 * SUMMARY)) is None
    assert await modelled.finish(queue, first) is False
    assert await stage.value(HELD) == SUMMARY
    assert await modelled.finish(queue, second) is True
    assert await stage.value(HELD) == 0
    assert await stage.rows("SELECT calls, estimated FROM model_spent") == [(2, 0)]


@pytest.mark.parametrize("how", ["finished", "failed", "given back", "lost", "cancelled"])
async def test_a_worker_that_ended_is_paid_for_whatever_became_of_the_next(
    stage: Stage, queue: ModelQueue, how: str
) -> None:
    await asked_once_more(stage, queue)
    second = await modelled.claim_one(queue)
    paid = Spent(prompt_tokens=100, calls=1)
    if how == "finished":
        await modelled.finish(queue, second, paid)
    elif how == "failed":
        await queue.fail(second, ModelFault.BAD_ANSWER, "no", paid, transient=False)
    elif how == "given back":
        await queue.pay(second, paid, modelled.FREE)
        await queue.give_back(second, pause=60)
    elif how == "cancelled":
        await Analyses(stage.database).cancel(second.id)
        await queue.pay(second, paid, modelled.FREE)
    left = 2 * SUMMARY if how == "lost" else SUMMARY
    assert await stage.value(HELD) == left
    await stage.run(OVER)
    await stage.run("UPDATE model_analysis SET attempts = 5 WHERE state = 'running'")
    assert await modelled.claim(queue) is None
    assert await stage.value(HELD) == 0
    assert await stage.value("SELECT sum(estimated) FROM model_spent") == left
    told = "SELECT sum(prompt_tokens + answer_tokens) FROM model_analysis"
    assert await stage.value(told) == left + (0 if how == "lost" else 100)


async def test_who_was_lost_and_ends_late_takes_nothing_from_the_next(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    late = await modelled.claim_one(queue)
    await stage.run(OVER)
    await modelled.claim_one(queue)
    assert await modelled.finish(queue, late) is False
    assert await stage.value(HELD) == SUMMARY


@pytest.mark.parametrize("how", ["withdrawn", "superseded", "over its budget"])
async def test_what_is_withdrawn_before_its_turn_keeps_what_is_held_back(
    stage: Stage, queue: ModelQueue, how: str
) -> None:
    first = await asked_once_more(stage, queue)
    if how != "over its budget":
        await stage.run("UPDATE article SET text = 'Other words.'")
    if how == "superseded":
        await modelled.ask(stage, first.article_id)
        await stage.run("UPDATE model_analysis SET run_after = now() + interval '1 h'")
    assert await modelled.claim(queue, Limits(day=SUMMARY)) is None
    assert await stage.value(HELD) == SUMMARY
    await stage.run(OVER)
    assert await modelled.claim(queue, Limits(day=SUMMARY)) is None
    assert await stage.value("SELECT sum(estimated) FROM model_spent") == SUMMARY

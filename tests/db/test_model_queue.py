"""What models are asked: each text once, each source in its turn, nothing lost or overspent."""

import asyncio
import hashlib

import pytest

import make
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.db.links import Links
from ctiscraper.db.model_attempts import MOST_ATTEMPTS, MOST_SPARED
from ctiscraper.db.model_queue import Claimed, ModelQueue
from ctiscraper.db.model_servers import BREAKS_AFTER, ModelServers
from ctiscraper.db.model_spending import Limits, Spent
from ctiscraper.db.session import Database
from ctiscraper.errors import ModelFault
from db import claimed as stored
from db import modelled
from db.stage import Stage

NOTHING = Spent()
# What a summary of a few words may take.
SUMMARY = Limits().estimate("summary", "A title", "The text of it.")


@pytest.fixture
def queue(stage: Stage) -> ModelQueue:
    return ModelQueue(stage.database)


async def states(stage: Stage) -> list[tuple[object, ...]]:
    return await stage.rows("SELECT state, count(*) FROM model_analysis GROUP BY 1 ORDER BY 1")


async def fail(
    queue: ModelQueue, found: Claimed, fault: ModelFault, *, transient: bool = True, raw: str = ""
) -> bool:
    return await queue.fail(
        found, fault, "why", NOTHING, transient=transient, raw=raw, server=modelled.SERVER
    )


async def test_a_new_text_is_asked_about_in_the_transaction_that_compares_it(stage: Stage) -> None:
    stage.links = Links(stage.database, modelled.wanted(TaskName.SUMMARY, TaskName.TITLE))
    await modelled.article(stage, "one")
    assert await states(stage) == [("pending", 2)]
    assert await stage.enrichments.waiting() == 1
    key = hashlib.sha256(b"A title\nThe text of it.").digest()
    assert await stage.value("SELECT text_key FROM model_analysis LIMIT 1") == key


async def test_nothing_is_asked_where_no_model_is_configured(stage: Stage) -> None:
    await modelled.article(stage, "one")
    assert await states(stage) == []


async def test_a_text_is_asked_about_once_however_often_it_is_queued(stage: Stage) -> None:
    number = await modelled.article(stage, "one")
    for _ in range(3):
        await modelled.ask(stage, number)
    assert await states(stage) == [("pending", 1)]


async def test_a_revised_text_is_asked_about_anew_and_the_old_one_no_more(
    stage: Stage, queue: ModelQueue
) -> None:
    stage.links = Links(stage.database, modelled.wanted())
    number = await modelled.article(stage, "one", "Old words.")
    await stage.run(f"UPDATE fetch_job SET state = 'pending' WHERE article_id = {number}")
    await stage.keep(await stage.claim(), make.content("https://acme.example/a/one", "New words."))
    await stage.links.link_next(stored.never)
    assert await states(stage) == [("cancelled", 1), ("pending", 1)]
    found = await modelled.claim_one(queue)
    assert (found.text, found.task) == ("New words.", TaskName.SUMMARY)
    assert await modelled.claim(queue) is None


async def test_a_text_that_was_revised_between_queue_and_claim_is_not_shown(
    stage: Stage, queue: ModelQueue
) -> None:
    number = await modelled.article(stage, "one")
    await modelled.ask(stage, number)
    await stage.run(f"UPDATE article SET text = 'Others.' WHERE id = {number}")
    assert await modelled.claim(queue) is None
    assert await states(stage) == [("cancelled", 1)]


async def test_an_answer_is_kept_once_by_who_holds_the_text(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    late = await modelled.claim_one(queue)
    await stage.run("UPDATE model_analysis SET lease_until = now() - interval '1 second'")
    holder = await modelled.claim_one(queue)
    assert holder.attempts == 2
    assert await queue.renew(late, said=1, seconds=60) is False
    assert await modelled.finish(queue, late) is False
    assert await modelled.finish(queue, holder) is True
    assert await modelled.finish(queue, holder) is False
    [row] = await stage.rows(
        "SELECT state, dropped, hidden, attempts, claims->0->>'text', fault FROM model_analysis"
    )
    assert row == ("done", 1, 2, 2, "It is a text.", None)


async def test_what_a_lost_worker_may_have_spent_counts(stage: Stage, queue: ModelQueue) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    await modelled.claim_one(queue)
    await stage.run("UPDATE model_analysis SET lease_until = now() - interval '1 second'")
    await modelled.claim_one(queue)
    assert await stage.value("SELECT sum(estimated) FROM model_spent") == SUMMARY


async def test_a_text_that_ends_its_worker_each_time_is_given_up(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert (await modelled.claim_one(queue)).attempts == attempt
        await stage.run("UPDATE model_analysis SET lease_until = now() - interval '1 second'")
        if attempt > 1:
            # Those beside it are asked without it in between.
            assert await modelled.claim(queue) is None
            await stage.run("UPDATE model_analysis SET run_after = now()")
    assert await modelled.claim(queue) is None
    assert await stage.rows("SELECT state, fault FROM model_analysis") == [("failed", "lost")]


async def test_who_was_cut_off_himself_takes_nothing_back(stage: Stage, queue: ModelQueue) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    held = await modelled.claim_one(queue)
    await stage.run("UPDATE model_analysis SET lease_until = now() - interval '1 second'")
    assert await modelled.claim(queue, reaps=False) is None
    assert await queue.renew(held, said=0, seconds=60.0)
    assert await modelled.claim(queue) is None
    assert await modelled.finish(queue, held)


async def test_what_needed_no_question_tells_nothing_of_the_server(
    stage: Stage, queue: ModelQueue
) -> None:
    for n in range(3):
        await modelled.ask(stage, await modelled.article(stage, f"a{n}", f"Text {n}."))
    unasked = [await modelled.claim_one(queue) for _ in range(2)]
    found = await modelled.claim_one(queue)
    await fail(queue, found, ModelFault.AWAY)
    await modelled.finish(queue, unasked[0], Spent())
    await queue.fail(
        unasked[1], ModelFault.TOO_LONG, "", Spent(), transient=False, server=modelled.SERVER
    )
    assert await stage.rows("SELECT failures, fault FROM model_server") == [(1, "away")]


async def test_two_workers_never_hold_one_text(stage: Stage, database: str) -> None:
    articles = [await modelled.article(stage, f"a{n}", f"Text {n}.") for n in range(12)]
    await modelled.ask(stage, *articles)
    async with Database(database, size=4) as other:
        queues = [ModelQueue(stage.database), ModelQueue(other)]

        async def drain(queue: ModelQueue) -> list[int]:
            held = []
            while (found := await modelled.claim(queue)) is not None:
                held.append(found.id)
            return held

        held = await asyncio.gather(*(drain(queue) for queue in (*queues, *queues)))
    numbers = [one for part in held for one in part]
    assert len(numbers) == len(set(numbers)) == 12


async def test_a_source_with_thousands_waits_no_other(stage: Stage, queue: ModelQueue) -> None:
    flood = [await modelled.article(stage, f"f{n}", f"Flood {n}.") for n in range(3)]
    await modelled.ask(stage, *flood)
    await stage.run(
        """
        INSERT INTO model_analysis (article_id, source_id, revision, text_key, task,
            prompt_version, model)
        SELECT article_id, source_id, revision, text_key, task, 'v' || n, model
        FROM model_analysis, generate_series(1, 3333) n
        """
    )
    quiet = make.settings("quiet", "quiet.example")
    other = make.settings("other", "other.example")
    await modelled.ask(stage, await modelled.article(stage, "q", "Quiet.", quiet))
    await modelled.ask(stage, await modelled.article(stage, "o", "Other.", other))
    order = [(await modelled.claim_one(queue)).source_id for _ in range(6)]
    keys = {row[0]: str(row[1]) for row in await stage.rows("SELECT id, key FROM source")}
    named = [keys[number] for number in order]
    assert sorted(named[:3]) == ["acme", "other", "quiet"]
    assert named[3:] == ["acme"] * 3


async def test_who_asks_himself_comes_first(stage: Stage, queue: ModelQueue) -> None:
    first = await modelled.article(stage, "one", "First.")
    second = await modelled.article(stage, "two", "Second.")
    await modelled.ask(stage, first)
    await modelled.ask(stage, second, rank=0)
    assert [(await modelled.claim_one(queue)).article_id for _ in range(2)] == [second, first]


async def test_like_words_are_paid_for_once(stage: Stage, queue: ModelQueue) -> None:
    settings = make.settings("other", "other.example")
    first = await modelled.article(stage, "one")
    await modelled.ask(stage, first)
    await modelled.finish(queue, await modelled.claim_one(queue))
    await modelled.ask(stage, await modelled.article(stage, "two", settings=settings))
    assert await modelled.claim(queue) is None
    rows = await stage.rows(
        "SELECT state, claims->0->>'text', prompt_tokens, copied_from IS NOT NULL"
        " FROM model_analysis ORDER BY id"
    )
    assert rows == [("done", "It is a text.", 100, False), ("done", "It is a text.", 0, True)]
    failed = await stage.rows("SELECT failed_parts FROM model_analysis")
    assert failed == [({"cut_off": 1},)] * 2
    assert await stage.value("SELECT sum(calls) FROM model_spent") == 1


async def test_another_prompt_or_model_is_asked_itself(stage: Stage, queue: ModelQueue) -> None:
    number = await modelled.article(stage, "one")
    await modelled.ask(stage, number)
    await modelled.finish(queue, await modelled.claim_one(queue))
    await modelled.ask(stage, number, what=modelled.wanted(version="2"))
    await modelled.ask(stage, number, what=modelled.wanted(model="large"))
    assert [(await modelled.claim_one(queue)).model for _ in range(2)] == ["small", "large"]


async def test_what_may_help_later_is_asked_again_later_and_at_last_given_up(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    pauses = []
    for _ in range(MOST_ATTEMPTS):
        await fail(queue, await modelled.claim_one(queue), ModelFault.CUT_OFF, raw="{half")
        pauses.append(
            await stage.value(
                "SELECT round(extract(epoch FROM run_after - now())) FROM model_analysis"
            )
        )
        assert await modelled.claim(queue) is None
        await stage.run("UPDATE model_analysis SET run_after = now()")
    assert [int(str(p)) for p in pauses[:4]] == [30, 120, 480, 1920]
    assert await stage.rows("SELECT state, fault, raw FROM model_analysis") == [
        ("failed", "cut_off", "{half")
    ]


async def test_what_no_later_try_helps_fails_at_once(stage: Stage, queue: ModelQueue) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    await fail(queue, await modelled.claim_one(queue), ModelFault.TOO_LONG, transient=False)
    assert await stage.rows("SELECT state, fault, detail FROM model_analysis") == [
        ("failed", "too_long", "why")
    ]


async def test_a_server_that_is_away_costs_no_text_an_attempt_and_is_left_alone(
    stage: Stage, queue: ModelQueue
) -> None:
    articles = [
        await modelled.article(stage, f"a{n}", f"Text {n}.") for n in range(BREAKS_AFTER + 4)
    ]
    await modelled.ask(stage, *articles)
    for _ in range(BREAKS_AFTER):
        await fail(queue, await modelled.claim_one(queue), ModelFault.AWAY)
    assert await modelled.claim(queue) is None
    assert await stage.value("SELECT max(attempts) FROM model_analysis") == 0
    # One question tries whether it is back, the rest follow once it answers.
    await stage.run("UPDATE model_server SET rest_until = now() - interval '1 second'")
    probe = await modelled.claim_one(queue)
    assert await modelled.claim(queue) is None
    await fail(queue, probe, ModelFault.AWAY)
    rest = await stage.value(
        "SELECT round(extract(epoch FROM rest_until - now())) FROM model_server"
    )
    assert int(str(rest)) == 60
    await stage.run("UPDATE model_server SET rest_until = now() - interval '1 second'")
    assert await modelled.finish(queue, await modelled.claim_one(queue))
    assert await modelled.claim(queue) is not None
    assert await modelled.claim(queue) is not None
    assert await states(stage) != []


async def test_texts_that_make_a_server_fail_are_given_up_and_hold_up_nobody(
    stage: Stage, queue: ModelQueue
) -> None:
    bad = [await modelled.article(stage, f"b{n}", f"Bad {n}.") for n in range(BREAKS_AFTER)]
    good = await modelled.article(stage, "good", "Good.")
    await modelled.ask(stage, *bad, rank=0)
    await modelled.ask(stage, good)
    for _ in bad:
        await fail(queue, await modelled.claim_one(queue), ModelFault.BROKE_OFF)
    assert await modelled.claim(queue) is None
    # Time passes: the pause of the bad ones is over too, and another is tried first.
    await stage.run("UPDATE model_server SET rest_until = now()")
    await stage.run("UPDATE model_analysis SET run_after = now()")
    probe = await modelled.claim_one(queue)
    assert probe.text == "Good."
    await modelled.finish(queue, probe)
    tries = len(bad)
    while (found := await modelled.claim(queue)) is not None:
        tries += 1
        await fail(queue, found, ModelFault.BROKE_OFF)
        await stage.run("UPDATE model_server SET rest_until = now()")
        await stage.run("UPDATE model_analysis SET run_after = now()")
    assert tries <= len(bad) * (MOST_ATTEMPTS + MOST_SPARED)
    assert await stage.rows(
        "SELECT state, fault, attempts, count(*) FROM model_analysis GROUP BY 1, 2, 3 ORDER BY 1"
    ) == [("done", None, 1, 1), ("failed", "broke_off", MOST_ATTEMPTS, BREAKS_AFTER)]


@pytest.mark.parametrize(
    ("fault", "has_model", "rests"),
    [
        (ModelFault.AWAY, False, False),
        (ModelFault.BUSY, True, True),
        (ModelFault.BROKE_OFF, True, True),
    ],
)
async def test_a_server_that_is_seen_again_is_tried_with_one_text(
    stage: Stage, queue: ModelQueue, fault: ModelFault, has_model: bool, rests: bool
) -> None:
    articles = [
        await modelled.article(stage, f"a{n}", f"Text {n}.") for n in range(BREAKS_AFTER + 2)
    ]
    await modelled.ask(stage, *articles)
    for _ in range(BREAKS_AFTER):
        await fail(queue, await modelled.claim_one(queue), fault)
    assert await modelled.claim(queue) is None
    servers = ModelServers(stage.database)
    missing = "" if has_model else "small"
    await servers.note(
        modelled.SERVER, version="1", models=["small"], remote=False, missing=missing
    )
    if rests:
        assert await modelled.claim(queue) is None
        return
    probe = await modelled.claim_one(queue)
    assert await modelled.claim(queue) is None
    assert await modelled.finish(queue, probe)
    assert await modelled.claim(queue) is not None


async def test_a_source_over_its_budget_waits_for_tomorrow_and_others_do_not(
    stage: Stage, queue: ModelQueue
) -> None:
    limits = Limits(source=SUMMARY + 2_000)
    for n in range(3):
        await modelled.ask(stage, await modelled.article(stage, f"a{n}", f"Text {n}."))
    quiet = make.settings("quiet", "quiet.example")
    await modelled.ask(stage, await modelled.article(stage, "q", "Quiet.", quiet))
    spent = Spent(prompt_tokens=3_000, calls=1)
    await modelled.finish(queue, await modelled.claim_one(queue, limits), spent, limits)
    left = await modelled.claim_one(queue, limits)
    assert left.text == "Quiet."
    assert await modelled.claim(queue, limits) is None
    assert await stage.rows(
        "SELECT state, fault, run_after = current_date + 1 FROM model_analysis WHERE fault <> ''"
    ) == [("pending", "over_budget", True)]
    await stage.run("UPDATE model_spent SET day = day - 1")
    await stage.run("UPDATE model_source SET rest_until = now()")
    await stage.run("UPDATE model_analysis SET run_after = now()")
    assert await modelled.claim(queue, limits) is not None


async def test_what_is_under_way_counts_against_a_budget(stage: Stage, queue: ModelQueue) -> None:
    limits = Limits(day=SUMMARY + 500)
    for n in range(2):
        await modelled.ask(stage, await modelled.article(stage, f"a{n}", f"Text {n}."))
    assert await modelled.claim(queue, limits) is not None
    assert await modelled.claim(queue, limits) is None


async def test_a_day_over_its_budget_ends_for_all(stage: Stage, queue: ModelQueue) -> None:
    limits = Limits(day=SUMMARY + 500)
    for n in range(2):
        await modelled.ask(stage, await modelled.article(stage, f"a{n}", f"Text {n}."))
    spent = Spent(prompt_tokens=SUMMARY + 500, calls=1)
    await modelled.finish(queue, await modelled.claim_one(queue, limits), spent, limits)
    assert await modelled.claim(queue, limits) is None
    assert await states(stage) == [("done", 1), ("pending", 1)]


async def test_an_article_over_its_budget_fails_with_what_to_do(
    stage: Stage, queue: ModelQueue
) -> None:
    limits = Limits(article=SUMMARY + 500)
    number = await modelled.article(stage, "one")
    await modelled.ask(stage, number, what=modelled.wanted(TaskName.SUMMARY, TaskName.TITLE))
    spent = Spent(prompt_tokens=4_200, calls=1)
    await modelled.finish(queue, await modelled.claim_one(queue, limits), spent, limits)
    assert await modelled.claim(queue, limits) is None
    [(state, fault, detail)] = await stage.rows(
        "SELECT state, fault, detail FROM model_analysis WHERE state <> 'done'"
    )
    assert (state, fault) == ("failed", "over_budget")
    assert (
        f"4,200 of {SUMMARY + 500:,} tokens for this article (CTISCRAPER_MODEL_ARTICLE_TOKENS)"
        in str(detail)
    )


async def test_a_title_takes_no_more_than_a_title(stage: Stage, queue: ModelQueue) -> None:
    number = await modelled.article(stage, "a title", "A long text. " * 1_000)
    await modelled.ask(stage, number, what=modelled.wanted(TaskName.SUMMARY, TaskName.TITLE))
    assert (await modelled.claim_one(queue, Limits(article=SUMMARY))).task == TaskName.TITLE
    assert await stage.value("SELECT sum(reserved) FROM model_analysis") == Limits().estimate(
        "title", "A title", ""
    )


async def test_what_a_newer_program_asks_breaks_no_claim(stage: Stage, queue: ModelQueue) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    await stage.run("UPDATE model_analysis SET task = 'of_tomorrow'")
    assert (await modelled.claim_one(queue)).task == "of_tomorrow"


async def test_a_text_larger_than_a_whole_days_budget_does_not_wait_for_ever(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    assert await modelled.claim(queue, Limits(day=100)) is None
    assert await stage.rows("SELECT state, fault FROM model_analysis") == [
        ("failed", "over_budget")
    ]


async def test_what_is_given_back_keeps_its_attempts(stage: Stage, queue: ModelQueue) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"))
    assert await queue.give_back(await modelled.claim_one(queue))
    assert (await modelled.claim_one(queue)).attempts == 1


async def test_a_prompt_that_changed_meanwhile_is_asked_in_place_of_the_old(
    stage: Stage, queue: ModelQueue
) -> None:
    await modelled.ask(stage, await modelled.article(stage, "one"), rank=0)
    await queue.renew_prompt(await modelled.claim_one(queue), "2")
    assert await stage.rows(
        "SELECT prompt_version, state, rank FROM model_analysis ORDER BY id"
    ) == [("1", "cancelled", 0), ("2", "pending", 0)]


async def test_an_answer_to_an_earlier_version_is_not_taken_over(
    stage: Stage, queue: ModelQueue
) -> None:
    settings = make.settings("other", "other.example")
    await modelled.ask(stage, await modelled.article(stage, "one"))
    await modelled.finish(queue, await modelled.claim_one(queue))
    other = await modelled.article(stage, "two", settings=settings)
    await modelled.ask(stage, other, what=modelled.wanted(version="2"))
    assert (await modelled.claim_one(queue)).article_id == other
    assert await stage.rows(
        "SELECT prompt_version, state, copied_from FROM model_analysis ORDER BY id"
    ) == [("1", "done", None), ("2", "running", None)]


async def test_money_is_counted_by_the_prices(stage: Stage, queue: ModelQueue) -> None:
    limits = Limits(price_in=2.0, price_out=10.0)
    await modelled.ask(stage, await modelled.article(stage, "one"))
    spent = Spent(prompt_tokens=1_000_000, answer_tokens=100_000, calls=1)
    await modelled.finish(queue, await modelled.claim_one(queue), spent, limits)
    assert await stage.value("SELECT cost FROM model_spent") == pytest.approx(3.0)
    assert await stage.value("SELECT cost FROM model_analysis") == pytest.approx(3.0)

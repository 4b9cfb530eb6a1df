"""Texts wait until what they name is known: each for one worker, none lost, none twice."""

import asyncio

import pytest

import make
from ctiscraper.db.enrichments import Finding
from ctiscraper.errors import StorageError
from ctiscraper.intelligence import Extractor
from db import claimed
from db.stage import Stage


async def test_a_text_that_was_compared_waits_to_be_looked_through(stage: Stage) -> None:
    number = await claimed.store(stage, "one", "It calls evil.example.")
    assert await stage.enrichments.waiting() == 1
    [text] = await claimed.claim(stage)
    assert (text.article_id, text.revision, text.extractors) == (number, 1, ())
    assert text.text == "It calls evil.example."
    assert text.source_url == "https://acme.example/"
    assert text.seen_at == make.NOW


async def test_a_text_is_given_to_one_owner_until_its_claim_runs_out(stage: Stage) -> None:
    await claimed.store(stage, "one")
    assert len(await claimed.claim(stage)) == 1
    assert await claimed.claim(stage) == []
    await stage.run("UPDATE enrichment_job SET claimed_until = now() - interval '1 second'")
    [again] = await claimed.claim(stage)
    assert again.attempts == 2


async def test_a_text_that_may_have_ended_its_workers_is_claimed_by_itself(stage: Stage) -> None:
    """Whoever is beside it would pay with it, and end as it does."""
    first, second, third = [await claimed.store(stage, name) for name in ("one", "two", "three")]
    for suspect in (third, second, first):
        await stage.run(
            "UPDATE enrichment_job SET claim = NULL, claimed_until = NULL,"
            f" attempts = 2 * (article_id = {suspect})::int"
        )
        others = {first, second, third} - {suspect}
        turns = [{text.article_id for text in await claimed.claim(stage)} for _ in range(3)]
        assert sorted(turns, key=len) == [set(), {suspect}, others]


async def test_what_asks_for_an_extractor_of_a_newer_program_is_left_to_that(stage: Stage) -> None:
    known = await claimed.store(stage, "one")
    newer = await claimed.store(stage, "two")
    await stage.run(
        f"UPDATE enrichment_job SET extractors = '{{names,horoscopes}}' WHERE article_id = {newer}"
    )
    assert [text.article_id for text in await claimed.claim(stage)] == [known]
    assert await claimed.claim(stage) == []
    left = f"SELECT attempts, claim FROM enrichment_job WHERE article_id = {newer}"
    assert await stage.rows(left) == [(0, None)]


async def test_what_the_database_did_not_take_back_is_owed(stage: Stage) -> None:
    await claimed.store(stage, "one")
    texts = await claimed.claim(stage)
    await stage.run("ALTER TABLE enrichment_job RENAME TO away")
    with pytest.raises(StorageError):
        await stage.enrichments.give_back(texts)
    await stage.run("ALTER TABLE away RENAME TO enrichment_job")
    # Its claim is not over yet.
    [again] = await claimed.claim(stage)
    assert again.attempts == 1


async def test_holding_waits_for_nobody_and_shortens_nothing(stage: Stage) -> None:
    await claimed.store(stage, "one")
    texts = await claimed.claim(stage)
    await stage.enrichments.hold(texts, seconds=600)
    await stage.enrichments.hold(texts, seconds=60)
    over = "SELECT claimed_until > now() + interval '9 minutes' FROM enrichment_job"
    assert await stage.value(over) is True
    async with stage.database.transaction() as conn, asyncio.timeout(20):
        await conn.execute("SELECT FROM enrichment_job FOR UPDATE")
        await stage.enrichments.hold(texts, seconds=900)
    assert await stage.value(over) is True


async def test_who_lost_the_claim_writes_nothing(stage: Stage) -> None:
    await claimed.store(stage, "one")
    [late] = await claimed.claim(stage)
    await stage.run("UPDATE enrichment_job SET claimed_until = now() - interval '1 second'")
    [holder] = await claimed.claim(stage)
    found = claimed.enrichment([claimed.mention("evil.example")])
    assert await stage.enrichments.keep([Finding(text=late, enrichment=found)]) == 0
    assert await stage.value("SELECT count(*) FROM mention") == 0
    assert await stage.enrichments.keep([Finding(text=holder, enrichment=found)]) == 1
    assert await stage.value("SELECT count(*) FROM mention") == 1
    assert await stage.enrichments.waiting() == 0


async def test_a_text_that_changed_meanwhile_is_looked_through_as_it_is_now(stage: Stage) -> None:
    number = await claimed.store(stage, "one", "Old words.")
    [old] = await claimed.claim(stage)
    await stage.run(f"UPDATE fetch_job SET state = 'pending' WHERE article_id = {number}")
    await stage.keep(await stage.claim(), make.content("https://acme.example/a/one", "New words."))
    await stage.links.link_next(claimed.never)
    found = claimed.enrichment([claimed.mention("old.example")])
    assert await stage.enrichments.keep([Finding(text=old, enrichment=found)]) == 0
    [new] = await claimed.claim(stage)
    assert (new.revision, new.text, new.attempts) == (2, "New words.", 1)


async def test_new_texts_come_before_those_that_are_looked_through_again(stage: Stage) -> None:
    first = await claimed.article(stage, "first")
    assert await stage.enrichments.queue([Extractor.NAMES]) == 1
    second = await claimed.store(stage, "second")
    texts = [(text.article_id, text.extractors) for text in await claimed.claim(stage)]
    assert sorted(texts) == [(first, (Extractor.NAMES,)), (second, ())]
    await stage.run("UPDATE enrichment_job SET claimed_until = NULL")
    [text] = await claimed.claim(stage, limit=1)
    assert text.article_id == second


async def test_reprocessing_is_narrowed_by_source_time_and_number(stage: Stage) -> None:
    other = make.settings("other", "other.example")
    one = await claimed.article(stage, "one")
    await claimed.article(stage, "two", settings=other, published=make.NOW.replace(year=2020))
    assert await stage.enrichments.queue(source_key="other") == 1
    assert await stage.enrichments.queue(since=make.NOW.replace(year=2025)) == 1
    assert await stage.enrichments.queue(article_ids=[one]) == 1
    assert await stage.enrichments.waiting() == 2


async def test_two_wishes_for_one_text_become_one(stage: Stage) -> None:
    await claimed.article(stage, "one")
    await stage.enrichments.queue([Extractor.NAMES])
    await stage.enrichments.queue([Extractor.ATTACK])
    [text] = await claimed.claim(stage)
    assert set(text.extractors) == {Extractor.NAMES, Extractor.ATTACK}
    await stage.enrichments.queue()
    [text] = await claimed.claim(stage)
    assert text.extractors == ()


async def test_what_fails_is_recorded_and_waits_no_more(stage: Stage) -> None:
    await claimed.store(stage, "one")
    [text] = await claimed.claim(stage)
    await stage.enrichments.keep([Finding(text=text, failure="parser_timeout: 5 s")])
    result = await stage.value("SELECT result->>'failure' FROM analysis WHERE stage = 'enrichment'")
    assert result == "parser_timeout: 5 s"
    assert await stage.enrichments.waiting() == 0


async def test_one_text_that_the_database_refuses_costs_the_others_nothing(stage: Stage) -> None:
    good, bad = await claimed.store(stage, "good"), await claimed.store(stage, "bad")
    found = {
        good: claimed.enrichment([claimed.mention("good.example")]),
        bad: claimed.enrichment([claimed.mention("bad\0.example")]),
    }
    texts = await claimed.claim(stage)
    kept = await stage.enrichments.keep(
        [Finding(text=text, enrichment=found[text.article_id]) for text in texts]
    )
    assert kept == 2
    assert await stage.rows("SELECT article_id FROM mention") == [(good,)]
    failure = await stage.value(
        f"SELECT result->>'failure' FROM analysis WHERE article_id = {bad} AND stage = 'enrichment'"
    )
    assert str(failure).startswith("refused by PostgreSQL")


async def test_a_second_look_says_what_it_changed(stage: Stage) -> None:
    await claimed.article(stage, "one", claimed.mention("a.example"), claimed.mention("b.example"))
    await stage.enrichments.queue([Extractor.OBSERVABLES])
    await claimed.tell(stage, claimed.mention("b.example"), claimed.mention("c.example"))
    [(added, removed)] = await stage.rows(
        """
        SELECT (SELECT value FROM entity WHERE id = (result->'added'->>0)::bigint),
            (SELECT value FROM entity WHERE id = (result->'removed'->>0)::bigint)
        FROM analysis WHERE stage = 'enrichment'
        """
    )
    assert (added, removed) == ("c.example", "a.example")


async def test_a_second_look_at_what_named_nothing_tells_all(stage: Stage) -> None:
    await claimed.article(stage, "one")
    await stage.enrichments.queue([Extractor.OBSERVABLES])
    await claimed.tell(stage, claimed.mention("a.example"))
    assert await stage.value(
        "SELECT jsonb_array_length(result->'added') FROM analysis WHERE stage = 'enrichment'"
    ) == 1  # fmt: skip


async def test_what_was_told_of_a_text_goes_on_to_its_story(stage: Stage) -> None:
    number = await claimed.article(stage, "one")
    rows = await stage.rows("SELECT article_id, revision FROM outbox WHERE topic = 'story'")
    assert rows == [(number, 1)]


async def test_what_was_stored_and_never_queued_is_found(stage: Stage) -> None:
    await claimed.article(stage, "done")
    await claimed.store(stage, "missed")
    await stage.run("DELETE FROM enrichment_job")
    await stage.announce([make.announced("https://acme.example/a/new")])
    await stage.keep(await stage.claim(), make.content("https://acme.example/a/new"))
    assert await stage.enrichments.queue_missed() == 1
    assert await stage.enrichments.queue_missed() == 0
    [text] = await claimed.claim(stage)
    assert text.url.endswith("missed")

"""What stored texts name, found through the pipeline, and what becomes of texts that fail."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

import make
from canned import HTML, Bench, page
from ctiscraper.db import enrichments, one_by_one
from ctiscraper.db.enrichments import MOST_ATTEMPTS
from ctiscraper.db.session import Database
from ctiscraper.errors import ParseError, Reason, StorageError
from ctiscraper.loop import alongside
from ctiscraper.pipeline import ENRICH_SECONDS
from inline import InlineSandbox
from patience import until


@pytest_asyncio.fixture
async def bench(database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Database(database) as opened:
        bench = Bench(opened, folder=tmp_path)
        yield bench
        assert (await bench.accounting()).balanced


async def test_what_a_stored_text_names_is_found_with_its_places(bench: Bench) -> None:
    bench.fetcher.answer = page(HTML.replace(b"It came back.", b"It asked evil[.]example[.]com."))
    await bench.process()
    assert (await bench.pipeline.link(), await bench.pipeline.enrich()) == (1, 1)
    [row] = await bench.rows(
        """
        SELECT e.kind, e.value, substr(a.text, m.starts[1] + 1, m.ends[1] - m.starts[1])
        FROM mention m JOIN entity e ON e.id = m.entity_id JOIN article a ON a.id = m.article_id
        WHERE e.kind = 'domain'
        """
    )
    assert row == ("domain", "evil.example.com", "evil[.]example[.]com")
    assert (await bench.pipeline.enrich(), await bench.pipeline.unenriched()) == (0, 0)


# No claim of a worker that looks through texts is as long.
WAITS_LONG = "SELECT bool_and(claimed_until > now() + interval '4 minutes') FROM enrichment_job"


async def _failure(bench: Bench) -> object:
    return await bench.value(
        "SELECT max(result->>'failure') FROM analysis WHERE stage = 'enrichment'"
    )


async def test_a_text_that_the_parsers_cannot_bear_ends_with_its_reason(bench: Bench) -> None:
    await bench.process()
    await bench.pipeline.link()
    bench.sandbox.failure = ParseError(Reason.PARSER_MEMORY, "too much")
    assert await bench.pipeline.enrich() == 1
    assert await bench.pipeline.unenriched() == 0
    assert "too much" in str(await _failure(bench))


async def test_a_parser_ended_from_outside_leaves_the_text_for_later(bench: Bench) -> None:
    await bench.process()
    await bench.pipeline.link()
    bench.sandbox.failure = ParseError(Reason.PARSER_CRASH, "SIGTERM", transient=True)
    await bench.pipeline.enrich()
    assert await bench.pipeline.unenriched() == 1
    assert await bench.value(WAITS_LONG) is True
    await bench.run("UPDATE enrichment_job SET claimed_until = NULL")
    bench.sandbox.failure = None
    await bench.pipeline.enrich()
    assert (await bench.pipeline.unenriched(), await _failure(bench)) == (0, "")


async def test_a_text_that_ends_its_worker_each_time_is_left_with_that_reason(
    bench: Bench,
) -> None:
    await bench.process()
    await bench.pipeline.link()
    await bench.run("UPDATE enrichment_job SET attempts = 5")
    await bench.pipeline.enrich()
    assert str(await _failure(bench)).startswith("worker_lost")
    assert "enrich" not in bench.sandbox.called


async def test_texts_that_take_long_are_kept_in_between_and_the_others_pay_nothing(
    bench: Bench,
) -> None:
    await _compared(bench, 3)
    now = make.NOW

    def slow() -> datetime:
        nonlocal now
        now += timedelta(seconds=ENRICH_SECONDS)
        return now

    pipeline = replace(bench.pipeline, clock=slow)
    waits = "SELECT attempts, claimed_until FROM enrichment_job"
    for left in (2, 1, 0):
        assert await pipeline.enrich() == 1
        assert await bench.rows(waits) == [(0, None)] * left
    assert await pipeline.enrich() == 0


class _Waiting(InlineSandbox):
    """Parsers that answer once they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def call(self, name: str, payload: bytes) -> bytes:
        if name == "enrich":
            self.asked.set()
            await self.let.wait()
        return await super().call(name, payload)


async def test_a_claim_is_short_and_renewed_while_its_text_is_looked_through(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a text whose worker was killed waits a minute at most, and no slow one is taken away."""
    await _compared(bench, 1)
    monkeypatch.setattr(enrichments, "_RENEW_SECONDS", 0.01)
    sandbox = _Waiting()
    pipeline = replace(bench.pipeline, sandbox=sandbox)
    over = "SELECT claimed_until FROM enrichment_job"
    async with alongside(pipeline.enrich()) as looking:
        await sandbox.asked.wait()
        assert (
            await bench.value(
                "SELECT max(claimed_until) < now() + interval '61 s' FROM enrichment_job"
            )
            is True
        )
        await bench.run("UPDATE enrichment_job SET claimed_until = now() + interval '9 s'")
        await until(lambda: _is(bench, f"SELECT ({over}) > now() + interval '50 s'"))
        assert await bench.pipeline.enrich() == 0
        sandbox.let.set()
        assert await looking == 1
    assert await bench.pipeline.unenriched() == 0


async def test_a_stop_midway_costs_no_text_a_turn(bench: Bench) -> None:
    await _compared(bench, 2)
    sandbox = _Waiting()
    async with alongside(replace(bench.pipeline, sandbox=sandbox).enrich()):
        await sandbox.asked.wait()
    assert await bench.rows("SELECT attempts, claimed_until FROM enrichment_job") == [
        (0, None),
        (0, None),
    ]


async def test_an_outage_while_findings_are_kept_makes_texts_wait_but_a_moment(
    bench: Bench,
) -> None:
    await _compared(bench, 2)
    await bench.run("""
        CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END $$
    """)
    await bench.run(
        "CREATE TRIGGER gone BEFORE INSERT ON analysis FOR EACH STATEMENT EXECUTE FUNCTION gone()"
    )
    with pytest.raises(StorageError):
        await bench.pipeline.enrich()
    waits = "SELECT attempts, claimed_until - now() BETWEEN '1 s' AND '10 s' FROM enrichment_job"
    assert await bench.rows(waits) == [(0, True), (0, True)]


async def test_texts_stay_claimed_while_the_database_is_slow_to_refuse_one_of_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _compared(bench, 4)
    bad = await bench.value("SELECT max(id) FROM article")
    await bench.run("""
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.6); RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$
    """)
    await bench.run(
        "CREATE TRIGGER slow BEFORE INSERT ON analysis FOR EACH ROW"
        f" WHEN (new.article_id = {bad}) EXECUTE FUNCTION slow()"
    )
    # The first alone is the bad one.
    monkeypatch.setattr(
        "random.sample", lambda found, _: sorted(found, key=lambda one: -one.text.article_id)
    )
    monkeypatch.setattr(one_by_one, "FAILING", 3)
    monkeypatch.setattr(enrichments, "_CLAIM_SECONDS", 1.0)
    monkeypatch.setattr(enrichments, "_RENEW_SECONDS", 0.05)
    taken: list[int] = []

    async def take() -> None:
        while True:
            texts = await bench.pipeline.enrichments.claim(uuid4(), limit=10)
            taken.extend(text.article_id for text in texts)
            await asyncio.sleep(0)

    async with alongside(bench.pipeline.enrich()) as looking:
        await until(lambda: _is(bench, "SELECT bool_and(claim IS NOT NULL) FROM enrichment_job"))
        async with alongside(take()):
            assert await looking == 4
    assert taken == []
    assert await bench.rows("SELECT article_id, attempts FROM enrichment_job") == [(bad, 1)]


async def test_a_renewal_that_failed_is_tried_again_and_none_takes_back_what_was_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _compared(bench, 1)
    monkeypatch.setattr(enrichments, "_RENEW_SECONDS", 0.05)
    sandbox = _Waiting()
    pipeline = replace(bench.pipeline, sandbox=sandbox)
    async with alongside(pipeline.enrich()) as looking:
        await sandbox.asked.wait()
        await bench.run(FULL)
        await bench.run(
            "CREATE TRIGGER full_disk BEFORE UPDATE ON enrichment_job"
            " FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
        )
        with capture_logs() as logs:
            await until(lambda: asyncio.sleep(0, logs))
        await bench.run("DROP TRIGGER full_disk ON enrichment_job")
        # Another has it now: its claim is not ours to renew.
        await bench.run(
            "UPDATE enrichment_job SET claim = gen_random_uuid(),"
            " claimed_until = now() + interval '9 s'"
        )
        sandbox.let.set()
        assert await looking == 1
    assert {one["event"] for one in logs} == {"claim_not_renewed"}
    assert await bench.value("SELECT claimed_until < now() + interval '9 s' FROM enrichment_job")
    assert await bench.pipeline.unenriched() == 1


async def _is(bench: Bench, query: str) -> bool:
    return await bench.value(query) is True


async def test_a_text_whose_parser_was_ended_too_often_is_left_with_what_ended_it(
    bench: Bench,
) -> None:
    await bench.process()
    await bench.pipeline.link()
    bench.sandbox.failure = ParseError(Reason.PARSER_TIMEOUT, "longer than 20 s", transient=True)
    for _ in range(MOST_ATTEMPTS):
        assert await bench.pipeline.unenriched() == 1
        await bench.run("UPDATE enrichment_job SET claimed_until = NULL")
        await bench.pipeline.enrich()
    assert await bench.pipeline.unenriched() == 0
    assert await _failure(bench) == "parser_timeout: longer than 20 s"


async def test_a_machine_that_has_no_process_for_parsers_costs_no_text_a_turn(
    bench: Bench,
) -> None:
    await bench.process()
    await bench.pipeline.link()
    bench.sandbox.failure = StorageError(Reason.MEMORY, "too many processes")
    for _ in range(7):
        with pytest.raises(StorageError, match="too many processes"):
            await bench.pipeline.enrich()
    bench.sandbox.failure = None
    assert await bench.pipeline.enrich() == 1
    assert (await bench.pipeline.unenriched(), await _failure(bench)) == (0, "")


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$
"""


async def _compared(bench: Bench, count: int) -> None:
    urls = [f"https://acme.example/a/{n}" for n in range(count)]
    await bench.announce([make.announced(url) for url in urls])
    for n, url in enumerate(urls):
        mark = make.mark(url, bands=(n,))
        await bench.keep(await bench.claim(), make.content(url, f"Text {n}.", fingerprint=mark))
    await bench.pipeline.link()


async def test_an_outage_while_findings_are_kept_costs_no_text_a_turn(bench: Bench) -> None:
    await _compared(bench, 3)
    await bench.run(FULL)
    await bench.run(
        "CREATE TRIGGER full_disk BEFORE INSERT ON analysis"
        " FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
    )
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(StorageError, match="No space left"):
            await bench.pipeline.enrich()
        # Others have their turn before they are looked through again.
        assert await bench.pipeline.enrich() == 0
        assert await bench.rows("SELECT DISTINCT attempts, claim FROM enrichment_job") == [
            (0, None)
        ]
        await bench.run("UPDATE enrichment_job SET claimed_until = now() - interval '1 second'")
    await bench.run("DROP TRIGGER full_disk ON analysis")
    assert await bench.pipeline.enrich() == 3
    assert (await bench.pipeline.unenriched(), await _failure(bench)) == (0, "")


async def test_a_text_that_the_database_fails_at_ends_while_others_are_kept(bench: Bench) -> None:
    await _compared(bench, 3)
    bad = await bench.value("SELECT max(id) FROM article")
    await bench.run(FULL)
    await bench.run(
        "CREATE TRIGGER full_disk BEFORE INSERT ON analysis FOR EACH ROW"
        f" WHEN (new.article_id = {bad} AND new.result->>'failure' = '')"
        " EXECUTE FUNCTION full_disk()"
    )
    assert await bench.pipeline.enrich() == 3
    assert await bench.rows("SELECT article_id, attempts FROM enrichment_job") == [(bad, 1)]
    assert await bench.value(WAITS_LONG) is True
    await bench.run(
        "UPDATE enrichment_job SET attempts = 5, claimed_until = now() - interval '1 s'"
    )
    assert await bench.pipeline.enrich() == 1
    assert str(await _failure(bench)).startswith("worker_lost")
    assert await bench.pipeline.unenriched() == 0

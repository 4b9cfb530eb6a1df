"""The life of an article step by step: a real database and real parsers, the network canned."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import make
from canned import HTML, PROSE, REFUSED, SITE, URL, Bench, page
from ctiscraper.collect.announce import announce
from ctiscraper.collect.find import Found
from ctiscraper.collect.standing import GONE_AFTER
from ctiscraper.db.session import Database
from ctiscraper.errors import FetchError, ParseError, Reason, Scope, StorageError
from ctiscraper.extract.urls import url_key
from ctiscraper.pipeline import Result
from ctiscraper.types import (
    BadEntry,
    CheckSummary,
    Health,
    Outcome,
    Page,
    ParsedFeed,
    SourceSettings,
)


@pytest_asyncio.fixture
async def bench(database: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Database(database) as opened:
        bench = Bench(opened, folder=tmp_path)
        yield bench
        assert (await bench.accounting()).balanced


def found(*urls: str, bad: tuple[BadEntry, ...] = ()) -> Found:
    entries = tuple(make.entry(url) for url in urls)
    feed = ParsedFeed(kind="rss", entries=entries, bad=bad, warnings=("odd",))
    return Found(page=page(), feed=feed, sha=b"sha", requests=2)


async def test_a_check_queues_what_was_announced_beside_its_validators(bench: Bench) -> None:
    bench.finder.found = found(URL, f"{URL}?utm_source=x", "https://acme.example/a/2")
    summary, error = await bench.check()
    assert error is None
    [source] = await bench.sources.all()
    assert (source.validators.etag, source.validators.body_sha256) == ('"new"', b"sha")
    assert source.health is Health.OK
    assert source.items_per_day is not None
    assert (source.reason, source.detail) == (None, "odd")
    rows = await bench.rows("SELECT announced, discovered, requests, detail FROM source_check")
    assert rows == [(3, 2, 2, "odd")]
    assert isinstance(summary, CheckSummary)
    assert summary.discovered == 2


async def test_what_a_reading_noted_stands_until_the_next_one_in_full(bench: Bench) -> None:
    bench.finder.found = found(URL)
    await bench.check()
    bench.finder.found = FetchError(Reason.SERVER_ERROR, "HTTP 503")
    await bench.check()
    source = await bench.sources.get("acme")
    assert (source.reason, source.detail, source.note) == ("server_error", "HTTP 503", "odd")
    bench.finder.found = replace(found(), feed=None)
    await bench.check()
    source = await bench.sources.get("acme")
    assert (source.reason, source.detail) == (None, "odd")


async def test_a_check_keeps_what_cannot_be_followed_as_a_row_with_its_reason(
    bench: Bench,
) -> None:
    bench.finder.found = found(URL, bad=(BadEntry(guid="b", reason=Reason.SCHEME_REFUSED),))
    await bench.check()
    rows = await bench.rows("SELECT state, reason FROM fetch_job ORDER BY state")
    assert rows == [("failed", Reason.SCHEME_REFUSED), ("pending", None)]


async def test_a_host_that_fails_midway_is_told_beside_what_was_found(bench: Bench) -> None:
    fault = FetchError(Reason.RATE_LIMITED, "HTTP 429", retry_after=50_000.0)
    bench.finder.found = replace(found(URL), fault=fault)
    summary, told = await bench.check()
    assert summary is not None
    assert told is fault
    source = await bench.sources.get("acme")
    assert (source.health, source.failures) == (Health.OK, 0)
    rows = await bench.rows(
        "SELECT announced, c.reason, next_check_at > now() + interval '49000 seconds'"
        " FROM source_check c, source_state"
    )
    assert rows == [(1, None, True)]


async def test_what_an_address_before_answered_does_not_make_a_source_gone(bench: Bench) -> None:
    bench.finder.found = FetchError(Reason.NOT_FOUND, "HTTP 404", scope=Scope.ITEM, transient=False)
    for _ in range(GONE_AFTER[Reason.NOT_FOUND]):
        await bench.check()
    assert (await bench.sources.get("acme")).health is Health.GONE
    moved = make.settings(feed_url="https://acme.example/new.xml")
    await bench.sources.update("acme", moved, actor="test")
    await bench.check()
    source = await bench.sources.get("acme")
    assert (source.health, source.failures) == (Health.FAILING, 1)


@pytest.mark.parametrize(
    "nothing",
    [
        FetchError(Reason.HOST_BUSY, scope=Scope.ITEM, retry_after=180.0),
        FetchError(Reason.OFFLINE, scope=Scope.OURS),
    ],
)
async def test_a_check_that_tells_nothing_breaks_no_run_of_equal_answers(
    bench: Bench, nothing: FetchError
) -> None:
    gone = FetchError(Reason.NOT_FOUND, "HTTP 404", scope=Scope.ITEM, transient=False)
    for count in range(GONE_AFTER[Reason.NOT_FOUND]):
        assert Health.GONE not in {source.health for source in await bench.sources.all()}
        bench.finder.found = gone
        await bench.check()
        if count % 3 == 1:
            bench.finder.found = nothing
            await bench.check()
    assert (await bench.sources.get("acme")).health is Health.GONE


@pytest.mark.parametrize(
    ("error", "health", "returned"),
    [
        (FetchError(Reason.SERVER_ERROR, "HTTP 503", status=503), Health.FAILING, True),
        (FetchError(Reason.OFFLINE, scope=Scope.OURS), Health.OFFLINE, True),
        (ParseError(Reason.NOT_A_FEED, "a page"), Health.FAILING, False),
    ],
)
async def test_a_check_that_fails_is_recorded_with_its_reason(
    bench: Bench, error: FetchError | ParseError, health: Health, returned: bool
) -> None:
    error.requests = 3
    bench.finder.found = error
    _, told = await bench.check()
    assert (told is error) is returned
    [source] = await bench.sources.all()
    assert (source.health, source.reason) == (health, error.reason)
    status = error.status if isinstance(error, FetchError) else None
    rows = await bench.rows("SELECT reason, detail, status, requests FROM source_check")
    assert rows == [(error.reason, error.detail, status, 3)]


async def test_a_check_taken_over_meanwhile_writes_nothing(bench: Bench) -> None:
    await bench.sources.add(SITE, actor="test")
    lease = await bench.checks.claim("acme.example", seconds=60)
    assert lease is not None
    await bench.run("UPDATE source_state SET lease_owner = gen_random_uuid()")
    bench.finder.found = found(URL)
    assert await bench.pipeline.check(lease) == (None, None)
    assert await bench.value("SELECT count(*) FROM fetch_job") == 0
    assert await bench.value("SELECT count(*) FROM source_check") == 0


async def test_a_page_becomes_an_article_and_its_bytes_are_kept(bench: Bench) -> None:
    assert await bench.process() == Result(Outcome.STORED)
    [(title, sha)] = await bench.rows(
        "SELECT title, s.sha256 FROM article a JOIN snapshot s ON s.id = a.snapshot_id"
    )
    assert title == "A loader that waits"
    assert isinstance(sha, bytes)
    assert bench.raw.get(sha) == HTML


async def test_a_source_read_by_its_feed_alone_is_asked_for_no_page(bench: Bench) -> None:
    settings = make.settings(fetch_pages=False)
    result = await bench.process(settings, content=f"<p>{PROSE * 5}</p>")
    assert result == Result(Outcome.STORED)
    assert bench.fetcher.asked == []
    assert await bench.rows("SELECT method FROM article") == [("feed",)]


async def test_what_a_gate_holds_back_is_quarantined_and_can_be_released(bench: Bench) -> None:
    strict = make.settings(exclude_words=("loader",))
    assert await bench.process(strict) == Result(Outcome.FILTERED)
    assert await bench.job() == ("filtered", Reason.WORD_EXCLUDED, 1)
    [(job_id,)] = await bench.rows("SELECT id FROM fetch_job")
    assert await bench.queue.release([int(str(job_id))]) == 1
    released = await bench.claim()
    assert await bench.pipeline.process(released, strict) == Result(Outcome.STORED)
    assert len(bench.fetcher.asked) == 1


async def test_what_the_gates_of_one_source_hold_back_another_has(bench: Bench) -> None:
    strict, other = make.settings(exclude_words=("loader",)), make.settings("other", "b.example")
    item = make.announced(URL)
    for source in (strict, other):
        await bench.announce([item], source)
    held = await bench.pipeline.process(await bench.claim(), strict)
    assert held == Result(Outcome.FILTERED)
    assert await bench.announce([item], other) == (1, 0)
    assert await bench.announce([item], strict) == (0, 0)
    assert await bench.pipeline.process(await bench.claim(), other) == Result(Outcome.STORED)
    kept = "SELECT s.key FROM article a JOIN source s ON s.id = a.source_id"
    assert await bench.rows(kept) == [("other",)]


async def test_sources_whose_gates_hold_an_item_back_do_not_ask_for_it_in_turn(
    bench: Bench,
) -> None:
    strict = make.settings(exclude_words=("loader",))
    both = (strict, replace(strict, key="other", feed_url="https://b.example/feed.xml"))
    for source in both:
        await bench.announce([make.announced(URL)], source)
        held = await bench.pipeline.process(await bench.claim(), source)
        assert held == Result(Outcome.FILTERED)
    for source in both * 2:
        assert await bench.announce([make.announced(URL)], source) == (0, 0)
    assert len(bench.fetcher.asked) == len(both)


async def test_a_refused_page_leaves_the_feeds_text_and_the_article_says_so(
    bench: Bench,
) -> None:
    bench.fetcher.answer = REFUSED
    result = await bench.process(content=f"<p>{PROSE * 5}</p>")
    assert result == Result(Outcome.STORED, REFUSED)
    [(notes,)] = await bench.rows("SELECT notes FROM article")
    assert isinstance(notes, list)
    assert "feed text: the page was refused (forbidden: HTTP 403)" in notes


async def test_a_refused_page_without_feed_text_fails_with_its_reason(bench: Bench) -> None:
    bench.fetcher.answer = REFUSED
    assert await bench.process() == Result(Outcome.FAILED, REFUSED)
    assert await bench.job("state, reason, detail") == ("failed", Reason.FORBIDDEN, "HTTP 403")


async def test_a_feed_text_that_cannot_be_read_leaves_the_pages_reason(bench: Bench) -> None:
    bench.fetcher.answer = REFUSED
    bench.sandbox.failure = ParseError(Reason.EMPTY_EXTRACTION)
    assert await bench.process(summary="<p></p>") == Result(Outcome.FAILED, REFUSED)
    assert await bench.job() == ("failed", Reason.FORBIDDEN, 1)


async def test_a_page_that_cannot_be_read_fails_and_its_bytes_stay(bench: Bench) -> None:
    bench.sandbox.failure = ParseError(Reason.PARSER_MEMORY, "article")
    assert (await bench.process()).outcome is Outcome.FAILED
    assert await bench.job() == ("failed", Reason.PARSER_MEMORY, 1)
    [(sha,)] = await bench.rows(
        "SELECT sha256 FROM snapshot s JOIN fetch_job j ON j.snapshot_id = s.id"
    )
    assert isinstance(sha, bytes)
    assert bench.raw.get(sha) == HTML


async def test_an_answer_of_another_shape_is_a_crash_of_the_parser(bench: Bench) -> None:
    bench.sandbox.answer = b"\xc1"
    assert (await bench.process()).outcome is Outcome.FAILED
    assert await bench.job() == ("failed", Reason.PARSER_CRASH, 1)


async def test_an_item_that_kills_its_parser_is_dead_after_its_attempts(bench: Bench) -> None:
    bench.sandbox.failure = ParseError(Reason.PARSER_TIMEOUT, "5 s", transient=True)
    outcomes = [(await bench.process()).outcome]
    for _ in range(4):
        job = await bench.again()
        outcomes.append((await bench.pipeline.process(job, SITE)).outcome)
    assert outcomes == [None, None, None, None, Outcome.DEAD]
    assert await bench.job() == ("dead", Reason.PARSER_TIMEOUT, 5)


async def test_a_hosts_fault_puts_the_item_back_unharmed(bench: Bench) -> None:
    bench.fetcher.answer = FetchError(Reason.RATE_LIMITED, retry_after=7200.0)
    assert (await bench.process()).outcome is None
    waits = "extract(epoch FROM run_after - now()) > 7100"
    assert await bench.job(f"state, reason, attempts, host_tries, {waits}") == (
        "pending",
        Reason.RATE_LIMITED,
        0,
        1,
        True,
    )


async def test_a_reader_sent_to_the_front_page_finds_no_article(bench: Bench) -> None:
    bench.fetcher.answer = page(final_url="https://acme.example/", hops=(URL,))
    assert (await bench.process()).outcome is Outcome.FAILED
    assert await bench.job() == ("failed", Reason.NOT_FOUND, 1)


@pytest.mark.parametrize("end", ["https://acme.example/b/1", "https://acme.example/?p=1"])
async def test_a_redirect_to_another_page_is_followed(bench: Bench, end: str) -> None:
    bench.fetcher.answer = page(final_url=end, hops=(URL,))
    assert (await bench.process()).outcome is Outcome.STORED


async def test_a_second_look_that_is_refused_leaves_the_article(bench: Bench) -> None:
    await bench.process()
    bench.fetcher.answer = REFUSED
    result = await bench.pipeline.process(await bench.again(), SITE)
    assert result == Result(Outcome.STORED, REFUSED)
    assert await bench.job() == ("stored", None, 2)
    assert await bench.rows("SELECT revision, title FROM article") == [(1, "A loader that waits")]


async def test_a_second_look_with_another_text_makes_a_revision(bench: Bench) -> None:
    await bench.process()
    bench.fetcher.answer = page(HTML.replace(b"It came back.", b"It went away for good."))
    await bench.pipeline.process(await bench.again(), SITE)
    assert await bench.job("state") == ("stored",)
    assert await bench.value("SELECT count(*) FROM article_revision") == 1
    assert await bench.value("SELECT count(*) FROM snapshot") == 2


async def test_kept_bytes_are_read_again_without_asking_the_host(bench: Bench) -> None:
    await bench.process()
    assert await bench.queue.reprocess(source_key="acme", article_ids=None) == 1
    await bench.pipeline.process(await bench.claim(), SITE)
    assert await bench.job("state, from_snapshot") == ("stored", False)
    assert len(bench.fetcher.asked) == 1


async def test_kept_bytes_that_are_gone_leave_the_article_as_it_is(bench: Bench) -> None:
    await bench.process()
    for file in (bench.folder / "raw").rglob("*.zst"):
        file.unlink()
    await bench.queue.reprocess(source_key="acme", article_ids=None)
    result = await bench.pipeline.process(await bench.claim(), SITE)
    assert isinstance(result.error, ParseError)
    assert result.error.reason is Reason.STORAGE
    assert "CTISCRAPER_KEEP_RAW_DAYS" in result.error.detail
    assert await bench.job("state") == ("stored",)
    assert len(bench.fetcher.asked) == 1


async def test_a_released_item_whose_page_is_gone_is_fetched_anew(bench: Bench) -> None:
    await bench.process(make.settings(min_length=10**6))
    for file in (bench.folder / "raw").rglob("*.zst"):
        file.unlink()
    await bench.queue.release([1])
    result = await bench.pipeline.process(await bench.claim(), SITE)
    assert (result.outcome, result.error) == (Outcome.STORED, None)
    assert len(bench.fetcher.asked) == 2
    assert await bench.value("SELECT count(*) FROM snapshot") == 2


async def test_a_full_disk_is_raised_and_the_item_put_back_with_its_attempt(
    bench: Bench,
) -> None:
    (bench.folder / "raw").write_text("a file where the folder should be")
    await bench.announce([make.announced(URL)])
    job = await bench.claim()
    with pytest.raises(StorageError) as caught:
        await bench.pipeline.process(job, SITE)
    await bench.pipeline.put_back(job, caught.value)
    assert await bench.job() == ("pending", Reason.STORAGE, 0)


@pytest.mark.parametrize(
    ("answer", "settings"),
    [(page(), SITE), (page(), make.settings(min_length=10**6)), (REFUSED, SITE)],
)
async def test_a_lost_lease_writes_nothing(
    bench: Bench, answer: Page | FetchError, settings: SourceSettings
) -> None:
    bench.fetcher.answer = answer
    await bench.announce([make.announced(URL)])
    job = await bench.claim()
    await bench.run("UPDATE fetch_job SET lease_owner = gen_random_uuid()")
    assert (await bench.pipeline.process(job, settings)).outcome is None
    assert await bench.job("state, reason, article_id") == ("leased", None, None)
    assert await bench.value("SELECT count(*) FROM article") == 0


SPELLINGS = st.builds(
    lambda scheme, path, tail, query, fragment: f"{scheme}://{path}{tail}{query}{fragment}",
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["acme.example/a/one", "ACME.example/a/one", "acme.example:443/a/./one"]),
    st.sampled_from(["", "/", "/amp", "/amp/"]),
    st.lists(
        st.sampled_from(["utm_source=rss", "utm_medium=feed", "fbclid=x", "gclid=y"]), max_size=3
    ).map(lambda words: "?" + "&".join(words) if words else ""),
    st.sampled_from(["", "#top", "#comments"]),
)


@given(st.lists(SPELLINGS, min_size=1, max_size=6), st.lists(st.text(max_size=5), min_size=6))
def test_every_spelling_of_an_address_under_any_guid_is_one_article(
    urls: list[str], guids: list[str]
) -> None:
    urls = [url.replace(":443", "") if url.startswith("http:") else url for url in urls]
    entries = [make.entry(url, guid=guid) for url, guid in zip(urls, guids, strict=False)]
    items = announce(SITE, [*entries, make.entry("https://acme.example/a/two")], (), url_key)
    assert len({item.url_hash for item in items}) == 2
    assert len(items) == len(urls) + 1, "each is a sighting of its own"


WORDS = st.text(st.characters(), min_size=1, max_size=40)
PAGES = st.one_of(
    st.binary(max_size=300),
    st.lists(WORDS, min_size=1, max_size=6).map(
        lambda words: HTML.replace(
            b"It came back.", " ".join(words).encode("utf-8", "surrogatepass")
        )
    ),
    WORDS.map(lambda title: f"<title>{title}</title>".encode("utf-16", "surrogatepass") + HTML),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=PAGES)
async def test_whatever_a_page_holds_it_is_stored_or_ends_in_its_reason(
    bench: Bench, body: bytes
) -> None:
    url = f"{URL}/{len(bench.fetcher.asked)}"
    bench.fetcher.answer = page(body, final_url=url)
    await bench.announce([make.announced(url, url_hash=url_key(url))])
    result = await bench.pipeline.process(await bench.claim(), SITE)
    assert result.outcome in {Outcome.STORED, Outcome.FAILED}
    row = f"SELECT state, reason FROM fetch_job WHERE url = '{url}'"
    [(state, reason)] = await bench.rows(row)
    assert (state, reason is None) in {("stored", True), ("failed", False)}


async def test_near_duplicates_are_linked_and_both_kept(bench: Bench) -> None:
    for number in (1, 2):
        url = f"https://acme.example/copy/{number}"
        await bench.announce([make.announced(url, url_hash=url_key(url))])
        bench.fetcher.answer = page(final_url=url)
        assert (await bench.pipeline.process(await bench.claim(), SITE)).outcome is Outcome.STORED
    assert await bench.pipeline.link() == 2
    assert await bench.pipeline.link() == 0
    linked = await bench.rows(
        "SELECT duplicate_of IS NOT NULL, similarity FROM article ORDER BY id"
    )
    assert linked == [(False, None), (True, 1.0)]

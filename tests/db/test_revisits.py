"""Looks that bring nothing: an entry that changes all the while is followed ever more seldom."""

from dataclasses import replace

import pytest

import make
from ctiscraper.errors import Reason
from ctiscraper.types import MAX_ATTEMPTS, Retry
from db.stage import Stage

URL = "https://acme.example/a/"
WAIT = "SELECT round(greatest(0, extract(epoch FROM run_after - now())) / 60)::int FROM fetch_job"


async def test_an_entry_that_changes_without_its_page_costs_ever_fewer_requests(
    stage: Stage,
) -> None:
    await stage.announce([make.announced(URL)])
    await stage.keep(await stage.claim(), make.content(URL))
    waits = []
    for turn in range(4):
        await stage.announce([make.announced(URL, entry_hash=make.sha(f"turn {turn}"))])
        waits.append(await stage.value(WAIT))
        await stage.run("UPDATE fetch_job SET run_after = now()")
        await stage.keep(await stage.claim(), make.content(URL))
    assert waits == [0, 10, 30, 70]
    await stage.announce([make.announced(URL, entry_hash=make.sha("real"))])
    await stage.run("UPDATE fetch_job SET run_after = now()")
    await stage.keep(await stage.claim(), make.content(URL, "a real edit"))
    await stage.announce([make.announced(URL, entry_hash=make.sha("next"))])
    assert await stage.value("SELECT run_after <= now() FROM fetch_job")


@pytest.mark.parametrize("end", ["failed", "filtered", "dead"])
async def test_an_entry_that_changes_without_any_page_costs_ever_fewer_requests(
    stage: Stage, end: str
) -> None:
    await stage.announce([make.announced(URL)])
    waits = []
    for turn in range(4):
        await stage.run("UPDATE fetch_job SET run_after = now()")
        job = await stage.claim()
        if end == "filtered":
            await stage.queue.refuse(job, make.settings(), Reason.TOO_SHORT, "", None)
        else:
            await stage.queue.finish(job, end, Reason.NOT_FOUND, "HTTP 404", None)
        await stage.announce([make.announced(URL, entry_hash=make.sha(f"turn {turn}"))])
        waits.append(await stage.value(WAIT))
    assert waits == [10, 30, 70, 150]
    await stage.run("UPDATE fetch_job SET run_after = now()")
    await stage.keep(await stage.claim(), make.content(URL))
    await stage.announce([make.announced(URL, entry_hash=make.sha("an article by now"))])
    assert await stage.value(WAIT) == 0


async def test_an_edit_of_what_its_host_fails_does_not_begin_to_wait_anew(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    for turn in range(3):
        job = await stage.claim()
        retry = Retry(reason=Reason.SERVER_ERROR, delay=600, refund=True, host_try=True)
        await stage.queue.give_back(job, retry)
        edited = make.entry(URL, title=f"{turn} readers")
        item = make.announced(URL, entry=edited, entry_hash=make.sha(edited.title))
        assert await stage.announce([item]) == (0, 1)
        assert await stage.value(WAIT) == 10
        await stage.run("UPDATE fetch_job SET run_after = now()")
    job = await stage.claim()
    assert (job.host_tries, job.entry.title) == (3, "2 readers")
    await stage.queue.finish(job, "failed", Reason.SERVER_ERROR, "HTTP 503", None)
    await stage.announce([make.announced(URL, entry_hash=make.sha("once more"))])
    await stage.run("UPDATE fetch_job SET run_after = now()")
    assert (await stage.claim()).host_tries == 3


@pytest.mark.parametrize("kept", [False, True])
async def test_an_edit_of_what_ended_five_workers_ends_one_more_and_waits(
    stage: Stage, *, kept: bool
) -> None:
    await stage.announce([make.announced(URL)])
    if kept:
        await stage.keep(await stage.claim(), make.content(URL))
        await stage.announce([make.announced(URL, entry_hash=make.sha("edited"))])
    lost = []
    for turn in range(3):
        await stage.run("UPDATE fetch_job SET run_after = now()")
        lives = 0
        while await stage.value("SELECT state FROM fetch_job") == "pending":
            await stage.claim(seconds=-1)
            await stage.queue.reap()
            lives += 1
        await stage.announce([make.announced(URL, entry_hash=make.sha(f"turn {turn}"))])
        lost.append((lives, await stage.value(WAIT)))
    assert lost == [(MAX_ATTEMPTS, 10), (1, 30), (1, 70)]


async def test_what_was_looked_at_before_comes_after_what_is_new(stage: Stage) -> None:
    old = [make.announced(f"{URL}old/{n}") for n in range(2)]
    await stage.announce(old)
    for _ in old:
        await stage.keep(job := await stage.claim(), make.content(job.url))
    await stage.announce([replace(item, entry_hash=make.sha("edited")) for item in old])
    held = await stage.claim()
    await stage.queue.give_back(held, Retry(reason=Reason.SERVER_ERROR, refund=True))
    await stage.announce([make.announced(f"{URL}new")])
    assert [(await stage.claim()).url.removeprefix(URL) for _ in range(3)] == [
        "new",
        "old/0",
        "old/1",
    ]

"""What a host's faults count for, and whose turn it is when its rest is over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from ctiscraper.collect.schedule import BREAKER_THRESHOLD
from ctiscraper.db.session import Database
from ctiscraper.errors import FetchError, Reason
from tasks.test_work import Yard


@pytest_asyncio.fixture
async def yard(database: str, tmp_path: Path) -> AsyncIterator[Yard]:
    async with Database(database) as opened:
        yard = Yard(opened, folder=tmp_path)
        yield yard
        assert (await yard.accounting()).balanced


async def test_a_host_that_fails_each_time_after_it_has_answered_is_not_left_alone(
    yard: Yard,
) -> None:
    yard.script.fault = FetchError(Reason.SERVER_ERROR, url="https://one.example/2.xml")
    yard.script.fault.answered = True
    await yard.hold("one.example", 0)
    for _ in range(BREAKER_THRESHOLD + 1):
        await yard.check_again()
    assert await yard.rows("SELECT failures, reason, open_until FROM host") == [
        (1, Reason.SERVER_ERROR, None)
    ]
    yard.script.fault.answered = False
    for _ in range(BREAKER_THRESHOLD - 1):
        await yard.check_again()
    assert await yard.rows("SELECT failures, open_until > now() FROM host") == [
        (BREAKER_THRESHOLD, True)
    ]


async def test_a_host_that_names_parts_elsewhere_has_answered_when_these_fail(yard: Yard) -> None:
    yard.script.fault = FetchError(Reason.CONNECT, url="https://two.example/2.xml")
    await yard.hold("one.example", 0)
    await yard.hold("two.example", 0)
    await yard.run("UPDATE host SET failures = 3")
    await yard.run("UPDATE source_state SET next_check_at = now() WHERE host = 'one.example'")
    await yard.work()
    assert await yard.rows("SELECT host, failures FROM host ORDER BY host") == [
        ("one.example", 0),
        ("two.example", 4),
    ]

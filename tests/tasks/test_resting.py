"""What a host's faults count for, and whose turn it is when its rest is over."""

import pytest

from ctiscraper.collect.schedule import BREAKER_THRESHOLD
from ctiscraper.errors import FetchError, Reason
from ctiscraper.types import FetchJob
from tasks.yard import Yard


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


DOWN = FetchError(Reason.SERVER_ERROR, url="https://one.example/feed.xml")
A_DAY = FetchError(Reason.RATE_LIMITED, retry_after=86_400.0, url="https://one.example/feed.xml")


async def down(job: FetchJob) -> FetchError:
    return FetchError(Reason.CONNECT, "refused", url=job.url)


@pytest.mark.parametrize("fault", [DOWN, A_DAY])
async def test_a_feed_that_always_fails_does_not_keep_items_from_their_host(
    yard: Yard, fault: FetchError
) -> None:
    yard.script.fault = fault
    await yard.hold("one.example", 0)
    for _ in range(BREAKER_THRESHOLD + 1):
        await yard.check_again()
    await yard.hold("one.example", 3)
    for _ in range(2):
        await yard.check_again()
    assert len(yard.script.done) == 3


async def test_items_that_always_fail_do_not_keep_a_feed_from_its_host(yard: Yard) -> None:
    yard.script.acts["one.example"] = down
    await yard.hold("one.example", 20)
    await yard.run(f"UPDATE host SET failures = {BREAKER_THRESHOLD}, open_until = now()")
    for _ in range(2):
        await yard.check_again()
    assert yard.script.checked == ["one"]
    assert len(yard.script.done) == 1 + BREAKER_THRESHOLD, "the feed answered meanwhile"


async def test_a_host_that_gives_nothing_is_asked_once_after_each_rest_by_either_in_turn(
    yard: Yard,
) -> None:
    yard.script.fault, yard.script.acts["one.example"] = DOWN, down
    await yard.hold("one.example", 20)
    await yard.run(f"UPDATE host SET failures = {BREAKER_THRESHOLD}, open_until = now()")
    asked = []
    for _ in range(4):
        await yard.check_again()
        asked.append((len(yard.script.checked), len(yard.script.done)))
    assert asked == [(0, 1), (1, 1), (1, 2), (2, 2)]


async def test_a_rest_is_not_lengthened_by_those_who_are_led_to_the_host_meanwhile(
    yard: Yard,
) -> None:
    yard.script.fault = FetchError(Reason.SERVER_ERROR, url="https://two.example/feed.xml")
    await yard.hold("one.example", 0)
    await yard.hold("two.example", 0)
    rest = "SELECT failures, open_until FROM host WHERE host = 'two.example'"
    await yard.run("UPDATE source_state SET next_check_at = 'infinity' WHERE host = 'two.example'")
    rests = []
    for _ in range(BREAKER_THRESHOLD + 3):
        await yard.run("UPDATE source_state SET next_check_at = now() WHERE host = 'one.example'")
        await yard.run("UPDATE host SET work_at = now() WHERE host = 'one.example'")
        await yard.work()
        rests += await yard.rows(rest)
    assert len(set(rests[BREAKER_THRESHOLD - 1 :])) == 1
    assert rests[-1][0] == BREAKER_THRESHOLD
    await yard.hosts.rest("two.example", 3600.0)
    assert await yard.rows(rest) != rests[-1:], "but it may ask for more itself"

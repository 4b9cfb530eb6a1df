import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.politeness import LED_WAIT, MOST_WAIT, ROBOTS_LIMITS
from ctiscraper.errors import FetchError, Reason, Scope
from ctiscraper.types import RobotsPolicy, RobotsRecord
from ledger import Ledger
from loopback import Answer, Asked, Origin, closing, moved, open_client, reply
from make import settings

PAGE = "http://site.test/page"
SITE = settings()
CLOSED = b"User-agent: *\nDisallow: /\n"
OPEN = b"User-agent: *\nDisallow: /elsewhere\n"


async def failure(fetcher: Fetcher, url: str = PAGE) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch_page(SITE, url)
    return caught.value


@pytest.fixture(autouse=True)
def page(origin: Origin) -> None:
    origin.answers["/page"] = reply(b"text")


@pytest.mark.parametrize(
    "robots",
    [
        reply(OPEN),
        reply(b""),
        reply(b"<html>not found</html>"),
        reply(b"\xef\xbb\xbfUser-agent: *\nDisallow: /elsewhere"),
        reply(b"gone", status=404),
        reply(b"who are you", status=401),
        reply(b"no", status=403),
        reply(b"", status=410),
        moved("/other-robots", status=301),
        moved("http://other.test/other-robots"),
        moved("/robots.txt"),
        reply(b"choose", status=300),
        reply(b"User-agent: *\nAllow: /\n" + b"#" * 2_000_000 + b"\nDisallow: /"),
    ],
)
async def test_robots_lets_the_page_be_read(
    origin: Origin, fetcher: Fetcher, robots: Answer
) -> None:
    origin.answers |= {"/robots.txt": robots, "/other-robots": reply(OPEN)}

    assert (await fetcher.fetch_page(SITE, PAGE)).body == b"text"


@pytest.mark.parametrize(
    "robots",
    [
        reply(CLOSED),
        reply(b"\xef\xbb\xbf" + CLOSED),
        reply(b"User-agent: CTIScraper/2.0\nDisallow: /page"),
        moved("http://other.test/other-robots"),
        reply(CLOSED + b"#" * 2_000_000),
    ],
)
async def test_robots_keeps_the_page_unread(
    origin: Origin, fetcher: Fetcher, robots: Answer
) -> None:
    origin.answers |= {"/robots.txt": robots, "/other-robots": reply(CLOSED)}
    error = await failure(fetcher)

    assert error.reason is Reason.ROBOTS_DISALLOWED
    assert (error.scope, error.transient, error.url) == (Scope.ITEM, False, PAGE)
    assert origin.count("/page") == 0


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_unreachable_robots_closes_the_host_for_now(
    origin: Origin, fetcher: Fetcher, ledger: Ledger, status: int
) -> None:
    origin.answers["/robots.txt"] = reply(b"", {"Retry-After": "7200"}, status=status)
    error = await failure(fetcher)

    assert error.reason is Reason.ROBOTS_UNREACHABLE
    assert (error.scope, error.transient, error.retry_after) == (Scope.HOST, True, 7200)
    assert error.status == status
    assert ledger.saved[0].body is None
    await failure(fetcher)
    assert origin.paths == ["/robots.txt"]
    origin.answers["/robots.txt"] = reply(OPEN)
    ledger.now += timedelta(minutes=31)
    assert (await fetcher.fetch_page(SITE, PAGE)).body == b"text"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (closing(b""), Reason.TRUNCATED),
        (closing(b"SSH-2.0-x\r\n\r\n"), Reason.PROTOCOL),
        (reply(b"x", {"Content-Encoding": "br"}), Reason.ROBOTS_UNREACHABLE),
        (moved("http://10.0.0.1/robots.txt"), Reason.ROBOTS_UNREACHABLE),
    ],
)
async def test_robots_that_cannot_be_read_is_no_leave(
    origin: Origin, fetcher: Fetcher, answer: Answer, reason: Reason
) -> None:
    origin.answers["/robots.txt"] = answer
    error = await failure(fetcher)

    assert (error.reason, error.scope, error.transient) == (reason, Scope.HOST, True)
    assert origin.count("/page") == 0


@pytest.mark.parametrize("answer", [reply(b"", status=500), closing(b"")])
@pytest.mark.parametrize(("days", "last_good"), [(1, True), (30, True), (31, False)])
async def test_last_good_copy_holds_for_30_days(
    origin: Origin, fetcher: Fetcher, ledger: Ledger, answer: Answer, days: int, last_good: bool
) -> None:
    origin.answers["/robots.txt"] = answer
    good_at = ledger.now - timedelta(days=days)
    ledger.records["http://site.test"] = RobotsRecord(
        origin="http://site.test",
        status=200,
        body="User-agent: *\nDisallow: /page",
        fetched_at=good_at,
        good_body="User-agent: *\nDisallow: /page",
        good_at=good_at,
    )
    error = await failure(fetcher)

    assert (error.reason is Reason.ROBOTS_DISALLOWED) is last_good
    assert error.transient is not last_good
    if last_good:
        assert ledger.saved[0].good_body
        assert ledger.saved[0].good_at == good_at


async def test_robots_is_asked_once_a_day_and_origin(
    origin: Origin, fetcher: Fetcher, ledger: Ledger
) -> None:
    origin.answers["/robots.txt"] = reply(OPEN)
    await asyncio.gather(*(fetcher.fetch_page(SITE, PAGE) for _ in range(4)))
    assert origin.count("/robots.txt") == 1
    ledger.now += timedelta(hours=23, minutes=50)
    await fetcher.fetch_page(SITE, PAGE)
    assert origin.count("/robots.txt") == 1
    ledger.now += timedelta(minutes=20)
    await fetcher.fetch_page(SITE, PAGE)
    assert origin.count("/robots.txt") == 2
    assert [record.body for record in ledger.saved] == [OPEN.decode()] * 2


async def test_robots_of_the_ledger_is_shared_between_workers(
    origin: Origin, fetcher: Fetcher, ledger: Ledger
) -> None:
    ledger.records["http://site.test"] = RobotsRecord(
        origin="http://site.test", status=200, body=CLOSED.decode(), fetched_at=ledger.now
    )

    assert (await failure(fetcher)).reason is Reason.ROBOTS_DISALLOWED
    assert origin.paths == []


async def test_robots_in_memory_is_bounded(
    origin: Origin, fetcher: Fetcher, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiscraper.collect.politeness._MAX_ORIGINS", 1)
    origin.answers["/robots.txt"] = reply(OPEN)
    for host in ("site", "other", "site"):
        await fetcher.fetch_page(SITE, f"http://{host}.test/page")

    assert list(fetcher._robots._known) == ["http://site.test"]
    assert origin.count("/robots.txt") == len(ledger.saved) == 2


async def test_robots_text_can_be_stored(origin: Origin, fetcher: Fetcher, ledger: Ledger) -> None:
    origin.answers["/robots.txt"] = reply(b"\xef\xbb\xbf# \x00 \xff\nUser-agent: *")
    await fetcher.fetch_page(SITE, PAGE)

    assert ledger.saved[0].body == "#  \ufffd\nUser-agent: *"


async def test_override_with_a_reason_asks_no_robots(origin: Origin, fetcher: Fetcher) -> None:
    origin.answers["/robots.txt"] = reply(CLOSED)
    source = settings(robots=RobotsPolicy(obey=False, override_reason="the publisher agreed"))

    assert (await fetcher.fetch_page(source, PAGE)).body == b"text"
    assert origin.paths == ["/page"]


async def test_being_offline_is_no_answer_of_the_host(ledger: Ledger) -> None:
    async def no_names(_: str) -> list[str]:
        raise OSError(-3, "Temporary failure in name resolution")

    async with open_client(Origin().policy(host_map={}), no_names) as client:
        fetcher = Fetcher(
            client, ledger, agent_token="ctiscraper", clock=ledger.clock, sleep=ledger.sleep
        )
        error = await failure(fetcher)

    assert (error.reason, error.scope) == (Reason.OFFLINE, Scope.OURS)
    assert ledger.saved == []


async def test_redirect_is_subject_to_its_own_hosts_robots(
    origin: Origin, fetcher: Fetcher
) -> None:
    origin.answers |= {
        "/page": moved("http://other.test/there"),
        "site.test/robots.txt": reply(OPEN),
        "other.test/robots.txt": reply(CLOSED),
    }
    error = await failure(fetcher)

    assert error.reason is Reason.ROBOTS_DISALLOWED
    assert error.url == "http://other.test/there"
    assert error.requests == 3
    assert origin.count("/there") == 0


@pytest.mark.parametrize("knows_robots", [True, False])
async def test_a_turn_that_is_too_far_away_is_not_waited_for_and_says_nothing_of_the_host(
    origin: Origin, fetcher: Fetcher, ledger: Ledger, knows_robots: bool
) -> None:
    origin.answers["/robots.txt"] = reply(OPEN)
    if knows_robots:
        await fetcher.fetch_page(SITE, PAGE)
    while await ledger.reserve("site.test", 60.0, MOST_WAIT) is not None:
        pass
    saved, asked = len(ledger.saved), len(origin.asked)
    error = await failure(fetcher)
    assert (error.reason, error.scope, error.transient) == (Reason.HOST_BUSY, Scope.ITEM, True)
    assert (error.retry_after, error.requests) == (MOST_WAIT, 0)
    assert (len(ledger.saved), len(origin.asked)) == (saved, asked)


async def test_a_hosts_own_work_finds_a_slot_whoever_is_led_there(
    origin: Origin, fetcher: Fetcher, ledger: Ledger
) -> None:
    origin.answers |= {
        "/robots.txt": reply(b"User-agent: *\nCrawl-delay: 60\n"),
        "/led": moved("http://site.test/page"),
    }
    await fetcher.fetch_page(SITE, PAGE)
    away = "http://other.test/led"
    while await ledger.reserve("site.test", 60.0, LED_WAIT) is not None:
        pass
    with pytest.raises(FetchError) as raised:
        await fetcher.fetch_page(SITE, away)
    assert (raised.value.reason, raised.value.retry_after) == (Reason.HOST_BUSY, LED_WAIT)
    assert (await fetcher.fetch_page(SITE, PAGE)).status == 200


def test_robots_limits_are_the_standards() -> None:
    assert ROBOTS_LIMITS.max_bytes == 500 * 1024
    assert ROBOTS_LIMITS.seconds == 10
    assert ROBOTS_LIMITS.truncate


async def test_every_request_keeps_the_gap_to_its_host(
    origin: Origin, fetcher: Fetcher, ledger: Ledger
) -> None:
    for _ in range(5):
        await fetcher.fetch_page(SITE, PAGE)

    assert origin.paths == ["/robots.txt"] + ["/page"] * 5
    assert ledger.slots["site.test"] == [0, 1, 2, 3, 4, 5]


async def test_redirects_wait_for_the_host_they_lead_to(
    origin: Origin, fetcher: Fetcher, ledger: Ledger
) -> None:
    origin.answers |= {"/page": moved("/next"), "/next": moved("http://other.test/end")}
    origin.answers["/end"] = reply(b"end")
    page = await fetcher.fetch_page(SITE, PAGE)

    assert page.requests == 5
    assert ledger.slots == {"site.test": [0, 1, 2], "other.test": [2, 3]}


@pytest.mark.parametrize(
    ("changes", "robots", "gap"),
    [
        ({}, b"", 1),
        ({"crawl_delay": 7.0}, b"", 7),
        ({"crawl_delay": 0.2}, b"", 1),
        ({"requests_per_minute": 6}, b"", 10),
        ({}, b"User-agent: *\nCrawl-delay: 20", 20),
        ({"crawl_delay": 7.0, "requests_per_minute": 10}, b"User-agent: *\nCrawl-delay: 3", 7),
        ({"crawl_delay": 5000.0}, b"", 60),
        ({}, b"User-agent: *\nCrawl-delay: 1000000000", 60),
    ],
)
async def test_gap_is_the_longest_that_anyone_asks_for(
    origin: Origin,
    fetcher: Fetcher,
    ledger: Ledger,
    changes: dict[str, object],
    robots: bytes,
    gap: float,
) -> None:
    origin.answers["/robots.txt"] = reply(robots)
    await fetcher.fetch_page(settings(**changes), PAGE)  # type: ignore[arg-type]  # a builder

    assert ledger.gaps[-1] == ("site.test", gap)


async def test_six_workers_share_one_pace(origin: Origin, ledger: Ledger) -> None:
    async with open_client(origin.policy("site.test")) as client:
        workers = [
            Fetcher(
                client, ledger, agent_token="ctiscraper", clock=ledger.clock, sleep=ledger.sleep
            )
            for _ in range(6)
        ]
        await asyncio.gather(*(worker.fetch_page(SITE, PAGE) for worker in workers * 5))
    slots = ledger.slots["site.test"]

    assert all(later - earlier >= 1 for earlier, later in pairwise(slots))
    assert origin.count("/page") == 30


async def test_no_gap_asks_the_ledger_for_no_slot(origin: Origin, ledger: Ledger) -> None:
    async with open_client(origin.policy("site.test")) as client:
        fetcher = Fetcher(client, ledger, agent_token="ctiscraper", default_gap=0.0)
        await fetcher.fetch_page(SITE, PAGE)

    assert ledger.gaps == []


async def test_cancelled_question_leaves_robots_askable(origin: Origin, fetcher: Fetcher) -> None:
    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        await writer.wait_closed()

    origin.answers["/robots.txt"] = silent
    task = asyncio.create_task(fetcher.fetch_page(SITE, PAGE))
    await origin.heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    origin.answers["/robots.txt"] = reply(OPEN)

    assert (await fetcher.fetch_page(SITE, PAGE)).body == b"text"

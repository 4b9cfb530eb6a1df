"""What is said of the state of operations, and what to do."""

from dataclasses import replace

import pytest

import make_operations as made
from ctiscraper.db.hosts import Hosts
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.session import Database
from ctiscraper.operations import TOO_LONG, DatabaseState, Modelling, Operations, Standing
from ctiscraper.tasks.bell import BellState
from ctiscraper.tasks.findings import Finding, Verdict
from ctiscraper.tasks.watch import MODELS_SILENT, findings, report, report_away, size, span
from ctiscraper.types import RobotsRecord
from make import NOW

BUSY = (made.worker(),)
DUE = (made.tier(due=11, sources_due=1, oldest_seconds=90.0),)


def amiss(seen: Operations) -> list[Finding]:
    return [finding for finding in findings(seen) if finding.verdict is not Verdict.OK]


def test_what_is_well_needs_no_advice() -> None:
    for seen in (made.operations(), made.operations(tiers=DUE, workers=BUSY)):
        assert amiss(seen) == []
        assert [finding.advice for finding in findings(seen)] == [""] * 8


def test_sums_that_are_old_or_not_there_are_told_and_nothing_is_said_of_them() -> None:
    old = made.operations(summed_seconds=600.0, sums_fault=TOO_LONG)
    [told] = amiss(old)
    assert (told.part, told.verdict) == ("sums", Verdict.WARN)
    assert told.words == "of 10 min ago: adding up took too long"
    none = made.operations(summed_seconds=None, sums_fault="permission denied", balanced=None)
    assert [one.words for one in amiss(none)] == ["not known yet: permission denied"]
    words = {one.part: one.words for one in findings(none)}
    assert words["dead letters"] == "how many stand is not known, none in the last hour"
    assert words["storage"] == words["accounting"] == "not added up"


def test_a_busy_pool_is_told_apart_from_a_database_that_is_away() -> None:
    busy = replace(made.operations(), database=made.database(busy=True))
    [told] = amiss(busy)
    assert (told.part, told.verdict) == ("database", Verdict.WARN)
    assert "every connection of this process is in use" in told.words
    assert "DATABASE_URL" not in told.advice


def test_texts_that_nobody_asks_a_model_about_are_told_with_the_command() -> None:
    waiting = replace(
        made.work().modelling, waiting=3, oldest_seconds=7200.0, seen_seconds=MODELS_SILENT
    )

    def told(state: Modelling) -> list[str]:
        found = amiss(made.operations(modelling=state))
        assert {one.part for one in found} <= {"language models"}
        assert all("'ctiscraper model-worker'" in one.advice for one in found)
        assert all("--profile llm" in one.advice for one in found)
        assert all("CTISCRAPER_MODEL_URL" in one.advice for one in found)
        assert all("'ctiscraper analysis cancel --all'" in one.advice for one in found)
        return [one.words for one in found]

    words = "3 texts wait, the oldest for 2 h, and no model worker has had an answer of a server "
    assert told(waiting) == [words + "for 15 min"]
    assert told(replace(waiting, seen_seconds=None)) == [words + "yet"]
    for well in (
        replace(waiting, seen_seconds=60.0),
        replace(waiting, oldest_seconds=60.0),
        replace(waiting, running=1),
        replace(waiting, waiting=0),
    ):
        assert told(well) == []


def test_the_bell_is_told_where_there_is_one() -> None:
    def told(bell: BellState) -> list[tuple[str, Verdict, str]]:
        found = findings(made.operations(), bell)
        return [(f.part, f.verdict, f.words) for f in found if f.part == "redis"]

    assert told(BellState(configured=False, reachable=False)) == []
    heard = BellState(configured=True, reachable=True, waiting={"premium": 1, "basic": 2})
    assert told(heard) == [("redis", Verdict.OK, "it answers, 3 rings unheard")]
    away = BellState(configured=True, reachable=False, detail="gone (REDIS_URL)")
    assert told(away) == [("redis", Verdict.WARN, "gone (REDIS_URL)")]
    refused = replace(heard, failed=2, failed_seconds=3.0, failure="full")
    [(_, verdict, words)] = told(refused)
    assert verdict is Verdict.WARN
    assert words == (
        "it answers, 3 rings unheard; 2 rings not taken since this process began, "
        "the last 3 s ago: full"
    )
    [(_, verdict, words)] = told(replace(refused, failed_seconds=600.0))
    assert (verdict, "the last 10 min ago: full" in words) == (Verdict.OK, True)
    assert findings(made.operations(), away)[0].part == "redis", "the worst comes first"


@pytest.mark.parametrize(
    ("seen", "part", "words", "advice"),
    [
        (
            made.operations(stranded=3, stranded_by="No space left on device"),
            "storage",
            "3 items wait for our own database or disk: No space left on device",
            "they are taken again by themselves and lose no attempt",
        ),
        (
            made.operations(tiers=DUE),
            "workers",
            "12 items and checks wait and no worker is at work",
            "run 'ctiscraper worker'",
        ),
        (
            made.operations(tiers=(made.tier(due=1),)),
            "workers",
            "1 item or check wait",
            "ctiscraper worker",
        ),
        (
            made.operations(tiers=(made.tier(in_flight=2),)),
            "workers",
            "2 items were left in hand and no worker is at work",
            "ctiscraper worker",
        ),
        (
            made.operations(tiers=DUE, workers=(made.worker(idle_seconds=1300.0),)),
            "workers",
            "none has ended an item for 21 min",
            "log",
        ),
        (
            made.operations(tiers=(made.tier(due=1, oldest_seconds=7300.0),), workers=BUSY),
            "queue",
            "the oldest for 2 h",
            "CTISCRAPER_WORKERS",
        ),
        (
            made.operations(
                standing=Standing(dead=9, failed=0, filtered=0), flow=made.flow(dead_hour=2)
            ),
            "dead letters",
            "2 in the last hour, 9 stand",
            "ctiscraper dead list",
        ),
        (
            made.operations(flow=made.flow(refunds_hour=20, ended_hour=3)),
            "attempts",
            "20 given back in the last hour",
            "ctiscraper doctor",
        ),
        (
            made.operations(hosts=made.hosts(known=10, resting=5)),
            "hosts",
            "5 of 10 rest",
            "way out",
        ),
        (made.operations(balanced=False), "accounting", "does not hold", "ctiscraper accounting"),
        (
            Operations(database=made.database(writable=False), work=made.work()),
            "database",
            "read-only",
            "primary server",
        ),
        (
            Operations(database=DatabaseState(reachable=False, detail="no answer within 5 s")),
            "database",
            "no answer within 5 s",
            "DATABASE_URL",
        ),
        (
            Operations(database=made.database(schema="1")),
            "schema",
            "it is 1, this program needs 2",
            "ctiscraper migrate",
        ),
        (
            Operations(database=made.database(clock_apart=-7.0), work=made.work()),
            "database clock",
            "7.0 s apart",
            "NTP",
        ),
    ],
)
def test_what_is_amiss_is_said_with_a_way_out(
    seen: Operations, part: str, words: str, advice: str
) -> None:
    [finding] = amiss(seen)
    assert finding.part == part
    assert words in finding.words
    assert advice in finding.advice
    assert findings(seen)[0] == finding, "the worst comes first"


async def test_a_clock_that_is_apart_degrades_by_name_alone(database: str) -> None:
    async with Database(database, size=1) as opened:
        seen = await report(OperationsBoard(opened))
    assert seen.degraded_parts == ()
    state = made.database(clock_apart=6.0)
    amiss = replace(seen, findings=findings(Operations(database=state)))
    assert amiss.degraded_parts == ("clock",)


def test_what_only_looks_amiss_is_let_be() -> None:
    for seen in (
        # Dead letters of long ago, a few refunds, a few resting hosts, a newer schema.
        made.operations(standing=Standing(dead=9, failed=0, filtered=0)),
        made.operations(flow=made.flow(refunds_hour=19)),
        made.operations(flow=made.flow(refunds_hour=500, ended_hour=501)),
        made.operations(hosts=made.hosts(known=9, resting=9)),
        made.operations(hosts=made.hosts(known=10, resting=4)),
        made.operations(balanced=None),
        Operations(database=made.database(schema="3"), work=made.work()),
        # A worker that only checks sources ends no items.
        made.operations(
            tiers=(made.tier(sources_due=3),), workers=(made.worker(idle_seconds=9999.0),)
        ),
    ):
        assert amiss(seen) == []


async def test_the_delay_that_robots_txt_asks_for_stands_beside_the_host(database: str) -> None:
    async with Database(database, size=2) as opened:
        hosts = Hosts(opened)
        for name in ("acme.example", "bolt.example"):
            await hosts.reserve(name, 50, 3600)
        body = "User-agent: *\nCrawl-delay: 3\n\nUser-agent: ctiscraper\nCrawl-delay: 7\n"
        record = RobotsRecord(origin="https://acme.example", status=200, body=body, fetched_at=NOW)
        await hosts.save_robots(record)
        told = await report(OperationsBoard(opened))
    assert not told.degraded
    assert told.work is not None
    delays = {host.host: host.robots_delay for host in told.work.hosts.paces}
    assert delays == {"acme.example": 7.0, "bolt.example": None}


async def test_a_database_that_is_away_is_a_report_too() -> None:
    told = await report(OperationsBoard(Database("host=127.0.0.1 port=1")))
    assert told.degraded
    assert told.work is None
    assert report_away("gone").findings[0].words == "gone"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (2e5, "2 d")],
)
def test_a_span_is_said_in_its_largest_unit(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456, "123 kB"), (9.9e14, "990 TB")],
)
def test_a_size_is_said_in_its_largest_unit(count: float, words: str) -> None:
    assert size(count) == words

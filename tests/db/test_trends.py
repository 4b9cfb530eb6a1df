"""What stands out against its own past, and what does not though it is new or frequent."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from ctiscraper.dashboard_views import Trend
from ctiscraper.db.session import Database
from ctiscraper.db.trends import DAY, KINDS, SEVEN_DAYS, TrendBoard
from make_scores import ScoredShelf, mention
from web.shelf import Shelf

SOURCES = ("acme", "bolt", "core", "dune")


class Past:
    """Articles that name things, so many days ago each."""

    def __init__(self, database: str) -> None:
        self.shelf = Shelf(database)
        self.scored = ScoredShelf(self.shelf)
        self.count = 0

    def told(self, name: str, days_ago: Iterable[float], sources: Iterable[str] = SOURCES) -> None:
        chosen = list(sources)
        for ago in days_ago:
            self.count += 1
            self.scored.article(
                f"{name} {self.count}",
                "words",
                mention("malware", name, name=name),
                days_ago=ago,
                source=chosen[self.count % len(chosen)],
            )


@pytest.fixture
def past(database: str) -> Past:
    made = Past(database)
    # What is always there: one a day of the last twelve weeks.
    made.told("Everyday", (day + 0.01 for day in range(84)))
    return made


async def trends(database: str, hours: int = SEVEN_DAYS, *kinds: str) -> tuple[Trend, ...]:
    async with Database(database, size=1) as opened:
        [found] = await TrendBoard(opened).trends(kinds or KINDS, [hours])
    return found.trends


async def test_what_is_named_far_more_than_it_was_stands_out_with_its_figures(
    database: str, past: Past
) -> None:
    past.told("Rising", [20, 30, 40, 50])
    past.told("Rising", [0.2 + n / 2 for n in range(12)])
    [found] = await trends(database)
    assert found.entity.name == "Rising"
    assert (found.articles, found.sources) == (12, 4)
    assert found.best_week <= 2
    assert len(found.weeks) == 8
    assert 0 < found.usual < 2
    assert found.score > 3


async def test_small_counts_and_one_source_alone_do_not_stand_out(
    database: str, past: Past
) -> None:
    past.told("Twice", [0.1, 1])
    past.told("Campaign of one vendor", [0.2 + n / 2 for n in range(12)], ["acme"])
    assert await trends(database) == ()


async def test_what_is_frequent_as_ever_does_not_stand_out(database: str, past: Past) -> None:
    past.told("Frequent", [0.3 + n / 3 for n in range(24 * 9)])
    assert await trends(database) == ()


async def test_what_had_a_better_week_lately_does_not_stand_out(database: str, past: Past) -> None:
    past.told("Wave", [30 + n / 8 for n in range(16)])
    past.told("Wave", [0.2 + n / 3 for n in range(9)])
    assert "Wave" not in {one.entity.name for one in await trends(database)}


async def test_a_day_has_its_own_trends(database: str, past: Past) -> None:
    past.told("Overnight", [0.02 * n for n in range(1, 8)])
    past.told("Last week's", [3 + n / 10 for n in range(9)])
    assert [one.entity.name for one in await trends(database, DAY)] == ["Overnight"]
    assert {one.entity.name for one in await trends(database)} == {"Overnight", "Last week's"}


async def test_growth_of_all_is_no_trend_of_each(database: str, past: Past) -> None:
    """Four times as many sources name everything four times as often."""
    for day in range(7):
        past.told("Everyday", [day + n / 10 for n in range(1, 5)])
    assert await trends(database) == ()


async def test_without_a_past_nothing_is_said(database: str) -> None:
    past = Past(database)
    past.told("New", [n / 10 for n in range(9)])
    async with Database(database, size=1) as opened:
        day, week = await TrendBoard(opened).trends(KINDS)
    assert (day.trends, week.trends) == ((), ())
    assert (week.articles, week.articles_before) == (9, 0)
    assert week.hours == SEVEN_DAYS


async def test_kinds_are_told_apart(database: str, past: Past) -> None:
    past.told("Rising", [0.2 + n / 2 for n in range(12)])
    assert await trends(database, SEVEN_DAYS, "actor") == ()
    assert [one.entity.kind for one in await trends(database, SEVEN_DAYS, "malware")] == ["malware"]


def test_the_clock_of_these_tests_is_the_servers(database: str) -> None:
    now = Shelf(database).run("SELECT now()")[0]
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)

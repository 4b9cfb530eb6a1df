"""What stands out against its own past, and what does not though it is new or frequent."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import planted
from ctiscraper.dashboard_views import Trend
from ctiscraper.db.session import Database
from ctiscraper.db.trends import DAY, KINDS, SEVEN_DAYS, TrendBoard
from ctiscraper.intelligence import Extractor, Mention
from planted import Planted

SOURCES = ("acme", "bolt", "core", "dune")


class Past:
    """Articles that name things, so many days ago each."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._count = 0

    def told(self, name: str, days_ago: Iterable[float], sources: Sequence[str] = SOURCES) -> None:
        now = datetime.now(UTC)
        named = Mention(
            kind="malware", value=name, name=name, extractor=Extractor.NAMES, places=(), count=1
        )
        with psycopg.connect(self._database, autocommit=True) as conn:
            for ago in days_ago:
                self._count += 1
                planted.store(
                    conn,
                    Planted(
                        title=f"{name} {self._count}",
                        text="words",
                        source=sources[self._count % len(sources)],
                        at=now - timedelta(days=ago),
                    ),
                    [named],
                )

    def nameless(self) -> None:
        """Five articles a day of twelve weeks that name nothing."""
        with psycopg.connect(self._database, autocommit=True) as conn:
            conn.execute(
                """
                INSERT INTO article (url_hash, source_id, tier, url, canonical_url, title, text,
                    html, sort_at, word_count, reading_minutes, method, text_sha256, search)
                SELECT n::text::bytea, (SELECT min(id) FROM source), 'standard', 'u', 'u', 't', 't',
                    '', now() - interval '1 d' * n / 5, 1, 1, 'general', 'x', ''
                FROM generate_series(0, 419) AS n
                """
            )


@pytest.fixture
def past(database: str) -> Past:
    made = Past(database)
    made.told("Everyday", (day + 0.01 for day in range(84)))
    made.nameless()
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
    past.told("Wave", [30 + n / 10_000 for n in range(16)])
    past.told("Wave", [0.2 + n / 3 for n in range(15)])
    assert await trends(database) == ()
    past.told("Wave", [0.2 + n / 3 for n in range(5)])
    assert [one.entity.name for one in await trends(database)] == ["Wave"]


async def test_a_day_has_its_own_trends(database: str, past: Past) -> None:
    past.told("Overnight", [0.02 * n for n in range(1, 8)])
    past.told("Last week's", [3 + n / 10 for n in range(9)])
    assert [one.entity.name for one in await trends(database, DAY)] == ["Overnight"]
    assert {one.entity.name for one in await trends(database)} == {"Overnight", "Last week's"}


async def test_growth_of_all_is_no_trend_of_each(database: str) -> None:
    """Five times as many sources name everything five times as often."""
    past = Past(database)
    past.told("Everyday", (day + 0.01 for day in range(84)))
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

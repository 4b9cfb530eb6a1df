"""Reading counts that are kept a week a row."""

from datetime import date, timedelta

from psycopg import sql

from ctiscraper.db.rollups import DAYS
from ctiscraper.db.session import Database
from ctiscraper.db.weeks import Days, counted_since, days_now, monday

WEEK = date(2026, 11, 16)


def test_a_week_begins_on_monday() -> None:
    assert {monday(WEEK + timedelta(days=n)) for n in range(7)} == {WEEK}
    assert monday(WEEK - timedelta(days=1)) == WEEK - timedelta(days=7)


def test_so_many_days_end_today() -> None:
    assert Days(WEEK).first_of(1) == WEEK
    assert Days(WEEK).first_of(7) == date(2026, 11, 10)


async def test_from_any_day_on_only_what_follows_is_counted(database: str) -> None:
    columns = ", ".join(f"{2**n} AS {day}" for n, day in enumerate(DAYS))
    statement = sql.SQL("SELECT {} FROM (SELECT %(week)s::date AS week, {}, 127 AS articles) w")
    async with Database(database, size=1) as opened, opened.connection() as conn:
        for back in range(-2, 10):
            bound = WEEK + timedelta(days=back)
            cursor = await conn.execute(
                statement.format(counted_since("bound"), sql.SQL(columns)),
                {"week": WEEK, "bound": bound},
            )
            days = [n for n in range(7) if WEEK + timedelta(days=n) >= bound]
            assert await cursor.fetchone() == (sum(2**n for n in days),)
        assert (await days_now(conn)).first_of(1) == (await days_now(conn)).today

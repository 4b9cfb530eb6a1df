"""Reading counts that are kept a week a row: from which day on, and which weeks these are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import sql

from ctiscraper.db.session import Conn

WEEK = timedelta(days=7)
# A day of the week after which nothing of it is left out.
_LAST = 7

_BOUNDS = """
    SELECT least((SELECT min(week) FROM tier_week), (SELECT min(week) FROM entity_week)),
        greatest((SELECT max(week) FROM tier_week), (SELECT max(week) FROM entity_week))
"""


def monday(day: date) -> date:
    """Return the first day of the week of a day."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class Days:
    """The days up to today, by the database's clock in UTC."""

    today: date

    def first_of(self, days: int) -> date:
        """Return the first of so many days, of which today is the last."""
        return self.today - timedelta(days=days - 1)


async def days_now(conn: Conn) -> Days:
    """Return the days up to now."""
    cursor = await conn.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
    row = await cursor.fetchone()
    assert row is not None, "a query without FROM has one row"
    return Days(row[0])


async def weeks_of(conn: Conn, first: date, end: date) -> list[date]:
    """Return the weeks that have counts of days from `first` on and before `end`."""
    row = await (await conn.execute(_BOUNDS)).fetchone()
    assert row is not None, "a query without FROM has one row"
    if row[0] is None:
        return []
    week, last = max(monday(first), row[0]), min(end, row[1] + WEEK)
    return [week + number * WEEK for number in range(-(-(last - week).days // WEEK.days))]


def counted_since(bound: str) -> sql.Composed:
    """Return what counts the articles of a row `w` from a day on, which a parameter names."""
    parts = [
        sql.SQL("WHEN {} THEN {}").format(
            sql.Literal(left_out), sql.SQL(" + ").join(_columns(left_out))
        )
        for left_out in range(1, _LAST)
    ]
    return sql.SQL(
        """
        CASE WHEN w.week >= {bound} THEN w.articles WHEN w.week + 6 < {bound} THEN 0
            ELSE CASE {bound} - w.week {parts} END END
        """
    ).format(
        bound=sql.SQL("{}::date").format(sql.Placeholder(bound)), parts=sql.SQL(" ").join(parts)
    )


def _columns(left_out: int) -> Sequence[sql.Composable]:
    return [sql.SQL("w.{}").format(sql.Identifier(f"d{day + 1}")) for day in range(left_out, _LAST)]

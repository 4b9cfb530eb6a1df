from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.dates import EARLIEST, LEEWAY, find_date, parse_date

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
HALF_PAST_FIVE = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        "Sun, 22 Nov 2026 17:30:00 GMT",
        "Sun, 22 Nov 2026 19:30:00 +0200",
        "Sun, 22 Nov 26 12:30 EST",
        "22 Nov 2026 17:30:00 Z",
        "Sun,22 Nov 2026 09:30:00 PST",
        "Sunday, 22-Nov-26 17:30:00 GMT",
        "Sun Nov 22 17:30:00 2026",
        "Sun Nov 22 17:30:00 +0000 2026",
        "Sun Nov 22 12:30:00 EST 2026",
        "Sun Nov 22 2026 18:30:00 GMT+0100 (Central European Standard Time)",
        "Sun, 22 Nov 2026 19:30:00 UTC+02:00",
        "Sun, 22 Nov 2026 17:30:00 Neverland",
        "2026-11-22T17:30:00Z",
        "2026-11-22T18:30:00.123456789+01:00",
        "2026-11-22T18:30:00+0100",
        "2026-11-22T12:30:00-05",
        "2026-11-22t17:30z",
        "2026-11-22 17:30:00",
        "2026-11-22T17:30:00 +00:00",
        "2026-11-22T17:30:00+00:00Z",
        "20261122T173000Z",
        "2026-326T17:30:00Z",
        "2026-W47-7T17:30:00Z",
        "2026/11/22 17:30",
        "11/22/2026 5:30:00 PM",
        "22/11/2026 17:30",
        "22.11.2026 17:30",
        "Nov. 22nd, 2026 12:30 PM EST",
        "Sunday, November 22, 2026 - 17:30",
        "22. November 2026, 17:30 Uhr",
        "dim., 22 nov. 2026 18:30:00 +0100",
        "вс, 22 ноября 2026 17:30",
        "2026年11月22日 17:30",
        "2026년 11월 22일 17:30",
        "1795368600",
        "1795368600000",
        "  Sun,\n 22 Nov\t2026 17:30:00 GMT  ",
    ],
)
def test_one_moment_in_every_form_is_read_alike(raw: str) -> None:
    assert parse_date(raw, now=NOW) == HALF_PAST_FIVE


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("20261122", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026W47", datetime(2026, 11, 16, tzinfo=UTC)),
        ("November 22, 2026", datetime(2026, 11, 22, tzinfo=UTC)),
        ("22 de noviembre de 2026", datetime(2026, 11, 22, tzinfo=UTC)),
        ("mar., 22 sept. 2026", datetime(2026, 9, 22, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 24:00:00 GMT", datetime(2026, 11, 22, tzinfo=UTC)),
        ("Sun, 22 Nov 2026 12:15:60 GMT", datetime(2026, 11, 22, 12, 15, 59, tzinfo=UTC)),
        ("Sun, 22 Nov 2026 12:15 AM", datetime(2026, 11, 22, 0, 15, tzinfo=UTC)),
        ("Wed, 21 Aug 91 00:00 GMT", datetime(1991, 8, 21, tzinfo=UTC)),
        ("Sun, 01 Feb 126 00:00:00 GMT", datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_short_and_odd_forms(raw: str, expected: datetime) -> None:
    assert parse_date(raw, now=NOW) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "yesterday",
        "3 days ago",
        "12",
        "10000-01-01",
        "0000-00-00",
        "0001-01-01T00:00:00Z",
        "9" * 16,
        "9" * 400,
        "9999-12-31T23:59:59-12:00",
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "Sun, 31 Feb 2026 00:00:00 GMT",
        "2026-13-01",
        "2026-366",
        "2026-W54",
        "2026-11-22T25:00:00Z",
        "2026-11-22T10:61:00Z",
        "2026-11-22T10:00:00+99:00",
        "Nov Dec 2026",
        "22 33 2026 Nov",
        "Fri, 31 Dec 1989 23:59:59 GMT",
        "\u0662\u0660\u0662\u0666-11-22",
        "1 " * 50_000,
    ],
)
def test_what_names_no_possible_date_is_none(raw: str) -> None:
    assert parse_date(raw, now=NOW) is None


def test_day_and_month_that_could_be_swapped_are_not_guessed() -> None:
    assert parse_date("03/04/2026", now=NOW) is None
    assert parse_date("3/4/2026 1:00 AM", now=NOW) == datetime(2026, 3, 4, 1, tzinfo=UTC)


def test_future_is_taken_up_to_the_leeway() -> None:
    inside, outside = NOW + LEEWAY, NOW + LEEWAY + timedelta(seconds=1)
    assert parse_date(inside.isoformat(), now=NOW) == inside
    assert parse_date(outside.isoformat(), now=NOW) is None


def test_a_clock_without_zone_is_taken_as_utc() -> None:
    naive = NOW.replace(tzinfo=None)
    assert parse_date("2026-11-22", now=naive) == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("By A. Author on November 3, 2026 in Malware", "November 3, 2026"),
        ("3 Nov 2026 · 4 min read", "3 Nov 2026"),
        ("updated 2026-11-03", "2026-11-03"),
        ("03.11.2026 | News", "03.11.2026"),
        ("2026年11月3日 公開", "2026年11月3日"),
    ],
)
def test_a_date_is_found_among_words(text: str, words: str) -> None:
    assert find_date(text, now=NOW) == (datetime(2026, 11, 3, tzinfo=UTC), words)


def test_no_date_among_words_is_none() -> None:
    assert find_date("CVE-2026-12345 scores 9.8 of 10", now=NOW) is None


ZONED = st.datetimes(
    min_value=datetime(1990, 1, 3),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2026, 11, 20),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
).map(lambda d: d.replace(microsecond=0))


@given(ZONED)
def test_iso_and_mail_forms_round_trip(moment: datetime) -> None:
    assert parse_date(moment.isoformat(), now=NOW) == moment
    assert parse_date(moment.strftime("%a, %d %b %Y %H:%M:%S %z"), now=NOW) == moment


@given(
    st.one_of(
        st.text(max_size=300),
        st.text(alphabet="0123456789-/:.,+TZWtzapm JanFebMrGMTES()[]年月日٣", max_size=60),
        st.text(alphabet=st.characters(categories=["Cs", "Cc", "Nd"]), max_size=30),
    ),
    st.datetimes(timezones=st.none() | st.just(UTC)),
)
def test_any_text_gives_a_date_in_bounds_or_none(raw: str, now: datetime) -> None:
    for found in (parse_date(raw, now=now), (find_date(raw, now=now) or (None,))[0]):
        if found is not None:
            assert found.tzinfo is UTC
            assert EARLIEST <= found <= now.replace(tzinfo=UTC) + LEEWAY

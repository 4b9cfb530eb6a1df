"""Dates as feeds and pages write them: an aware UTC time, or None, for any string."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LEEWAY = timedelta(hours=48)
MAX_LENGTH = 160

_MONTH_WORDS = (
    (
        "jan january januar jänner janvier janv enero ene gennaio gen janeiro januari stycznia"
        " январь января янв ocak"
    ),
    (
        "feb february februar februari février févr fevrier fév febrero febbraio fevereiro fev"
        " lutego февраль февраля фев şubat"
    ),
    "mar march märz mrz mär mars marzo março maart mrt marca март марта мар mart",
    "apr april avril avr abril abr aprile kwietnia апрель апреля апр nisan",
    "may mai mayo maggio mag maio mei maj maja май мая may\u0131s",
    "jun june juni juin junio giugno giu junho czerwca июнь июня июн haziran",
    "jul july juli juillet juil julio luglio lug julho lipca июль июля июл temmuz",
    "aug august août aout agosto ago augustus augusti sierpnia август августа авг ağustos",
    (
        "sep sept september septembre septiembre settembre set setembro września сентябрь сентября"
        " сен сент eylül"
    ),
    (
        "oct october oktober okt octobre octubre ottobre ott outubro out października октябрь"
        " октября окт ekim"
    ),
    "nov november novembre noviembre novembro listopada ноябрь ноября ноя нояб kas\u0131m",
    (
        "dec december dezember dez décembre déc decembre diciembre dic dicembre dezembro grudnia"
        " декабрь декабря дек aral\u0131k"
    ),
)
_MONTHS = {name: n for n, names in enumerate(_MONTH_WORDS, 1) for name in names.split()}

# A name with several meanings has the one that feeds use. Names that are not listed count
# as UTC, as RFC 5322 section 4.3 says of zones that are not known.
_ZONES = {
    "est": -5, "edt": -4, "et": -5, "cst": -6, "cdt": -5, "ct": -6, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7, "pt": -8, "akst": -9, "akdt": -8, "hst": -10, "ast": -4, "adt": -3,
    "nst": -3.5, "ndt": -2.5, "brt": -3, "art": -3, "clt": -4,
    "bst": 1, "west": 1, "cet": 1, "cest": 2, "met": 1, "mest": 2, "mez": 1, "mesz": 2,
    "eet": 2, "eest": 3, "msk": 3, "msd": 4, "trt": 3, "sast": 2, "cat": 2, "eat": 3, "wat": 1,
    "idt": 3, "gst": 4, "pkt": 5, "ist": 5.5, "npt": 5.75, "ict": 7, "wib": 7, "hkt": 8, "sgt": 8,
    "myt": 8, "pht": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5, "acdt": 10.5, "aest": 10,
    "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip

_ISO = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/.]?)(?:W(?P<week>\d\d)(?:(?P=mark)(?P<weekday>[1-7]))?"
    r"|(?P<ordinal>\d{3})(?!\d)"
    r"|(?P<month>\d{1,2})(?:(?P=mark)(?P<day>\d{1,2}))?))?"
    r"(?:(?:\s*T\s*|\s*[,:]?\s+)(?P<clock>\d.*))?",
    re.IGNORECASE | re.ASCII,
)
_COMPACT_CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d)?(?=$|[^\d:])", re.ASCII)
_CLOCK = re.compile(
    r"(?<!\d)(?P<hour>\d{1,2})"
    r"(?:[:h](?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,:]\d{1,20})?)?(?:\s*(?P<half>[ap])\.?m\b\.?)?"
    r"|\s*(?P<only>[ap])\.?m\b\.?)",
    re.IGNORECASE | re.ASCII,
)
_HOUR_ONLY = re.compile(r"(?P<hour>\d\d)(?=$|Z|[+-])", re.IGNORECASE | re.ASCII)
_OFFSET = re.compile(
    r"(?:\b(?:GMT|UTC|UT|Z))?\s*(?P<sign>[+\-\u2212])(?P<hours>\d{1,2}):?(?P<minutes>\d\d)?(?!\d)",
    re.IGNORECASE | re.ASCII,
)
_NUMERIC = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})"
    r"(?:(?:\s*,?\s+|T)(?P<clock>\d.*))?",
    re.ASCII,
)
_CJK = re.compile(
    r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?(?P<clock>.*)", re.ASCII
)
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d{1,9})?|(\d{12,13})", re.ASCII)
_COMMENT = re.compile(r"\([^()]*\)|\[[^\][]*\]")
_ORDINAL_SIGN = re.compile(r"(?<=\d)(?:st|nd|rd|th|er)\b", re.IGNORECASE | re.ASCII)
_WORD = re.compile(r"[^\W\d_]+|\d+")
_LEADING_DAY = re.compile(r"[^\W\d_]{2,12}\.?\s*,?\s+(?=\d{4}[-/])")
_FOUND = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\w)"
    r"|\b\d{4}[/.]\d\d[/.]\d\d\b|\b\d\d?\.\d\d?\.\d{4}\b"
    r"|(?<!\w)[^\W\d_]{3,10}\.?\s+\d\d?(?:st|nd|rd|th)?,?\s+\d{4}\b"
    r"|\b\d\d?(?:st|nd|rd|th|\.)?(?:\s+(?:of|de))?[\s-]+[^\W\d_]{3,10}\.?(?:\s+de)?,?[\s-]+\d{4}\b"
    r"|\d{4}\s*[年년]\s*\d{1,2}\s*[月월]\s*\d{1,2}\s*[日일]",
)


def parse_date(raw: str, *, now: datetime) -> datetime | None:
    """The time a date means, in UTC, or None when it names none.

    RFC 822/850/3339, ISO 8601, asctime, epoch seconds, and the long, numeric and localised
    forms of feeds. A date without a zone counts as UTC, one without a clock as midnight. A
    date whose day and month could be swapped is None, as is one before 1990 or more than
    48 hours after `now`: nothing is guessed. Never raises.
    """
    text = " ".join(raw[: MAX_LENGTH * 4].split())
    if not text or len(text) > MAX_LENGTH:
        return None
    try:
        found = _read(text)
        return found if found is not None and EARLIEST <= found <= _aware(now) + LEEWAY else None
    except (ValueError, OverflowError):
        return None


def find_date(text: str, *, now: datetime) -> tuple[datetime, str] | None:
    """The first readable date inside a text with the words it stands in, or None."""
    for match in _FOUND.finditer(text[: MAX_LENGTH * 20]):
        found = parse_date(match[0], now=now)
        if found is not None:
            return found, match[0]
    return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _read(text: str) -> datetime | None:
    """The first reading that takes the text; raises ValueError for an impossible date."""
    text = _LEADING_DAY.sub("", text, count=1) if text[0].isalpha() else text
    if (match := _EPOCH.fullmatch(text)) is not None:
        seconds = int(match[1]) if match[1] else int(match[2]) / 1000
        return datetime.fromtimestamp(seconds, UTC)
    plain = _COMMENT.sub(" ", text).strip()
    if (match := _ISO.fullmatch(plain)) is not None:
        return _at(_iso_day(match), match["clock"] or "")
    if (match := _NUMERIC.fullmatch(plain)) is not None:
        return _at(_numeric_day(match), match["clock"] or "")
    if (match := _CJK.fullmatch(plain)) is not None:
        return _at(date(int(match[1]), int(match[2]), int(match[3])), match["clock"])
    return _from_words(plain)


def _iso_day(match: re.Match[str]) -> date:
    year = int(match["year"])
    if match["week"]:
        return date.fromisocalendar(year, int(match["week"]), int(match["weekday"] or 1))
    if match["ordinal"]:
        days = int(match["ordinal"])
        day = date(year, 1, 1) + timedelta(days=days - 1)
        if days < 1 or day.year != year:
            raise ValueError(match["ordinal"])
        return day
    return date(year, int(match["month"] or 1), int(match["day"] or 1))


def _numeric_day(match: re.Match[str]) -> date:
    """Day and month by what is possible: dots are day first, AM/PM is month first."""
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    if match["mark"] == "." or first > 12 or first == second:  # noqa: PLR2004 - months
        return date(year, second, first)
    if second > 12 or re.search(r"[ap]\.?m", match["clock"] or "", re.IGNORECASE):  # noqa: PLR2004
        return date(year, first, second)
    raise ValueError("day and month could be swapped")


def _at(day: date, clock: str) -> datetime:
    """The moment a clock with its zone names on a day; no clock is midnight."""
    clock = clock.strip()
    if not clock:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if (compact := _COMPACT_CLOCK.match(clock)) is not None:
        seconds = f":{compact[3]}" if compact[3] else ""
        clock = f"{compact[1]}:{compact[2]}{seconds}{clock[compact.end() :]}"
    match = _CLOCK.search(clock) or _HOUR_ONLY.match(clock)
    if match is None:
        raise ValueError("no clock")
    return _moment(day, match.groupdict(), _zone_minutes(clock[match.end() :]))


def _moment(day: date, clock: Mapping[str, str | None], zone: int) -> datetime:
    hour, minute = int(clock["hour"] or 0), int(clock.get("minute") or 0)
    second = min(int(clock.get("second") or 0), 59)
    half = (clock.get("half") or clock.get("only") or "").lower()
    if half and hour <= 12:  # noqa: PLR2004 - "13:30 PM" is met and means 13:30
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 24 or (hour == 24 and (minute or second)) or minute > 59:  # noqa: PLR2004 - clock
        raise ValueError("no such time")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start + timedelta(hours=hour, minutes=minute - zone, seconds=second)


def _zone_minutes(tail: str) -> int:
    """Minutes east of UTC that the words after the clock name."""
    if (match := _OFFSET.search(tail)) is not None:
        hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
        total = hours * 60 + minutes
        if total > 24 * 60:
            raise ValueError("no such zone")
        return total if match["sign"] == "+" else -total
    for word in _WORD.findall(tail):
        if (zone := _ZONES.get(word.lower())) is not None:
            return round(zone * 60)
    return 0


def _from_words(text: str) -> datetime | None:
    """A date whose month is a word: RFC 822, RFC 850, asctime, long forms."""
    clock = _CLOCK.search(text)
    zone = 0
    if clock is not None:
        tail = text[clock.end() :]
        zone = _zone_minutes(tail)
        tail = _OFFSET.sub(" ", tail, count=1)
        text = f"{text[: clock.start()]} {tail}"
    words = [word.lower() for word in _WORD.findall(_ORDINAL_SIGN.sub("", text))]
    months = list(_months_in(words))
    numbers = [word for word in words if word.isdecimal() and word.isascii()]
    if len(months) != 1 or not 2 <= len(numbers) <= 3:  # noqa: PLR2004 - day, year and noise
        return None
    day = _day_of(numbers, months[0])
    return _moment(day, clock.groupdict() if clock else {"hour": "0"}, zone)


def _months_in(words: list[str]) -> Iterator[int]:
    """The months among words; a weekday that reads like one (French mar., Italian set) waits."""
    found = [(i, _MONTHS[word]) for i, word in enumerate(words) if word in _MONTHS]
    if len(found) > 1:
        found = [(i, n) for i, n in found if i > 0] or found
    yield from (number for _, number in found)


def _day_of(numbers: list[str], month: int) -> date:
    """The day and the year among the numbers: the year has four digits or stands last."""
    years = [n for n in numbers if len(n) == 4]  # noqa: PLR2004 - digits of a year
    year = years[0] if years else numbers[1]
    rest = list(numbers)
    rest.remove(year)
    if len(rest[0]) > 2 or (len(rest) > 1 and years and int(rest[1])):  # noqa: PLR2004 - digits
        raise ValueError("numbers that are no date")
    return date(_full_year(year), month, int(rest[0]))


def _full_year(digits: str) -> int:
    """A year of two or three digits as RFC 5322 section 4.3 reads it."""
    year = int(digits)
    if len(digits) == 2:  # noqa: PLR2004 - digits
        return year + (2000 if year < 50 else 1900)  # noqa: PLR2004 - the RFC's bound
    return year + 1900 if len(digits) == 3 else year  # noqa: PLR2004 - digits

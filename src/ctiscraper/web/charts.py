"""Where the parts of charts stand; templates draw them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ctiscraper.dashboard_views import DayVolume, TacticHeat, TechniqueHeat
from ctiscraper.web.matrix import heat_of

WIDTH, HEIGHT = 720, 220
_LEFT, _TOP, _BOTTOM = 44, 12, 28
_STEPS = 4
_EACH_WEEK = 7
SPARK_WIDTH, SPARK_HEIGHT = 72, 20
CELLS = 6
_CELL_WIDTH, _CELL_HEIGHT, _TACTIC_WIDTH, _GAP = 92, 26, 168, 4
# By how much more or fewer articles a technique is said to rise or fall.
_CHANGE, _CHANGE_LEAST = 1.5, 5


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `name` says what it stands for."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across, and its number."""

    y: float
    value: int


@dataclass(frozen=True, slots=True)
class DayColumn:
    """A day with its tiers, one upon another; `label` stands below it where there is room."""

    day: date
    x: float
    label: bool
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class VolumeChart:
    """How many articles there were each day."""

    ticks: tuple[Tick, ...]
    columns: tuple[DayColumn, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A technique of a row; `heat` is from 1 to 5, `change` up, down or neither."""

    technique: TechniqueHeat
    x: float
    heat: int
    change: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A tactic with the techniques of the most articles, and how many more there are."""

    tactic: TacticHeat
    y: float
    cells: tuple[HeatCell, ...]
    more: int


@dataclass(frozen=True, slots=True)
class HeatChart:
    """Which techniques are named, by tactic."""

    rows: tuple[HeatRow, ...]
    width: int
    height: int
    cell_width: int = _CELL_WIDTH
    cell_height: int = _CELL_HEIGHT


def volume_chart(volumes: Sequence[DayVolume]) -> VolumeChart:
    """Return the chart of days, the oldest first."""
    top = _round_up(max((one.articles for one in volumes), default=0))
    room = HEIGHT - _TOP - _BOTTOM
    wide = (WIDTH - _LEFT) / max(len(volumes), 1)
    floor = HEIGHT - _BOTTOM
    columns = []
    for number, one in enumerate(volumes):
        x, y = _LEFT + number * wide + wide * 0.15, float(floor)
        boxes = []
        for name in ("premium", "standard", "basic"):
            high = getattr(one, name) / top * room
            y -= high
            if high:
                boxes.append(Box(name, *(round(each, 1) for each in (x, y, wide * 0.7, high))))
        label = (len(volumes) - 1 - number) % _EACH_WEEK == 0
        columns.append(DayColumn(one.day, round(x + wide * 0.35, 1), label, tuple(boxes)))
    ticks = tuple(
        Tick(round(floor - room * n / _STEPS, 1), top * n // _STEPS) for n in range(_STEPS + 1)
    )
    return VolumeChart(ticks, tuple(columns))


def spark(values: Sequence[int]) -> tuple[Box, ...]:
    """Return small columns, the last of which is what is spoken of."""
    top = max(1, *values)
    wide = SPARK_WIDTH / len(values)
    return tuple(
        Box(
            "now" if number == len(values) - 1 else "then",
            round(number * wide + 1, 1),
            round(SPARK_HEIGHT - _high(value, top), 1),
            round(wide - 2, 1),
            _high(value, top),
        )
        for number, value in enumerate(values)
    )


def heat_chart(tactics: Sequence[TacticHeat]) -> HeatChart:
    """Return the heat of the techniques that are named most, a tactic a row."""
    most = max((one.articles for tactic in tactics for one in tactic.techniques), default=0)
    high = _CELL_HEIGHT + _GAP
    rows = tuple(
        HeatRow(
            tactic,
            number * high,
            tuple(
                HeatCell(
                    one,
                    _TACTIC_WIDTH + place * (_CELL_WIDTH + _GAP),
                    heat_of(one.articles, most),
                    _change(one),
                )
                for place, one in enumerate(tactic.techniques[:CELLS])
                if one.articles
            ),
            sum(1 for one in tactic.techniques[CELLS:] if one.articles),
        )
        for number, tactic in enumerate(tactics)
    )
    width = _TACTIC_WIDTH + CELLS * (_CELL_WIDTH + _GAP) + 56
    return HeatChart(rows, width, max(len(rows) * high, 1))


def _high(value: int, top: int) -> float:
    # What there was none of keeps a line at the foot.
    return max(round(value / top * SPARK_HEIGHT, 1), 1.0)


def _round_up(value: int) -> int:
    """Return the next number that four lines divide evenly."""
    step = 1
    while step * _STEPS < value:
        step = next(each for each in (2, 5, 10) if each * _power(step) > step) * _power(step)
    return step * _STEPS


def _power(step: int) -> int:
    return int(10 ** (len(str(step)) - 1))


def _change(one: TechniqueHeat) -> str:
    if one.articles >= _CHANGE_LEAST and one.articles >= _CHANGE * one.before:
        return "up"
    if one.before >= _CHANGE_LEAST and one.before >= _CHANGE * one.articles:
        return "down"
    return ""

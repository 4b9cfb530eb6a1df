"""The live progress of a collection: one moving block on a terminal, lines elsewhere."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ctiscraper.cli.output import console, counted, print_json
from ctiscraper.db.progress import Progress, ProgressBoard
from ctiscraper.errors import StorageError

# A line elsewhere than on a terminal, when something changed.
LINE_SECONDS = 5.0
REFRESH_SECONDS = 1.0
# Counting may take this share of the time: on a large database the display slows down.
SHARE = 0.05
RATE_SECONDS = 15.0

OFFLINE_NOTE = (
    "No way to the internet: sources show 'offline', nothing is counted against them, "
    "and they are asked again by themselves."
)


@dataclass(slots=True)
class Rate:
    """Items ended a second, over the last seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def update(self, ended: int, now: float) -> float:
        """Return the rate with one more reading."""
        self._seen.append((now, ended))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_SECONDS:  # noqa: PLR2004 - a rate needs two readings
            self._seen.popleft()
        began, before = self._seen[0]
        return (ended - before) / (now - began) if now > began else 0.0


@dataclass(slots=True)
class Display:
    """Shows how a collection goes until it is cancelled.

    `workers` gives how many processes run now; `heading` stays above the moving lines.
    """

    board: ProgressBoard
    since: datetime
    workers: Callable[[], int]
    as_json: bool = False
    heading: str = ""
    _rate: Rate = field(default_factory=Rate)
    _said_offline: bool = False

    async def run(self) -> None:
        """Show, read, wait; again and again."""
        if self.as_json or not console().is_terminal:
            await self._lines()
        else:
            with Live(console=console(), auto_refresh=False, transient=False) as live:
                await self._moving(live)

    async def _moving(self, live: Live) -> None:
        while True:
            progress, pause = await self._read()
            if progress is None:
                live.update(Text("The database does not answer; waiting for it."), refresh=True)
            else:
                for note in self._notes(progress):
                    live.console.print(Text(note, style="yellow"), soft_wrap=False)
                speed = self._rate.update(progress.ended, time.monotonic())
                live.update(Group(*_block(progress, speed, self.workers(), self.heading)))
                live.refresh()
            await asyncio.sleep(pause)

    async def _lines(self) -> None:
        before: Progress | None = None
        while True:
            progress, pause = await self._read()
            speed = self._rate.update(progress.ended, time.monotonic()) if progress else 0.0
            moved = self.as_json or before is None or (progress and _changed(before, progress))
            if progress is not None and moved:
                self._say(progress, speed)
                before = progress
            await asyncio.sleep(max(pause, LINE_SECONDS if not self.as_json else pause))

    async def _read(self) -> tuple[Progress | None, float]:
        """Return the counts, None while the database is away, and how long to wait then."""
        began = time.monotonic()
        try:
            progress = await self.board.read(self.since)
        except StorageError:
            return None, REFRESH_SECONDS
        return progress, max(REFRESH_SECONDS, (time.monotonic() - began) / SHARE)

    def _say(self, progress: Progress, speed: float) -> None:
        if self.as_json:
            print_json({"event": "progress", "progress": progress, "per_second": round(speed, 2)})
            return
        screen = console()
        for note in self._notes(progress):
            screen.print(note)
        screen.print(f"{datetime.now().astimezone():%H:%M:%S} {one_line(progress, speed)}")

    def _notes(self, progress: Progress) -> Iterable[str]:
        """What is worth a line of its own, once."""
        if progress.offline and not self._said_offline:
            self._said_offline = True
            yield OFFLINE_NOTE


def one_line(progress: Progress, speed: float) -> str:
    """Return the whole state on one line."""
    return (
        f"sources {progress.checked}/{progress.sources} checked, {progress.failing} failing, "
        f"{progress.offline} offline; articles {progress.stored} stored, "
        f"{progress.duplicate} duplicate, {progress.pending} pending, "
        f"{progress.filtered} quarantined, {progress.failed} failed, {progress.dead} dead; "
        f"{speed:.1f}/s"
    )


def _changed(before: Progress, after: Progress) -> bool:
    """Whether anything but the clock moved."""
    return replace(before, at=after.at) != after


def _block(progress: Progress, speed: float, workers: int, heading: str) -> Iterable[Text]:
    if heading:
        yield Text(heading, style="bold")
    trouble = [
        (progress.failing, "failing", "red"),
        (progress.offline, "offline", "yellow"),
    ]
    yield _row("Sources", f"{progress.checked} of {progress.sources} checked", trouble)
    yield _row(
        "Articles",
        f"{progress.stored} stored",
        [
            (progress.duplicate, "duplicate", ""),
            (progress.filtered, "quarantined", "yellow"),
            (progress.failed, "failed", "red"),
            (progress.dead, "dead", "red"),
        ],
    )
    hands = counted(workers, "worker")
    if progress.pending:
        doing = f"{progress.pending} pending, {speed:.1f} a second, {hands}"
    elif not workers:
        doing = "none: what is stored can be read"
    elif progress.checked < progress.sources:
        doing = f"waiting for sources to be due or to answer, {hands}"
    else:
        doing = f"all done until a source is due again, {hands}"
    yield _row("Work", doing, [])


def _row(name: str, first: str, counts: Iterable[tuple[int, str, str]]) -> Text:
    more = [(f", {number} {word}", style) for number, word, style in counts if number]
    return Text.assemble((f"{name:<9} ", "dim"), first, *more)

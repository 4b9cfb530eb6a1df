"""The progress display: what is said, when, and how often."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from ctiscraper.cli.display import OFFLINE_NOTE, Display, Rate, one_line
from ctiscraper.db.progress import Progress, ProgressBoard
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from make import settings

NOW = datetime(2026, 11, 20, tzinfo=UTC)
COUNTS = ("checked", "ok", "failing", "stored", "duplicate", "filtered", "failed", "dead")


def progress(**changes: int) -> Progress:
    counts = {**dict.fromkeys(COUNTS, 0), "sources": 9, "offline": 0, "pending": 0, "workers": 1}
    return Progress(at=NOW, **{**counts, **changes})


@pytest_asyncio.fixture
async def board(database: str) -> AsyncIterator[ProgressBoard]:
    async with Database(database, size=2) as opened:
        await Sources(opened).add(settings(), actor="test")
        yield ProgressBoard(opened)


def test_being_offline_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(None, NOW, lambda: 1)  # type: ignore[arg-type]  # nothing is read
    display._say(progress(offline=3), 0.0)
    display._say(progress(offline=9), 0.0)
    said = capsys.readouterr().out
    assert said.count(OFFLINE_NOTE) == 1
    assert "9 offline" in said


def test_the_rate_is_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.update(100, 0.0) == 0.0
    assert rate.update(150, 10.0) == 5.0
    assert rate.update(150, 100.0) == 0.0


async def test_what_moves_is_said_and_what_does_not_is_not(
    board: ProgressBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display(board, await board.now(), lambda: 1)
    one, _ = await display._read()
    two, pause = await display._read()
    assert one is not None
    assert two is not None
    assert (one.sources, one.checked, one.pending) == (1, 0, 0)
    assert pause >= 1.0
    assert "sources 0/1 checked" in one_line(one, 0.0)
    assert capsys.readouterr().out == ""


async def test_a_database_that_is_away_is_waited_for(database: str) -> None:
    async with Database(database, size=1) as opened:
        board = ProgressBoard(opened)
    assert (await Display(board, NOW, lambda: 1)._read())[0] is None

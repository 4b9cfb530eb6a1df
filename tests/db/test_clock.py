"""The server's clock as a process tells it."""

from datetime import UTC, datetime, timedelta

import pytest

from ctiscraper.db.clock import ServerClock
from db.stage import Stage


def test_it_goes_on_from_what_the_server_said(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [100.0]
    monkeypatch.setattr("ctiscraper.db.clock.time.monotonic", lambda: passed[0])
    clock = ServerClock()
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    passed[0] = 160.5
    assert clock() == datetime(2026, 1, 1, 0, 1, 0, 500_000, tzinfo=UTC)
    clock.set(datetime(2025, 1, 1, tzinfo=UTC))
    assert clock() == datetime(2025, 1, 1, tzinfo=UTC)


async def test_every_new_connection_tells_the_time(stage: Stage) -> None:
    stage.database.clock.set(datetime(2000, 1, 1, tzinfo=UTC))
    async with stage.database.connection() as conn:
        await conn.close()
    shown = await stage.value("SELECT clock_timestamp()")
    while stage.database.clock().year == 2000:
        shown = await stage.value("SELECT clock_timestamp(), pg_sleep(0.01)")
    assert isinstance(shown, datetime)
    assert abs(stage.database.clock() - shown) < timedelta(seconds=5)

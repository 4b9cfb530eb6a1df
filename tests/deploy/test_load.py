"""The load of bench/load in its short form: what is counted decides, not the clock."""

from pathlib import Path

import pytest

from ctiscraper.db.binaries import PgBinaries
from load.run import Load, load


@pytest.mark.timeout(300)
async def test_people_and_programs_are_served_while_it_collects(
    place: Path, binaries: PgBinaries
) -> None:
    wanted = Load(users=5, seconds=10, hosts=20, items=10, p95_ms=0, least=20)
    report = await load(place, binaries, wanted)
    assert report.code == 0, report.said
    assert "failed 0" in report.said
    assert report.articles > 0
    assert report.checks > 0
    assert report.lost == 0

"""The drills of bench/drills.py in their short form: what is counted decides, not the clock."""

from pathlib import Path

import pytest

from ctiscraper.db.binaries import PgBinaries
from drill_restore import binaries_with_base_backup, restore_drill


@pytest.mark.timeout(300)
async def test_a_lost_table_is_back_as_it_was_the_second_before(place: Path) -> None:
    binaries = binaries_with_base_backup()
    if binaries is None:
        pytest.skip("pg_basebackup is not installed here (Debian: apt-get install postgresql-15)")
    report = await restore_drill(place, binaries, rows=2_000)
    assert report.rows == 2_000
    assert report.equal_from_logs
    assert report.equal_from_dump


@pytest.mark.timeout(300)
async def test_passwords_are_renewed_while_people_read_and_workers_collect(
    place: Path, binaries: PgBinaries
) -> None:
    redis = redis_program()
    if redis is None:
        pytest.skip("no Redis is installed here (Debian: apt-get install redis-server)")
    report = await rotation_drill(place, binaries, redis, hosts=8, items=12, asked=300)
    assert report.failed == []
    assert report.kept == {
        "announced": report.expected,
        "stored": report.expected,
        "doubled": 0,
        "failed": 0,
    }
    assert report.survived > 0
    assert report.connected_anew > 0
    assert report.refused_by_database == 0
    assert report.refused_by_redis == 0
    assert report.heard_again > 0
    assert report.old_is_refused

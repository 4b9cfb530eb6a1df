"""The drills of bench/drills.py in their short form: what is counted decides, not the clock."""

from collections import Counter
from pathlib import Path

import pytest

from ctiscraper.db.binaries import PgBinaries
from drill_restore import binaries_with_base_backup, restore_drill
from drill_rotation import redis_program, rotation_drill
from drill_stop import stop_drill, switch_drill, tree_before_newest_migration, versions_drill


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


@pytest.mark.timeout(300)
async def test_every_service_ends_in_time_and_nobody_notices(
    place: Path, binaries: PgBinaries
) -> None:
    redis = redis_program()
    if redis is None:
        pytest.skip("no Redis is installed here (Debian: apt-get install redis-server)")
    report = await stop_drill(place, binaries, redis, hosts=8, items=12, asked=400)
    stopped = Counter(name for name, _ in report.seconds)
    assert stopped == {"web": 2, "worker": 2, "beat": 1, "nginx": 1}
    assert report.failed == []
    assert report.whole, report


@pytest.mark.timeout(300)
async def test_web_processes_take_turns_behind_nginx(place: Path, binaries: PgBinaries) -> None:
    report = await switch_drill(place, binaries, asked=600, switches=2)
    assert report.asked >= 600
    assert report.failed == []
    assert [name for name, _ in report.seconds] == ["web", "web"]


@pytest.mark.timeout(300)
async def test_the_version_before_serves_and_collects_beside_this_one(
    place: Path, binaries: PgBinaries, tmp_path: Path
) -> None:
    tree = tree_before_newest_migration(tmp_path)
    if tree is None:
        pytest.skip("the history of the repository does not reach back to the schema before")
    report = await versions_drill(place, binaries, tree, items=6, asked=50)
    assert report.older < report.newer
    assert report.failed == []
    assert min(report.asked.values()) >= 50
    assert report.collected == {"older": 6, "newer": 6}
    assert (report.kept["stored"], report.kept["doubled"]) == (report.expected, 0)

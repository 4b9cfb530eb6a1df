"""A raw store that hangs: its worker is ended, others take the work, and no item is blamed."""

import os
from pathlib import Path

from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.run import write_order
from internet.world import FakeInternet
from patience import until
from walk import hung_disk
from walk.walker import settings_for, walking

HOSTS, ITEMS = 3, 4


async def test_a_worker_whose_disk_hangs_gives_back_what_it_has_and_is_ended(
    database: str, tmp_path: Path
) -> None:
    hung = tmp_path / "hung"
    hung.touch()
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        await walk.add(*net.sources())
        crew = Crew(
            hung_disk.COMMAND,
            # Longer than the test: nothing runs out, all has to be given back.
            write_order(database, settings_for(net, tmp_path, lease_seconds=300)),
            1,
            tmp_path / "worker.log",
            pulse_seconds=5.0,
            environment={**os.environ, hung_disk.WHERE: str(hung)},
        )
        async with crew:
            taken = "SELECT count(*) = 3 FROM fetch_job WHERE state = 'leased'"
            await until(lambda: walk.value(taken))
            free = """
                SELECT max(attempts) = 0 AND bool_and(state = 'pending')
                    AND (SELECT bool_and(lease_owner IS NULL) FROM host) FROM fetch_job
            """
            await until(lambda: walk.value(free))
            hung.unlink()
            kept = f"SELECT count(*) = {HOSTS * ITEMS} FROM article"
            await until(lambda: walk.value(kept))
            assert crew.restarts == 1
        assert await walk.value("SELECT max(attempts) FROM fetch_job") == 1
        assert await walk.value("SELECT coalesce(sum(burnt), 0) FROM work_count") == 0

"""What a killed worker held is in another's hands after its lease and a few seconds."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from ctiscraper.tasks.run import write_order
from internet.world import FakeInternet
from patience import until
from walk.crew import Crew, crew_of
from walk.walker import Walk, settings_for, walking

HOSTS, ITEMS, LEASE, MOST_OVER = 4, 6, 2.0, 5.0
HELD = "/a/2"
# By the database's clock at the moment itself: whoever waits for a lock began before it.
WRITTEN = (
    "CREATE TABLE taken (job bigint, worker uuid, at timestamptz)",
    """
    CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO taken VALUES (NEW.id, NEW.worker, clock_timestamp()); RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER take AFTER UPDATE OF state ON fetch_job FOR EACH ROW
    WHEN (NEW.state = 'leased') EXECUTE FUNCTION take()
    """,
)
HOLDERS = f"""
SELECT h.pid, h.worker::text, array_agg(j.id) AS items FROM worker_heartbeat h
JOIN fetch_job j ON j.worker = h.worker AND j.state = 'leased' AND j.url LIKE '%{HELD}'
GROUP BY 1, 2 ORDER BY count(*) DESC, 1
"""


async def _kill_holder(walk: Walk, crew: Crew) -> tuple[str, str, str]:
    """End the worker that holds most; return its name, its items and the database's time then."""
    pid, worker, items = (await walk.rows(HOLDERS))[0]
    [victim] = [one for one in crew.workers if one.pid == pid]
    moment = await walk.value("SELECT clock_timestamp()")
    os.kill(victim.pid, signal.SIGKILL)
    assert isinstance(items, list)
    return str(worker), ", ".join(map(str, items)), str(moment)


@pytest.mark.parametrize("replaced", [False, True], ids=["alone", "replaced"])
async def test_what_a_killed_worker_held_is_taken_soon(
    database: str, tmp_path: Path, replaced: bool
) -> None:
    async with (
        FakeInternet(hosts=HOSTS, items=ITEMS) as net,
        walking(database, net, tmp_path) as walk,
    ):
        for statement in WRITTEN:
            await walk.run(statement)
        for site in net.sites:
            site.faults[HELD] = "hang"
        settings = settings_for(net, tmp_path, lease_seconds=LEASE)
        await walk.add(*net.sources())
        with crew_of(write_order(database, settings), 2) as crew:
            crew.fill()
            held = (
                f"SELECT sum(cardinality(items)) = {HOSTS} FROM ({HOLDERS}) h (pid, worker, items)"
            )
            await until(partial(walk.value, held))
            await until(partial(walk.value, "SELECT count(*) = 2 FROM worker_heartbeat"))
            for site in net.sites:
                del site.faults[HELD]
            worker, items, moment = await _kill_holder(walk, crew)
            if replaced:
                await until(partial(_filled, crew))
            ended = (
                f"SELECT bool_and(state = 'stored') FROM fetch_job WHERE id = ANY(ARRAY[{items}])"
            )
            await until(partial(walk.value, ended))
        first = f"SELECT min(at) FROM taken WHERE job = j.id AND at > '{moment}'"
        waits = await walk.rows(
            f"""
            SELECT attempts, extract(epoch FROM ({first} AND worker <> '{worker}') - '{moment}')
            FROM fetch_job j WHERE id = ANY(ARRAY[{items}])
            """
        )
        assert waits
        assert all(attempts == 2 for attempts, _ in waits)
        longest = max(float(str(wait)) for _, wait in waits)
        assert longest <= LEASE + MOST_OVER


async def _filled(crew: Crew) -> bool:
    """Whether the one that ended has been started anew."""
    crew.fill()
    return crew.ended == 1

"""`up`: everything starts, survives and ends together."""

import signal
from pathlib import Path

import httpx2
import psutil
import pytest

from cli.terminal import Background, Running, Terminal, catalogue_of, environment
from cli.visitor import set_up
from internet.world import FakeInternet


def workers_of(running: Running) -> list[psutil.Process]:
    """The worker processes of a program that runs."""
    children = psutil.Process(running.process.pid).children()
    return [child for child in children if "ctiscraper.tasks.run" in child.cmdline()]


def new_worker(running: Running, old: psutil.Process) -> psutil.Process:
    """The worker that took the place of another; progress lines are the clock."""
    while True:
        running.until("progress")
        for worker in workers_of(running):
            if worker.pid != old.pid:
                return worker


def test_a_killed_worker_is_replaced_and_the_end_is_clean(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=3)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        sites = ["--catalogue", catalogue_of(net, tmp_path)]
        with terminal.running("up", "--port", "0", "--json", *sites) as running:
            ready = running.until("ready")
            assert ready["url"].startswith("http://127.0.0.1:")
            with set_up(ready) as client:
                assert client.get("").status_code == 200
            assert httpx2.get(f"{ready['url']}health/ready").json() == {"status": "ok"}
            running.until("progress", stored=3, pending=0)

            [worker] = workers_of(running)
            assert database not in " ".join(worker.cmdline())
            worker.kill()
            net.sites[0].bump(2)
            terminal.run("sources", "edit", "site-0", "--set", "notes=looked at")
            fresh = new_worker(running, worker)
            running.until("progress", stored=5, pending=0)

            ended = running.stop(signal.SIGTERM)
        assert ended.code == 0
        assert ended.lines[-1] == {"event": "stopped"}
        assert ended.err == ""
        assert not fresh.is_running()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_every_way_to_stop_is_clean(database: str, tmp_path: Path, number: signal.Signals) -> None:
    terminal = Terminal(environment(database, tmp_path))
    with terminal.running("up", "--port", "0", "--json", "--no-collect") as running:
        assert running.until("ready")["workers"] == 0
        assert workers_of(running) == []
        ended = running.stop(number)
    assert (ended.code, ended.lines[-1]) == (0, {"event": "stopped"})


def test_workers_end_with_a_parent_that_was_killed(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=1)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        with terminal.running("collect", "--json") as running:
            running.until("progress", stored=1, pending=0)
            workers = workers_of(running)
            running.process.kill()
            running.process.communicate()
            gone, alive = psutil.wait_procs(workers, timeout=30)
        assert (len(gone), alive) == (1, [])


def test_a_taken_port_is_told_before_anything_starts(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    with terminal.running("up", "--port", "0", "--json", "--no-collect") as running:
        port = running.until("ready")["url"].rstrip("/").rpartition(":")[2]
        ended = terminal.run("up", "--port", port, code=3)
    assert f"port {port}" in ended.err
    assert "--port" in ended.err

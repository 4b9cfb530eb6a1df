"""`health`: what a container's health check is told."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.terminal import Terminal, environment
from ctiscraper.tasks.pulse import Pulse


def test_a_web_process_is_asked_whether_it_lives(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    with terminal.running("up", "--port", "0", "--json", "--no-collect") as running:
        port = str(urlsplit(running.until("ready")["url"]).port)
        assert terminal.run("health", "web", "--port", port).out == "web: well\n"
        assert running.stop().code == 0
    ended = terminal.run("health", "--port", port, "--json", code=1)
    assert (ended.json["role"], ended.json["well"]) == ("web", False)
    assert f"port {port} does not answer" in ended.json["fault"]


@pytest.mark.parametrize("role", ["worker", "beat"])
def test_a_pulse_counts_while_it_is_fresh(tmp_path: Path, role: str) -> None:
    file = tmp_path / "pulse"
    terminal = Terminal({"CTISCRAPER_PULSE_FILE": str(file)})
    assert terminal.run("health", role, code=1).out == f"{role}: no pulse in {file}\n"
    Pulse(file).beat()
    assert terminal.run("health", role).out == f"{role}: well\n"
    file.write_text("1\n", "ascii")
    assert "silent for" in terminal.run("health", role, code=1).out
    assert terminal.run("health", role, "--within", "1e9").out == f"{role}: well\n"


def test_without_a_file_the_way_out_is_named() -> None:
    ended = Terminal({}).run("health", "worker", code=3)
    assert "CTISCRAPER_PULSE_FILE" in ended.err


def test_a_worker_shows_its_pulse_until_it_ends(database: str, tmp_path: Path) -> None:
    file = tmp_path / "pulse"
    settings = environment(database, tmp_path) | {"CTISCRAPER_PULSE_FILE": str(file)}
    terminal = Terminal(settings)
    with terminal.running("worker") as running:
        while terminal.run("health", "worker", code=None).code:
            assert running.process.poll() is None
        assert running.stop().code == 0

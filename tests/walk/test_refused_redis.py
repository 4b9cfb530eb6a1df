"""Real processes before a Redis that lets them not in: each says which setting mends it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from cli.terminal import PATIENCE, Running, Terminal, environment
from cli.visitor import PASSWORD
from ctiscraper.tasks.valkey import EmbeddedValkey

WRONG = "wr0ng-s3cret"


@pytest.fixture(params=["url", "file"])
def refused(
    database: str, tmp_path: Path, valkey: EmbeddedValkey, request: pytest.FixtureRequest
) -> tuple[Terminal, str]:
    """A terminal with a wrong password in the URL or in a file, and what is to be said of it."""
    settings = environment(database, tmp_path) | {"CTISCRAPER_LOG_FORMAT": "json"}
    place = f"127.0.0.1:{valkey.port}"
    if request.param == "url":
        settings["REDIS_URL"] = f"redis://:{WRONG}@{place}/0"
        return Terminal(settings), "refuses user or password; correct them in REDIS_URL"
    file = tmp_path / "redis-password"
    file.write_text(WRONG, "utf-8")
    settings |= {"REDIS_URL": f"redis://{place}/0", "REDIS_PASSWORD_FILE": str(file)}
    return Terminal(settings), f"correct the password in the file of REDIS_PASSWORD_FILE ({file})"


def logged(running: Running) -> Iterator[dict[str, object]]:
    """What a process logs, as it comes."""
    assert running.process.stderr is not None
    for line in running.process.stderr:
        assert WRONG not in line
        yield json.loads(line)


@pytest.mark.parametrize("command", [("beat",), ("worker", "--workers", "1")])
def test_the_log_of_a_process_says_what_mends_it(
    refused: tuple[Terminal, str], command: tuple[str, ...]
) -> None:
    terminal, words = refused
    with terminal.running(*command) as running:
        said = next(line for line in logged(running) if line["event"] == "redis_away")
        assert words in str(said["detail"])
        assert said["level"] == "warning"


def test_the_pages_go_on_and_the_operations_say_what_mends_it(
    refused: tuple[Terminal, str],
) -> None:
    terminal, words = refused
    terminal.run("user", "create", "--admin", "jane", stdin=PASSWORD.encode())
    token = terminal.run("token", "create", "watch", "--scope", "operations:read", "--json").json[
        "secret"
    ]
    with terminal.running("web", "--port", "0", "--json") as running:
        url = running.until("ready")["url"]
        seen = httpx2.get(
            f"{url}api/v1/operations",
            headers={"authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        ).json()
        assert httpx2.get(f"{url}health/ready").status_code == 200

    [finding] = [one for one in seen["findings"] if one["part"] == "redis"]
    assert finding["verdict"] == "warn"
    assert words in finding["words"]
    assert WRONG not in str(seen)

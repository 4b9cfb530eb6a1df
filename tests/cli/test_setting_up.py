"""Every way to start: who may reach it, and how the first administrator gets in."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psycopg
import pytest

from cli.terminal import Terminal, environment
from cli.visitor import PATIENCE, SAME_SITE, form, set_up

START = ("up", "--port", "0", "--no-collect")


def test_the_address_is_good_once_and_in_no_log(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path) | {"CTISCRAPER_LOG_LEVEL": "debug"})
    with terminal.running(*START, "--json") as running:
        ready = running.until("ready")
        token = ready["setup"].partition("#token=")[2]
        assert ready["setup"] == f"{ready['url']}setup#token={token}"
        assert len(token) == 22
        assert httpx2.get(ready["url"]).status_code == 503
        assert httpx2.get(f"{ready['url']}api/v1/articles").status_code == 503
        with set_up(ready) as client:
            assert client.get("").status_code == 200
            assert client.get("setup").status_code == 410
            assert client.post("setup", data=form(ready["setup"], "other")).status_code == 410
        ended = running.stop()
    assert ended.code == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    logs = ended.err + "".join(path.read_text("utf-8", "replace") for path in written)
    assert "request" in logs
    assert token not in logs
    assert token not in str(rows(database))
    with terminal.running(*START, "--json") as running:
        assert running.until("ready")["setup"] is None


def rows(database: str) -> list[object]:
    """All that is kept of people and of what was given out."""
    with psycopg.connect(database) as connection:
        tables = ("app_user", "user_session", "one_time_secret")
        return [
            connection.execute(f"SELECT * FROM {table}".encode()).fetchall() for table in tables
        ]


def test_a_person_is_told_on_the_terminal(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    with terminal.running(*START) as running:
        assert running.process.stdout is not None
        for line in running.process.stdout:
            if "#token=" in line:
                break
        assert line.strip().startswith("http://127.0.0.1:")
        assert "good once" in next(running.process.stdout)


def test_an_address_expires_and_a_new_start_shows_another(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    with terminal.running(*START, "--json") as running:
        old = running.until("ready")["setup"]
    with terminal.running(*START, "--json") as running:
        ready = running.until("ready")
        url = f"{ready['url']}setup"
        assert httpx2.post(url, data=form(old), headers=SAME_SITE).status_code == 403
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE one_time_secret SET expires_at = now()")
        given = form(ready["setup"])
        assert httpx2.post(url, data=given, headers=SAME_SITE).status_code == 403


def test_those_who_set_up_at_once_make_one_administrator(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    with terminal.running(*START, "--json") as running:
        ready = running.until("ready")

        def visit(number: int) -> int:
            given = form(ready["setup"], f"admin{number}")
            answer = httpx2.post(
                f"{ready['url']}setup", data=given, headers=SAME_SITE, timeout=PATIENCE
            )
            return answer.status_code

        with ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(visit, range(20)))
    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 403, 410, 429}
    assert len(terminal.run("user", "list", "--json").json) == 1


def test_a_key_that_others_can_read_stops_the_start(database: str, tmp_path: Path) -> None:
    terminal = Terminal(environment(database, tmp_path))
    key = tmp_path / "secret.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o644)
    for command in (START, ("web", "--port", "0")):
        assert "chmod 600" in terminal.run(*command, code=3).err
    key.chmod(0o600)
    with terminal.running(*START, "--json") as running:
        running.until("ready")


@pytest.mark.parametrize("command", [START, ("web", "--port", "0")])
def test_others_are_served_only_where_passwords_are_safe(
    database: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    terminal = Terminal(environment(database, tmp_path))
    refused = terminal.run(*command, "--host", "0.0.0.0", code=3)
    assert "--tls-cert" in refused.err
    assert "--behind-proxy" in refused.err
    half = terminal.run(*command, "--host", "0.0.0.0", "--tls-cert", "/nothing", code=3)
    assert "--tls-key" in half.err
    wrong = terminal.run(*command, "--behind-proxy", "everybody", code=3)
    assert "CTISCRAPER_BEHIND_PROXY" in wrong.err


def test_a_proxy_that_was_named_is_believed(database: str, tmp_path: Path) -> None:
    settings = environment(database, tmp_path) | {"CTISCRAPER_ALLOWED_HOSTS": "cti.example.org"}
    terminal = Terminal(settings)
    hops = ("--host", "0.0.0.0", "--behind-proxy", "127.0.0.1/32,10.0.0.0/8")
    with terminal.running(*START, "--json", *hops) as running:
        ready = running.until("ready")
        assert ready["url"].startswith("http://127.0.0.1:")
        said = {
            **SAME_SITE,
            "host": "cti.example.org",
            "x-forwarded-proto": "https",
            "x-forwarded-for": "203.0.113.9",
        }
        answer = httpx2.post(f"{ready['url']}setup", data=form(ready["setup"]), headers=said)
        assert answer.status_code == 303
        assert answer.headers["set-cookie"].startswith("__Host-ctiscraper=")
        assert "strict-transport-security" in answer.headers
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT host(ip) FROM user_session").fetchone()
    assert row == ("203.0.113.9",)


def test_without_collecting_it_says_that_no_model_is_asked(database: str, tmp_path: Path) -> None:
    model = {"CTISCRAPER_MODEL_URL": "http://127.0.0.1:9", "CTISCRAPER_MODEL": "tiny"}
    terminal = Terminal(environment(database, tmp_path) | model)
    with terminal.running(*START) as running:
        assert running.process.stdout is not None
        told = next(line for line in running.process.stdout if line.startswith("Models"))
        ended = running.stop()
    assert told == "Models      tiny, asked nothing here: ctiscraper model-worker asks\n"
    assert ended.code == 0

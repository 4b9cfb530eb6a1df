"""What processes really write to standard error: one line each, in one form, without secrets."""

import asyncio
import contextlib
import json
import logging
import os
import pty
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

import patience
from canary import ACCESS_KEY, CANARY, PLACES
from cli.terminal import Background, Terminal, catalogue_of, environment
from ctiscraper import telemetry
from ctiscraper.config import Settings
from ctiscraper.tasks.run import COMMAND, write_order
from internet.world import FakeInternet

TESTS = Path(__file__).parent
PATIENCE = 60.0
# Parts as well: a secret must not be cut in two either.
SECRETS = (CANARY, "4d1f9c", ACCESS_KEY)


def said_by_worker(conninfo: str, settings: Settings) -> str:
    """What a worker process writes that cannot reach its database; its parent lives on."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(write_order(conninfo, settings))
        process.stdin.flush()
        said = process.stderr.read().decode()
        assert process.wait(PATIENCE) == 1
    return said


def said_by(way: str, code: int, **more: str) -> str:
    """What a process of `canary` wrote to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "canary", way],
        cwd=TESTS,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def lines_of(text: str) -> list[dict[str, Any]]:
    """The lines, each an object of JSON with its time, its level and what happened."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
        assert line["level"] in {"debug", "info", "warning", "error", "critical"}
        assert list(line)[:3] == ["timestamp", "level", "event"]
    return lines


def test_a_secret_in_many_places_is_in_no_line() -> None:
    said = said_by("json", code=1)
    lines = lines_of(said)
    assert len(PLACES) >= 20
    # Each place has its line, and at last there is what ended the process.
    assert len([line for line in lines if line["level"] != "debug"]) == len(PLACES) + 1
    assert [secret for secret in SECRETS if secret in said] == []
    last = lines[-1]
    assert (last["level"], last["event"]) == ("critical", "unhandled")
    assert "RuntimeError: redis://***@cache.example:6379/0 is away" in last["exception"]
    assert "password=***" in last["exception"]


def test_a_person_gets_the_same_without_secrets_and_a_line_each() -> None:
    said = said_by("plain", code=1)
    assert [secret for secret in SECRETS if secret in said] == []
    heads = [line for line in said.splitlines() if not line.startswith("    ")]
    assert all(datetime.fromisoformat(line.split()[0]).tzinfo for line in heads)


def test_libraries_write_in_the_same_form() -> None:
    lines = lines_of(said_by("json", code=1))
    named = {line.get("logger"): line["level"] for line in lines}
    assert named["uvicorn.error"] == "error"
    assert named["tasks"] == "warning"
    assert named["kombu.connection"] == "error"
    assert named["py.warnings"] == "warning"
    assert named["asyncio"] == "error"


async def test_a_query_that_is_stopped_twice_is_no_news(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.configure_logs(json=True)
    async with await psycopg.AsyncConnection.connect(database) as conn:

        async def is_asking() -> bool:
            return conn.info.transaction_status is TransactionStatus.ACTIVE

        logging.getLogger("psycopg").warning("query cancellation failed")
        asked = asyncio.ensure_future(conn.execute("SELECT pg_sleep(60)"))
        await patience.until(is_asking)
        for _ in range(2):
            asked.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert conn.closed
    (line,) = lines_of(capsys.readouterr().err)
    assert (line["event"], line["logger"]) == ("query cancellation failed", "psycopg")


def test_a_worker_of_celery_writes_in_the_same_form() -> None:
    said = said_by("celery", code=0)
    lines = lines_of(said)
    [away] = [line for line in lines if line["level"] == "error"]
    assert away["logger"].startswith("celery.")
    assert "Cannot connect to redis://" in away["event"]
    assert CANARY not in said


def test_a_worker_that_cannot_start_says_it_without_the_password(tmp_path: Path) -> None:
    conninfo = f"postgresql://cti:{CANARY}@127.0.0.1:1/cti?connect_timeout=1"
    said = said_by_worker(conninfo, Settings(data_dir=tmp_path))
    [line] = lines_of(said)
    assert (line["level"], line["event"]) == ("error", "worker_failed")
    assert CANARY not in said


def test_the_pages_tell_of_each_request_and_of_no_secret(database: str, tmp_path: Path) -> None:
    given = environment(make_conninfo(database, password=CANARY), tmp_path)
    terminal = Terminal({**given, "CTISCRAPER_LOG_LEVEL": "info"})
    headers = {
        "Cookie": f"session={CANARY}",
        "Authorization": f"Bearer {CANARY}",
        "X-Api-Key": CANARY,
        "Referer": f"http://127.0.0.1/?token={CANARY}",
    }
    password = b"seven lanterns hum at noon\n"
    terminal.run("user", "create", "--admin", "jane", stdin=password)
    with terminal.running("up", "--port", "0", "--json", "--no-collect") as running:
        url = running.until("ready")["url"]
        with httpx2.Client(base_url=url, headers=headers) as browser:
            asked = [
                browser.get("/api/v1/articles/9", params={"token": CANARY}),
                browser.get("/sources"),
                browser.get(f"/nothing/password={CANARY}%0d%0aforged"),
                browser.get("/health/live"),
                browser.get("/", headers={"host": f"{CANARY}.example"}),
                browser.get("/static/base.css"),
            ]
        ended = running.stop(signal.SIGTERM)
    lines = [line for line in lines_of(ended.err) if line["event"] == "request"]
    assert [
        (line["method"], line["route"], line["status"], line["request_id"]) for line in lines
    ] == [
        ("GET", route, answer.status_code, answer.headers["x-request-id"])
        for route, answer in zip(
            ("/api/v1/articles/{article_id}", "/sources", "(none)", "(none)", "/static/*"),
            (answer for answer in asked if answer.url.path != "/health/live"),
            strict=True,
        )
    ]
    assert [line["status"] for line in lines] == [401, 401, 404, 421, 200]
    assert all(line["ms"] >= 0 and line["bytes"] > 0 for line in lines)
    assert CANARY not in ended.err


def test_a_worker_names_what_it_works_at(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=2)) as net:
        net.sites[0].faults["/a/1"] = "status_410"
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        terminal.run("collect", "--once", "--json")
    lines = lines_of((tmp_path / "worker.log").read_text("utf-8"))
    [checked] = [line for line in lines if line["event"] == "checked"]
    items = [line for line in lines if line["event"] == "processed"]
    assert (checked["source"], checked["discovered"]) == ("site-0", 2)
    assert sorted(line["outcome"] for line in items) == ["stored", "stored"]
    for line in (checked, *items):
        assert line["worker"] == checked["worker"]
        assert line["host"] == net.sites[0].name
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT id, article_id FROM fetch_job ORDER BY 1").fetchall()
    assert sorted((line["job"], line["article"]) for line in items) == rows
    assert {line["attempt"] for line in items} == {1}
    [refused] = [line for line in items if "reason" in line]
    assert refused["reason"] == "gone"


@pytest.mark.parametrize(("wanted", "form"), [("plain", "plain"), ("json", "json"), (None, "json")])
def test_an_operator_chooses_the_form(tmp_path: Path, wanted: str | None, form: str) -> None:
    chosen = Settings(data_dir=tmp_path, log_format=wanted)  # type: ignore[arg-type]  # as from outside
    [line] = said_by_worker("host=127.0.0.1 port=1 connect_timeout=1", chosen).splitlines()
    assert line.startswith("{") is (form == "json")
    assert "worker_failed" in line


@pytest.mark.parametrize(("level", "told"), [("warning", False), ("info", True), (None, False)])
def test_an_operator_chooses_how_much(
    database: str, tmp_path: Path, level: str | None, *, told: bool
) -> None:
    given = environment(database, tmp_path) | ({"CTISCRAPER_LOG_LEVEL": level} if level else {})
    with Terminal(given).running("up", "--port", "0", "--json", "--no-collect") as running:
        assert httpx2.get(running.until("ready")["url"]).status_code == 503
        ended = running.stop(signal.SIGTERM)
    assert ('"event": "request"' in ended.err) is told


def test_a_worker_by_itself_says_what_it_does(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=1)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        with terminal.running("worker") as running:
            assert running.process.stderr is not None
            events = (json.loads(line)["event"] for line in running.process.stderr)
            assert "processed" in events
            assert running.stop(signal.SIGTERM).code == 0


def test_a_form_that_there_is_not_is_named(tmp_path: Path) -> None:
    wrong = environment("postgresql://localhost/none", tmp_path) | {"CTISCRAPER_LOG_FORMAT": "xml"}
    ended = Terminal(wrong).run("accounting", code=3)
    assert "CTISCRAPER_LOG_FORMAT" in ended.err


def test_on_a_terminal_lines_are_plain() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "canary", "auto"]
    with subprocess.Popen(command, cwd=TESTS, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        # A terminal whose other end is closed ends with an error, not with nothing.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65_536):
                said += piece
        assert process.wait(PATIENCE) == 1
    os.close(ours)
    assert datetime.fromisoformat(said.decode().split()[0]).tzinfo
    assert CANARY not in said.decode()


def test_work_goes_on_when_nobody_can_be_told() -> None:
    """Standard error is closed, or its reader is gone."""
    command = f"exec {sys.executable} -m canary json"
    for closed in ("2>&-", "2>/dev/full"):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], cwd=TESTS, timeout=PATIENCE, check=False
        )
        assert done.returncode == 1


class Hostile:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise RecursionError("asked")


class HostileError(Exception):
    """Cannot be told."""

    def __str__(self) -> str:
        raise ZeroDivisionError("asked")


def raised(error: Exception) -> Exception:
    """An exception with a traceback."""
    with contextlib.suppress(type(error)):
        raise error
    return error


fields = st.dictionaries(
    st.text(max_size=12),
    st.recursive(
        st.one_of(
            st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.builds(Hostile)
        ),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=8,
    ),
    max_size=6,
)
errors = st.one_of(
    st.none(),
    st.booleans(),
    st.text(),
    st.builds(ValueError, st.text()).map(raised),
    st.builds(HostileError).map(raised),
    st.builds(lambda text: ExceptionGroup("some", [ValueError(text)]), st.text()).map(raised),
)


@settings(max_examples=300)
@given(st.text(), fields, errors, st.booleans())
def test_any_event_is_one_line_that_moves_no_cursor(
    event: str, given: dict[str, object], error: object, json_wanted: bool
) -> None:
    line = telemetry._line({"event": event, **given, "exc_info": error}, "error", json=json_wanted)
    if json_wanted:
        assert line.isascii()
        assert len(line.splitlines()) == 1
        assert isinstance(json.loads(line), dict)
    else:
        assert all(char.isprintable() or char == "\n" for char in line)
        assert all(rest.startswith("    ") for rest in line.split("\n")[1:])


def test_the_end_of_a_long_traceback_is_kept() -> None:
    line = telemetry._line(
        {"event": "failed", "exc_info": raised(ValueError("x" * 100_000 + " the end"))},
        "error",
        json=True,
    )
    assert len(line) < 20_000
    assert json.loads(line)["exception"].endswith("the end")


def test_what_says_nothing_is_left_out() -> None:
    line = telemetry._line({"event": "checked", "reason": None, "status": 0}, "info", json=True)
    assert list(json.loads(line)) == ["timestamp", "level", "event", "status"]


def test_the_program_ends_quietly_by_ctrl_c() -> None:
    command = "import ctiscraper.telemetry as t; t.configure_logs(); raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")

"""Production's commands: each by itself, and all of them together on one machine."""

import asyncio
import json
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from cli.terminal import PATIENCE, Background, Terminal, catalogue_of, environment
from cli.visitor import PASSWORD, SAME_SITE
from ctiscraper import loop
from ctiscraper.access.cookies import csrf_token
from ctiscraper.cli.display import Display
from ctiscraper.cli.stack import Layout, _run
from ctiscraper.config import load_settings
from internet.world import FakeInternet


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_all_services_together_collect_and_end_cleanly(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=2, items=3)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        port = str(free_port())
        with terminal.running("stack", "--port", port, "--workers", "1", "--json") as running:
            url = running.until("ready")["url"]
            running.until("progress", stored=6, pending=0)
            assert httpx2.get(f"{url}health/ready").json() == {"status": "ok"}
            services = psutil.Process(running.process.pid).children(recursive=True)
            said = [" ".join(service.cmdline()) for service in services]
            for part in ("ctiscraper.cli web", "ctiscraper.cli worker", "ctiscraper.cli beat"):
                assert any(part in words for words in said), said
            assert any("valkey-server" in words for words in said)
            assert not any(database in words for words in said)
            ended = running.stop()
        assert ended.code == 0
        gone, alive = psutil.wait_procs(services, timeout=30)
        assert (len(gone), alive) == (len(services), [])


async def test_they_end_though_what_shows_them_missed_that_it_should(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0.01)
    begun, show = asyncio.Event(), Display.run

    async def deaf(self: Display) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await show(self)

    monkeypatch.setattr(Display, "run", deaf)
    settings = load_settings(data_dir=tmp_path, database_url=database, workers=1)
    running = asyncio.create_task(_run(settings, Layout(port=free_port()), as_json=True))
    await begun.wait()
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=PATIENCE)
    assert done == {running}
    assert running.cancelled()


def test_the_pages_work_without_redis(database: str, tmp_path: Path) -> None:
    settings = environment(database, tmp_path) | {"REDIS_URL": "redis://127.0.0.1:1/0"}
    terminal = Terminal(settings)
    terminal.run(
        "sources", "add", "https://acme.example/", "--unchecked", "--yes", "--set", "key=acme"
    )
    terminal.run("user", "create", "--admin", "jane", stdin=PASSWORD.encode())
    with terminal.running("web", "--port", "0", "--json") as running:
        url = running.until("ready")["url"]
        with httpx2.Client(base_url=url, headers=SAME_SITE, timeout=PATIENCE) as client:
            client.post("login", data={"login": "jane", "password": PASSWORD})
            for page in ("", "sources", "accounting", "api/v1/articles"):
                assert client.get(page).status_code == 200
            csrf = {"x-csrf-token": csrf_token(client.cookies["ctiscraper"])}
            for _ in range(3):
                answer = client.post("api/v1/sources/acme/check", headers=csrf)
                assert answer.status_code == 202
        assert httpx2.get(f"{url}health/ready").status_code == 200
        running.stop()


def test_a_redis_that_is_no_redis_is_refused_at_the_start(terminal: Terminal) -> None:
    terminal = Terminal({**terminal.environment, "REDIS_URL": "http://cache.example/"})
    ended = terminal.run("worker", code=3)
    assert "REDIS_URL" in ended.err
    assert "rediss://" in ended.err


@pytest.mark.parametrize("tier", ["premium", "basic"])
def test_workers_may_be_kept_to_a_tier(database: str, tmp_path: Path, tier: str) -> None:
    with Background(FakeInternet(hosts=2, items=2)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        terminal.run("sources", "edit", "site-0", "--set", "tier=premium")
        terminal.run("sources", "edit", "site-1", "--set", "tier=basic")
        kept, other = ("site-0", "site-1") if tier == "premium" else ("site-1", "site-0")
        with terminal.running("worker", "--workers", "1", "--tier", tier):
            deadline = time.monotonic() + PATIENCE
            while last_success(terminal, kept) is None:
                assert time.monotonic() < deadline
        assert last_success(terminal, other) is None


def last_success(terminal: Terminal, key: str) -> str | None:
    """When a source last went well, as the program shows it."""
    shown = json.loads(terminal.run("sources", "show", key, "--json").out)
    found: str | None = shown["overview"]["last_success_at"]
    return found

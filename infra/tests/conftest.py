"""Servers of AWS's interfaces on loopback: one empty for each test, one with production in it."""

import logging
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from moto.moto_api import state_manager
from moto.server import ThreadedMotoServer

from emulated import certificate, deployer, parameters
from emulation import Deployer
from emulation.server import NO_MACHINES, empty
from emulation.server import moto_server as running_moto
from installation import Installation, installation

_IN_MOTO = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    os.environ.update(NO_MACHINES)
    # Each request of a test would be a line of what is shown when it fails.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    # Tasks stay as they are until the agent of the test ends them.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 9999})
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a server that holds nothing."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in _IN_MOTO.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(f"{moto_server}/moto-api/reset", data=b"").close()
    return moto_server


@pytest.fixture(scope="session")
def clients() -> dict[tuple[str, str], Any]:
    return {}


@pytest.fixture
def installed(aws: str, clients: dict[tuple[str, str], Any]) -> Iterator[Installation]:
    with installation(aws, clients) as made:
        yield made


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of moto; each module that deploys empties it first."""
    with running_moto() as address:
        yield address


@pytest.fixture(scope="module")
def prod(emulator: str) -> Deployer:
    """Production, as deployed for the tests that read it."""
    empty(emulator)
    made = deployer("prod", emulator)
    made.deploy(made.templates, parameters("prod", certificate(emulator)))
    return made

"""What tests of several modules need."""

from collections.abc import Iterator

import pytest

from emulated import certificate, deployer, parameters
from emulation import Deployer
from emulation.server import empty, moto_server


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of moto; each module that deploys empties it first."""
    with moto_server() as address:
        yield address


@pytest.fixture(scope="module")
def prod(emulator: str) -> Deployer:
    """Production, as deployed for the tests that read it."""
    empty(emulator)
    made = deployer("prod", emulator)
    made.deploy(made.templates, parameters("prod", certificate(emulator)))
    return made

"""What tests of several modules need."""

from collections.abc import Iterator

import pytest

from emulation.server import moto_server


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of moto; each module that deploys empties it first."""
    with moto_server() as address:
        yield address

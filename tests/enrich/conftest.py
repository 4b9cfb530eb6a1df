"""What several tests of this room need."""

import pytest

from ctiscraper.enrich.verdicts import Verdicts
from ctiscraper.packs.warninglists import WarningPack, build_default


@pytest.fixture(scope="session")
def warning_pack() -> WarningPack:
    """The pack that the installed lists make."""
    return build_default()[1]


@pytest.fixture(scope="session")
def verdicts(warning_pack: WarningPack) -> Verdicts:
    """What judges by that pack."""
    return Verdicts(warning_pack)

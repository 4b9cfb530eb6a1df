"""Which PostgreSQL the tests run on."""

import os
from functools import cache
from pathlib import Path

from ctiscraper.db.binaries import PgBinaries, find_binaries

# A folder with initdb and postgres; without it the tests take what the program itself would.
VARIABLE = "CTISCRAPER_TEST_PG_BIN"


@cache
def chosen_binaries() -> PgBinaries:
    """The PostgreSQL programs of this run."""
    folder = os.environ.get(VARIABLE)
    return find_binaries(Path(folder) if folder else None)

"""One installation that has collected a small internet, for every test that only looks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.terminal import Background, Ended, Terminal, catalogue_of, environment
from databases import FreshDatabases
from internet.world import FakeInternet


@dataclass(frozen=True)
class Collected:
    """Three sites of four articles, one that has no feed and one with links that lead nowhere."""

    terminal: Terminal
    net: FakeInternet
    first: Ended


@pytest.fixture
def terminal(database: str, tmp_path: Path) -> Terminal:
    return Terminal(environment(database, tmp_path))


@pytest.fixture(scope="module")
def module_database(fresh_databases: FreshDatabases) -> Iterator[str]:
    """A fresh database for all tests of a file."""
    name = fresh_databases.take()
    yield fresh_databases.conninfo(name)
    fresh_databases.drop(name)


@pytest.fixture(scope="module")
def collected(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collected]:
    folder = tmp_path_factory.mktemp("collected")
    with Background(FakeInternet(hosts=5, items=4)) as net:
        net.sites[0].faults["/a/0"] = "status_410"
        net.sites[1].faults["/a/1"] = "same_text"
        net.sites[2].faults["/a/1"] = "same_text"
        net.sites[3].faults["feed"] = "html_as_feed"
        net.sites[4].faults["feed"] = "script_links"
        terminal = Terminal(environment(module_database, folder, net))
        terminal.run("sources", "import", catalogue_of(net, folder))
        yield Collected(terminal, net, terminal.run("collect", "--once", "--json", code=4))

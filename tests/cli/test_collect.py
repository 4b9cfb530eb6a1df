"""`collect`: rounds, their counts and their exit codes."""

from collections import Counter
from pathlib import Path

from cli.conftest import Collected
from cli.terminal import Background, Terminal, catalogue_of, environment
from internet.world import FakeInternet


def test_a_round_ends_with_everything_counted(collected: Collected) -> None:
    [*_, last] = collected.first.lines
    progress = last["progress"]
    names = ("sources", "checked", "ok", "failing", "stored", "duplicate", "failed", "pending")
    assert [progress[name] for name in names] == [5, 5, 4, 1, 11, 2, 3, 0]
    assert [source["key"] for source in last["failed"]] == ["site-3"]
    assert last["failed"][0]["reason"] == "not_a_feed"


def test_every_page_is_asked_for_once(collected: Collected) -> None:
    asked = Counter((request.host, request.path) for request in collected.net.requests)
    assert {key for key, count in asked.items() if count > 1} == set()


def test_one_source_alone_and_then_nothing_more(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=2, items=2)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        terminal.run("collect", "--once", "--source", "site-1")
        assert {request.host for request in net.requests} == {net.sites[1].name}
        assert len(net.requests) == 4
        terminal.run("sources", "remove", "site-0")
        net.requests.clear()
        said = terminal.run("collect", "--once")
        assert net.requests == []
        assert "0/1 checked" in said.out
        assert "2 stored" in said.out


def test_failures_are_told_in_plain_words(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=1)) as net:
        net.sites[0].faults["feed"] = "status_404"
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        said = terminal.run("collect", "--once", code=4)
        assert "1 source did not answer well" in said.out
        assert "site-0" in said.out


def test_without_once_it_goes_on_until_told_to_stop(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=2)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        with terminal.running("collect", "--json") as running:
            running.until("progress", stored=2, pending=0)
            ended = running.stop()
        assert ended.code == 0
        assert ended.lines[-1]["event"] == "done"

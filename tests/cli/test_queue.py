"""`dead`, `quarantine` and `reprocess`."""

from pathlib import Path

from cli.conftest import Collected
from cli.terminal import Background, Terminal, catalogue_of, environment
from internet.world import FakeInternet


def test_failed_items_are_listed_with_their_cause(collected: Collected) -> None:
    page = collected.terminal.run("dead", "list", "--state", "failed", "--json").json
    assert {item["reason"] for item in page["items"]} == {"scheme_refused"}
    assert {item["source"]["key"] for item in page["items"]} == {"site-4"}
    assert "site-4" in collected.terminal.run("dead", "list", "--state", "failed").out
    assert collected.terminal.run("dead", "list").out == "Nothing here.\n"


def test_an_action_needs_to_know_what_on(collected: Collected) -> None:
    assert collected.terminal.run("dead", "retry", code=2).err
    assert collected.terminal.run("dead", "discard", "1", "--all", code=2).err
    assert collected.terminal.run("quarantine", "release", "0", "--json", code=5).json == {
        "count": 0
    }
    assert collected.terminal.run("reprocess", code=2).err
    assert collected.terminal.run("reprocess", "--source", "nobody", code=5).err


def test_items_get_another_go(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=3)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        terminal.run("sources", "edit", "site-0", "--set", "min_length=90000")
        terminal.run("collect", "--once")
        held = terminal.run("quarantine", "list", "--cause", "too_short", "--json").json["items"]
        assert len(held) == 3
        one = str(held[0]["id"])
        assert terminal.run("quarantine", "release", one).out == "1 item let through.\n"
        rest = ["--all", "--source", "site-0", "--json"]
        assert terminal.run("quarantine", "release", *rest).json == {"count": 2}
        net.requests.clear()
        terminal.run("collect", "--once")
        assert terminal.run("accounting", "--json").json["total"]["stored"] == 3
        assert net.requests == []

        assert terminal.run("reprocess", "--all", "--json").json == {
            "count": 3,
            "without_page": 0,
        }
        terminal.run("collect", "--once")
        assert net.requests == []
        assert terminal.run("accounting", "--json").json["total"]["stored"] == 3
        assert terminal.noted() == [
            *("source.import", "source.change", "queue.release", "queue.release"),
            "article.reprocess",
        ]


def test_discarded_items_stay_counted(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=3)) as net:
        net.sites[0].faults["feed"] = "script_links"
        terminal = Terminal(environment(database, tmp_path, net))
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        terminal.run("sources", "check", "site-0")
        before = terminal.run("accounting", "--json").json["total"]
        assert before["failed"] == before["discovered"] > 0
        given = ["--state", "failed", "--all", "--json"]
        assert terminal.run("dead", "discard", *given).json == {"count": before["failed"]}
        after = terminal.run("accounting", "--json").json["total"]
        assert (after["failed"], after["filtered"]) == (0, before["failed"])
        assert terminal.noted() == ["source.import", "source.check", "queue.discard"]

"""`sources`: the whole life of a source from the command line."""

import json
from pathlib import Path

import pytest

from cli.conftest import Collected
from cli.terminal import Background, Terminal, environment
from internet.world import FakeInternet

OPML = b"""<opml version="2.0"><body><outline text="Security">
<outline type="rss" text="One" xmlUrl="https://one.example/feed"/>
<outline type="rss" text="One again" xmlUrl="https://one.example/feed/"/>
<outline type="rss" text="Bad" xmlUrl="javascript:alert(1)"/>
</outline></body></opml>"""


def test_the_list_says_how_each_source_is(collected: Collected) -> None:
    found = collected.terminal.run("sources", "list", "--json").json
    assert {source["key"]: source["health"] for source in found} == {
        "site-0": "ok",
        "site-1": "ok",
        "site-2": "ok",
        "site-3": "failing",
        "site-4": "ok",
    }
    table = collected.terminal.run("sources", "list").out
    assert "site-3  Site 3  standard  Failing" in table
    failing = collected.terminal.run("sources", "list", "--health", "failing", "--json").json
    assert [source["key"] for source in failing] == ["site-3"]


def test_a_source_is_shown_with_its_past(collected: Collected) -> None:
    detail = collected.terminal.run("sources", "show", "site-0", "--json").json
    assert detail["accounting"]["discovered"] == 4
    assert [check["status"] for check in detail["checks"]] == [200]
    words = collected.terminal.run("sources", "show", "site-3").out
    assert "What to do" in words
    changes = collected.terminal.run("sources", "changes", "site-0", "--json").json
    assert [(c["actor"], c["action"]) for c in changes] == [("command line", "add")]
    assert "imported" in collected.terminal.run("sources", "changes", "site-0").out


@pytest.mark.parametrize("command", ["show", "changes", "edit", "remove", "check"])
def test_an_unknown_source_is_named(collected: Collected, command: str) -> None:
    more = ["--set", "tier=basic"] if command == "edit" else []
    ended = collected.terminal.run("sources", command, "nobody", *more, code=5)
    assert ended.err == "ctiscraper: there is no source with the key 'nobody'\n"


def test_any_address_of_a_site_is_enough(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=7)) as net:
        terminal = Terminal(environment(database, tmp_path, net))
        url = net.sites[0].url()
        seen = terminal.run("sources", "preview", url, "--json").json
        assert seen["settings"]["feed_url"] is not None
        assert [bool(sample["excerpt"]) for sample in seen["samples"]] == [True] * 5
        assert terminal.run("sources", "list", "--json").json == []

        given = ["--set", "key=mine", "--set", "tier=premium", "--reason", "asked for"]
        said = terminal.run("sources", "add", url, "--samples", "1", *given).out
        assert "7" in said
        assert "Saved as 'mine'" in said
        again = terminal.run("sources", "add", url, "--samples", "0", code=6)
        assert "the source 'mine' collects" in again.err

        checked = terminal.run("sources", "check", "mine", "--json").json
        assert checked["check"]["discovered"] == 7
        assert "nothing new" in terminal.run("sources", "check", "mine").out
        assert terminal.noted() == [
            *("source.preview", "source.add", "source.check", "source.check"),
        ]


def test_a_site_that_does_not_answer_is_not_saved(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=1)) as net:
        net.sites[0].faults["index"] = "status_404"
        terminal = Terminal(environment(database, tmp_path, net))
        url = net.sites[0].url()
        ended = terminal.run("sources", "add", url, code=4)
        assert "404" in ended.err
        assert terminal.run("sources", "list", "--json").json == []
        saved = terminal.run("sources", "add", url, "--unchecked", "--json").json
        assert saved["settings"]["url"] == url


def test_settings_are_edited_and_the_edit_is_recorded(terminal: Terminal) -> None:
    terminal.run("sources", "add", "https://a.example/", "--unchecked", "--set", "key=a")
    edit = ["--set", "exclude_words=[webinar, podcast]", "--set", "crawl_delay=5"]
    changed = terminal.run("sources", "edit", "a", *edit, "--reason", "noise", "--json").json
    assert changed["settings"]["exclude_words"] == ["webinar", "podcast"]
    assert changed["settings"]["crawl_delay"] == 5.0
    back = terminal.run("sources", "edit", "a", "--set", "crawl_delay=", "--json").json
    assert back["settings"]["crawl_delay"] is None
    newest = terminal.run("sources", "changes", "a", "--json").json[1]
    assert {field["field"] for field in newest["fields"]} == {"exclude_words", "crawl_delay"}
    assert newest["reason"] == "noise"
    added, edited, _ = reversed(terminal.run("audit", "list", "--json").json["entries"])
    assert (edited["action"], edited["object_id"]) == ("source.change", "a")
    assert edited["before_hash"] == added["after_hash"]
    assert json.loads(edited["changes"])["reason"] == "noise"


def test_every_fault_of_an_edit_is_named(terminal: Terminal) -> None:
    terminal.run("sources", "add", "https://a.example/", "--unchecked", "--set", "key=a")
    ended = terminal.run(
        "sources", "edit", "a", "--set", "tier=gold", "--set", "teir=basic", "--json", code=7
    )
    problems = json.loads(ended.err)["problems"]
    assert len(problems) == 2
    assert "did you mean 'tier'?" in problems[1]
    assert terminal.run("sources", "edit", "a", "--set", "tier", code=7).err.count("name=value")
    assert terminal.run("sources", "edit", "a", code=2).out == ""


def test_a_removed_source_is_gone(terminal: Terminal) -> None:
    terminal.run("sources", "add", "https://a.example/", "--unchecked", "--set", "key=a")
    assert terminal.run("sources", "remove", "a").out == "'a' is removed.\n"
    assert terminal.run("sources", "list", "--json").json == []


def test_a_paused_source_is_not_checked(terminal: Terminal) -> None:
    given = ["--set", "key=a", "--set", "active=false"]
    terminal.run("sources", "add", "https://a.example/", "--unchecked", *given)
    ended = terminal.run("sources", "check", "a", code=6)
    assert "--set active=true" in ended.err
    ended = terminal.run("collect", "--source", "a", "--once", code=6)
    assert "--set active=true" in ended.err


def test_opml_of_another_reader_is_reported_row_by_row(terminal: Terminal) -> None:
    dry = terminal.run("sources", "import", "-", "--dry-run", "--json", stdin=OPML, code=7).json
    assert [row["outcome"] for row in dry["rows"]] == ["added", "known", "bad"]
    assert terminal.run("sources", "list", "--json").json == []
    said = terminal.run("sources", "import", "-", stdin=OPML, code=7).out
    assert "1 added, 1 known already, 1 bad" in said
    assert [s["key"] for s in terminal.run("sources", "list", "--json").json] == ["one"]


@pytest.mark.parametrize("form", [[], ["--catalogue"]])
def test_what_is_exported_comes_back(terminal: Terminal, tmp_path: Path, form: list[str]) -> None:
    given = ["--set", "key=a", "--set", "tier=premium", "--set", "min_length=200"]
    terminal.run("sources", "add", "https://a.example/x?y=1&z", "--unchecked", *given)
    before = terminal.run("sources", "show", "a", "--json").json["settings"]
    file = tmp_path / "sources"
    terminal.run("sources", "export", *form, "--output", str(file))
    assert terminal.run("sources", "export", *form).out == file.read_text("utf-8")
    terminal.run("sources", "remove", "a")
    terminal.run("sources", "import", str(file))
    assert terminal.noted() == [
        *("source.add", "source.export", "source.export", "source.remove", "source.import"),
    ]
    assert terminal.run("sources", "show", "a", "--json").json["settings"] == before


def test_a_catalogue_with_faults_is_refused_with_its_lines(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("sources:\n  - key: a\n    name: A\n    url: ftp://a.example\n", "utf-8")
    ended = terminal.run("sources", "import", str(file), code=7)
    assert "mine.yaml:4: source 'a': url" in ended.err
    missing = terminal.run("sources", "import", str(tmp_path / "none.opml"), code=3)
    assert "No such file" in missing.err

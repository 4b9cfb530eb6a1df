"""`eval`: how well observables are found."""

from pathlib import Path

from cli.terminal import Terminal


def test_the_table_has_every_kind_and_the_sum(terminal: Terminal) -> None:
    lines = terminal.run("eval").out.splitlines()
    kinds = [line.split()[0] for line in lines[1:] if line]
    assert {"url", "sha256", "yara", "all"} <= set(kinds)
    assert lines[-1] == "9 texts read."


def test_json_has_the_same(terminal: Terminal) -> None:
    done = terminal.run("eval", "--json").json
    assert done["texts"] == 9
    assert done["all"]["right"] == sum(kind["right"] for kind in done["kinds"].values())


def test_a_folder_without_reports_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    assert "name a folder with labelled reports" in terminal.run("eval", str(tmp_path), code=3).err


def test_techniques_are_told_by_set_and_by_rule(terminal: Terminal) -> None:
    lines = terminal.run("eval", "--only", "attack", "--rules").out.splitlines()
    words = [line.split() for line in lines if line]
    assert [line[0] for line in words[1:3]] == ["bundled", "all"]
    assert ["screenshot", "T1113", "1", "0", "1.000"] in words
    assert lines[-1].endswith(
        "texts read, ATT&CK enterprise 18.1, mobile MISP galaxy 33, ics MISP galaxy 1."
    )


def test_json_of_techniques_has_every_error(terminal: Terminal) -> None:
    done = terminal.run("eval", "--only", "attack", "--json").json
    assert done["all"]["missed"] == len(done["misses"])
    assert done["all"]["extra"] == len(done["extras"])
    assert done["rules"]["id T1055.012"] == {"right": 1, "extra": 0}

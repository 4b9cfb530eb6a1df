"""`eval`: how well observables are found."""

import gzip
import json
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


def test_verdicts_are_counted_by_kind(terminal: Terminal) -> None:
    lines = terminal.run("eval", "--only", "verdicts").out.splitlines()
    assert lines[0].split() == ["kind", "caught", "let", "off", "share", "cleared", "accused",
                                "share"]  # fmt: skip
    assert any(line.startswith("all ") for line in lines)
    assert lines[-1] == "6 texts read."


def test_a_wrong_verdict_is_shown_with_its_reasons(tmp_path: Path, terminal: Terminal) -> None:
    file = tmp_path / "data" / "ioc" / "docs.jsonl.gz"
    file.parent.mkdir(parents=True)
    report = {"id": "r", "text": "Write to evil-host.top.", "truth": [["domain", "evil-host.top"]]}
    file.write_bytes(gzip.compress(json.dumps(report).encode()))
    out = terminal.run("eval", str(tmp_path), "--only", "verdicts").out
    assert "let off: domain 'evil-host.top' in r (+0.00: )" in out
    [wrong] = terminal.run("eval", str(tmp_path), "--only", "verdicts", "--json").json["let_off"]
    assert (wrong["value"], wrong["verdict"], wrong["reasons"]) == (
        "evil-host.top",
        "mentioned",
        [],
    )


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

"""`doctor`: verdicts and what to do."""

from pathlib import Path

from cli.conftest import Collected
from cli.terminal import Terminal, environment
from ctiscraper.db.migrate import downgrade


def test_a_good_installation_has_no_failure(collected: Collected) -> None:
    findings = collected.terminal.run("doctor", "--json").json
    verdicts = {finding["part"]: finding["verdict"] for finding in findings}
    assert "fail" not in verdicts.values()
    assert verdicts["accounting"] == verdicts["postgresql"] == verdicts["network"] == "ok"
    assert verdicts["contact"] == verdicts["way out"] == "warn"
    assert all(finding["advice"] for finding in findings if finding["verdict"] != "ok")


def test_an_empty_database_is_said(database: str, tmp_path: Path) -> None:
    downgrade(database)
    ended = Terminal(environment(database, tmp_path)).run("doctor", "--no-network", code=1)
    assert "run 'ctiscraper migrate'" in ended.out


def test_a_database_that_is_away_is_a_finding(tmp_path: Path) -> None:
    away = environment("postgresql://nobody:secret@127.0.0.1:1/none", tmp_path)
    ended = Terminal(away).run("doctor", "--no-network", code=1)
    assert "127.0.0.1:1/none cannot be used" in ended.out
    assert "secret" not in ended.out + ended.err

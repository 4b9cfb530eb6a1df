"""`model`: as an operator sees it, with a real small model and without any."""

from pathlib import Path

import pytest

from cli.terminal import Terminal
from ctiscraper.cli.exits import Exit
from small_model import SMALL_MODEL


def terminal(folder: Path, url: str = "", model: str = "") -> Terminal:
    """A terminal with these settings."""
    return Terminal(
        {
            "CTISCRAPER_DATA_DIR": str(folder),
            "CTISCRAPER_MODEL_URL": url,
            "CTISCRAPER_MODEL": model,
        }
    )


@pytest.mark.parametrize("command", [("check",), ("list",), ("pull", "x:1b")])
def test_without_a_server_it_says_how_to_have_one(tmp_path: Path, command: tuple[str]) -> None:
    ended = terminal(tmp_path).run("model", *command, code=Exit.MODEL)
    assert "set CTISCRAPER_MODEL_URL" in ended.err


def test_a_server_that_is_away_is_said_so(tmp_path: Path) -> None:
    away = terminal(tmp_path, "http://127.0.0.1:1", "x:1b")
    ended = away.run("model", "check", code=Exit.MODEL)
    assert "Ollama at http://127.0.0.1:1 cannot be reached" in ended.err
    assert '"error":"model"' in away.run("model", "check", "--json", code=Exit.MODEL).err


def test_a_check_asks_and_tells_what_it_took(tmp_path: Path, small_model: str) -> None:
    good = terminal(tmp_path, small_model, SMALL_MODEL)
    shown = good.run("model", "check").out
    assert "Ollama 0.12.6" in shown
    assert SMALL_MODEL in shown
    assert "yours" in shown
    found = good.run("model", "check", "--json").json
    assert found["model"] == SMALL_MODEL
    assert found["answer_tokens"] > 0
    assert found["seconds"] > 0
    ended = good.run("model", "check", "nobody:1b", code=Exit.MODEL)
    assert "ctiscraper model pull nobody:1b" in ended.err
    assert "no model is named" in terminal(tmp_path, small_model).run(
        "model", "check", code=Exit.MODEL
    ).err  # fmt: skip


def test_models_are_listed_and_fetched(tmp_path: Path, small_model: str) -> None:
    good = terminal(tmp_path, small_model, SMALL_MODEL)
    assert [one["name"] for one in good.run("model", "list", "--json").json] == [SMALL_MODEL]
    assert "8192" in good.run("model", "list").out
    lines = good.run("model", "pull").out.splitlines()
    assert lines[-1] == "success"
    assert any("98 of 98 MB, 100%" in line for line in lines)
    steps = good.run("model", "pull", "--json").lines
    assert steps[-1] == {"state": "success", "done": 0, "total": 0}
    ended = good.run("model", "pull", "nobody:1b", code=Exit.MODEL)
    assert "its registry has none of this name" in ended.err
    assert terminal(tmp_path, small_model).run("model", "pull", code=Exit.USAGE).err

"""`demo`: the whole product on its own database and its own sites."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.terminal import Terminal
from cli.visitor import set_up
from ctiscraper.demo.library import load_articles

# Its own database and nothing of the operator's is used, whatever the environment says.
HOSTILE = {
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "CTISCRAPER_PROXY": "http://127.0.0.1:1",
}


@pytest.mark.usefixtures("binaries")
def test_the_demo_shows_everything(tmp_path: Path) -> None:
    articles = load_articles()
    terminal = Terminal(HOSTILE)
    with terminal.running("demo", "--port", "0", "--json", "--data", str(tmp_path)) as running:
        ready = running.until("ready")
        kept = {"checked": 4, "pending": 0, "failing": 0, "failed": 0, "dead": 0, "duplicate": 1}
        progress = running.until("progress", **kept)["progress"]
        assert progress["stored"] + progress["duplicate"] == len(articles)

        with set_up(ready) as client:
            listed = read(client, "api/v1/articles?limit=200")["articles"]
            assert len(listed) == len(articles) - 1
            assert sum(article["folded"] for article in listed) == 1
            [refused] = [article for article in listed if article["method"] == "feed"]
            notes = read(client, f"api/v1/articles/{refused['id']}")["notes"]
            assert any(note.startswith("feed text: the page was refused") for note in notes)
            assert client.get("").status_code == 200
        ended = running.stop()
    assert ended.code == 0
    assert ended.lines[-1] == {"event": "stopped"}


def read(client: httpx2.Client, path: str) -> Any:  # noqa: ANN401 - whatever JSON it is
    return client.get(path).raise_for_status().json()

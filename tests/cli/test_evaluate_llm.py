"""`eval llm`: a model asked over the wire, and how it did as a table and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from cli.terminal import Terminal
from ctiscraper.analysis.labelled import bundled_set
from web.said import claim, say
from web.shelf import Shelf

WIPER = "the group Quiet Otter used a wiper called SaltDrift against two container ports in Norway"


class Answering(BaseHTTPRequestHandler):
    """One answer for every question."""

    said = json.dumps({"claims": [{"quotes": [WIPER], "text": "A wiper hit ports in Norway."}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "gone":
            self._say(404, {"error": "model 'gone' not found"})
            return
        line = {
            "model": "m",
            "message": {"role": "assistant", "content": self.said},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 70,
            "eval_count": 7,
        }
        self._say(200, line)

    def _say(self, status: int, line: dict[str, object]) -> None:
        body = json.dumps(line).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def asking(terminal: Terminal) -> Iterator[Terminal]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield replace(
            terminal, environment={**terminal.environment, "CTISCRAPER_MODEL_URL": address}
        )
        server.shutdown()
        thread.join()


def test_a_table_has_a_row_for_each_task(asking: Terminal) -> None:
    done = asking.run("eval", "llm", "--model", "m", "--task", "summary", "--task", "key_points",
                      "--article", "wiper in ports", "--article", "advertisement")  # fmt: skip
    lines = done.out.splitlines()
    assert lines[0].startswith("m at Ollama at http://127.0.0.1:")
    rows = {line.split()[0]: line.split() for line in lines[3:5]}
    # One claim is right, of four facts; the other article does not hold the quotation.
    assert rows["summary"][1:7] == ["2", "1.00", "1.00", "1", "1", "0.50"]
    assert rows["summary"][7:10] == ["1.00", "0.25", "0.40"]
    assert rows["summary"][-2:] == ["140", "14"]
    assert "summary, dropped: unquoted 1" in lines
    assert "key_points" in rows
    assert lines[-1].startswith("2 articles read, set bundled-")
    assert "summary: wiper in ports: 1 kept" in done.err


def test_json_has_the_same_and_can_be_written(asking: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    done = asking.run("eval", "llm", "--model", "m", "--model", "n", "--task", "relations",
                      "--article", "wiper in ports", "--json", "--write", str(file))  # fmt: skip
    assert done.json == json.loads(file.read_text("utf-8"))
    assert [one["model"] for one in done.json] == ["m", "n"]
    [task] = done.json[0]["tasks"]
    # The answer lacks what is asked of a relation, at both tries.
    assert (task["faults"], task["valid"], task["f1"]) == ({"bad_answer": 1}, 0.0, 0.0)
    assert task["missed"] == 3
    assert done.err == ""


def test_what_was_measured_before_a_fault_is_kept_and_told(
    asking: Terminal, database: str, tmp_path: Path
) -> None:
    file = tmp_path / "scores.json"
    line = ("--model", "m", "--model", "gone", "--task", "summary", "--article", "wiper in ports")
    done = asking.run("eval", "llm", *line, "--keep", "--write", str(file), code=None)
    assert done.code != 0
    assert "gone" in done.err
    assert "m at Ollama" in done.out
    [written] = json.loads(file.read_bytes())
    assert written["model"] == "m"
    with psycopg.connect(database) as connection:
        kept = connection.execute("SELECT model FROM model_evaluation").fetchall()
        spent = connection.execute("SELECT model, prompt_tokens FROM model_spent").fetchall()
    assert kept == [("m",)]
    assert ("m", 70) in spent


def test_without_a_server_or_a_model_it_says_what_to_set(terminal: Terminal) -> None:
    assert "CTISCRAPER_MODEL_URL" in terminal.run("eval", "llm", "--model", "m", code=3).err
    known = {**terminal.environment, "CTISCRAPER_MODEL_URL": "http://127.0.0.1:9"}
    there = replace(terminal, environment=known)
    assert "--model" in there.run("eval", "llm", code=3).err
    told = there.run("eval", "llm", "--model", "m", code=None)
    assert told.code != 0
    assert "cannot be reached" in told.err


def test_an_article_that_is_not_there_is_named(asking: Terminal) -> None:
    ended = asking.run("eval", "llm", "--model", "m", "--article", "x", code=None)
    assert ended.code != 0
    assert "no article is called 'x'" in ended.err
    assert bundled_set().articles[0].name in ended.err


TEXT = f"In June 2025 {WIPER}. Nobody paid them."
WIPED = claim("A wiper hit ports in Norway.", TEXT, WIPER)
FELL = claim("Two banks fell.", TEXT, "Nobody paid them")


def judge(shelf: Shelf, number: int, at: int, *, good: bool) -> None:
    shelf.run(
        "INSERT INTO model_feedback (analysis_id, claim_key, claim, good, actor)"
        " SELECT id, %s, claims->%s, %s, 'ann' FROM model_analysis WHERE id = %s",
        (f"k{at}".encode(), at, good, number),
    )


def test_thumbs_of_readers_are_a_set(asking: Terminal, database: str) -> None:
    shelf = Shelf(database)
    article = shelf.article("one", text=TEXT)
    number = say(shelf, article, WIPED, FELL)
    judge(shelf, number, 0, good=True)
    judge(shelf, number, 1, good=False)
    done = asking.run("eval", "llm", "--model", "m", "--from-thumbs", "10", "--keep")
    lines = done.out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[3:10]}
    assert rows["summary"][1:10] == ["1", "1.00", "1.00", "1", "0", "1.00", "1.00", "1.00", "1.00"]
    assert rows["techniques"][1] == "0"
    assert lines[-2].startswith("1 article read, set thumbs-")
    assert lines[-1] == "2 judged claims in it."
    assert f"summary: article {article}: 1 kept" in done.err
    [kept] = shelf.run("SELECT result->>'set' FROM model_evaluation")
    assert kept.startswith("thumbs-")
    source, model, calls, tokens = shelf.run(
        "SELECT source_id, model, calls, prompt_tokens + answer_tokens FROM model_spent"
    )
    assert (source, model) == (0, "m")
    assert calls >= 1
    assert tokens > 0


def test_thumbs_that_make_no_set_are_told(asking: Terminal, database: str) -> None:
    shelf = Shelf(database)
    refused = asking.run("eval", "llm", "--model", "m", "--from-thumbs", "10", code=None)
    assert refused.code != 0
    assert "no claim was judged" in refused.err
    judge(shelf, say(shelf, shelf.article("one", text="Withdrawn."), WIPED), 0, good=True)
    refused = asking.run("eval", "llm", "--model", "m", "--from-thumbs", "10", code=None)
    assert "(1 revised)" in refused.err
    both = asking.run(
        "eval", "llm", "--model", "m", "--from-thumbs", "1", "--article", "lesson", code=None
    )
    assert "--article" in both.err


def test_guarded_texts_go_to_no_remote_server(asking: Terminal, database: str) -> None:
    shelf = Shelf(database)
    text = f"TLP:RED {TEXT}"
    judge(shelf, say(shelf, shelf.article("one", text=text), claim("x", text, WIPER)), 0, good=True)
    asked = ("eval", "llm", "--model", "m", "--from-thumbs", "10", "--task", "summary")
    assert asking.run(*asked).out.endswith("1 judged claim in it.\n")
    far = {**asking.environment, "CTISCRAPER_MODEL_URL": "https://models.example"}
    refused = replace(asking, environment=far).run(*asked, code=None)
    assert "(1 guarded)" in refused.err

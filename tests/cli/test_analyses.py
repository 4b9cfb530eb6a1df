"""`analysis` on the terminal: asked, shown with its words, cancelled, asked again, paid, judged."""

from dataclasses import replace

from cli.terminal import Terminal
from ctiscraper.cli.exits import Exit
from web.said import claim, say
from web.shelf import Shelf

TEXT = "The group used PowerShell to run its loader."


def with_model(terminal: Terminal) -> Terminal:
    model = {"CTISCRAPER_MODEL_URL": "http://127.0.0.1:9", "CTISCRAPER_MODEL": "small"}
    return replace(terminal, environment={**terminal.environment, **model})


def test_without_a_model_it_says_so(terminal: Terminal, database: str) -> None:
    number = Shelf(database).article("one", text=TEXT)
    assert "none is configured, and nothing needs one" in terminal.run("analysis", "cost").out
    assert "No model was asked" in terminal.run("analysis", "list").out
    refused = terminal.run("analysis", "run", str(number), code=None)
    assert refused.code != Exit.OK
    assert "no model is configured" in refused.err.lower()


def test_a_model_is_asked_cancelled_and_asked_again(terminal: Terminal, database: str) -> None:
    number = Shelf(database).article("one", text=TEXT)
    asking = with_model(terminal)
    made = asking.run("analysis", "run", str(number), "--task", "title", "--json").json
    [one] = made["analyses"]
    assert (one["task"], one["state"], one["model"]) == ("title", "pending", "small")
    assert asking.run("analysis", "cancel", str(one["id"]), "--json").json == {"count": 1}
    assert asking.run("analysis", "retry", str(one["id"])).out == f"Analysis {one['id']} pending.\n"
    assert asking.run("analysis", "cancel", "--all").out == "1 cancelled.\n"
    told = asking.run("analysis", "run", str(number), "--task", "title").out
    assert "pending" in told
    assert told.endswith(f"look again: ctiscraper analysis list --article {number}\n")
    assert asking.run("analysis", "retry", "999", code=Exit.NOT_FOUND).err
    entries = terminal.run("audit", "list", "--json").json["entries"]
    assert [entry["action"] for entry in entries] == [
        "analysis.ask",
        "analysis.cancel_all",
        "analysis.retry",
        "analysis.cancel",
        "analysis.ask",
    ]


def test_all_that_failed_is_asked_again(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    number = shelf.article("one", text=TEXT)
    for task, fault in (("title", "refused"), ("summary", "timeout"), ("relations", "timeout")):
        say(shelf, number, task=task, state="failed", fault=fault)
    asking = with_model(terminal)
    asking.run("analysis", "retry", code=Exit.USAGE)
    asking.run("analysis", "retry", "1", "--fault", "timeout", code=Exit.USAGE)
    assert asking.run("analysis", "retry", "--all", "--fault", "timeout").out == "2 asked again.\n"
    assert asking.run("analysis", "retry", "--all", "--json").json == {"count": 1}
    assert asking.run("audit", "list", "--json").json["entries"][0]["action"] == (
        "analysis.retry_all"
    )


def test_what_texts_wait_for_is_said(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    say(shelf, shelf.article("one", text=TEXT), state="pending")
    shelf.run(
        "INSERT INTO model_server (name, failures, rest_until, fault, detail) VALUES"
        " ('http://127.0.0.1:9', 5, now() + interval '30 s', 'refused', 'a wrong key')"
    )
    asking = with_model(terminal)
    told = asking.run("analysis", "cost").out
    assert "The server of models refuses: a wrong key" in told
    assert "CTISCRAPER_MODEL_KEY_FILE; it is asked again by itself." in told
    assert "pending (refused)" in asking.run("analysis", "list").out
    status = " ".join(asking.run("status", code=None).out.split())
    assert "language models" in status


def test_claims_are_shown_with_their_words_and_faults_with_what_to_do(
    terminal: Terminal, database: str
) -> None:
    shelf = Shelf(database)
    article = shelf.article("one", text=TEXT)
    loader = claim("It ran a loader.\x1b[2J", TEXT, "loader", verb="uses")
    done = say(shelf, article, loader, dropped=2, why='{"invented": 2}')
    failed = say(
        shelf, article, model="b", state="failed", fault="timeout", detail="120 s", raw="half"
    )  # fmt: skip
    shown = terminal.run("analysis", "show", str(done)).out
    assert "1. It ran a loader." in shown
    assert "2 claims left out, as the text does not prove it.\n   2 named what" in shown
    assert "> loader" in shown
    assert "\x1b" not in shown
    told = terminal.run("analysis", "show", str(failed)).out
    assert "The answer did not come in time: 120 s" in told
    assert "What to do: allow more with CTISCRAPER_MODEL_SECONDS" in told
    listed = terminal.run("analysis", "list", "--article", str(article)).out
    assert "failed (timeout)" in listed
    states = terminal.run("analysis", "list", "--state", "failed", "--json").json["analyses"]
    assert [row["analysis"]["id"] for row in states] == [failed]


def test_what_people_judged_is_written_a_line_each(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    number = say(shelf, shelf.article("one", text=TEXT), claim("So.", TEXT, "loader"))
    shelf.run(
        "INSERT INTO model_feedback (analysis_id, claim_key, claim, good, actor)"
        " SELECT id, 'k', claims->0, false, 'ann' FROM model_analysis"
    )
    [line] = terminal.run("analysis", "judged").lines
    assert (line["analysis_id"], line["bad"], line["claim"]["text"]) == (number, 1, "So.")

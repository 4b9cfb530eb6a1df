"""`analysis` on the terminal: asked, shown with its words, cancelled, asked again, paid, judged."""

import json
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


def test_of_one_article_those_that_stand_so_are_listed(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    article = shelf.article("one", text=TEXT)
    say(shelf, article, claim("It ran a loader.", TEXT, "loader"))
    for model in ("b", "c"):
        say(shelf, article, model=model, state="failed", fault="timeout")
    asked = ("analysis", "list", "--article", str(article))
    for given, states in (
        ([], ["done", "failed", "failed"]),
        (["--state", "failed"], ["failed", "failed"]),
        (["--state", "failed", "--limit", "1"], ["failed"]),
        (["--state", "pending"], []),
    ):
        found = terminal.run(*asked, *given, "--json").json["analyses"]
        assert sorted(one["state"] for one in found) == states
    refused = terminal.run(*asked, "--cursor", "x", code=Exit.USAGE)
    assert "--cursor" in refused.err


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
    assert shown.index("written by a program that can be wrong") < shown.index("1. It ran")
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


def test_all_that_is_known_of_an_analysis_is_told(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    article = shelf.article("one", text=TEXT)
    loader = claim("It ran a loader.", TEXT, "loader")
    done = say(
        shelf, article, loader, hidden=140, unread=5200, parts=3, repaired=True, seconds=12.5,
        failed_parts='{"bad_answer": 1}', copied_from=77, asked_by="ann", attempts=3,
    )  # fmt: skip
    shown = terminal.run("analysis", "show", str(done)).out
    for told in (
        "140 characters of the text that no reader sees: not shown to the model.",
        "5200 characters of the text not read, as it is long.",
        "One part of 4 got no usable answer (the answer is not of the form that was asked for).",
        "The first answer could not be used: it was asked once more.",
        "as answered for the same words in analysis 77",
        "12.5 s",
        "3 times",
        " by ann",
    ):
        assert told in shown, shown
    assert [line.split() for line in shown.splitlines() if "Parts" in line] == [
        ["Parts", "read", "3"]
    ]
    runs = say(shelf, article, model="b", state="running", said=1234)
    assert "is being answered: 1,234 characters so far" in _shown(terminal, runs)
    ended = say(shelf, article, model="c", state="cancelled", detail="the text was revised")
    assert "Why: the text was revised." in _shown(terminal, ended)
    rules = say(
        shelf, article, claim("A rule", TEXT, "loader", rule="title: A"), task="sigma_rules",
        dropped=1, why='{"no_yaml": 1}',
    )  # fmt: skip
    told_of = _shown(terminal, rules)
    assert "None is a draft before" in " ".join(told_of.split())
    assert "1 rule left out.\n   1 could not be read as YAML" in told_of
    # Waiting for its turn and waiting for a server are told apart.
    waits = say(shelf, article, model="d", state="pending")
    assert "waits for its turn" in _shown(terminal, waits)
    shelf.run(
        "UPDATE model_analysis SET run_after = now() + interval '1 hour', fault = 'timeout',"
        " detail = '120 s' WHERE id = %s",
        (waits,),
    )
    later = _shown(terminal, waits)
    assert "is asked again later" in later
    assert "Not before" in later


def test_two_models_are_compared(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    article = shelf.article("one", text=TEXT)
    assert "No model was asked" in terminal.run("analysis", "compare", str(article)).out
    say(shelf, article, claim("It ran a loader.", TEXT, "loader"), model="small")
    alone = terminal.run("analysis", "compare", str(article)).out
    assert "Only small was asked" in alone
    say(shelf, article, claim("It used PowerShell.", TEXT, "PowerShell"), model="large")
    say(shelf, article, task="title", model="large")
    told = terminal.run("analysis", "compare", str(article), "--left", "small").out
    assert told.index("Summary, by small") < told.index("1. It ran a loader.")
    assert told.index("Summary, by large") < told.index("1. It used PowerShell.")
    assert "Title in English, by small\nIt was not asked this." in told
    assert told.count("written by a program that can be wrong") == 2
    found = terminal.run("analysis", "compare", str(article), "--right", "small", "--json").json
    assert (found["left"], found["right"], len(found["tasks"])) == ("large", "small", 2)
    assert terminal.run("analysis", "compare", "999", code=Exit.NOT_FOUND).err


def test_claims_are_judged_and_it_is_taken_back(terminal: Terminal, database: str) -> None:
    shelf = Shelf(database)
    number = str(say(shelf, shelf.article("one", text=TEXT), claim("So.", TEXT, "loader")))
    said = terminal.run("analysis", "judge", number, "1", "wrong", "--note", "It did not.").out
    assert said == f"Claim 1 of analysis {number} is held to be wrong:\n  So.\n"
    assert "Held to be right by 0, wrong by 1; you: wrong." in _shown(terminal, int(number))
    [line] = terminal.run("analysis", "judged").lines
    assert (line["good"], line["bad"]) == (0, 1)
    found = terminal.run("analysis", "judge", number, "1", "right", "--json").json
    [one] = found["analysis"]["claims"]
    assert (one["good"], one["bad"], one["mine"]) == (1, 0, True)
    back = terminal.run("analysis", "judge", number, "1", "none").out
    assert back == f"Claim 1 of analysis {number} is judged by you no more:\n  So.\n"
    assert terminal.run("analysis", "judged").out == ""
    assert terminal.run("analysis", "judge", number, "2", "right", code=Exit.NOT_FOUND).err
    assert terminal.run("analysis", "judge", number, "1", "so", code=Exit.USAGE).err
    entries = terminal.run("audit", "list", "--json").json["entries"]
    assert [(entry["action"], entry["object_id"]) for entry in entries] == [
        ("analysis.judge", number)
    ] * 3
    assert [json.loads(entry["changes"]) for entry in entries] == [
        {"claim": 1, "good": None},
        {"claim": 1, "good": True},
        {"claim": 1, "good": False},
    ]


def _shown(terminal: Terminal, number: int) -> str:
    return terminal.run("analysis", "show", str(number)).out

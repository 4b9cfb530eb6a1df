"""What models say over the API: asked, read, compared, cancelled, asked again, judged, audited."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser

from answering import SERVER
from ctiscraper.analysis.analysed import RULES, TaskName
from ctiscraper.config import Settings
from ctiscraper.db.model_servers import ModelServers
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.server import read_server
from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from ctiscraper.tasks.diagnosis import examine_database
from ctiscraper.tasks.watch import report
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from people import person, token_of
from web.said import claim, configured, say
from web.shelf import Shelf

TEXT = "The group used PowerShell to run its loader. It then sent data away."


@pytest_asyncio.fixture
async def app(opened: Database) -> FastAPI:
    return create_app(WebServices(database=opened, models=configured()))


async def as_role(app: FastAPI, opened: Database, role: Role) -> httpx2.AsyncClient:
    token = await token_of(opened, await person(opened, role))
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {token}"},
    )


async def ask(client: httpx2.AsyncClient, article: int, **given: object) -> httpx2.Response:
    body = {"tasks": ["summary"], **given}
    return await client.post(f"/api/v1/articles/{article}/analyses", json=body)


async def test_a_model_is_asked_once_by_whoever_asks_first(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    first = await ask(client, number)
    assert first.status_code == 202
    assert [one["state"] for one in first.json()["analyses"]] == ["pending"]
    assert first.json()["analyses"][0]["asked_by"] == "the-admin, token a test"
    second = await ask(client, number, tasks=["summary", "title"])
    assert len(second.json()["analyses"]) == 2
    assert shelf.run("SELECT min(rank), count(*) FROM model_analysis") == (0, 2)


async def test_what_ended_without_an_answer_is_asked_anew_and_an_answer_is_kept(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    first = await ask(client, number, tasks=["summary", "title", "techniques"])
    assert len(first.json()["analyses"]) == 3
    shelf.run("UPDATE model_analysis SET state = 'cancelled' WHERE task = 'summary'")
    shelf.run(
        "UPDATE model_analysis SET state = 'failed', fault = 'timeout', attempts = 5"
        " WHERE task = 'title'"
    )
    shelf.run("UPDATE model_analysis SET state = 'done' WHERE task = 'techniques'")
    asked = await ask(client, number, tasks=["summary", "title", "techniques"])
    states = {one["task"]: one["state"] for one in asked.json()["analyses"]}
    assert states == {"summary": "pending", "title": "pending", "techniques": "done"}
    assert shelf.run("SELECT sum(attempts), count(fault) FROM model_analysis") == (0, 0)
    asked = await ask(client, number, tasks=["techniques"], again=True)
    assert {one["state"] for one in asked.json()["analyses"]} == {"pending"}


async def test_claims_come_with_their_words(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    number = shelf.article("one", text=TEXT)
    say(shelf, number, claim("It ran a loader.", TEXT, "run its loader", verb="uses"), dropped=3)
    [one] = (await client.get(f"/api/v1/articles/{number}/analyses")).json()["analyses"]
    assert one["claims"] == [
        {
            "number": 1,
            "text": "It ran a loader.",
            "quotes": [{"text": "run its loader", "start": 29, "end": 43}],
            "fields": {"verb": "uses"},
            "good": 0,
            "bad": 0,
            "mine": None,
        }
    ]
    assert (one["current"], one["dropped"], one["model"]) == (True, 3, "small")


async def test_parts_that_failed_are_told_apart_from_what_had_no_room(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    said = claim("It ran a loader.", TEXT, "run its loader")
    say(shelf, number, said, parts=2, failed_parts='{"bad_answer": 1}', unread=70)
    [one] = (await client.get(f"/api/v1/articles/{number}/analyses")).json()["analyses"]
    assert (one["parts"], one["failed_parts"], one["unread"]) == (2, {"bad_answer": 1}, 70)
    for path in (f"/articles/{number}", f"/articles/{number}/compare"):
        page = (await client.get(path)).text
        assert "One part of 3 got no usable answer (the answer is not of the form" in page
        assert "70 characters at the end were not read, as the text is long." in page


async def test_what_was_said_of_an_earlier_text_says_so(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    say(shelf, number, claim("Old.", TEXT, "loader"))
    shelf.run("UPDATE article SET text = 'New words.' WHERE id = %s", (number,))
    [one] = (await client.get(f"/api/v1/articles/{number}/analyses")).json()["analyses"]
    assert one["current"] is False


async def test_a_fault_says_what_to_do(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    number = shelf.article("one", text=TEXT)
    say(
        shelf, number, state="failed", fault="model_missing", detail="no model 'small'", raw="{"
    )  # fmt: skip
    [one] = (await client.get(f"/api/v1/articles/{number}/analyses")).json()["analyses"]
    assert one["fault"] == "model_missing"
    assert one["advice"].startswith("pull it there")
    assert one["advice"].endswith(", then ask again")
    assert (await client.get(f"/api/v1/analyses/{one['id']}")).json()["analysis"]["raw"] == "{"
    waiting = shelf.article("two", text=TEXT)
    say(shelf, waiting, state="pending", fault="out_of_memory", detail="no room")
    [one] = (await client.get(f"/api/v1/articles/{waiting}/analyses")).json()["analyses"]
    assert one["advice"].endswith("; it is asked again by itself")


async def test_what_waits_or_runs_is_cancelled_and_what_ended_is_asked_again(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = say(shelf, shelf.article("one", text=TEXT), state="running")
    cancelled = await client.post(f"/api/v1/analyses/{number}/cancel")
    assert cancelled.json()["analysis"]["state"] == "cancelled"
    assert (await client.post(f"/api/v1/analyses/{number}/cancel")).status_code == 409
    again = await client.post(f"/api/v1/analyses/{number}/retry")
    assert again.json()["analysis"]["state"] == "pending"
    assert (await client.post(f"/api/v1/analyses/{number}/retry")).status_code == 409
    assert (await client.post("/api/v1/analyses/cancel")).json() == {"count": 1}
    assert (await client.post("/api/v1/analyses/999/retry")).status_code == 404


async def test_thumbs_are_counted_by_person_and_taken_back(
    app: FastAPI, client: httpx2.AsyncClient, opened: Database, shelf: Shelf
) -> None:
    article = shelf.article("one", text=TEXT)
    number = say(shelf, article, claim("It ran a loader.", TEXT, "loader"))
    address = f"/api/v1/analyses/{number}/feedback"
    mine = await client.post(address, json={"claim": 1, "good": True, "note": "so it is"})
    assert [(c["good"], c["bad"], c["mine"]) for c in mine.json()["analysis"]["claims"]] == [
        (1, 0, True)
    ]
    async with await as_role(app, opened, Role.ANALYST) as other:
        theirs = await other.post(address, json={"claim": 1, "good": False})
        claims = theirs.json()["analysis"]["claims"]
        assert [(c["good"], c["bad"], c["mine"]) for c in claims] == [(1, 1, False)]
    back = await client.post(address, json={"claim": 1, "good": None})
    assert [(c["good"], c["bad"], c["mine"]) for c in back.json()["analysis"]["claims"]] == [
        (0, 1, None)
    ]
    assert (await client.post(address, json={"claim": 2, "good": True})).status_code == 404


async def test_a_program_that_says_what_it_read_judges_nothing_else(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = say(shelf, shelf.article("one", text=TEXT), claim("It ran.", TEXT, "loader"))
    address = f"/api/v1/analyses/{number}/feedback"
    read = {"claim": 1, "good": True, "seen": "It ran."}
    assert (await client.post(address, json=read)).status_code == 200
    refused = await client.post(address, json={**read, "good": False, "seen": "It walked."})
    assert refused.status_code == 409
    assert "answered anew meanwhile" in refused.json()["detail"]
    assert shelf.run("SELECT good FROM model_feedback") == (True,)


@pytest.mark.parametrize("state", ["pending", "running", "failed", "cancelled"])
async def test_what_is_shown_while_it_is_asked_again_can_be_judged(
    client: httpx2.AsyncClient, shelf: Shelf, state: str
) -> None:
    article = shelf.article("one", text=TEXT)
    number = say(shelf, article, claim("It ran a loader.", TEXT, "loader"), state=state)
    page = LexborHTMLParser((await client.get(f"/articles/{article}")).text)
    assert len(page.css(f"#analysis-{number} .thumbs")) == 1
    judged = await client.post(
        f"/api/v1/analyses/{number}/feedback", json={"claim": 1, "good": True}
    )
    assert judged.status_code == 200
    assert judged.json()["analysis"]["claims"][0]["good"] == 1
    missing = await client.post(
        f"/api/v1/analyses/{number}/feedback", json={"claim": 2, "good": True}
    )
    assert missing.status_code == 404


async def test_what_was_said_of_an_earlier_text_stands_whole_with_its_words(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    article = shelf.article("one", text=TEXT)
    said = [claim(f"Claim {n}.", TEXT, "loader", "PowerShell", actor="ann") for n in range(5)]
    number = say(shelf, article, *said)
    rules = say(shelf, article, claim("A rule.", TEXT, "loader", rule="id: 1"), task=RULES)
    shelf.run("UPDATE article SET text = %s WHERE id = %s", (f"New: {TEXT}", article))
    page = LexborHTMLParser((await client.get(f"/articles/{article}")).text)
    past = page.css(f".past #analysis-{number} .claims > li")
    told = [[one.text() for one in item.css(".claim, blockquote, dd")] for item in past]
    assert told == [[f"Claim {n}.", "ann", "loader", "PowerShell"] for n in range(5)]
    # These places are of another text: they lead nowhere, and nothing is judged any more.
    assert page.css(".past blockquote a") == page.css(".past .thumbs") == []
    [link] = page.css(f".past #analysis-{rules} a")
    assert link.attributes["href"] == f"/articles/{article}/detection#analysis-{rules}"


async def test_two_models_stand_side_by_side(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    number = shelf.article("one", text=TEXT)
    say(shelf, number, claim("By the small one.", TEXT, "loader"))
    say(shelf, number, claim("By the large one.", TEXT, "data"), model="large")
    say(shelf, number, claim("T1059.001", TEXT, "PowerShell"), task=TaskName.TECHNIQUES)
    found = (await client.get(f"/api/v1/articles/{number}/analyses/compare")).json()
    assert (found["left"], found["right"]) == ("small", "large") or (
        found["left"],
        found["right"],
    ) == ("large", "small")
    named = (
        await client.get(
            f"/api/v1/articles/{number}/analyses/compare",
            params={"left": "small", "right": "large"},
        )
    ).json()
    assert [
        (one["task"], (one["left"] or {}).get("model"), (one["right"] or {}).get("model"))
        for one in named["tasks"]
    ] == [("summary", "small", "large"), ("techniques", "small", None)]


async def test_without_a_model_all_is_read_and_nothing_is_asked(
    without: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    say(shelf, number, claim("Said before.", TEXT, "loader"))
    found = (await without.get(f"/api/v1/articles/{number}/analyses")).json()
    assert (found["configured"], found["models"], len(found["analyses"])) == (False, [], 1)
    refused = await ask(without, number)
    assert refused.status_code == 503
    assert "No model is configured" in refused.json()["detail"]
    assert (await without.get("/api/v1/models")).json()["configured"] is False
    page = await without.get(f"/articles/{number}")
    assert "No language model is configured here, and nothing needs one" in page.text
    assert (
        "No model is configured, and nothing needs one"
        in (await without.get("/operations/models")).text
    )


@pytest.mark.parametrize(
    ("remote", "told", "said"),
    [
        (True, ["small", "kimi:cloud"], "The model is on another network. The text goes"),
        (False, ["kimi:cloud"], "On another network: <bdi>kimi:cloud</bdi>. The text goes"),
    ],
)
async def test_what_leaves_is_told_where_it_is_asked_for(
    app: FastAPI,
    client: httpx2.AsyncClient,
    shelf: Shelf,
    remote: bool,
    told: list[str],
    said: str,
) -> None:
    number = shelf.article("one", text=TEXT)
    away = "for relevance the watchlist does too"
    assert away not in (await client.get(f"/articles/{number}")).text
    services = replace(app.state.services, models=configured(remote=remote))
    app.state.services = services
    shelf.run(
        "INSERT INTO model_server (name, models, seen_at) VALUES (%s, '{small,kimi:cloud}', now())",
        (SERVER,),
    )
    found = (await client.get(f"/api/v1/articles/{number}/analyses")).json()
    assert (found["models"], found["remote"]) == (["small", "kimi:cloud"], told)
    page = (await client.get(f"/articles/{number}")).text
    assert said in page
    assert away in page


async def test_an_unknown_model_or_task_is_refused(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    assert (await ask(client, number, model="huge")).status_code == 422
    assert (await ask(client, number, tasks=["dance"])).status_code == 422
    assert (await ask(client, number, tasks=[])).status_code == 422
    assert (await ask(client, 999)).status_code == 404
    assert (await ask(client, shelf.article("empty", text=""))).status_code == 409


async def test_viewers_read_analysts_ask_and_curators_cancel_all(
    app: FastAPI, opened: Database, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    allowed = {}
    for role in (Role.VIEWER, Role.ANALYST, Role.CURATOR):
        async with await as_role(app, opened, role) as someone:
            read = await someone.get(f"/api/v1/articles/{number}/analyses")
            asked = await ask(someone, number)
            cancelled = await someone.post("/api/v1/analyses/cancel")
            allowed[role] = (read.status_code, asked.status_code, cancelled.status_code)
    assert allowed == {
        Role.VIEWER: (200, 403, 403),
        Role.ANALYST: (200, 202, 403),
        Role.CURATOR: (200, 202, 200),
    }


async def test_curators_have_all_asked_again_that_failed(
    app: FastAPI, opened: Database, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    for task, fault in ((TaskName.TITLE, "refused"), (TaskName.SUMMARY, "timeout")):
        say(shelf, number, task=task, state="failed", fault=fault)
    async with await as_role(app, opened, Role.ANALYST) as someone:
        assert (await someone.post("/api/v1/analyses/retry")).status_code == 403
    async with await as_role(app, opened, Role.CURATOR) as someone:
        for query, count in (("?fault=refused", 1), ("?fault=busy", 0), ("", 1)):
            answer = await someone.post(f"/api/v1/analyses/retry{query}")
            assert (answer.status_code, answer.json()) == (200, {"count": count})
        assert (await someone.post("/api/v1/analyses/retry?fault=no")).status_code == 422
    rows = shelf.run(
        "SELECT array_agg(changes::jsonb ORDER BY id) FROM audit_entry"
        " WHERE action = 'analysis.retry_all'"
    )
    assert [(one["count"], one["fault"]) for one in rows[0]] == [
        (1, "refused"),
        (0, "busy"),
        (1, None),
    ]


async def test_without_a_model_nothing_is_asked_again(without: httpx2.AsyncClient) -> None:
    assert (await without.post("/api/v1/analyses/retry")).status_code == 503


async def test_a_server_that_lacks_its_model_is_told_at_each_that_waits(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    await ask(client, number)
    shelf.run(
        "INSERT INTO model_server (name, failures, rest_until, fault, detail)"
        " VALUES (%s, 5, now() + interval '30 s', 'model_missing', 'it has no model <small>')",
        (SERVER,),
    )
    [found] = (await client.get(f"/api/v1/articles/{number}/analyses")).json()["analyses"]
    assert (found["waits"], found["fault"]) == ("server", "model_missing")
    page = (await client.get(f"/articles/{number}")).text
    assert "Waits until the server has the model." in page
    assert "it has no model &lt;small&gt;" in page
    told = (await client.get("/operations/models")).text
    assert "The server does not have this model:" in told
    assert "name another in CTISCRAPER_MODEL; it is asked again by itself" in told
    [amiss] = [
        one
        for one in (await client.get("/api/v1/operations")).json()["findings"]
        if one["part"] == "language models"
    ]
    assert "1 text waits" in amiss["words"]


async def test_a_model_worker_that_is_not_there_is_told_until_it_is_seen(
    client: httpx2.AsyncClient, shelf: Shelf, opened: Database, database: str, tmp_path: Path
) -> None:
    await ask(client, shelf.article("one", text=TEXT))
    shelf.run("UPDATE model_analysis SET asked_at = now() - interval '20 minutes'")
    settings, facts = Settings(data_dir=tmp_path), await read_server(database)

    async def told() -> list[str]:
        seen = await report(OperationsBoard(opened))
        found = await examine_database(settings, facts, opened)
        both = [
            [one.words for one in findings if one.part == "language models"]
            for findings in (seen.findings, found)
        ]
        assert both[0] == both[1]
        return both[0]

    [words] = await told()
    assert "no model worker has had an answer of a server yet" in words
    assert (
        "no model worker has had an answer of a server yet"
        in (await client.get("/operations")).text
    )
    servers = ModelServers(opened)
    await servers.note(SERVER, version="1", models=["small"], remote=False, missing="")
    assert await told() == []


async def test_what_was_asked_and_judged_is_in_the_audit_log(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    article = shelf.article("one", text=TEXT)
    await ask(client, article)
    number = say(shelf, article, claim("So.", TEXT, "loader"), model="large")
    await client.post(f"/api/v1/analyses/{number}/feedback", json={"claim": 1, "good": False})
    rows = shelf.run(
        "SELECT array_agg(action || ' ' || object_id ORDER BY id) FROM audit_entry"
        " WHERE action LIKE 'analysis.%%'",
    )
    assert rows == ([f"analysis.ask {article}", f"analysis.judge {number}"],)


async def test_the_list_goes_on_where_it_ended(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    number = shelf.article("one", text=TEXT)
    made = [say(shelf, number, model=f"m{n}") for n in range(5)]
    again = await client.post(f"/api/v1/analyses/{made[1]}/retry")
    assert again.status_code < 300, again.text
    seen: list[int] = []
    cursor: str | None = None
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = (await client.get(f"/api/v1/analyses?limit=2{more}")).json()
        seen += [row["analysis"]["id"] for row in page["analyses"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]
    failed = await client.get("/api/v1/analyses", params={"state": "failed"})
    assert failed.json()["analyses"] == []


async def test_the_report_tells_queue_budgets_and_cost(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    number = shelf.article("one", text=TEXT)
    say(shelf, number, state="pending", model="a")
    say(shelf, number, state="failed", fault="timeout", model="b")
    shelf.run(
        "INSERT INTO model_spent (day, source_id, model, calls, prompt_tokens, answer_tokens, cost)"
        " SELECT current_date, source_id, 'small', 2, 100, 20, 0.5 FROM article"
    )
    report = (await client.get("/api/v1/models")).json()
    assert (report["tokens_today"], report["cost_today"]) == (120, 0.5)
    counts = report["counts"]
    assert (counts["pending"], counts["failed"], counts["faults"]) == (1, 1, {"timeout": 1})
    assert [(one["key"], one["tokens"]) for one in report["sources"]] == [("acme", 120)]

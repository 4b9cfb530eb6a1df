"""What people and programs do through pages and API stands in the audit log, once."""

import csv
import io
import json
import re
from pathlib import Path

import httpx2
import psycopg
import pytest
from fastapi import FastAPI

from ctiscraper.access.cookies import csrf_token
from ctiscraper.audit_views import Actor, ActorKind, AuditEntry, AuditQuery, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database
from ctiscraper.identity import Permission, Role
from ctiscraper.web.audited import AUDITED, action_of
from ctiscraper.web.rules import RULES, Public, Rule
from internet.world import FakeInternet
from people import person, session_of, token_of
from web.shelf import Shelf
from web.signing import OTHER, PASSWORD, log_in, post, user
from web.test_guarded import ENDLESS, asked
from web.test_sources import reading

SAME_SITE = {"sec-fetch-site": "same-origin"}
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "audit.md"
SOURCE = ROOT / "src" / "ctiscraper"
ROW = re.compile(r"^\| ((?:`[a-z]+`(?:, )?)+) \| (.+) \|$", re.MULTILINE)
CODE = re.compile(r"`([a-z_]+)`")
# How routes and commands name what they did where the table of routes does not.
ACTION = re.compile(
    r"(?:action=|note_deed\(\s*[\w.]+,\s*|_note\([\w.]+, |tell_of_entry\(request, "
    r'|refused\(request, page, )"([a-z]+\.[a-z_]+)"'
)
WATCHED = {"kind": "keyword", "term": "lantern", "weight": 0.5}


async def entries(database: Database, **narrowed: str) -> tuple[AuditEntry, ...]:
    return (await Audit(database).page(AuditQuery(**narrowed))).entries  # type: ignore[arg-type]  # a builder


def test_every_route_that_changes_something_for_others_is_named() -> None:
    own = {Permission.SELF_WRITE, Permission.ARTICLE_READ}
    changing = {
        name
        for name, rule in RULES.items()
        if isinstance(rule, Permission) and rule not in own and not name.startswith("GET ")
    }
    assert changing - AUDITED.keys() == set()
    assert AUDITED.keys() - RULES.keys() == set()


def test_a_change_that_nobody_named_is_noted_all_the_same() -> None:
    rules: dict[str, Rule] = {
        "POST /x/{id}": Permission.SOURCE_WRITE,
        "POST /y": Permission.SELF_WRITE,
        "POST /z": Public.ANYONE,
    }
    assert action_of("POST /x/{id}", rules) == "source.post /x/{id}"
    for name in ("POST /y", "POST /z", "GET /x/{id}", "POST /unknown"):
        assert action_of(name, rules) is None


def test_every_action_is_on_its_page() -> None:
    told = {
        f"{kind}.{word}"
        for kinds, words in ROW.findall(PAGE.read_text("utf-8"))
        for kind in CODE.findall(kinds)
        for word in CODE.findall(words)
    }
    source = "".join(file.read_text("utf-8") for file in sorted(SOURCE.rglob("*.py")))
    used = {*AUDITED.values(), *ACTION.findall(source)} - {"queue.act"}
    assert len(used) > 70
    assert used - told == set()


async def test_pages_and_api_make_the_same_entries(
    client: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    made = (await client.post("/api/v1/watchlist", json=WATCHED)).json()["id"]
    await client.delete(f"/api/v1/watchlist/{made}")
    form = {"kind": "keyword", "term": "lantern", "weight": "0.5", "note": ""}
    await client.post("/watchlist/add", data=form, headers=SAME_SITE)
    [entry] = (await client.get("/api/v1/watchlist")).json()
    await client.post(f"/watchlist/{entry['id']}/remove", headers=SAME_SITE)
    found = await entries(opened)
    assert [one.action for one in found] == ["watchlist.remove", "watchlist.add"] * 2
    assert found[0].changes == found[2].changes
    assert found[1].changes == found[3].changes
    assert json.loads(found[1].changes)["term"] == [None, "lantern"]
    assert found[0].before_hash == found[1].after_hash == found[3].after_hash
    for one in found:
        assert (one.actor_kind, one.actor_id, one.actor_name) == (
            "token",
            admin,
            "the-admin, token a test",
        )
        assert one.actor_token
        assert one.ip == "127.0.0.1"
        assert len(one.request_id) == 32


async def test_a_person_is_named_with_his_session(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    secret = await session_of(opened, admin)
    stranger.cookies.set("ctiscraper", secret)
    form = {"kind": "keyword", "term": "lantern", "weight": "0.5", "csrf": csrf_token(secret)}
    answer = await stranger.post("/watchlist/add", data=form, headers=SAME_SITE)
    [entry] = await entries(opened)
    assert (entry.actor_kind, entry.actor_id, entry.actor_token) == ("user", admin, "")
    assert entry.actor_name == "the-admin (The the-admin)"
    assert entry.request_id == answer.headers["x-request-id"]


async def test_who_comes_and_goes_is_noted_and_whoever_is_not_let_in(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    jane = await user(opened)
    assert (await log_in(stranger, password=OTHER)).status_code == 401
    assert (await log_in(stranger)).status_code == 303
    assert (await post(stranger, "/sudo", password=OTHER)).status_code == 403
    given = {"current": OTHER, "password": "x" * 20, "again": "x" * 20}
    assert (await post(stranger, "/account/password", **given)).status_code == 422
    assert (await post(stranger, "/logout")).status_code == 303
    found = await entries(opened)
    assert [(one.action, one.actor_kind, one.actor_id) for one in reversed(found)] == [
        ("user.login_refused", "nobody", None),
        ("user.login", "user", jane),
        ("user.sudo_refused", "user", jane),
        ("user.sudo_refused", "user", jane),
        ("user.logout", "user", jane),
    ]
    for one in found:
        assert (one.ip, len(one.request_id)) == ("127.0.0.1", 32)
        assert PASSWORD not in str(one)
        assert OTHER not in str(one)


async def test_what_was_refused_or_only_read_is_not_noted(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, opened: Database
) -> None:
    await stranger.post("/api/v1/watchlist", json=WATCHED)
    await client.post("/api/v1/watchlist", json={"kind": "town", "term": "x"})
    await client.delete("/api/v1/watchlist/99")
    await client.post("/api/v1/lookup", json={"values": ["evil.example"]})
    await client.post("/watchlist/add", data={"term": ""}, headers=SAME_SITE)
    for path in ("/", "/sources", "/audit", "/tokens", "/api/v1/audit", "/api/v1/articles"):
        assert (await client.get(path)).status_code == 200
    viewer = await token_of(opened, await person(opened, Role.VIEWER))
    headers = {"authorization": f"Bearer {viewer}"}
    assert (await stranger.get("/audit", headers=headers)).status_code == 403
    assert (await stranger.post("/api/v1/watchlist", json=WATCHED, headers=headers)).status_code
    assert await entries(opened) == ()


async def test_whoever_only_asks_changes_nothing_for_others(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    for rule in sorted(RULES):
        if rule.startswith("GET ") and rule != ENDLESS:
            _, path = asked(rule)
            assert (await client.get(path, headers=SAME_SITE)).status_code != 500, rule
    done = {entry.action.partition(".")[2] for entry in await entries(opened)}
    assert done <= {"export"}


async def test_an_answer_that_is_given_again_is_not_noted_again(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    for _ in range(3):
        await client.post("/api/v1/watchlist", json=WATCHED, headers={"idempotency-key": "one"})
    assert len(await entries(opened)) == 1


async def test_part_of_a_file_that_was_taken_is_noted(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    answer = await client.post(
        "/watchlist/import", data={"lines": "vendor: Example\ncve: 12"}, headers=SAME_SITE
    )
    assert answer.status_code == 422
    [entry] = await entries(opened)
    assert json.loads(entry.changes) == {"added": 1, "known": 0}
    await client.post("/watchlist/import", data={"lines": "cve: 12"}, headers=SAME_SITE)
    assert len(await entries(opened)) == 1


async def test_items_and_verdicts_are_named(
    client: httpx2.AsyncClient, shelf: Shelf, opened: Database
) -> None:
    number = shelf.job("acme", "https://acme.example/1", "dead", reason="timeout")
    await client.post("/api/v1/queue/retry", json={"ids": [number]})
    verdict = {"value": "evil.example", "kind": "domain", "verdict": "malicious", "reason": "seen"}
    made = (await client.post("/api/v1/verdicts", json=verdict)).json()
    await client.delete(f"/api/v1/verdicts/{made['id']}")
    undone, decided, retried = await entries(opened)
    assert (retried.action, json.loads(retried.changes)) == (
        "queue.retry",
        {"items": [number], "count": 1},
    )
    assert (decided.object_kind, decided.object_id) == ("verdict", str(made["id"]))
    assert json.loads(decided.changes)["value"] == [None, "evil.example"]
    assert undone.action == "verdict.undo"
    assert undone.before_hash == decided.after_hash


async def test_a_verdict_that_is_undone_again_is_noted_once(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    verdict = {"value": "evil.example", "kind": "domain", "verdict": "malicious", "reason": "seen"}
    made = (await client.post("/api/v1/verdicts", json=verdict)).json()
    for _ in range(2):
        assert (await client.delete(f"/api/v1/verdicts/{made['id']}")).status_code == 200
    form = {"verdict": made["id"], "entity": 1}
    again = await client.post("/verdicts/undo", data=form, headers=SAME_SITE)
    assert again.status_code == 303
    assert [one.action for one in await entries(opened)] == ["verdict.undo", "verdict.make"]


async def test_a_source_is_told_before_and_after(database: str, tmp_path: Path) -> None:
    async with FakeInternet(hosts=1, items=2) as net, reading(database, tmp_path, net) as client:
        url = net.sources()[0].url
        await client.post("/api/v1/sources/preview", json={"url": url})
        given = {"url": url, "settings": {"key": "one"}, "reason": "wanted"}
        await client.post("/api/v1/sources", json=given)
        change = {"settings": {"tier": "premium"}, "reason": "good"}
        await client.patch("/api/v1/sources/one", json=change)
        await client.post("/api/v1/sources/one/check")
        await client.get("/api/v1/sources/export.opml")
        await client.post("/sources/one/remove", data={"reason": ""}, headers=SAME_SITE)
        page = (await client.get("/api/v1/audit")).json()["entries"]
    assert [one["action"].partition(".")[2] for one in reversed(page)] == [
        *("preview", "add", "change", "check", "export", "remove"),
    ]
    removed, _, _, changed, added, previewed = page
    assert json.loads(previewed["changes"]) == {"url": url}
    assert (added["object_id"], changed["object_id"]) == ("one", "one")
    assert json.loads(changed["changes"]) == {"reason": "good", "tier": [None, "premium"]}
    assert changed["before_hash"] == added["after_hash"]
    assert removed["before_hash"] == changed["after_hash"]


async def test_files_that_are_handed_out_are_noted(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    for path in (
        "/api/v1/watchlist/export.csv",
        "/api/v1/articles?format=csv&q=loader",
        "/api/v1/verdicts?format=ndjson",
        "/api/v1/audit/export",
    ):
        assert (await client.get(path)).status_code == 200
    await client.get("/api/v1/articles", headers={"accept": "text/csv"})
    await client.post("/indicators/lookup.csv", data={"text": "evil.example"}, headers=SAME_SITE)
    found = [one.action for one in reversed(await entries(opened))]
    assert found == [
        *("watchlist.export", "article.export", "verdict.export", "audit.export"),
        *("article.export", "lookup.export"),
    ]
    [_, first] = await entries(opened, action="article.export")
    assert json.loads(first.changes) == {"format": "csv", "query": "format=csv&q=loader"}


async def test_what_cannot_be_noted_is_not_handed_out(
    client: httpx2.AsyncClient, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE disk_full; END $$"
        )
        conn.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON audit_entry"
            " FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    answer = await client.get("/api/v1/watchlist/export.csv")
    assert answer.status_code == 503
    assert "term" not in answer.text
    assert "audit.lost" in "".join(capsys.readouterr())


async def test_the_log_is_read_narrowed_and_paged(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    for number in range(3):
        await client.post("/api/v1/watchlist", json=WATCHED | {"term": f"word {number}"})
    await client.get("/api/v1/watchlist/export.csv")
    first = (await client.get("/api/v1/audit?limit=2")).json()
    rest = (await client.get(f"/api/v1/audit?limit=2&cursor={first['next']}")).json()
    assert [one["id"] for one in first["entries"] + rest["entries"]] == [4, 3, 2, 1]

    async def asked(query: str) -> list[int]:
        answer = await client.get(f"/api/v1/audit?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["entries"]]

    assert await asked("action=watchlist.export") == [4]
    assert await asked("about=watchlist") == [4, 3, 2, 1]
    about = (await entries(opened))[1].object_id
    assert await asked(f"about=watchlist:{about}") == [3]
    assert await asked("actor=THE-ADMIN&since=2020-01-01T00:00:00Z") == [4, 3, 2, 1]
    assert await asked("until=2020-01-01T00:00:00Z") == []
    for query in ("cursor=x", "actor=", "colour=red", "since=soon", "about=%0d%0a"):
        assert (await client.get(f"/api/v1/audit?{query}")).status_code == 422


async def test_the_page_shows_what_was_done(client: httpx2.AsyncClient) -> None:
    await client.post("/api/v1/watchlist", json=WATCHED | {"note": "<script>alert(1)</script>"})
    page = (await client.get("/audit")).text
    assert "watchlist.add" in page
    assert "lantern" in page
    assert "<script>alert(1)" not in page
    assert "Nothing matches" in (await client.get("/audit?action=source")).text
    assert (await client.get("/audit?since=2026-01-01&until=9999-12-31&x=y")).status_code == 200
    narrowed = (await client.get("/audit?action=watchlist.add&since=2026-01-01")).text
    assert "/api/v1/audit/export?action=watchlist.add&amp;since=2026-01-01T00" in narrowed


async def test_an_export_has_every_entry_and_runs_no_formula(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    for text in ("=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(1)"):
        answer = await client.post("/api/v1/watchlist", json=WATCHED | {"term": f"{text} x"})
        assert answer.status_code == 201
    await Audit(opened).note(Actor(kind=ActorKind.COMMAND, name="=1+1"), Deed(action="x.export"))
    lines = (await client.get("/api/v1/audit/export")).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [5, 4, 3, 2, 1]
    answer = await client.get("/api/v1/audit/export?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 6
    assert rows[1]["actor_name"] == "'=1+1"
    for row in rows:
        assert not any(cell[:1] in "=+-@\t\r" for cell in row.values() if cell)


async def test_the_chain_stands_after_all_of_it(
    client: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    assert app.state.token_rate is not None
    for number in range(5):
        await client.post("/api/v1/watchlist", json=WATCHED | {"term": f"word {number}"})
    report = await Audit(opened).verify()
    assert (report.entries, report.broken) == (5, None)

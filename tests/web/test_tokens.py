"""Tokens are made, shown once, used within their bounds, and revoked at once."""

import re
from datetime import datetime, timedelta

import httpx2
import psycopg
import pytest
from fastapi import FastAPI

from ctiscraper.access.cookies import csrf_token
from ctiscraper.access.tokens import read_token
from ctiscraper.audit_views import AuditQuery
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Permission, Role
from ctiscraper.telemetry import configure_logs
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.permission_words import SCOPE_WORDS
from ctiscraper.web.token_rate import TokenRate
from people import person, session_of, token_of

API = "/api/v1/tokens"
SAME_SITE = {"sec-fetch-site": "same-origin"}
GIVEN = {"name": "a script", "scopes": ["article:read"]}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


async def browsing(
    stranger: httpx2.AsyncClient, opened: Database, role: Role
) -> tuple[int, dict[str, str]]:
    """A person of this role with a session, and what his forms begin with."""
    user = await person(opened, role)
    secret = await session_of(opened, user, sudo_minutes=10)
    stranger.cookies.set("ctiscraper", secret)
    return user, {"csrf": csrf_token(secret)}


def test_every_permission_has_words() -> None:
    assert set(SCOPE_WORDS) == set(Permission)


async def test_a_token_is_made_used_and_revoked(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, opened: Database
) -> None:
    made = await client.post(API, json=GIVEN)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    secret, token = made.json()["secret"], made.json()["token"]
    assert read_token(secret) is not None
    assert token["scopes"] == ["article:read"]
    assert token["owner"] == "the-admin"
    assert (await stranger.get("/api/v1/articles", headers=bearer(secret))).status_code == 200
    assert (await stranger.get("/api/v1/sources", headers=bearer(secret))).status_code == 403
    assert (await stranger.get(API, headers=bearer(secret))).status_code == 403
    listed = (await client.get(API)).json()
    assert next(one for one in listed if one["id"] == token["id"])["last_used_at"]
    assert secret.split("_")[2] not in (await client.get(API)).text
    revoked = await client.delete(f"{API}/{token['id']}")
    assert revoked.json()["live"] is False
    # At once, though it was known a moment ago.
    assert (await stranger.get("/api/v1/articles", headers=bearer(secret))).status_code == 401
    assert (await client.delete(f"{API}/{token['id']}")).status_code == 200
    noted = await Audit(opened).page(AuditQuery(object_id=token["id"], action="token.revoke"))
    assert len(noted.entries) == 1, "the second changed nothing"
    assert (await client.delete(f"{API}/nothing")).status_code == 404


async def test_a_token_ends_after_90_days_where_nothing_else_is_said(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    _, csrf = await browsing(stranger, opened, Role.ANALYST)
    headers = SAME_SITE | {"x-csrf-token": csrf["csrf"]}
    token = (await stranger.post(API, json=GIVEN, headers=headers)).json()["token"]
    made, ends = (datetime.fromisoformat(token[at]) for at in ("created_at", "expires_at"))
    assert ends - made == timedelta(days=90)


@pytest.mark.parametrize("role", list(Role))
async def test_a_token_may_never_do_more_than_its_maker(
    stranger: httpx2.AsyncClient, opened: Database, role: Role
) -> None:
    headers = bearer(await token_of(opened, await person(opened, role)))
    for scope in Permission:
        answer = await stranger.post(API, json=GIVEN | {"scopes": [scope]}, headers=headers)
        assert answer.status_code == (201 if scope in GRANTS[role] else 403), scope
    for days in (None, 366, 3650):
        lasting = await stranger.post(API, json=GIVEN | {"days": days}, headers=headers)
        assert lasting.status_code == (201 if role is Role.ADMIN else 422), days
    year = await stranger.post(API, json=GIVEN | {"days": 365}, headers=headers)
    assert year.status_code == 201


async def test_a_token_gives_no_more_than_it_has(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    scopes = ["self:write", "article:read"]
    made = (await client.post(API, json={"name": "x", "scopes": scopes, "days": 3})).json()
    headers = bearer(made["secret"])
    answer = await stranger.post(API, json=GIVEN | {"days": None}, headers=headers)
    assert answer.json()["token"]["expires_at"] == made["token"]["expires_at"]
    beyond = await stranger.post(API, json=GIVEN | {"scopes": ["user:write"]}, headers=headers)
    assert beyond.status_code == 403
    assert "user:write" in beyond.json()["detail"]


async def test_what_may_be_read_is_not_taken_away_without_the_scope_for_it(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, opened: Database
) -> None:
    async def ask(headers: dict[str, str], method: str, path: str, accept: str = "*/*") -> int:
        body = {"values": ["evil.example"]} if method == "POST" else None
        headers = headers | {"accept": accept}
        answer = await stranger.request(method, path, json=body, headers=headers)
        return answer.status_code

    made = {}
    for scopes in (["article:read"], ["article:read", "article:export"]):
        answer = await client.post(API, json={"name": "x", "scopes": scopes, "days": 3})
        made[len(scopes)] = bearer(answer.json()["secret"])
    for method, path in (
        ("GET", "/api/v1/articles"),
        ("GET", "/api/v1/entities"),
        ("GET", "/api/v1/verdicts"),
        ("POST", "/api/v1/lookup"),
    ):
        assert await ask(made[1], method, path) == 200, path
        for form in ("csv", "ndjson"):
            assert await ask(made[1], method, f"{path}?format={form}") == 403, path
            assert await ask(made[2], method, f"{path}?format={form}") == 200, path
        for accept in ("text/csv", "application/x-ndjson", "application/x-ndjson, */*"):
            assert await ask(made[1], method, path, accept) == 403, path
    for path in ("/api/v1/entities/1/articles", "/api/v1/articles/1/entities"):
        assert await ask(made[1], "GET", f"{path}?format=csv") == 403, path
    actions = [one.action for one in (await Audit(opened).page(AuditQuery())).entries]
    assert actions.count("article.export") == actions.count("lookup.export") == 2


async def test_what_a_token_made_is_revoked_with_it(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    given = {"name": "x", "scopes": ["self:write", "article:read"]}
    first = (await client.post(API, json=given)).json()
    second = (await stranger.post(API, json=given, headers=bearer(first["secret"]))).json()
    third = (await stranger.post(API, json=given, headers=bearer(second["secret"]))).json()
    beside = (await client.post(API, json=given)).json()
    assert second["token"]["made_by"] == first["token"]["id"]
    assert f"made by <code>cti_{first['token']['id']}_" in (await client.get("/tokens")).text
    assert (await client.delete(f"{API}/{first['token']['id']}")).status_code == 200
    for made, status in ((first, 401), (second, 401), (third, 401), (beside, 200)):
        answer = await stranger.get("/api/v1/articles", headers=bearer(made["secret"]))
        assert answer.status_code == status


async def test_in_an_open_browser_a_token_asks_for_the_password(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    secret = await session_of(opened, await person(opened, Role.ADMIN))
    stranger.cookies.set("ctiscraper", secret)
    csrf = csrf_token(secret)
    form = {"csrf": csrf, "name": "x", "scopes": "user:write", "days": "never"}
    page = await stranger.post("/tokens/make", data=form, headers=SAME_SITE)
    assert page.status_code == 403
    assert "cti_" not in page.text
    answer = await stranger.post(API, json=GIVEN, headers={**SAME_SITE, "x-csrf-token": csrf})
    assert answer.status_code == 403
    assert "/sudo" in answer.json()["detail"]
    async with opened.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM api_token")).fetchone()
    assert row == (0,)


async def test_a_demoted_maker_takes_his_tokens_with_him(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    made = (await client.post(API, json=GIVEN | {"scopes": ["audit:read"]})).json()
    headers = bearer(made["secret"])
    assert (await stranger.get("/api/v1/audit", headers=headers)).status_code == 200
    async with opened.connection() as conn:
        await conn.execute("UPDATE app_user SET role = 'viewer'")
    app.state.doorman.forget()
    assert (await stranger.get("/api/v1/audit", headers=headers)).status_code == 403


async def test_others_tokens_are_seen_and_revoked_by_administrators_alone(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, opened: Database
) -> None:
    analyst = await token_of(opened, await person(opened, Role.ANALYST))
    headers = bearer(analyst)
    admins = (await client.get(API)).json()
    assert [one["id"] for one in (await stranger.get(API, headers=headers)).json()] == [
        analyst.split("_")[1]
    ]
    assert (await stranger.get(f"{API}?everybody=true", headers=headers)).status_code == 403
    for one in admins:
        assert (await stranger.delete(f"{API}/{one['id']}", headers=headers)).status_code == 404
    assert len((await client.get(f"{API}?everybody=true")).json()) == len(admins) + 1
    assert (await client.delete(f"{API}/{analyst.split('_')[1]}")).status_code == 200
    assert (await stranger.get(API, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"scopes": []},
        {"scopes": ["article:readx"]},
        {"days": 0},
        {"days": 36_500},
        {"days": "soon"},
        {"colour": "red"},
    ],
)
async def test_what_is_wrong_is_told(client: httpx2.AsyncClient, wrong: dict[str, object]) -> None:
    answer = await client.post(API, json=GIVEN | wrong)
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.json()["errors"][0]["field"]


async def test_the_page_shows_a_new_token_this_once(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user, csrf = await browsing(stranger, opened, Role.ANALYST)
    page = (await stranger.get("/tokens")).text
    assert "watchlist:write" in page
    assert "source:write" not in page
    assert ">never<" not in page
    form = csrf | {"name": "a script", "scopes": ["article:read", "self:write"], "days": "30"}
    answer = await stranger.post("/tokens/make", data=form, headers=SAME_SITE)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    [secret] = set(re.findall(r"cti_[a-z0-9]{10}_\w{43}_[0-9a-f]{8}", answer.text))
    key = read_token(secret)
    assert key is not None
    page = (await stranger.get("/tokens")).text
    assert key.id in page
    assert secret not in page
    answer = await stranger.post(f"/tokens/{key.id}/revoke", data=csrf, headers=SAME_SITE)
    assert answer.headers["location"] == "/tokens?revoked=a+script"
    assert (
        "a script lets nobody in any more" in (await stranger.get("/tokens?revoked=a+script")).text
    )
    async with opened.connection() as conn:
        row = await (await conn.execute("SELECT user_id, scopes FROM api_token")).fetchone()
    assert row == (user, ["article:read", "self:write"])


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"name": " "}, 422, "Give it a name"),
        ({"scopes": []}, 422, "Tick at least one"),
        ({"days": "never"}, 422, "Only administrators"),
        ({"scopes": ["source:write"]}, 403, "source:write"),
        ({"days": "8"}, 422, "days"),
        ({"scopes": ["everything"]}, 422, "scopes"),
    ],
)
async def test_the_page_keeps_what_was_typed(
    stranger: httpx2.AsyncClient,
    opened: Database,
    wrong: dict[str, object],
    status: int,
    said: str,
) -> None:
    _, csrf = await browsing(stranger, opened, Role.ANALYST)
    form = csrf | {"name": "a script", "scopes": ["article:read"], "days": "7"} | wrong
    answer = await stranger.post("/tokens/make", data=form, headers=SAME_SITE)
    assert answer.status_code == status
    assert said in answer.text
    if "never" in str(wrong):
        assert 'value="a script"' in answer.text
        assert re.search(r'value="article:read" checked', answer.text)
    async with opened.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM api_token")).fetchone()
    assert row == (0,)


async def test_a_token_that_asks_too_often_waits(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    app.state.token_rate = TokenRate(3)
    for _ in range(3):
        assert (await client.get("/api/v1/sources")).status_code == 200
    answer = await client.get("/api/v1/sources")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.json()["title"] == "Too Many Requests"
    other = bearer(await token_of(opened, await person(opened, Role.VIEWER)))
    assert (await stranger.get("/api/v1/sources", headers=other)).status_code == 200
    # People are not held up.
    await browsing(stranger, opened, Role.ANALYST)
    for _ in range(5):
        assert (await stranger.get("/sources")).status_code == 200


async def test_a_token_asks_all_processes_together_so_often(
    client: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    """As many as there are: each knows what the others have let in, a second later at most."""
    answers = []
    others = create_app(WebServices(database=opened))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(others),
        base_url="http://127.0.0.1",
        headers=dict(client.headers),
    ) as elsewhere:
        now = 0.0
        for one in (app, others):
            one.state.token_rate = TokenRate(20, lambda: now)
        for number in range(60):
            now += 0.5
            asking = client if number % 2 else elsewhere
            answers.append((await asking.get("/api/v1/sources")).status_code)
    let_in = answers.count(200)
    assert set(answers) == {200, 429}
    assert 20 <= let_in <= 22


async def test_a_secret_is_in_no_table_and_in_no_line_of_the_log(
    client: httpx2.AsyncClient,
    stranger: httpx2.AsyncClient,
    database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(json=True, level="debug")
    headers = {"idempotency-key": "one"}
    made = (await client.post(API, json=GIVEN, headers=headers)).json()
    whole, part = made["secret"], made["secret"].split("_")[2]
    await stranger.get("/", headers=bearer(whole))
    await stranger.get(f"/nowhere/{whole}?token={whole}", headers=bearer(whole))
    await stranger.get(f"/?q={whole}", headers=bearer(whole))
    await stranger.post("/api/v1/lookup", json={"values": [whole]}, headers=bearer(whole))
    log = "".join(capsys.readouterr())
    assert '"event": "request"' in log
    assert part not in log
    assert dumped(database).count(part) == 0
    assert made["token"]["id"] in dumped(database)


def dumped(database: str) -> str:
    """Every row of every table as text."""
    with psycopg.connect(database, autocommit=True) as conn:
        tables = conn.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname = 'public'"
        ).fetchall()
        rows = [
            conn.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
            for (table,) in tables
        ]
    return "\n".join(str(row[0]) for table in rows for row in table)

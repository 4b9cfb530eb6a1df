"""No route answers whom its rule does not let in."""

import re

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from structlog.testing import capture_logs

from ctiscraper.access.cookies import csrf_token
from ctiscraper.access.tokens import new_token, read_token
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Permission, Role
from ctiscraper.web.guarded import GuardedRoute, check_rules
from ctiscraper.web.rules import PUBLIC_MOUNTS, RULES, Public
from people import person, session_of, token_of
from web.shelf import Shelf

SAME_SITE = {"sec-fetch-site": "same-origin"}


def asked(rule: str) -> tuple[str, str]:
    """Method and an address of a route."""
    method, _, path = rule.partition(" ")
    return method, re.sub(r"\{\w+\}", "1", path)


# It answers without an end; its own tests show who is let in.
ENDLESS = "GET /api/v1/events"
GUARDED = sorted(name for name, rule in RULES.items() if rule is not Public.ANYONE)
FOR_ANYONE = {
    *("GET /health", "GET /health/live", "GET /health/ready"),
    *("GET /setup", "POST /setup", "GET /password", "POST /password"),
    *("GET /login", "POST /login", "POST /login/code"),
    *("POST /login/passkey", "POST /login/passkey/options"),
    *("GET /oidc/start", "GET /oidc/callback", "GET /oidc/balancer"),
    *("GET /feeds/{token}.atom", "GET /feeds/{token}.json"),
    *("POST /theme", "POST /view"),
}


def test_every_route_has_a_rule_and_holds_to_it(app: FastAPI) -> None:
    check_rules(app)
    routes = [route for route in iter_route_contexts(app.routes) if getattr(route, "methods", None)]
    assert len(routes) == len(RULES)


def test_few_routes_are_for_anyone() -> None:
    assert set(RULES) - set(GUARDED) == FOR_ANYONE
    assert set(PUBLIC_MOUNTS) == {"/static"}


@pytest.mark.parametrize(
    ("route_class", "fault"),
    [(GuardedRoute, "GET /loose has no rule"), (APIRoute, "GET /loose has no rule")],
)
def test_a_route_without_a_rule_does_not_start(
    app: FastAPI, route_class: type[APIRoute], fault: str
) -> None:
    loose = APIRouter(route_class=route_class)
    loose.add_api_route("/loose", lambda: "open", methods=["GET"])
    app.include_router(loose)
    with pytest.raises(RuntimeError, match=fault):
        check_rules(app)


async def test_nobody_is_let_in_without_a_user(stranger: httpx2.AsyncClient) -> None:
    for path in ("/", "/api/v1/articles"):
        answer = await stranger.get(path)
        assert answer.status_code == 503
        assert "ctiscraper user create" in answer.text


@pytest.mark.usefixtures("admin")
async def test_a_stranger_is_sent_to_log_in(stranger: httpx2.AsyncClient) -> None:
    for rule in GUARDED:
        method, path = asked(rule)
        answer = await stranger.request(method, path, headers=SAME_SITE)
        if path.startswith("/api/"):
            assert answer.status_code == 401, rule
            assert answer.headers["www-authenticate"] == "Bearer"
        elif method == "GET":
            assert answer.status_code == 303, rule
            assert answer.headers["location"].startswith("/login?next=%2F")
        else:
            assert answer.status_code == 401, rule
            assert 'action="/login"' in answer.text


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_does_what_it_holds_and_no_more(
    stranger: httpx2.AsyncClient, opened: Database, role: Role
) -> None:
    token = await token_of(opened, await person(opened, role))
    headers = {"authorization": f"Bearer {token}"}
    for rule in GUARDED:
        if rule == ENDLESS:
            continue
        method, path = asked(rule)
        answer = await stranger.request(method, path, headers=headers | SAME_SITE)
        refused = answer.status_code == 403
        assert refused == (RULES[rule] not in GRANTS[role]), f"{rule}: {answer.status_code}"


# Method, address and what is sent: of things that belong to whoever made them.
OWN: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", "/api/v1/searches/{search}", {}),
    ("PATCH", "/api/v1/searches/{search}", {"name": "mine"}),
    ("POST", "/api/v1/searches/{search}/seen", {}),
    ("POST", "/api/v1/searches/{search}/feed", {}),
    ("DELETE", "/api/v1/searches/{search}/feed", {}),
    ("DELETE", "/api/v1/searches/{search}", {}),
    ("GET", "/searches/{search}", {}),
    ("POST", "/searches/{search}/change", {"name": "mine", "query": "mine"}),
    ("POST", "/searches/{search}/move", {"place": "0"}),
    ("POST", "/searches/{search}/feed", {}),
    ("POST", "/searches/{search}/unfollow", {}),
    ("POST", "/searches/{search}/remove", {}),
    ("POST", "/api/v1/reading/changes/{change}/undo", {}),
    ("POST", "/reading/undo", {"change": "{change}"}),
    ("DELETE", "/api/v1/tokens/{token}", {}),
    ("POST", "/tokens/{token}/revoke", {}),
)


def test_every_route_to_a_thing_of_ones_own_is_tried_by_others() -> None:
    own = {f"{method} {_unnamed(path)}" for method, path, _ in OWN}
    numbered = {
        f"{name.partition(' ')[0]} {_unnamed(name.partition(' ')[2])}"
        for name, rule in RULES.items()
        if rule is Permission.SELF_WRITE and "{" in name
    }
    assert len(numbered) > 10
    assert numbered <= own


def _unnamed(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


async def made_by(asking: httpx2.AsyncClient, headers: dict[str, str]) -> dict[str, object]:
    """One of each thing that is somebody's own."""
    sent: tuple[tuple[str, dict[str, object]], ...] = (
        ("searches", {"name": "a search", "query": "loader"}),
        ("reading/changes", {"articles": [1], "starred": True}),
        ("tokens", {"name": "a script", "scopes": ["article:read"]}),
    )
    made = []
    for path, body in sent:
        answer = await asking.post(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
    search, change, token = made
    feed = await asking.post(f"/api/v1/searches/{search['id']}/feed", headers=headers)
    assert feed.status_code == 201
    return {"search": search["id"], "change": change["id"], "token": token["token"]["id"]}


@pytest.mark.parametrize("role", list(Role))
async def test_what_is_somebody_s_own_is_out_of_reach_of_others(
    stranger: httpx2.AsyncClient, opened: Database, shelf: Shelf, role: Role
) -> None:
    shelf.article("one", text="A loader.")
    owner = await token_of(opened, await person(opened, Role.ANALYST, "owner"))
    other = await token_of(opened, await person(opened, role))
    his, theirs = ({"authorization": f"Bearer {one}"} | SAME_SITE for one in (owner, other))
    things = await made_by(stranger, his)
    for method, path, sent in OWN:
        given = {name: value.format(**things) for name, value in sent.items()}
        is_json = method == "PATCH"
        answer = await stranger.request(
            method,
            path.format(**things),
            json=given if is_json else None,
            data=None if is_json else given,
            headers=theirs,
        )
        # Administrators revoke everybody's tokens.
        expected = {200, 303} if role is Role.ADMIN and "{token}" in path else {404}
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code}"
    search = (await stranger.get(f"/api/v1/searches/{things['search']}", headers=his)).json()
    assert (search["name"], search["query"], search["feed"]) == ("a search", "loader", True)
    undone = await stranger.post(f"/api/v1/reading/changes/{things['change']}/undo", headers=his)
    assert (undone.status_code, undone.json()["restored"]) == (200, 1)
    tokens = (await stranger.get("/api/v1/tokens", headers=his)).json()
    [live] = [one["live"] for one in tokens if one["id"] == things["token"]]
    assert live is (role is not Role.ADMIN)


@pytest.mark.parametrize(
    "shown",
    ["", "Bearer", "Bearer cti_abc", "Basic dTpw", "Bearer " + "x" * 5000],
)
@pytest.mark.usefixtures("admin")
async def test_what_is_no_token_lets_nobody_in(stranger: httpx2.AsyncClient, shown: str) -> None:
    answer = await stranger.get("/", headers={"authorization": shown})
    assert answer.status_code == 401


async def test_a_session_changes_things_with_its_own_csrf_token_only(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    secret = await session_of(opened, admin)
    other = await session_of(opened, admin)
    stranger.cookies.set("ctiscraper", secret)
    form = {"kind": "keyword", "term": "lantern", "weight": "0.5", "note": ""}
    for csrf in (None, "", "x", csrf_token(other)):
        sent = form if csrf is None else form | {"csrf": csrf}
        answer = await stranger.post("/watchlist/add", data=sent, headers=SAME_SITE)
        assert answer.status_code == 403
    page = await stranger.get("/watchlist")
    assert csrf_token(secret) in page.text
    assert csrf_token(other) not in page.text
    answer = await stranger.post(
        "/watchlist/add", data=form | {"csrf": csrf_token(secret)}, headers=SAME_SITE
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/watchlist?added=1"


CROSS_SITE: tuple[dict[str, str], ...] = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:99"},
    {},
)
CHANGES = sorted(name for name in RULES if not name.startswith("GET "))


async def test_no_change_is_taken_from_another_site(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, admin))
    for rule in CHANGES:
        method, path = asked(rule)
        for headers in CROSS_SITE:
            if not headers and path.startswith("/api/"):
                continue
            answer = await stranger.request(method, path, headers=headers)
            assert answer.status_code == 403, (rule, headers)
            assert "own pages only" in answer.text


async def test_a_session_does_nothing_by_json_that_claims_to_be_text(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, admin))
    body = b'{"kind": "keyword", "term": "lantern", "weight": 0.5}'
    for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
        for headers in ({}, SAME_SITE):
            answer = await stranger.post(
                "/api/v1/watchlist", content=body, headers={"content-type": kind, **headers}
            )
            assert answer.status_code == 403
            assert "another session" in answer.text


@pytest.mark.parametrize(
    ("begun", "seen", "status"),
    [
        ("9 h", "7 h 59 min", 200),
        ("9 h", "8 h 1 s", 303),
        ("11 h 59 min", "0 s", 200),
        ("12 h 1 s", "0 s", 303),
    ],
)
async def test_an_ended_session_lets_nobody_in(  # noqa: PLR0913, PLR0917 - fixtures and cases
    stranger: httpx2.AsyncClient,
    app: FastAPI,
    opened: Database,
    admin: int,
    begun: str,
    seen: str,
    status: int,
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, admin))
    assert (await stranger.get("/")).status_code == 200
    app.state.doorman.forget()
    async with opened.connection() as conn:
        await conn.execute(
            "UPDATE user_session"
            " SET created_at = now() - %s::interval, seen_at = now() - %s::interval",
            (begun, seen),
        )
    assert (await stranger.get("/")).status_code == status


async def test_what_is_kept_from_somebody_is_told_in_the_log(
    client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await person(opened, Role.VIEWER)
    token = await token_of(opened, user_id)
    known = read_token(token)
    assert known is not None
    stranger.cookies.set("ctiscraper", await session_of(opened, user_id))
    with capture_logs() as lines:
        await client.get("/audit", headers={"authorization": f"Bearer {token}"})
        await stranger.post("/logout", headers=SAME_SITE)
        mistyped = token[:-1] + ("1" if token.endswith("0") else "0")
        await client.get("/api/v1/articles", headers={"authorization": f"Bearer {mistyped}"})
        await client.get("/api/v1/articles", headers={"authorization": f"Bearer {new_token()[0]}"})
    refused = [line for line in lines if line["event"] == "access.refused"]
    assert [(line["cause"], line["user_id"]) for line in refused] == [
        ("it needs audit:read", user_id),
        ("the form is of another session", user_id),
        ("no token, or none that lets anybody in", None),
        ("no token, or none that lets anybody in", None),
    ]
    assert refused[0]["token_id"] == known.id
    assert refused[0]["route"] == "/audit"
    assert refused[3]["token_id"]
    assert {line["ip"] for line in refused} == {"127.0.0.1"}
    assert token not in str(lines)

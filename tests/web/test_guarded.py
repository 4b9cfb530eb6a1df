"""No route answers whom its rule does not let in."""

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from ctiscraper.access.cookies import csrf_token
from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Role
from ctiscraper.web.guarded import GuardedRoute, check_rules
from ctiscraper.web.rules import RULES, Public
from people import person, session_of, token_of

SAME_SITE = {"sec-fetch-site": "same-origin"}


def asked(rule: str) -> tuple[str, str]:
    """Method and an address of a route."""
    method, _, path = rule.partition(" ")
    parts = ["1" if part.startswith("{") else part for part in path.split("/")]
    return method, "/".join(parts)


# It answers without an end; its own tests show who is let in.
ENDLESS = "GET /api/v1/events"
GUARDED = sorted(name for name, rule in RULES.items() if rule is not Public.ANYONE)


def test_every_route_has_a_rule_and_holds_to_it(app: FastAPI) -> None:
    check_rules(app)
    routes = [route for route in iter_route_contexts(app.routes) if getattr(route, "methods", None)]
    assert len(routes) == len(RULES)


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


async def test_an_ended_session_lets_nobody_in(
    stranger: httpx2.AsyncClient, app: FastAPI, opened: Database, admin: int
) -> None:
    stranger.cookies.set("ctiscraper", await session_of(opened, admin))
    assert (await stranger.get("/")).status_code == 200
    app.state.doorman.forget()
    async with opened.connection() as conn:
        await conn.execute("UPDATE user_session SET seen_at = now() - interval '8 h 1 s'")
    assert (await stranger.get("/")).status_code == 303

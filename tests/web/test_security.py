"""What every exchange passes: hosts, origins, bodies, headers, faults."""

import re
from collections.abc import AsyncIterator
from itertools import product

import httpx2
import pytest
from fastapi import FastAPI
from starlette.datastructures import Headers
from structlog.testing import capture_logs

from ctiscraper.access.tokens import new_token
from ctiscraper.db.session import Database
from ctiscraper.identity import Role
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.pages import (
    account,
    accounting,
    articles,
    login,
    operations,
    passkeys,
    password,
    setup,
    sources,
    theme,
    users,
)
from ctiscraper.web.redirects import local_path
from ctiscraper.web.rules import RULES
from ctiscraper.web.security import BODY_MOST, HEADERS, is_same_origin
from people import token_of
from web.shelf import Shelf
from web.signing import log_in, post, user
from web.test_guarded import ENDLESS, SAME_SITE, asked

OWN = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


def changing_routes(app: FastAPI) -> set[tuple[str, str]]:
    """Every method and path that changes something, described or not."""
    described = app.openapi()["paths"].items()
    found = {(method.upper(), path) for path, methods in described for method in methods}
    access = (setup, login, password, account, passkeys, users)
    for page in (articles, sources, accounting, operations, theme, *access):
        for route in page.router.noted:
            found |= {(method, route.path) for method in route.methods}
    return {(method, path) for method, path in found if method not in {"GET", "HEAD"}}


ASKED = (
    "/",
    "/articles/1",
    "/articles/9",
    "/sources",
    "/accounting",
    "/operations",
    "/metrics",
    "/nothing",
    "/static/base.css",
    "/static/../app.py",
    "/api/v1/articles",
    "/api/v1/nothing",
    "/health/live",
)


async def test_every_answer_carries_the_headers(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one")
    for path in ASKED:
        answer = await client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["cache-control"]
        assert "server" not in answer.headers


async def test_every_route_carries_them_and_lets_no_cache_keep_it(
    client: httpx2.AsyncClient,
) -> None:
    for rule in sorted(RULES):
        if rule == ENDLESS:
            continue
        method, path = asked(rule)
        answer = await client.request(method, path, headers=SAME_SITE)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS, rule
        assert len(answer.headers["x-request-id"]) == 32, rule
        assert answer.headers["cache-control"] in {"no-store", "private, no-cache"}, rule


async def test_no_other_site_may_read_an_answer_and_no_request_is_echoed(
    client: httpx2.AsyncClient,
) -> None:
    for path in ASKED:
        answer = await client.get(path, headers={"origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control-")], path
        asked_before = {"origin": "https://evil.example", "access-control-request-method": "GET"}
        answer = await client.options(path, headers=asked_before)
        assert answer.status_code in {404, 405}, path
        assert not [name for name in answer.headers if name.startswith("access-control-")], path
        echo = await client.request("TRACE", path, headers={**SAME_SITE, "x-said": "canary"})
        assert echo.status_code in {404, 405}, path
        assert "canary" not in echo.text


async def test_no_folder_is_listed(client: httpx2.AsyncClient) -> None:
    for path in ("/static", "/static/", "/static/.", "/static/./"):
        answer = await client.get(path)
        assert answer.status_code in {307, 404}, path
        assert ".css" not in answer.text.partition("<main")[2], path


async def test_every_answer_says_what_it_is(client: httpx2.AsyncClient, shelf: Shelf) -> None:
    shelf.article("one")
    for rule in sorted(RULES):
        if rule == ENDLESS:
            continue
        method, path = asked(rule)
        answer = await client.request(method, path, headers=SAME_SITE)
        if not answer.content:
            continue
        media_type, _, parameters = answer.headers["content-type"].partition(";")
        assert media_type in {
            "application/atom+xml", "application/feed+json", "application/json",
            "application/openmetrics-text", "application/problem+json", "application/x-ndjson",
            "application/yaml", "application/zip", "text/csv", "text/html", "text/markdown",
            "text/plain", "text/x-opml", "text/yaml",
        }, (rule, media_type)  # fmt: skip
        if media_type.startswith("text/") or media_type.endswith("xml"):
            assert parameters.strip().lower().startswith("charset=utf-8") or "charset=utf-8" in (
                parameters
            ), rule


async def test_pages_take_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    headers = (await client.get("/")).headers
    parts = (part.partition(" ") for part in headers["content-security-policy"].split("; "))
    assert {name: value for name, _, value in parts} == {
        "default-src": "'none'",
        "object-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


async def test_own_names_are_answered(client: httpx2.AsyncClient) -> None:
    for host in ("127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"):
        answer = await client.get("/health/live", headers={"host": host})
        assert (answer.status_code, host) == (200, host)


FOREIGN = ("evil.example", "127.0.0.1.evil.example", "localhost.", "127.0.0.1@evil", "", "::1")


async def test_other_names_are_refused(client: httpx2.AsyncClient) -> None:
    for host, path in product(FOREIGN, ("/health/live", "/", "/api/v1/articles")):
        answer = await client.get(path, headers={"host": host})
        assert (answer.status_code, host) == (421, host)
        assert answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8000"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://127.0.0.1:9000"}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, False),
        ({}, False),
    ],
)
def test_changes_come_from_our_own_pages(sent: dict[str, str], expected: bool) -> None:
    headers = Headers({"host": "127.0.0.1:8000", **sent})
    assert is_same_origin(headers, "/accounting/items") is expected


def test_programs_without_browser_headers_may_use_the_api() -> None:
    assert is_same_origin(Headers({"host": "127.0.0.1"}), "/api/v1/sources")


async def test_every_change_refuses_another_site(app: FastAPI, client: httpx2.AsyncClient) -> None:
    changing = changing_routes(app)
    assert {("POST", "/theme"), ("DELETE", "/api/v1/sources/{key}")} <= changing
    for method, path in changing:
        asked = re.sub(r"\{\w+\}", "1", path)
        answer = await client.request(method, asked, headers={"sec-fetch-site": "cross-site"})
        assert (answer.status_code, path) == (403, path)


async def test_body_over_the_cap_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/theme", content=b"x" * (BODY_MOST + 1), headers=OWN)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/watchlist/add", 1_000_000),
        ("/api/v1/watchlist", 1_000_000),
        ("/indicators/lookup", 8_000_000),
        ("/api/v1/lookup", 8_000_000),
        ("/sources/import", 20_000_000),
        ("/api/v1/sources/import", 20_000_000),
    ],
)
async def test_each_kind_of_body_has_its_cap(
    client: httpx2.AsyncClient, path: str, most: int
) -> None:
    said = {"content-length": str(most + 1)}
    answer = await client.post(path, content=b"x", headers=OWN | said)
    assert answer.status_code == 413
    assert f"{most:,} bytes" in answer.text


async def test_json_of_any_depth_is_refused_where_none_is_asked_for(
    client: httpx2.AsyncClient,
) -> None:
    for depth in (50, 5_000, 150_000):
        for begin, end in ((b"[", b"]"), (b'{"a":', b"}")):
            answer = await client.post(
                "/api/v1/watchlist",
                content=begin * depth + b"1" + end * depth,
                headers={"content-type": "application/json"},
            )
            assert answer.status_code in {400, 422}, depth
            assert answer.headers["content-type"] == "application/problem+json"


async def test_body_that_hides_its_length_is_cut(client: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    answer = await client.post("/theme", content=endless(), headers=OWN)
    assert answer.status_code == 413


FORMS = (b"", b"theme=blue", b"theme=dark&x=1", b"\xff=\xff", b"&".join([b"a=1"] * 5000))


async def test_form_that_is_not_ours_is_refused(client: httpx2.AsyncClient) -> None:
    for body in FORMS:
        answer = await client.post("/theme", content=body, headers=OWN)
        assert (answer.status_code, body) == (422, body)
        assert answer.headers["content-type"].startswith("text/html")


async def test_choice_of_colours_is_kept(client: httpx2.AsyncClient) -> None:
    body = "theme=dark&here=%2Fsources%3Fa%3D1"
    answer = await client.post("/theme", content=body, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sources?a=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "theme=dark" in cookie
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = await client.get("/sources", headers={"cookie": "theme=dark"})
    assert 'data-theme="dark"' in page.text
    page = await client.get("/sources", headers={"cookie": 'theme="><script>'})
    assert "data-theme" not in page.text


async def test_every_cookie_is_bound_to_this_host_over_tls(app: FastAPI, opened: Database) -> None:
    """That of the session and its kin is shown by the tests of logging in."""
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1") as asking:
        for path, body in (("/theme", "theme=dark"), ("/view", "density=compact&by=story")):
            answer = await asking.post(path, content=body, headers=OWN)
            given = answer.headers.get_list("set-cookie")
            assert given
            for cookie in given:
                assert cookie.startswith("__Host-")
                for word in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
                    assert word in cookie
                assert "Domain" not in cookie
        await user(opened)
        await log_in(asking)
        assert 'data-theme="dark"' in (await asking.get("/account")).text
        assert set(asking.cookies) == {
            "__Host-theme", "__Host-density", "__Host-by", "__Host-ctiscraper",
            "__Host-ctiscraper_known",
        }  # fmt: skip


async def test_what_is_refused_before_any_route_is_told_in_the_log(
    client: httpx2.AsyncClient,
) -> None:
    with capture_logs() as lines:
        await client.get("/", headers={"host": "evil.example"})
        await client.post("/theme", content="theme=dark", headers={"sec-fetch-site": "cross-site"})
        await client.post("/theme", content=b"x" * (BODY_MOST + 1), headers=OWN)
    refused = [line for line in lines if line["event"] == "web.refused"]
    assert [line["cause"] for line in refused] == [
        "a name that is not served here",
        "a change that another site asks for",
        "a body that is too large",
    ]
    assert {line["ip"] for line in refused} == {"127.0.0.1"}


async def test_the_page_of_an_address_that_is_none_has_the_readers_menu(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    assert "/logout" not in (await stranger.get("/nothing")).text
    await user(opened, role=Role.VIEWER)
    await log_in(stranger)
    page = await stranger.get("/nothing")
    assert page.status_code == 404
    for shown in ('action="/logout"', "<bdi>Jane</bdi>", 'href="/account"'):
        assert shown in page.text
    assert 'href="/users"' not in page.text
    assert (await post(stranger, "/logout")).status_code == 303


async def test_a_page_that_is_refused_says_what_is_missing_in_words(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    user_id = await user(opened, role=Role.VIEWER)
    await log_in(stranger)
    page = await stranger.get("/sources/add")
    assert page.status_code == 403
    for shown in ("Your role, viewer,", "Change sources", "source:write", "the role curator has"):
        assert shown in page.text
    token = await token_of(opened, user_id)
    told = await stranger.get("/api/v1/audit", headers={"authorization": f"Bearer {token}"})
    assert "which the role admin has" in told.json()["detail"]


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil", "https://evil.example", "", "x", "/a\r\nb", "/\u00e9"]
)
def test_return_leads_nowhere_else(path: str) -> None:
    assert local_path(path) == "/"


async def test_own_fault_tells_nothing_but_its_number(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret /etc/path SELECT")

    monkeypatch.setattr("ctiscraper.db.overview.Overview.sources", broken)
    for path, kind in (("/api/v1/sources", "application/problem+json"), ("/sources", "text/html")):
        with capture_logs() as logs:
            answer = await client.get(path)
        assert logs[0]["request_id"] == answer.headers["x-request-id"]
        assert "secret" in str(logs[0]["exc_info"])
        assert answer.status_code == 500
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-request-id"] in answer.text
        assert answer.headers["content-security-policy"]
        for word in ("secret", "SELECT", "Traceback", "RuntimeError"):
            assert word not in answer.text


async def test_database_that_is_away_is_said_so() -> None:
    gone = Database("host=/nonexistent user=nobody", size=1)
    app = create_app(WebServices(database=gone))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (
            503,
            {"status": "unavailable", "degraded": ["database"]},
        )
        for path in ("/", "/api/v1/articles"):
            answer = await client.get(path, headers={"authorization": f"Bearer {new_token()[0]}"})
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert "nonexistent" not in answer.text


async def test_ready_with_a_schema(client: httpx2.AsyncClient) -> None:
    for path in ("/health", "/health/ready"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

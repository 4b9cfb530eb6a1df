"""Somebody logs in by a provider, and nobody else with his answer."""

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx2
import msgspec
import pytest
import pytest_asyncio
from fastapi import FastAPI

from access.test_load_balancer import SIGN_ON, Signer
from ctiscraper.access.cookies import session_key
from ctiscraper.access.load_balancer import LoadBalancer
from ctiscraper.access.oidc import Provider
from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts
from ctiscraper.audit_views import AuditQuery
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.http import Client
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.on_the_way import Sent
from loopback import open_client, origin_server
from provider import FakeProvider, client_for, provider_server
from web.signing import OTHER, SAME_SITE, hidden, post


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with provider_server() as running:
        yield running


@pytest_asyncio.fixture
async def outbound(fake: FakeProvider) -> AsyncIterator[Client]:
    async with client_for(fake) as given:
        yield given


@pytest.fixture
def app(opened: Database, fake: FakeProvider, outbound: Client) -> FastAPI:
    provider = Provider(fake.sign_on(), outbound, now=lambda: datetime.now(UTC))
    return create_app(WebServices(database=opened, provider=provider))


async def begun(stranger: httpx2.AsyncClient, fake: FakeProvider, to: str = "/") -> dict[str, str]:
    answer = await stranger.get("/oidc/start", params={"next": to})
    assert answer.status_code == 303
    return fake.log_in(answer.headers["location"])


async def test_somebody_logs_in_and_comes_to_where_he_wanted(
    stranger: httpx2.AsyncClient, fake: FakeProvider, opened: Database
) -> None:
    # Nobody has to be set up first: the provider has the users.
    answer = await stranger.get("/stories")
    assert answer.headers["location"] == "/login?next=%2Fstories"
    back = await begun(stranger, fake, "/stories?cursor=x")
    answer = await stranger.get("/oidc/callback", params=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/stories?cursor=x")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("ctiscraper="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=43200" in cookie
    assert (await stranger.get("/stories")).status_code == 200
    entries = (await Audit(opened).page(AuditQuery())).entries
    assert [(one.action, one.actor_name) for one in entries] == [
        ("user.login", "ann (Ann Analyst)"),
        ("user.make", "ann (Ann Analyst)"),
    ]
    assert all(one.ip and one.request_id for one in entries)


async def test_a_session_before_the_login_ends_with_it(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    first = stranger.cookies["ctiscraper"]
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert stranger.cookies["ctiscraper"] != first
    stranger.cookies.clear()
    stranger.cookies.set("ctiscraper", first)
    assert (await stranger.get("/sources")).status_code == 303


async def test_a_changed_role_is_noted(
    stranger: httpx2.AsyncClient, fake: FakeProvider, opened: Database
) -> None:
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    fake.claims = {"groups": ["cti-admins"]}
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    [entry] = (await Audit(opened).page(AuditQuery(action="user.change"))).entries
    assert json.loads(entry.changes)["role"] == ["analyst", "admin"]


async def test_an_answer_is_good_for_one_time_and_one_browser(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    back = await begun(stranger, fake)
    cookie = stranger.cookies["ctiscraper_oidc"]
    stranger.cookies.clear()
    assert (await stranger.get("/oidc/callback", params=back)).status_code == 403
    await begun(stranger, fake)
    assert (await stranger.get("/oidc/callback", params=back)).status_code == 403
    stranger.cookies.clear()
    stranger.cookies.set("ctiscraper_oidc", cookie)
    assert (await stranger.get("/oidc/callback", params=back)).status_code == 303
    stranger.cookies.clear()
    stranger.cookies.set("ctiscraper_oidc", cookie)
    assert (await stranger.get("/oidc/callback", params=back)).status_code == 403
    assert "ctiscraper=" not in str(fake.forms)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "made-up"},
        {"state": ""},
        {"code": "made-up"},
        {"code": ""},
        {"iss": "https://evil.example"},
        {"error": "access_denied"},
        {"error": "<script>alert(1)</script>"},
    ],
)
async def test_an_answer_that_does_not_hold_lets_nobody_in(
    stranger: httpx2.AsyncClient, fake: FakeProvider, opened: Database, change: dict[str, str]
) -> None:
    back = await begun(stranger, fake) | change
    answer = await stranger.get("/oidc/callback", params=back)
    assert answer.status_code == 403
    assert "<script>alert" not in answer.text
    assert "ctiscraper=" not in str(answer.headers.get_list("set-cookie"))
    # A stranger cannot fill the log.
    assert (await Audit(opened).page(AuditQuery())).entries == ()


async def test_whoever_has_no_role_is_told_and_noted(
    stranger: httpx2.AsyncClient, fake: FakeProvider, opened: Database
) -> None:
    fake.claims = {"groups": ["everybody"]}
    answer = await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert answer.status_code == 403
    assert "no role" in answer.text
    [entry] = (await Audit(opened).page(AuditQuery())).entries
    assert (entry.action, entry.actor_kind, entry.actor_name) == ("user.refuse", "nobody", "ann")


async def test_nobody_is_kept_out_by_those_who_set_out_and_do_not_come_back(
    stranger: httpx2.AsyncClient, fake: FakeProvider, opened: Database
) -> None:
    for _ in range(100):
        assert (await stranger.get("/oidc/start")).status_code == 303
    async with opened.connection() as conn:
        cursor = await conn.execute(
            "SELECT (SELECT count(*) FROM sign_on) + (SELECT count(*) FROM sign_on_used)"
            " + (SELECT count(*) FROM attempt)"
        )
        assert await cursor.fetchone() == (0,)
    answer = await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert answer.status_code == 303


async def test_a_way_is_good_for_ten_minutes(
    stranger: httpx2.AsyncClient, fake: FakeProvider, app: FastAPI
) -> None:
    sealer, now = app.state.services.sealer, int(datetime.now(UTC).timestamp())
    for seconds, status in ((601, 403), (590, 303)):
        address, way = await app.state.services.provider.begin("http://127.0.0.1/oidc/callback")
        sent = Sent(way=way, target="/", begun_at=now - seconds)
        sealed = sealer.seal_text("sign on", msgspec.json.encode(sent))
        stranger.cookies.set("ctiscraper_oidc", sealed)
        answer = await stranger.get("/oidc/callback", params=fake.log_in(address))
        assert answer.status_code == status


async def test_made_up_codes_are_tried_thirty_times_from_one_place(
    stranger: httpx2.AsyncClient, fake: FakeProvider, app: FastAPI
) -> None:
    for _ in range(30):
        back = await begun(stranger, fake) | {"code": "made-up"}
        assert (await stranger.get("/oidc/callback", params=back)).status_code == 403
    back = await begun(stranger, fake)
    assert (await stranger.get("/oidc/callback", params=back)).status_code == 429
    elsewhere = httpx2.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://127.0.0.1") as other:
        for _ in range(35):
            answer = await other.get("/oidc/callback", params=await begun(other, fake))
            assert answer.status_code == 303
            other.cookies.clear()


async def test_the_last_administrator_stays_one_and_that_is_noted(
    stranger: httpx2.AsyncClient, fake: FakeProvider, opened: Database
) -> None:
    fake.claims = {"groups": ["cti-admins"]}
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    fake.claims = {"groups": ["cti-readers"]}
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert (await stranger.get("/users")).status_code == 200
    [entry] = (await Audit(opened).page(AuditQuery(action="user.keep_role"))).entries
    assert json.loads(entry.changes)["role"] == "viewer"
    fake.claims = {"groups": []}
    answer = await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert (answer.status_code, "CTISCRAPER_OIDC_ROLES" in answer.text) == (403, True)
    [entry] = (await Audit(opened).page(AuditQuery(action="user.refuse"))).entries
    assert "last administrator" in json.loads(entry.changes)["cause"]


MAKING = {"name": "a script", "scopes": "article:read", "days": "30"}


async def signed_on(stranger: httpx2.AsyncClient, fake: FakeProvider) -> httpx2.Response:
    """The answer of a page that asks who somebody is, who has just come by the provider."""
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    answer = await post(stranger, "/tokens/make", **MAKING)
    assert answer.status_code == 403
    return answer


async def asked_again(
    stranger: httpx2.AsyncClient, fake: FakeProvider, to: str = "/"
) -> httpx2.Response:
    """The answer to somebody whom his provider has asked once more."""
    answer = await stranger.get("/oidc/again", params={"next": to})
    asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    back = fake.log_in(answer.headers["location"])
    return await stranger.get("/oidc/callback", params=back)


async def test_what_was_typed_before_a_session_ended_waits_behind_the_provider(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    stranger.cookies.delete("ctiscraper")
    page = await post(stranger, "/tokens/make", **MAKING)
    assert (page.status_code, "is not lost" in page.text) == (401, True)
    assert 'href="/oidc/start?next=%2F"' in page.text
    page = await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    fields = hidden(page.text, "/tokens/make")
    assert {name: fields[name] for name in MAKING} == MAKING
    # It is taken from the page itself as well, and once.
    answer = await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert answer.headers["location"] == "/"
    fake.claims = {"auth_time": int(time.time())}
    await asked_again(stranger, fake)
    done = await post(stranger, "/tokens/make", **MAKING)
    assert (done.status_code, "cti_" in done.text) == (200, True)


async def test_what_was_typed_is_shown_to_nobody_else(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    stranger.cookies.delete("ctiscraper")
    assert (await post(stranger, "/tokens/make", **MAKING)).status_code == 401
    fake.claims = {"sub": "subject-2", "preferred_username": "ben"}
    answer = await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_somebody_without_a_password_confirms_by_his_provider_that_it_is_he(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    page = await signed_on(stranger, fake)
    assert 'href="/oidc/again?next=%2F"' in page.text
    assert 'name="password"' not in page.text
    session = stranger.cookies["ctiscraper"]
    fake.claims = {"auth_time": int(time.time())}
    answer = await asked_again(stranger, fake)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sudo?next=%2F")
    assert stranger.cookies["ctiscraper"] != session
    # What he had sent waits for him.
    resumed = hidden((await stranger.get("/sudo?next=/")).text, "/tokens/make")
    assert {name: resumed[name] for name in MAKING} == MAKING
    done = await stranger.post("/tokens/make", data=resumed, headers=SAME_SITE)
    assert (done.status_code, "cti_" in done.text) == (200, True)
    assert (await stranger.get("/sudo?next=/tokens")).headers["location"] == "/tokens"
    answer = await asked_again(stranger, fake, "/tokens")
    assert answer.headers["location"] == "/sudo?next=%2Ftokens"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, "does not say when"),
        ({"auth_time": "now"}, "does not say when"),
        ({"auth_time": True}, "does not say when"),
        ({"auth_time": -3_600.0}, "has not asked you"),
        ({"auth_time": 3_600.0}, "has not asked you"),
        ({"auth_time": 0.0, "sub": "subject-2"}, "somebody else"),
        ({"error": "login_required"}, "did not let you in"),
    ],
)
async def test_what_shows_nobody_confirms_nothing(
    stranger: httpx2.AsyncClient, fake: FakeProvider, claims: dict[str, object], said: str
) -> None:
    await signed_on(stranger, fake)
    fake.claims = dict(claims)
    if isinstance(apart := claims.get("auth_time"), float):
        fake.claims["auth_time"] = time.time() + apart
    answer = await stranger.get("/oidc/again")
    back = fake.log_in(answer.headers["location"])
    if "error" in claims:
        back["error"] = str(claims["error"])
    answer = await stranger.get("/oidc/callback", params=back)
    assert (answer.status_code, said in answer.text) == (403, True)
    assert (await post(stranger, "/tokens/make", **MAKING)).status_code == 403


async def test_a_confirmation_is_for_the_session_that_asked(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    await signed_on(stranger, fake)
    fake.claims = {"auth_time": int(time.time())}
    again = await stranger.get("/oidc/again")
    way = stranger.cookies["ctiscraper_oidc"]
    await stranger.get("/oidc/callback", params=await begun(stranger, fake))
    stranger.cookies.set("ctiscraper_oidc", way)
    back = fake.log_in(again.headers["location"])
    answer = await stranger.get("/oidc/callback", params=back)
    assert (answer.status_code, "has ended meanwhile" in answer.text) == (403, True)
    assert (await post(stranger, "/tokens/make", **MAKING)).status_code == 403


@pytest.mark.usefixtures("admin")
async def test_only_somebody_who_is_logged_in_is_asked_again(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.get("/oidc/again")
    assert answer.headers["location"].startswith("/login?")


async def test_a_login_that_another_site_begins_waits_for_somebody_to_want_it(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    del fake
    answer = await stranger.get(
        "/oidc/start?next=/sources", headers={"sec-fetch-site": "cross-site"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fsources")
    assert "set-cookie" not in answer.headers
    answer = await stranger.get("/oidc/start", headers={"sec-fetch-site": "same-origin"})
    assert "/login" not in answer.headers["location"].partition("?")[0]
    assert "set-cookie" in answer.headers


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil", "x", "/\n"])
async def test_nobody_is_sent_to_another_site(
    stranger: httpx2.AsyncClient, fake: FakeProvider, to: str
) -> None:
    answer = await stranger.get("/oidc/callback", params=await begun(stranger, fake, to))
    assert answer.headers["location"] == "/"


async def test_the_address_back_is_the_one_that_was_asked(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.get("/oidc/start")
    query = urlsplit(answer.headers["location"]).query
    assert "redirect_uri=http%3A%2F%2F127.0.0.1%2Foidc%2Fcallback" in query


async def test_a_provider_that_is_away_is_told(
    stranger: httpx2.AsyncClient, fake: FakeProvider
) -> None:
    fake.discovery = {"issuer": "https://evil.example"}
    assert (await stranger.get("/oidc/start")).status_code == 503


async def test_without_a_provider_there_is_no_way(opened: Database) -> None:
    app = create_app(WebServices(database=opened))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
        for path in ("/oidc/start", "/oidc/callback", "/oidc/balancer"):
            assert (await asking.get(path)).status_code == 404


@pytest_asyncio.fixture
async def signer() -> AsyncIterator[Signer]:
    async with origin_server() as origin:
        yield Signer(origin)


@pytest_asyncio.fixture
async def behind(opened: Database, signer: Signer) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an app that stands behind a load balancer."""
    async with open_client(signer.origin.policy()) as outbound:
        balancer = LoadBalancer(
            SIGN_ON,
            outbound,
            now=lambda: datetime.now(UTC),
            keys_at=f"http://127.0.0.1:{signer.origin.port}/",
        )
        app = create_app(WebServices(database=opened, balancer=balancer))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            yield asking


async def test_whom_the_balancer_let_in_has_a_session_at_once(
    behind: httpx2.AsyncClient, signer: Signer, opened: Database
) -> None:
    headers = {"x-amzn-oidc-data": signer.data()}
    answer = await behind.get("/stories?cursor=x", headers=headers)
    assert answer.headers["location"] == "/oidc/balancer?next=%2Fstories%3Fcursor%3Dx"
    answer = await behind.get(answer.headers["location"], headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/stories?cursor=x")
    assert (await behind.get("/stories")).status_code == 200
    [login, _] = (await Audit(opened).page(AuditQuery())).entries
    assert (login.action, login.actor_name) == ("user.login", "ann@example.org")


async def test_what_was_typed_waits_behind_the_balancer(
    behind: httpx2.AsyncClient, signer: Signer
) -> None:
    headers = {"x-amzn-oidc-data": signer.data()}
    await behind.get("/oidc/balancer", headers=headers)
    behind.cookies.delete("ctiscraper")
    sent = {"csrf": "", **MAKING}
    page = await behind.post("/tokens/make", data=sent, headers={**SAME_SITE, **headers})
    assert (page.status_code, "is not lost" in page.text) == (401, True)
    assert 'href="/oidc/balancer?next=%2F"' in page.text
    page = await behind.get("/oidc/balancer", headers=headers)
    fields = hidden(page.text, "/tokens/make")
    assert {name: fields[name] for name in MAKING} == MAKING


async def test_behind_a_balancer_a_password_of_ones_own_confirms_who_one_is(
    behind: httpx2.AsyncClient, signer: Signer, opened: Database
) -> None:
    await behind.get("/oidc/balancer", headers={"x-amzn-oidc-data": signer.data()})
    page = await post(behind, "/tokens/make", **MAKING)
    assert (page.status_code, "make a password link" in page.text) == (403, True)
    assert "/oidc/again" not in page.text
    [ann] = await Users(opened).all()
    await Accounts(opened, Passwords()).set_password(
        ann.id, OTHER, keep=session_key(behind.cookies["ctiscraper"])
    )
    page = await post(behind, "/tokens/make", **MAKING)
    fields = hidden(page.text, "/sudo")
    page = await behind.post("/sudo", data={**fields, "password": OTHER}, headers=SAME_SITE)
    resumed = hidden(page.text, "/tokens/make")
    done = await behind.post("/tokens/make", data=resumed, headers=SAME_SITE)
    assert (done.status_code, "cti_" in done.text) == (200, True)


async def test_a_header_that_nobody_signed_is_never_taken(
    behind: httpx2.AsyncClient, signer: Signer
) -> None:
    good = signer.data()
    forged = f"{good.rpartition('.')[0]}.{'A' * 88}"
    bare = {"x-amzn-oidc-identity": "ann", "x-forwarded-user": "ann", "remote-user": "ann"}
    assert (await behind.get("/stories", headers=bare)).headers["location"].startswith("/login")
    for headers in (bare, bare | {"x-amzn-oidc-data": forged}, bare | {"x-amzn-oidc-data": "ann"}):
        assert (await behind.get("/oidc/balancer", headers=headers)).status_code == 403
    twice = [("x-amzn-oidc-data", good), ("x-amzn-oidc-data", good)]
    assert (await behind.get("/oidc/balancer", headers=twice)).status_code == 403
    answer = await behind.get("/api/v1/articles", headers={"x-amzn-oidc-data": good})
    assert answer.status_code == 401
    assert (await behind.get("/stories")).status_code == 303

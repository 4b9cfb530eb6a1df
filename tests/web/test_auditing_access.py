"""What changes who may come in stands in the audit log, whatever fails, and nothing else of it."""

import json
from base64 import urlsafe_b64encode

import httpx2
import psycopg
import pyotp
import pytest
from fastapi import FastAPI

from ctiscraper.access.cookies import csrf_token, new_session, session_key
from ctiscraper.access.passkeys import Passkey
from ctiscraper.access.passwords import Passwords
from ctiscraper.admission import Admission
from ctiscraper.audit_views import Actor, ActorKind, AuditEntry, AuditQuery, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.passkeys import Passkeys
from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from people import person, session_of, token_of
from web.shelf import Shelf
from web.signing import OTHER, PASSWORD, SAME_SITE, hidden, log_in, post, user

WATCHED = {"kind": "keyword", "term": "lantern", "weight": 0.5}
FULL_DISK = (
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE disk_full; END $$"
)


async def entries(database: Database, **narrowed: str) -> tuple[AuditEntry, ...]:
    return (await Audit(database).page(AuditQuery(**narrowed))).entries  # type: ignore[arg-type]  # a builder


def fail(database: str, event: str, table: str, condition: str) -> None:
    """Let the database run out of space at one kind of write."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(FULL_DISK)
        conn.execute(
            f"CREATE TRIGGER full_disk BEFORE {event} ON {table} FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION full_disk()".encode()
        )


async def as_user(client: httpx2.AsyncClient, database: Database, user_id: int) -> None:
    """Let a client be somebody who has just given his password."""
    secret = new_session()
    await Sessions(database).add(session_key(secret), user_id, sudo_minutes=10)
    client.cookies.set("ctiscraper", secret)


@pytest.mark.parametrize("change", [{"role": "admin"}, {"disabled": True}])
async def test_a_change_that_is_refused_in_part_is_none(
    client: httpx2.AsyncClient, opened: Database, change: dict[str, object]
) -> None:
    john = await person(opened, Role.VIEWER)
    before = await Users(opened).get(john)
    answer = await client.patch(f"/api/v1/users/{john}", json={**change, "name": "x" * 101})
    assert answer.status_code == 422
    assert await Users(opened).get(john) == before
    assert await entries(opened) == ()


async def test_a_user_is_changed_as_a_whole_or_not_at_all(
    client: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    change = {"name": "Another", "role": "viewer", "disabled": True}
    answer = await client.patch(f"/api/v1/users/{admin}", json=change)
    assert answer.status_code == 409
    assert (await Users(opened).get(admin)).name == "The the-admin"
    john = await person(opened, Role.VIEWER)
    answer = await client.patch(f"/api/v1/users/{john}", json=change)
    assert (answer.status_code, answer.json()["name"]) == (200, "Another")
    [entry] = await entries(opened)
    assert (entry.action, entry.object_id) == ("user.change", str(john))
    assert json.loads(entry.changes) == {
        "disabled": [False, True],
        "name": ["The the-viewer", "Another"],
    }


async def test_what_was_changed_is_noted_even_where_something_fails_after_it(
    client: httpx2.AsyncClient, database: str, opened: Database
) -> None:
    fail(database, "UPDATE OF settled", "watchlist_entry", "NEW.settled")
    made = await client.post("/api/v1/watchlist", json=WATCHED)
    assert made.status_code == 503
    [entry] = (await client.get("/api/v1/watchlist")).json()
    removed = await client.delete(f"/api/v1/watchlist/{entry['id']}")
    assert removed.status_code == 503
    form = {"kind": "keyword", "term": "lantern", "weight": "0.5", "note": ""}
    page = await client.post("/watchlist/add", data=form, headers=SAME_SITE)
    assert page.status_code == 503
    lines = b"vendor: Example"
    imported = await client.post("/api/v1/watchlist/import", content=lines)
    assert imported.status_code == 503
    actions = [one.action for one in reversed(await entries(opened))]
    assert actions == [f"watchlist.{word}" for word in ("add", "remove", "add", "import")]


async def test_an_import_that_breaks_off_is_noted(
    client: httpx2.AsyncClient, database: str, opened: Database
) -> None:
    fail(database, "INSERT", "watchlist_entry", "NEW.term = 'Third'")
    body = b"vendor: First\nvendor: Second\nvendor: Third\n"
    answer = await client.post("/api/v1/watchlist/import?name=ours.txt", content=body)
    assert answer.status_code == 503
    assert len((await client.get("/api/v1/watchlist")).json()) == 2
    [entry] = await entries(opened)
    assert json.loads(entry.changes) == {"file": "ours.txt", "whole": False}


async def test_a_dry_run_is_no_entry(client: httpx2.AsyncClient, opened: Database) -> None:
    body = b"vendor: First\n"
    answer = await client.post("/api/v1/watchlist/import?dry_run=true", content=body)
    assert answer.json()["dry_run"] is True
    assert await entries(opened) == ()


async def test_a_password_that_was_typed_as_a_login_is_kept_nowhere(
    stranger: httpx2.AsyncClient, opened: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await user(opened)
    assert (await log_in(stranger, PASSWORD, "x")).status_code == 401
    assert await entries(opened) == ()
    logged = "".join(capsys.readouterr())
    assert "login.refused" in logged
    assert PASSWORD not in logged


async def test_a_refused_login_is_noted_for_the_user_it_is_of(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    jane = await user(opened)
    john = await user(opened, "john", Role.VIEWER)
    await Users(opened).disable(john)
    for login, password in ((" JANE ", OTHER), ("john", PASSWORD)):
        assert (await log_in(stranger, login, password)).status_code == 401
    found = await entries(opened)
    assert [(one.action, one.object_id) for one in reversed(found)] == [
        ("user.login_refused", str(jane)),
        ("user.login_refused", str(john)),
    ]
    assert {(one.actor_kind, one.actor_name, one.ip) for one in found} == {
        ("nobody", "", "127.0.0.1")
    }
    assert all(one.request_id for one in found)


async def test_a_refused_code_is_noted_for_whose_password_was_right(
    stranger: httpx2.AsyncClient, app: FastAPI, opened: Database
) -> None:
    jane = await user(opened)
    sealer = app.state.services.sealer
    admission = Admission(opened, passwords=Passwords(), sealer=sealer)
    secret = pyotp.TOTP(await admission.begin_totp(jane))
    await admission.confirm_totp(jane, secret.at(opened.clock()))
    fields = hidden((await log_in(stranger)).text, "/login/code")
    assert (await post(stranger, "/login/code", **fields, code="000000")).status_code == 401
    [entry] = await entries(opened)
    assert (entry.action, entry.object_id) == ("user.code_refused", str(jane))


async def test_a_refused_passkey_is_noted_where_it_is_somebodys(
    stranger: httpx2.AsyncClient, opened: Database
) -> None:
    jane = await user(opened)
    known = b"jane's passkey"
    passkey = Passkey(id=known, public_key=b"x", sign_count=0)
    await Passkeys(opened).add(jane, passkey, name="Key")
    client_data = {"type": "webauthn.get", "challenge": "AAAA", "origin": "http://127.0.0.1"}
    for key in (known, b"another"):
        name = urlsafe_b64encode(key).decode().rstrip("=")
        said = urlsafe_b64encode(json.dumps(client_data).encode()).decode().rstrip("=")
        response = {"clientDataJSON": said, "authenticatorData": "AAAA", "signature": "AAAA"}
        credential = {"id": name, "rawId": name, "type": "public-key", "response": response}
        answer = await post(stranger, "/login/passkey", credential=json.dumps(credential))
        assert answer.status_code == 401
    [entry] = await entries(opened)
    assert (entry.action, entry.object_id) == ("user.passkey_refused", str(jane))


async def test_a_refusal_that_cannot_be_noted_is_told_in_the_log(
    stranger: httpx2.AsyncClient,
    database: str,
    opened: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await user(opened)
    fail(database, "INSERT", "audit_entry", "true")
    assert (await log_in(stranger, password=OTHER)).status_code == 401
    logged = "".join(capsys.readouterr())
    assert "audit.lost" in logged
    assert "login.not_noted" in logged


async def test_another_name_is_noted_and_hides_nobody(
    stranger: httpx2.AsyncClient, opened: Database, shelf: Shelf
) -> None:
    number = shelf.article("one", text="A loader.")
    mallory = await user(opened, "mallory", Role.ANALYST)
    await as_user(stranger, opened, mallory)
    await post(stranger, "/account/name", name="Alice Admin")
    await post(stranger, f"/articles/{number}/notes", body="It was me")
    await post(stranger, "/account/name", name="Mallory")
    written, made, renamed = reversed((await entries(opened, actor="mallory"))[:3])
    assert (written.action, json.loads(written.changes)) == (
        "account.name",
        {"name": ["Mallory", "Alice Admin"]},
    )
    assert (made.action, made.actor_name) == ("article.note", "mallory (Alice Admin)")
    assert renamed.actor_name == "mallory (Alice Admin)"
    page = (await stranger.get(f"/articles/{number}")).text
    assert "<bdi>mallory (Alice Admin)</bdi>" in page


async def test_a_token_is_marked_in_what_it_writes(
    stranger: httpx2.AsyncClient, opened: Database, shelf: Shelf
) -> None:
    number = shelf.article("one", text="A loader.")
    mallory = await person(opened, Role.ANALYST, "mallory")
    token = await token_of(opened, mallory)
    headers = {"authorization": f"Bearer {token}"}
    notes = f"/api/v1/articles/{number}/notes"
    note = (await stranger.post(notes, json={"body": "x"}, headers=headers)).json()
    assert note["author"] == "mallory, token a test"
    [entry] = await entries(opened)
    assert entry.actor_name == "mallory, token a test"


async def test_entries_are_found_by_user_and_by_token_whatever_these_are_called(
    client: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    audit, deed = Audit(opened), Deed(action="source.check")
    john = await person(opened, Role.VIEWER, "john")
    for name in ("John", "The the-admin", "john (Another)"):
        await audit.note(Actor(kind=ActorKind.USER, name=name, user_id=john), deed)
    await audit.note(Actor(kind=ActorKind.TOKEN, name="x", token_id="k3v9x0q2ab"), deed)
    await audit.note(Actor(kind=ActorKind.USER, name="john", user_id=admin), deed)
    page = (await client.get("/audit")).text
    assert f"user {john}<" in page
    assert f"/audit?actor=user%3A{john}" in page
    assert "/audit?actor=token%3Ak3v9x0q2ab" in page

    async def asked(actor: str) -> list[int]:
        answer = await client.get("/api/v1/audit", params={"actor": actor})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["entries"]]

    assert await asked(f"user:{john}") == [3, 2, 1]
    # Names that were noted count as well: entries of commands have no other.
    assert await asked("JOHN") == [5, 3, 2, 1]
    assert await asked("token:k3v9x0q2ab") == [4]
    for nobody in ("user:99", "token:x", "nobody", "user:" + "9" * 40, "user:\u0661"):
        assert await asked(nobody) == []


async def test_the_address_of_a_feed_is_noted_as_it_comes_and_goes(
    client: httpx2.AsyncClient, opened: Database
) -> None:
    made = await client.post("/api/v1/searches", json={"name": "x", "query": "loader"})
    number = made.json()["id"]
    feed = f"/api/v1/searches/{number}/feed"
    address = (await client.post(feed)).json()["atom"]
    await client.delete(feed)
    await client.post(f"/searches/{number}/feed", headers=SAME_SITE)
    await client.post(f"/searches/{number}/unfollow", headers=SAME_SITE)
    found = list(reversed(await entries(opened)))
    assert [one.action for one in found] == ["search.feed", "search.end_feed"] * 2
    assert {one.object_id for one in found} == {str(number)}
    secret = address.rpartition("/")[2].removesuffix(".atom")
    assert not any(secret in repr(one) for one in found)


async def test_a_name_that_is_refused_is_no_entry(
    stranger: httpx2.AsyncClient, opened: Database, admin: int
) -> None:
    secret = await session_of(opened, admin)
    stranger.cookies.set("ctiscraper", secret)
    wrong = {"name": "x" * 101, "csrf": csrf_token(secret)}
    answer = await stranger.post("/account/name", data=wrong, headers=SAME_SITE)
    assert answer.status_code == 422
    assert await entries(opened) == ()

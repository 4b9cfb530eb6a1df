"""People are who their provider says, whatever their logins."""

import asyncio

import pytest

from ctiscraper.access.cookies import session_key
from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.oidc import Way
from ctiscraper.access.tokens import read_token
from ctiscraper.db.identities import ON_THE_WAY_MOST, Identities, Ways
from ctiscraper.db.principals import Principals
from ctiscraper.errors import SignOnError, UnavailableError
from ctiscraper.identity import Role
from db.stage import Stage
from people import person, session_of, token_of

WAY = Way(state="state", nonce="nonce", verifier="verifier")


def somebody(
    role: Role | None = Role.ANALYST, *, subject: str = "s-1", login: str = "ann"
) -> Identity:
    return Identity(
        issuer="https://id.example", subject=subject, login=login, name="Ann", role=role
    )


async def test_a_user_is_made_at_the_first_login_and_his_role_follows(stage: Stage) -> None:
    people = Identities(stage.database)
    first = await people.admit(somebody())
    assert first.is_new
    again = await people.admit(somebody(Role.ADMIN, login="ann.renamed"))
    assert (again.user_id, again.is_new) == (first.user_id, False)
    assert (again.former_role, again.role) == (Role.ANALYST, Role.ADMIN)
    principal = await Principals(stage.database).of_session(
        session_key(await session_of(stage.database, first.user_id))
    )
    assert principal is not None
    assert principal.role is Role.ADMIN


async def test_a_login_that_another_has_is_never_taken_over(stage: Stage) -> None:
    local = await person(stage.database, Role.ADMIN, "ann")
    people = Identities(stage.database)
    first = await people.admit(somebody())
    second = await people.admit(somebody(subject="s-2"))
    assert len({local, first.user_id, second.user_id}) == 3
    async with stage.database.connection() as conn:
        rows = await (await conn.execute("SELECT login FROM app_user ORDER BY id")).fetchall()
    assert [row[0] for row in rows] == ["ann", "ann-2", "ann-3"]


async def test_parallel_first_logins_make_one_user(stage: Stage) -> None:
    found = await asyncio.gather(*(Identities(stage.database).admit(somebody()) for _ in range(6)))
    assert len({one.user_id for one in found}) == 1
    assert sum(one.is_new for one in found) == 1


async def test_without_a_role_nobody_comes_in_and_whoever_was_is_shut_out(stage: Stage) -> None:
    people, principals = Identities(stage.database), Principals(stage.database)
    with pytest.raises(SignOnError, match="no role"):
        await people.admit(somebody(None))
    assert not await principals.is_set_up()
    user = (await people.admit(somebody())).user_id
    session = session_key(await session_of(stage.database, user))
    token = read_token(await token_of(stage.database, user))
    assert token is not None
    for _ in range(2):
        with pytest.raises(SignOnError, match="no role"):
            await people.admit(somebody(None))
    assert await principals.of_session(session) is None
    assert await principals.of_token(token) is None
    assert (await people.admit(somebody(Role.VIEWER))).user_id == user
    assert await principals.of_token(token) is not None
    assert await principals.of_session(session) is None


async def test_whoever_was_disabled_here_stays_so(stage: Stage) -> None:
    people = Identities(stage.database)
    await people.admit(somebody())
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE app_user SET disabled_at = now()")
    for role in (Role.ADMIN, None, Role.ADMIN):
        with pytest.raises(SignOnError):
            await people.admit(somebody(role))


async def test_whoever_comes_back_is_known_once(stage: Stage) -> None:
    ways = Ways(stage.database)
    await ways.remember(WAY, "browser", "/stories")
    sent = await ways.take("state", "browser")
    assert (sent.way, sent.target) == (WAY, "/stories")
    with pytest.raises(SignOnError):
        await ways.take("state", "browser")


async def test_another_browser_or_a_late_one_is_not_known(stage: Stage) -> None:
    ways = Ways(stage.database)
    for state, browser in (("other", "browser"), ("state", "other"), ("state", "browser")):
        if state == "other":
            await ways.remember(WAY, "browser", "/")
        with pytest.raises(SignOnError):
            # What another has tried is good for nobody any more.
            await ways.take(state, browser)
    await ways.remember(WAY, "browser", "/")
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE sign_on SET begun_at = now() - interval '601 s'")
    with pytest.raises(SignOnError):
        await ways.take("state", "browser")


async def test_so_many_may_be_on_their_way(stage: Stage) -> None:
    ways = Ways(stage.database)
    async with stage.database.connection() as conn:
        await conn.execute(
            "INSERT INTO sign_on (state, browser, nonce, verifier, target)"
            " SELECT sha256(n::text::bytea), sha256('b'), 'n', 'v', '/'"
            " FROM generate_series(1, %s) n",
            (ON_THE_WAY_MOST,),
        )
    with pytest.raises(UnavailableError):
        await ways.remember(WAY, "b", "/")
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE sign_on SET begun_at = now() - interval '601 s'")
    await ways.remember(WAY, "b", "/")


async def test_secrets_of_the_way_are_kept_as_hashes(stage: Stage) -> None:
    await Ways(stage.database).remember(WAY, "the-cookie", "/")
    async with stage.database.connection() as conn:
        cursor = await conn.execute("SELECT sign_on::text FROM sign_on")
        row = await cursor.fetchone()
    assert row is not None
    assert "the-cookie" not in row[0]
    assert b"state".hex() not in row[0]

"""People are who their provider says, whatever their logins."""

import asyncio

import pytest

from ctiscraper.access.cookies import session_key
from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.tokens import read_token
from ctiscraper.audit_views import AuditQuery
from ctiscraper.db.audit import Audit
from ctiscraper.db.identities import Identities
from ctiscraper.db.principals import Principals
from ctiscraper.db.users import Users
from ctiscraper.errors import SignOnError
from ctiscraper.identity import Role
from db.stage import Stage
from people import person, session_of, token_of


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


async def test_whoever_is_disabled_here_after_he_was_shut_out_stays_so(stage: Stage) -> None:
    people, users = Identities(stage.database), Users(stage.database)
    ann = (await people.admit(somebody())).user_id
    for is_let_in_between in (False, True):
        with pytest.raises(SignOnError, match="no role"):
            await people.admit(somebody(None))
        assert (await users.get(ann)).shut_out
        if is_let_in_between:
            await users.enable(ann)
        await users.disable(ann)
        assert not (await users.get(ann)).shut_out
        with pytest.raises(SignOnError, match="not log in here any more"):
            await people.admit(somebody(Role.ADMIN))
        await users.enable(ann)
        assert (await people.admit(somebody())).user_id == ann


async def test_the_last_administrator_keeps_his_role_whatever_the_provider_says(
    stage: Stage,
) -> None:
    people, users = Identities(stage.database), Users(stage.database)
    ann = (await people.admit(somebody(Role.ADMIN))).user_id
    kept = await people.admit(somebody(Role.VIEWER))
    assert (kept.role, kept.refused_role) == (Role.ADMIN, Role.VIEWER)
    with pytest.raises(SignOnError, match="last administrator"):
        await people.admit(somebody(None))
    found = await users.get(ann)
    assert (found.role, found.disabled_at) == (Role.ADMIN, None)
    await person(stage.database, Role.ADMIN, "boss")
    changed = await people.admit(somebody(Role.VIEWER))
    assert (changed.role, changed.refused_role) == (Role.VIEWER, None)
    with pytest.raises(SignOnError, match="no role here: ask"):
        await people.admit(somebody(None))
    assert (await users.get(ann)).shut_out


async def test_of_administrators_who_lose_their_role_at_once_one_stays(stage: Stage) -> None:
    people = Identities(stage.database)
    for number in range(5):
        await people.admit(somebody(Role.ADMIN, subject=f"s-{number}"))
    done = await asyncio.gather(
        *(people.admit(somebody(Role.VIEWER, subject=f"s-{number}")) for number in range(5))
    )
    assert [one.role for one in done].count(Role.ADMIN) == 1


async def unseen(stage: Stage, login: str, days: int) -> None:
    async with stage.database.connection() as conn:
        await conn.execute(
            """
            UPDATE user_identity SET seen_at = now() - make_interval(days => %s)
            WHERE user_id = (SELECT id FROM app_user WHERE login = %s)
            """,
            (days, login),
        )


async def test_whoever_does_not_come_by_his_provider_any_more_is_shut_out(stage: Stage) -> None:
    people, users = Identities(stage.database), Users(stage.database)
    await person(stage.database, Role.VIEWER, "local")
    await people.admit(somebody(Role.ADMIN, subject="s-0", login="last"))
    ann = (await people.admit(somebody())).user_id
    await people.admit(somebody(subject="s-2", login="new"))
    token = read_token(await token_of(stage.database, ann))
    assert token is not None
    for login, days in (("last", 91), ("ann", 91), ("new", 89)):
        await unseen(stage, login, days)
    assert await people.shut_out_unseen(90) == ("ann",)
    assert await people.shut_out_unseen(90) == ()
    assert await Principals(stage.database).of_token(token) is None
    [entry] = (await Audit(stage.database).page(AuditQuery(action="user.shut_out"))).entries
    assert (entry.actor_kind, entry.object_id) == ("program", str(ann))
    assert (await people.admit(somebody())).user_id == ann
    assert await Principals(stage.database).of_token(token) is not None
    # Whoever lets him in here vouches for him.
    await unseen(stage, "ann", 91)
    assert await people.shut_out_unseen(90) == ("ann",)
    await users.enable(ann)
    assert await people.shut_out_unseen(90) == ()


async def test_with_a_password_here_it_is_enough_to_come_by_that(stage: Stage) -> None:
    people, users = Identities(stage.database), Users(stage.database)
    ann = (await people.admit(somebody())).user_id
    await users.set_password(ann, "a hash")
    await unseen(stage, "ann", 91)
    assert await people.shut_out_unseen(90) == ()
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE app_user SET last_login_at = now() - interval '91 days'")
    assert await people.shut_out_unseen(90) == ("ann",)


async def test_somebody_is_known_by_issuer_and_subject(stage: Stage) -> None:
    people = Identities(stage.database)
    ann = (await people.admit(somebody())).user_id
    issuer = somebody().issuer
    assert await people.owner(issuer, "s-1") == ann
    assert await people.owner(issuer, "s-2") is None
    assert await people.owner("https://other.example", "s-1") is None
    assert await people.knows(issuer, ann)
    assert not await people.knows(issuer, ann + 1)
    await Users(stage.database).disable(ann)
    assert await people.owner(issuer, "s-1") is None

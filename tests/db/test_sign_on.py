"""A way to the provider is gone once, and a form waits for its own session."""

import asyncio

from ctiscraper.access.cookies import session_key
from ctiscraper.db.principals import Principals
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.sign_on import LostForms, SessionForms, UsedStates
from ctiscraper.identity import Role
from db.stage import Stage
from people import person, session_of


async def test_of_those_who_come_back_with_a_state_one_is_the_first(stage: Stage) -> None:
    states = UsedStates(stage.database)
    found = await asyncio.gather(*(states.use("state") for _ in range(6)))
    assert sorted(found) == [False] * 5 + [True]
    assert await states.use("another")
    async with stage.database.connection() as conn:
        rows = await (await conn.execute("SELECT sign_on_used::text FROM sign_on_used")).fetchall()
    assert not any(b"another".hex() in row[0] for row in rows)


async def test_states_are_forgotten_once_nobody_can_be_on_that_way(stage: Stage) -> None:
    states = UsedStates(stage.database)
    await states.use("state")
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE sign_on_used SET used_at = now() - interval '1199 s'")
    assert not await states.use("state")
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE sign_on_used SET used_at = now() - interval '1201 s'")
    assert await states.use("another")
    async with stage.database.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM sign_on_used")).fetchone()
    assert row == (1,)


async def test_a_form_waits_for_its_own_session_and_is_given_once(stage: Stage) -> None:
    forms = SessionForms(stage.database)
    jane = await person(stage.database)
    one, other = [session_key(await session_of(stage.database, jane)) for _ in range(2)]
    await forms.keep(one, "first")
    await forms.keep(one, "second")
    assert await forms.take(other) == ""
    assert await forms.take(one) == "second"
    assert await forms.take(one) == ""
    await forms.keep(one, "third")
    await forms.keep(one, "")
    assert await forms.take(one) == ""
    await forms.keep(one, "old")
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE session_form SET kept_at = now() - interval '1201 s'")
    assert await forms.take(one) == ""


async def test_a_form_goes_with_its_session(stage: Stage) -> None:
    forms = SessionForms(stage.database)
    session = session_key(await session_of(stage.database, await person(stage.database)))
    await forms.keep(session, "typed")
    await Sessions(stage.database).end(session)
    await forms.keep(session, "typed")
    async with stage.database.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM session_form")).fetchone()
    assert row == (0,)


async def test_a_form_of_a_session_that_ended_waits_for_its_owner_alone(stage: Stage) -> None:
    forms = LostForms(stage.database)
    jane = await person(stage.database)
    john = await person(stage.database, Role.VIEWER)
    await forms.keep(jane, "first")
    await forms.keep(jane, "second")
    assert await forms.take(john) == ""
    assert await forms.take(jane) == "second"
    assert await forms.take(jane) == ""
    await forms.keep(jane, "old")
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE lost_form SET kept_at = now() - interval '1201 s'")
    assert await forms.take(jane) == ""
    await forms.keep(jane + john, "of nobody")
    assert await forms.take(jane + john) == ""


async def test_a_session_without_a_password_that_was_just_given_has_no_such_time(
    stage: Stage,
) -> None:
    """A time that is only just over is still to come for whoever's clock is late."""
    for minutes, has_time in ((0, False), (10, True)):
        shown = await session_of(stage.database, await person(stage.database, login=f"m{minutes}"),
                                 sudo_minutes=minutes)  # fmt: skip
        found = await Principals(stage.database).of_session(session_key(shown))
        assert found is not None
        assert (found.sudo_until is not None) is has_time

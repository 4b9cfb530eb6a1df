"""Those who may log in, and that somebody always may."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.identity import Role
from people import person, session_of


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=6) as given:
        yield given


async def test_the_last_administrator_stays(opened: Database) -> None:
    users = Users(opened)
    admin = await person(opened, Role.ADMIN)
    with pytest.raises(ConflictError, match="last administrator"):
        await users.disable(admin)
    with pytest.raises(ConflictError, match="last administrator"):
        await users.set_role(admin, Role.CURATOR)
    await users.set_role(admin, Role.ADMIN)
    other = await person(opened, Role.ADMIN, "other")
    await users.disable(other)
    with pytest.raises(ConflictError):
        await users.disable(admin)
    await users.enable(other)
    await users.set_role(admin, Role.VIEWER)
    assert (await users.get(admin)).role is Role.VIEWER


@pytest.mark.parametrize("seed", range(5))
async def test_of_administrators_who_remove_each_other_at_once_one_stays(
    opened: Database, seed: int
) -> None:
    users = Users(opened)
    ids = [await person(opened, Role.ADMIN, f"admin{n}") for n in range(6)]
    ids = ids[seed:] + ids[:seed]
    ways = [
        users.disable(user_id) if n % 2 else users.set_role(user_id, Role.VIEWER)
        for n, user_id in enumerate(ids)
    ]
    done = await asyncio.gather(*ways, return_exceptions=True)
    assert sum(isinstance(one, ConflictError) for one in done) == 1
    assert sum(one is None for one in done) == 5
    left = [u for u in await users.all() if u.role is Role.ADMIN and u.disabled_at is None]
    assert len(left) == 1


async def test_whoever_is_disabled_or_gets_another_role_is_logged_out(opened: Database) -> None:
    users, sessions = Users(opened), Sessions(opened)
    await person(opened, Role.ADMIN)
    for change in (users.disable, lambda one: users.set_role(one, Role.CURATOR)):
        name = f"user{len(await users.all())}"
        one = await person(opened, Role.VIEWER, name)
        await session_of(opened, one)
        await session_of(opened, one)
        assert (await users.get(one)).sessions == 2
        await change(one)
        assert await sessions.of_user(one) == ()
        assert (await users.named(name)).sessions == 0


async def test_the_same_role_ends_no_session(opened: Database) -> None:
    users = Users(opened)
    one = await person(opened, Role.VIEWER)
    await session_of(opened, one)
    await users.set_role(one, Role.VIEWER)
    assert (await users.get(one)).sessions == 1


async def test_nobody_is_not_found(opened: Database) -> None:
    users = Users(opened)
    await person(opened, Role.ADMIN)
    for change in (users.get, users.disable, users.enable):
        with pytest.raises(NotFoundError):
            await change(999)
    with pytest.raises(NotFoundError):
        await users.set_role(999, Role.VIEWER)
    with pytest.raises(NotFoundError):
        await users.named("nobody")

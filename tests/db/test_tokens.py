"""Tokens are kept without their secrets, and let in whom they should."""

import asyncio

import pytest

from ctiscraper.access.tokens import TokenKey, new_token
from ctiscraper.db.principals import Principals
from ctiscraper.db.tokens import Tokens
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.identity import Permission, Role
from db.stage import Stage
from people import person


async def test_a_token_is_listed_with_all_but_its_secret(stage: Stage) -> None:
    tokens = Tokens(stage.database)
    user = await person(stage.database, Role.ANALYST)
    secret, key = new_token()
    await tokens.add(key, name="a script", scopes=[Permission.ARTICLE_READ], user_id=user, days=7)
    [found] = await tokens.of(user)
    assert (found.id, found.name, found.scopes) == (key.id, "a script", ("article:read",))
    assert (found.owner, found.live, found.last_used_at) == ("the-analyst", True, None)
    assert found.expires_at is not None
    assert (found.expires_at - found.created_at).days == 7
    assert secret.split("_")[2] not in repr(found)
    await Principals(stage.database).of_token(key)
    assert (await tokens.get(key.id)).last_used_at is not None


async def test_a_revoked_token_lets_nobody_in_and_stays_listed(stage: Stage) -> None:
    tokens, principals = Tokens(stage.database), Principals(stage.database)
    _, key = new_token()
    await tokens.add(key, name="x", scopes=[Permission.ARTICLE_READ])
    assert await principals.of_token(key)
    first = await tokens.revoke(key.id)
    assert not first.live
    assert (await tokens.revoke(key.id)).revoked_at == first.revoked_at
    assert await principals.of_token(key) is None
    assert [one.id for one in await tokens.of(None)] == [key.id]
    with pytest.raises(NotFoundError):
        await tokens.revoke("nothing")


async def test_an_expired_token_lets_nobody_in(stage: Stage) -> None:
    tokens, principals = Tokens(stage.database), Principals(stage.database)
    _, key = new_token()
    await tokens.add(key, name="x", scopes=[Permission.ARTICLE_READ], days=1)
    assert await principals.of_token(key)
    await stage.run("UPDATE api_token SET expires_at = now()")
    assert await principals.of_token(key) is None
    assert not (await tokens.get(key.id)).live


async def test_everybodys_tokens_are_listed_those_that_live_first(stage: Stage) -> None:
    tokens = Tokens(stage.database)
    user = await person(stage.database, Role.VIEWER)
    ids = []
    for owner in (user, None, user):
        _, key = new_token()
        await tokens.add(key, name="x", scopes=[Permission.ARTICLE_READ], user_id=owner)
        ids.append(key.id)
    await tokens.revoke(ids[2])
    assert [one.id for one in await tokens.all()] == [ids[1], ids[0], ids[2]]
    assert {one.id for one in await tokens.of(user)} == {ids[0], ids[2]}


async def test_a_token_does_not_outlive_the_one_that_made_it(stage: Stage) -> None:
    tokens = Tokens(stage.database)
    _, maker = new_token()
    await tokens.add(maker, name="maker", scopes=[Permission.SELF_WRITE], days=3)
    ends = (await tokens.get(maker.id)).expires_at
    for days, end in ((90, ends), (None, ends)):
        _, key = new_token()
        await tokens.add(key, name="made", scopes=[], days=days, maker=maker.id)
        assert (await tokens.get(key.id)).expires_at == end
    _, lasting = new_token()
    await tokens.add(lasting, name="lasting", scopes=[], days=None)
    _, key = new_token()
    await tokens.add(key, name="made", scopes=[], days=None, maker=lasting.id)
    assert (await tokens.get(key.id)).expires_at is None


async def made(stage: Stage, maker: TokenKey | None = None) -> TokenKey:
    _, key = new_token()
    await Tokens(stage.database).add(
        key, name="x", scopes=[Permission.SELF_WRITE], maker=maker.id if maker else None
    )
    return key


async def test_whatever_a_token_made_is_revoked_with_it(stage: Stage) -> None:
    tokens, principals = Tokens(stage.database), Principals(stage.database)
    first = await made(stage)
    second = await made(stage, first)
    below = [await made(stage, second) for _ in range(3)]
    beside = await made(stage)
    assert (await tokens.get(second.id)).made_by == first.id
    await tokens.revoke(second.id)
    assert await principals.of_token(first)
    assert [await principals.of_token(one) for one in (second, *below)] == [None] * 4
    with pytest.raises(ConflictError, match="was revoked"):
        await made(stage, below[0])
    await tokens.revoke(first.id)
    assert await principals.of_token(first) is None
    assert await principals.of_token(beside)


async def test_nothing_is_made_by_a_token_that_is_being_revoked(stage: Stage) -> None:
    tokens = Tokens(stage.database)
    for _ in range(5):
        first = await made(stage)
        second = await made(stage, first)
        await asyncio.gather(
            *(made(stage, maker) for maker in (first, second) * 3),
            tokens.revoke(first.id),
            return_exceptions=True,
        )
    assert [one.live for one in await tokens.all()] == [False] * len(await tokens.all())


async def test_an_owner_is_somebody_who_may_log_in(stage: Stage) -> None:
    tokens = Tokens(stage.database)
    user = await person(stage.database, Role.CURATOR, "ann")
    assert await tokens.owner("Ann") == (user, Role.CURATOR)
    async with stage.database.connection() as conn:
        await conn.execute("UPDATE app_user SET disabled_at = now()")
    for login in ("ann", "bob", ""):
        with pytest.raises(NotFoundError):
            await tokens.owner(login)

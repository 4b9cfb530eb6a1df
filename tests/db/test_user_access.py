"""Whatever lets somebody in can be taken from him."""

import pytest

from ctiscraper.access.one_time import Purpose, key_of
from ctiscraper.access.passkeys import Passkey
from ctiscraper.db.one_time import OneTimeSecrets
from ctiscraper.db.passkeys import Passkeys
from ctiscraper.db.saved_searches import Given, SavedSearches
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.tokens import Tokens
from ctiscraper.db.user_access import UserAccess
from ctiscraper.db.users import Users
from ctiscraper.errors import NotFoundError
from ctiscraper.identity import Access, Role
from db.stage import Stage
from people import person, session_of, token_of


async def equipped(stage: Stage, login: str) -> int:
    """Somebody with every way in there is."""
    database, number = stage.database, len(login)
    user = await Users(database).add(login, name="", role=Role.VIEWER, password_hash="a hash")
    await session_of(database, user)
    await token_of(database, user)
    searches = SavedSearches(database)
    search = await searches.add(user, Given(name="x", query="x", sort="newest", shared=False))
    await searches.follow(user, search.id, bytes([number]) * 32)
    passkey = Passkey(id=login.encode(), public_key=b"k", sign_count=0)
    await Passkeys(database).add(user, passkey, name="Laptop")
    await SecondFactors(database).begin_totp(user, b"secret")
    await SecondFactors(database).confirm_totp(user, [bytes([number]) * 32])
    await OneTimeSecrets(database).add(key_of(login), Purpose.PASSWORD, minutes=10, user_id=user)
    return user


async def left(stage: Stage, user_id: int) -> set[Access]:
    """What still lets somebody in."""
    user = await Users(stage.database).get(user_id)
    searches = await SavedSearches(stage.database).of_user(user_id)
    found = {
        Access.SESSIONS: user.sessions,
        Access.TOKENS: any(one.live for one in await Tokens(stage.database).of(user_id)),
        Access.FEEDS: any(one.feed for one in searches),
        Access.PASSKEYS: user.passkeys,
        Access.APP: user.has_totp,
        Access.PASSWORD: user.has_password,
    }
    return {part for part, is_left in found.items() if is_left}


async def test_all_of_it_ends_and_nothing_of_others(stage: Stage) -> None:
    jane, john = await equipped(stage, "jane"), await equipped(stage, "johnny")
    assert await left(stage, jane) == set(Access)
    assert await UserAccess(stage.database).end(jane) == dict.fromkeys(Access, 1)
    assert await left(stage, jane) == set()
    assert await left(stage, john) == set(Access)
    secrets = OneTimeSecrets(stage.database)
    assert await secrets.owner(key_of("jane"), Purpose.PASSWORD) is None
    assert await secrets.owner(key_of("johnny"), Purpose.PASSWORD) == john
    assert await SecondFactors(stage.database).recovery_left(jane) == 0
    assert await UserAccess(stage.database).end(jane) == dict.fromkeys(Access, 0)


@pytest.mark.parametrize("part", list(Access))
async def test_a_part_ends_alone(stage: Stage, part: Access) -> None:
    jane = await equipped(stage, "jane")
    assert await UserAccess(stage.database).end(jane, [part]) == {part: 1}
    assert await left(stage, jane) == set(Access) - {part}


async def test_nobody_is_not_found(stage: Stage) -> None:
    await person(stage.database)
    with pytest.raises(NotFoundError):
        await UserAccess(stage.database).end(999)

"""How people are made, the first of them above all."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ctiscraper.access.passwords import Passwords
from ctiscraper.accounts import Accounts, NewUser, login_given, name_given
from ctiscraper.db.session import Database
from ctiscraper.errors import ConflictError, InputError, NotFoundError, SettingsError
from ctiscraper.identity import Role
from people import session_of

GOOD = "seven lanterns hum at noon"


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=6) as given:
        yield given


@pytest.fixture
def accounts(opened: Database) -> Accounts:
    return Accounts(opened, Passwords(time_cost=1, memory_kib=1024))


async def test_twenty_who_set_up_at_once_make_one_administrator(accounts: Accounts) -> None:
    secret = await accounts.offer_setup()
    made = await asyncio.gather(
        *(accounts.set_up(secret, login=f"admin{n}", name="", password=GOOD) for n in range(20))
    )
    assert sum(one is not None for one in made) == 1
    [user] = await accounts.users.all()
    assert (user.role, user.has_password) == (Role.ADMIN, True)
    again = await accounts.offer_setup()
    assert await accounts.set_up(again, login="late", name="", password=GOOD) is None


async def test_only_the_latest_secret_sets_up_and_not_for_long(
    accounts: Accounts, opened: Database
) -> None:
    first = await accounts.offer_setup()
    second = await accounts.offer_setup()
    assert len(second) == 22
    for wrong in (first, "", "x" * 22, second[:-1]):
        assert await accounts.set_up(wrong, login="jane", name="", password=GOOD) is None
    async with opened.connection() as conn:
        kept = await (await conn.execute("SELECT * FROM one_time_secret")).fetchall()
        assert second not in str(kept)
        await conn.execute("UPDATE one_time_secret SET expires_at = now() - interval '1 s'")
    assert await accounts.set_up(second, login="jane", name="", password=GOOD) is None
    assert await accounts.users.all() == ()


async def test_a_weak_password_does_not_use_the_set_up_up(accounts: Accounts) -> None:
    secret = await accounts.offer_setup()
    with pytest.raises(InputError):
        await accounts.set_up(secret, login="jane", name="", password="password1234")
    with pytest.raises(InputError):
        await accounts.set_up(secret, login="j d", name="", password=GOOD)
    assert await accounts.set_up(secret, login="jane", name="", password=GOOD) is not None


async def test_a_file_makes_the_first_administrator_and_no_other(
    accounts: Accounts, tmp_path: Path
) -> None:
    file = tmp_path / "admin.json"
    file.write_text(json.dumps({"username": "Ops", "password": GOOD}), "utf-8")
    assert await accounts.bootstrap(file)
    assert not await accounts.bootstrap(file)
    [user] = await accounts.users.all()
    assert (user.login, user.role) == ("ops", Role.ADMIN)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"username": "x"}', '{"username": 1, "password": "x"}', "{"]
)
async def test_a_file_that_names_nobody_is_refused(
    accounts: Accounts, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "admin.json"
    file.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match="CTISCRAPER_BOOTSTRAP_ADMIN_FILE"):
        await accounts.bootstrap(file)
    assert await accounts.users.all() == ()


async def test_a_link_lets_choose_a_password_once(accounts: Accounts, opened: Database) -> None:
    user = await accounts.create(NewUser(login="Jane", name="", role=Role.VIEWER))
    assert (user.login, user.name, user.has_password) == ("jane", "jane", False)
    first = await accounts.password_link(user.id)
    link = await accounts.password_link(user.id)
    await session_of(opened, user.id)
    with pytest.raises(NotFoundError):
        await accounts.choose_password(first, GOOD)
    with pytest.raises(InputError):
        await accounts.choose_password(link, "jane jane jane")
    await accounts.choose_password(link, GOOD)
    assert await accounts.is_password_of(user.id, GOOD)
    assert (await accounts.users.get(user.id)).sessions == 0
    with pytest.raises(NotFoundError):
        await accounts.choose_password(link, GOOD)


async def test_a_link_is_chance_kept_as_a_hash_and_ends_within_a_day(
    accounts: Accounts, opened: Database
) -> None:
    user = await accounts.create(NewUser(login="jane", name="", role=Role.VIEWER))
    links = [await accounts.password_link(user.id) for _ in range(60)]
    # 128 bits: 22 letters, each of 64 but the last.
    assert {len(link) for link in links} == {22}
    assert min(len({link[place] for link in links}) for place in range(21)) > 20
    link = links[-1]
    async with opened.connection() as conn:
        [kept] = await (
            await conn.execute(
                "SELECT s.*, expires_at <= now() + interval '1 day' AS soon FROM one_time_secret s"
            )
        ).fetchall()
        assert link not in str(kept)
        assert kept[-1] is True
        await conn.execute("UPDATE one_time_secret SET expires_at = now()")
    with pytest.raises(NotFoundError, match="has expired"):
        await accounts.choose_password(link, GOOD)
    assert not (await accounts.users.get(user.id)).has_password


async def test_a_password_holds_until_its_owner_takes_another(
    accounts: Accounts, opened: Database
) -> None:
    user = await accounts.create(NewUser(login="jane", name="", role=Role.VIEWER), GOOD)
    async with opened.connection() as conn:
        await conn.execute(
            "UPDATE app_user SET created_at = now() - interval '20 years',"
            " password_changed_at = now() - interval '20 years'"
        )
    assert await accounts.is_password_of(user.id, GOOD)


async def test_a_link_of_whoever_was_disabled_is_void(accounts: Accounts) -> None:
    await accounts.create(NewUser(login="boss", name="", role=Role.ADMIN))
    user = await accounts.create(NewUser(login="jane", name="", role=Role.VIEWER))
    link = await accounts.password_link(user.id)
    await accounts.users.disable(user.id)
    await accounts.users.enable(user.id)
    with pytest.raises(NotFoundError):
        await accounts.choose_password(link, GOOD)


async def test_a_login_is_taken_once(accounts: Accounts) -> None:
    await accounts.create(NewUser(login="jane", name="Jane", role=Role.VIEWER), GOOD)
    with pytest.raises(ConflictError):
        await accounts.create(NewUser(login=" JANE ", name="", role=Role.ADMIN), GOOD)


@pytest.mark.parametrize("login", ["", " ", "a b", "-x", "é", "x" * 101, "a\nb", "<b>"])
def test_what_is_no_login_is_refused(login: str) -> None:
    with pytest.raises(InputError):
        login_given(login)


@pytest.mark.parametrize("name", ["x" * 101, "a\u202eb", "a\x00b"])
def test_a_name_that_misleads_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        name_given(name, "jane")

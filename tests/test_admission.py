"""Who is let in, and how often one may try."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pyotp
import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from ctiscraper.access.cookies import session_key
from ctiscraper.access.passkeys import Site
from ctiscraper.access.passwords import Passwords
from ctiscraper.access.sealing import Sealer
from ctiscraper.admission import (
    LOGIN_BY_ADDRESS,
    LOGIN_BY_USER,
    LOGIN_IN_ALL,
    Admission,
    Admitted,
    Browser,
    Client,
    CodeWanted,
)
from ctiscraper.db.attempts import Attempts
from ctiscraper.db.principals import Principals
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.errors import ConflictError, InputError, TooManyError
from ctiscraper.identity import Role
from people import person, session_of

PASSWORD = "seven lanterns hum at noon"
HERE = Client(ip="192.0.2.1", agent="a browser")
QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


@pytest_asyncio.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with Database(database, size=6) as given:
        yield given


@pytest.fixture
def admission(opened: Database) -> Admission:
    passwords = Passwords(time_cost=1, memory_kib=1024)
    return Admission(opened, passwords=passwords, sealer=Sealer.of_this_process())


async def jane(opened: Database) -> int:
    return await Users(opened).add(
        "jane", name="Jane", role=Role.VIEWER, password_hash=QUICK.hash(PASSWORD)
    )


async def test_the_right_password_begins_a_session_with_a_fresh_password(
    admission: Admission, opened: Database
) -> None:
    user_id = await jane(opened)
    admitted = await admission.by_password(" Jane ", PASSWORD, HERE)
    assert isinstance(admitted, Admitted)
    found = await Principals(opened).of_session(session_key(admitted.cookie))
    assert found is not None
    assert found.user_id == user_id
    assert found.sudo_until is not None
    left = found.sudo_until - opened.clock()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10, seconds=2)
    assert (await Users(opened).get(user_id)).last_login_at is not None


async def test_a_login_ends_the_session_before_it(admission: Admission, opened: Database) -> None:
    await jane(opened)
    first = await admission.by_password("jane", PASSWORD, HERE)
    assert isinstance(first, Admitted)
    again = Client(ip=HERE.ip, agent="", earlier=session_key(first.cookie))
    second = await admission.by_password("jane", PASSWORD, again)
    assert isinstance(second, Admitted)
    assert second.cookie != first.cookie
    assert await Principals(opened).of_session(session_key(first.cookie)) is None
    assert await Principals(opened).of_session(session_key(second.cookie)) is not None


async def test_whatever_is_wrong_is_answered_alike(admission: Admission, opened: Database) -> None:
    user_id = await jane(opened)
    await person(opened, Role.ADMIN, "no-password")
    await Users(opened).add("gone", name="", role=Role.VIEWER, password_hash=QUICK.hash(PASSWORD))
    await Users(opened).disable((await Users(opened).named("gone")).id)
    for login, password in (
        ("jane", "wrong"),
        ("nobody", PASSWORD),
        ("no-password", ""),
        ("gone", PASSWORD),
    ):
        assert await admission.by_password(login, password, HERE) is None
    assert (await Users(opened).get(user_id)).last_login_at is None


async def test_an_old_hash_is_made_anew_at_the_login(opened: Database) -> None:
    user_id = await jane(opened)
    stronger = Passwords(time_cost=2, memory_kib=2048)
    admission = Admission(opened, passwords=stronger, sealer=Sealer.of_this_process())
    assert await admission.by_password("jane", PASSWORD, HERE) is not None
    known = await Users(opened).known_by_id(user_id)
    assert known is not None
    assert known.password_hash is not None
    assert "m=2048,t=2" in known.password_hash


async def test_ten_who_guess_at_once_are_all_who_are_heard(
    admission: Admission, opened: Database
) -> None:
    await jane(opened)
    clients = [Client(ip=f"192.0.2.{n}", agent="") for n in range(40)]
    done = await asyncio.gather(
        *(admission.by_password("jane", "wrong", client) for client in clients),
        return_exceptions=True,
    )
    assert sum(one is None for one in done) == 10
    assert sum(isinstance(one, TooManyError) for one in done) == 30
    with pytest.raises(TooManyError) as refused:
        await admission.by_password("jane", PASSWORD, Client(ip="198.51.100.1", agent=""))
    assert 1 <= refused.value.retry_after <= 300


async def test_one_address_guesses_ten_times_whomever_it_names(admission: Admission) -> None:
    for address in ("192.0.2.9", "2001:db8::"):
        for n in range(10):
            ip = f"{address}{n}" if ":" in address else address
            assert await admission.by_password(f"user{n}", "x", Client(ip=ip, agent="")) is None
        last = Client(ip=f"{address}ffff" if ":" in address else address, agent="")
        with pytest.raises(TooManyError):
            await admission.by_password("user99", "x", last)


async def test_a_thousand_tries_from_everywhere_are_all_that_are_heard(
    admission: Admission, opened: Database
) -> None:
    await jane(opened)
    async with opened.connection() as conn:
        await conn.execute(
            "INSERT INTO attempt (key, hits, last_at)"
            " VALUES (%s, array_fill(now(), ARRAY[999]), now())",
            (LOGIN_IN_ALL.key(""),),
        )
    assert await admission.by_password("john", "wrong", Client(ip="192.0.2.7", agent="")) is None
    with pytest.raises(TooManyError) as refused:
        await admission.by_password("jane", PASSWORD, Client(ip="192.0.2.8", agent=""))
    assert 1 <= refused.value.retry_after <= 300


async def test_a_site_of_the_new_kind_guesses_fifty_times_however_many_nets_it_has(
    admission: Admission,
) -> None:
    def within(site: int, net: int) -> Client:
        return Client(ip=f"2001:db8:{site:x}:{net:x}::1", agent="")

    for number in range(50):
        assert await admission.by_password(f"user{number}", "x", within(7, number)) is None
    with pytest.raises(TooManyError):
        await admission.by_password("user99", "x", within(7, 999))
    assert await admission.by_password("user99", "x", within(8, 0)) is None


async def test_what_went_well_is_not_counted(admission: Admission, opened: Database) -> None:
    for number in range(12):
        await Users(opened).add(
            f"user{number}", name="", role=Role.VIEWER, password_hash=QUICK.hash(PASSWORD)
        )
    for number in range(12):
        assert isinstance(await admission.by_password(f"user{number}", PASSWORD, HERE), Admitted)
    for number in range(10):
        assert await admission.by_password(f"user{number}", "wrong", HERE) is None
    with pytest.raises(TooManyError):
        await admission.by_password("user10", PASSWORD, HERE)


async def fill_the_limit_for_all(opened: Database) -> None:
    async with opened.connection() as conn:
        await conn.execute(
            "INSERT INTO attempt (key, hits, last_at)"
            " VALUES (%s, array_fill(now(), ARRAY[1000]), now())",
            (LOGIN_IN_ALL.key(""),),
        )


async def test_what_a_limit_of_ones_own_refuses_does_not_count_for_all(
    admission: Admission, opened: Database
) -> None:
    await jane(opened)
    for number in range(30):
        client = Client(ip=f"192.0.2.{number}", agent="")
        with contextlib.suppress(TooManyError):
            await admission.by_password("jane", "wrong", client)
    async with opened.connection() as conn:
        cursor = await conn.execute(
            "SELECT cardinality(hits) FROM attempt WHERE key = %s", (LOGIN_IN_ALL.key(""),)
        )
        assert await cursor.fetchone() == (10,)
    # Nor does his place lose a try by it.
    assert await admission.by_password("john", "wrong", Client(ip="192.0.2.29", agent="")) is None


async def test_a_browser_that_somebody_has_used_lets_him_in_whatever_others_do(
    admission: Admission, opened: Database
) -> None:
    user_id = await jane(opened)
    await fill_the_limit_for_all(opened)
    for number in range(10):
        await tried_elsewhere(opened, "jane", number)
    known = Browser(name="b", users=(user_id,))
    here = Client(ip=HERE.ip, agent="", browser=known)
    for stranger in (HERE, Client(ip=HERE.ip, agent="", browser=Browser(name="c", users=()))):
        with pytest.raises(TooManyError):
            await admission.by_password("jane", PASSWORD, stranger)
    # There he is heard ten times, and no more.
    for _ in range(2):
        for _ in range(9):
            assert await admission.by_password("jane", "wrong", here) is None
        assert isinstance(await admission.by_password("jane", PASSWORD, here), Admitted)
    for _ in range(10):
        assert await admission.by_password("jane", "wrong", here) is None
    with pytest.raises(TooManyError):
        await admission.by_password("jane", PASSWORD, here)
    # It says nothing for others.
    with pytest.raises(TooManyError):
        await admission.by_password("john", PASSWORD, here)


async def tried_elsewhere(opened: Database, login: str, number: int) -> None:
    """Somebody elsewhere has tried a login."""
    await Attempts(opened).wait(LOGIN_BY_USER, login)
    await Attempts(opened).wait(LOGIN_BY_ADDRESS, f"192.0.2.{number}")


async def test_links_and_passkeys_do_not_share_the_limit_of_passwords(
    admission: Admission, opened: Database
) -> None:
    await fill_the_limit_for_all(opened)
    with pytest.raises(TooManyError):
        await admission.by_password("jane", PASSWORD, HERE)
    for _ in range(10):
        await admission.allow_link(HERE)
    with pytest.raises(TooManyError):
        await admission.allow_link(HERE)
    site = Site(host="localhost", origin="http://localhost")
    for _ in range(30):
        with pytest.raises(InputError):
            await admission.by_passkey("{}", site, HERE)
    with pytest.raises(TooManyError):
        await admission.by_passkey("{}", site, HERE)


async def test_the_right_password_begins_the_count_of_asking_again_anew(
    admission: Admission, opened: Database
) -> None:
    user_id = await jane(opened)
    session = session_key(await session_of(opened, user_id))
    for _ in range(3):
        for _ in range(9):
            assert not await admission.password_again(user_id, session, "wrong")
        assert await admission.password_again(user_id, session, PASSWORD)


async def with_app(admission: Admission, opened: Database) -> tuple[int, str, tuple[str, ...]]:
    """Jane with an app, its secret and her recovery codes."""
    user_id = await jane(opened)
    secret = await admission.begin_totp(user_id)
    codes = await admission.confirm_totp(user_id, pyotp.TOTP(secret).at(opened.clock()))
    assert codes is not None
    async with opened.connection() as conn:
        await conn.execute("DELETE FROM attempt")
    return user_id, secret, codes


async def step(admission: Admission) -> str:
    wanted = await admission.by_password("jane", PASSWORD, HERE)
    assert isinstance(wanted, CodeWanted)
    return wanted.step


async def test_a_code_is_asked_for_and_is_good_once(admission: Admission, opened: Database) -> None:
    _, secret, _ = await with_app(admission, opened)
    used = pyotp.TOTP(secret).at(opened.clock())
    following = pyotp.TOTP(secret).at(opened.clock() + timedelta(seconds=30))
    first = await step(admission)
    assert await admission.by_code(first, used, HERE) is None
    assert isinstance(await admission.by_code(first, following, HERE), Admitted)
    with pytest.raises(ConflictError):
        await admission.by_code(first, following, HERE)
    assert await admission.by_code(await step(admission), following, HERE) is None
    for unknown in ("", "x" * 22):
        with pytest.raises(ConflictError):
            await admission.by_code(unknown, following, HERE)


async def test_a_code_sent_at_once_from_two_places_lets_one_in(
    admission: Admission, opened: Database
) -> None:
    _, secret, _ = await with_app(admission, opened)
    following = pyotp.TOTP(secret).at(opened.clock() + timedelta(seconds=30))
    steps = [await step(admission) for _ in range(4)]
    done = await asyncio.gather(
        *(admission.by_code(one, following, HERE) for one in steps), return_exceptions=True
    )
    assert sum(isinstance(one, Admitted) for one in done) == 1


async def test_codes_are_guessed_five_times(admission: Admission, opened: Database) -> None:
    _, secret, _ = await with_app(admission, opened)
    one = await step(admission)
    for _ in range(5):
        assert await admission.by_code(one, "000000", HERE) is None
    following = pyotp.TOTP(secret).at(opened.clock() + timedelta(seconds=30))
    with pytest.raises(TooManyError):
        await admission.by_code(await step(admission), following, HERE)


async def test_a_recovery_code_is_good_once(admission: Admission, opened: Database) -> None:
    user_id, _, codes = await with_app(admission, opened)
    factors = SecondFactors(opened)
    # Those that are right are not counted.
    for code in codes[4:10]:
        assert isinstance(await admission.by_code(await step(admission), code, HERE), Admitted)
    assert await factors.recovery_left(user_id) == 4
    assert isinstance(await admission.by_code(await step(admission), codes[3], HERE), Admitted)
    assert await admission.by_code(await step(admission), codes[3], HERE) is None
    assert await factors.recovery_left(user_id) == 3


async def test_the_secret_of_an_app_is_sealed_with_the_key_of_the_installation(
    admission: Admission, opened: Database
) -> None:
    user_id, secret, codes = await with_app(admission, opened)
    async with opened.connection() as conn:
        kept = await (await conn.execute("SELECT secret FROM user_totp")).fetchone()
        recovery = await (await conn.execute("SELECT id FROM recovery_code")).fetchall()
    assert kept is not None
    assert secret.encode() not in bytes(kept[0])
    assert not any(code.encode() in bytes(row[0]) for code in codes for row in recovery)
    other = Admission(
        opened, passwords=Passwords(time_cost=1, memory_kib=1024), sealer=Sealer.of_this_process()
    )
    with pytest.raises(ConflictError, match=r"secret\.key"):
        await other.is_code(user_id, "123456")
    with pytest.raises(ConflictError, match="in use already"):
        await admission.begin_totp(user_id)

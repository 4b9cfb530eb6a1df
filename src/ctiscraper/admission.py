"""How somebody is let in: a password, perhaps a code, or a passkey; then he has a session."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from ctiscraper.access import passkeys, totp
from ctiscraper.access.cookies import new_session, session_key
from ctiscraper.access.one_time import Purpose, key_of, new_secret
from ctiscraper.access.passkeys import Site
from ctiscraper.access.passwords import Passwords
from ctiscraper.access.sealing import Sealer, SealError
from ctiscraper.db.attempts import Attempts, Limit
from ctiscraper.db.one_time import OneTimeSecrets
from ctiscraper.db.passkeys import Passkeys
from ctiscraper.db.second_factors import SecondFactors
from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.errors import ConflictError, InputError, TooManyError

SUDO_MINUTES = 10
STEP_MINUTES = 5
CHALLENGE_MINUTES = 5

# What failed is counted; what went well is taken back.
LOGIN_BY_USER = Limit("login by user", 10)
LOGIN_BY_ADDRESS = Limit("login by address", 10)
LOGIN_BY_SITE = Limit("login by site", 50)
LOGIN_BY_BROWSER = Limit("login by browser", 10)
LOGIN_IN_ALL = Limit("login in all", 1000)
LINK_BY_ADDRESS = Limit("link by address", 10)
PASSKEY_BY_ADDRESS = Limit("passkey by address", 30)
SIGN_ON_BY_ADDRESS = Limit("sign-on by address", 30)
CODE_BY_USER = Limit("code by user", 5)
PASSWORD_AGAIN = Limit("password again", 10)
CHALLENGES = Limit("challenges by address", 60)

_ONES_OWN = frozenset({LOGIN_BY_USER, LOGIN_BY_BROWSER})

Counted = Sequence[tuple[Limit, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser that has proved who logged in with it before: `users`, the last first."""

    name: str
    users: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Where somebody logs in from; an earlier session there ends."""

    ip: str | None
    agent: str
    earlier: bytes | None = None
    browser: Browser | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody was let in: `cookie` is what his browser keeps, and its hash alone is known here."""

    cookie: str
    user_id: int
    name: str


@dataclass(frozen=True, slots=True)
class CodeWanted:
    """The password was right; `step` goes with the code of the app."""

    step: str


class Admission:
    """The way in."""

    def __init__(self, database: Database, *, passwords: Passwords, sealer: Sealer) -> None:
        self._database = database
        self._users = Users(database)
        self._sessions = Sessions(database)
        self._attempts = Attempts(database)
        self._secrets = OneTimeSecrets(database)
        self._factors = SecondFactors(database)
        self._passkeys = Passkeys(database)
        self._passwords = passwords
        self._sealer = sealer

    async def by_password(
        self, login: str, password: str, client: Client
    ) -> Admitted | CodeWanted | None:
        """Return whether somebody was let in; None for whatever was wrong.

        Raises TooManyError.
        """
        login = login.strip().lower()
        known = await self._users.known(login)
        counted = _limits_of(login, known.id if known else None, client)
        await self._count(counted)
        kept = known.password_hash if known else None
        checked = await self._passwords.check(kept, password)
        if known is None or kept is None or not checked.right:
            return None
        if checked.rehashed is not None:
            await self._users.rehash(known.id, kept, checked.rehashed)
        await self._forgive(counted)
        app = await self._factors.totp(known.id)
        if app is not None and app.confirmed:
            step = new_secret()
            await self._secrets.add(
                key_of(step), Purpose.SECOND_FACTOR, minutes=STEP_MINUTES, user_id=known.id
            )
            return CodeWanted(step)
        return await self.begin(known.id, client)

    async def by_code(self, step: str, code: str, client: Client) -> Admitted | None:
        """Return whether the code, or recovery code, was right.

        Raises TooManyError, and ConflictError where the password was given too long ago.
        """
        key = key_of(step)
        user_id = await self._secrets.owner(key, Purpose.SECOND_FACTOR)
        if user_id is None:
            raise ConflictError("that took too long: log in with your password again")
        await self._allow(CODE_BY_USER, str(user_id))
        if not await self.is_code(user_id, code):
            return None
        if await self._secrets.take(key, Purpose.SECOND_FACTOR) is None:
            raise ConflictError("this login was finished elsewhere: log in again")
        await self._attempts.forgive(CODE_BY_USER, str(user_id))
        return await self.begin(user_id, client)

    async def owner_of_step(self, step: str) -> int | None:
        """Return whose login waits for a code, None for one that took too long."""
        return await self._secrets.owner(key_of(step), Purpose.SECOND_FACTOR)

    async def is_code(self, user_id: int, code: str) -> bool:
        """Return whether a code is of the user's app, or one for the day that it is lost.

        No code is right twice.
        """
        recovery = totp.recovery_key(code)
        if recovery is not None:
            return await self._factors.use_recovery(user_id, recovery)
        app = await self._factors.totp(user_id)
        if app is None:
            return False
        step = totp.step_of(self.opened_totp(user_id, app.secret), code, self._database.clock())
        return step is not None and await self._factors.use_step(user_id, step)

    async def begin_totp(self, user_id: int) -> str:
        """Return the secret of a new app. Raises ConflictError where one is in use."""
        secret = totp.new_secret()
        sealed = self._sealer.seal(_totp_of(user_id), secret.encode())
        if not await self._factors.begin_totp(user_id, sealed):
            raise ConflictError("an app is in use already: remove it first")
        return secret

    async def confirm_totp(self, user_id: int, code: str) -> tuple[str, ...] | None:
        """Return recovery codes once the app has proved that it works, None for a wrong code.

        Raises TooManyError.
        """
        await self._allow(CODE_BY_USER, str(user_id))
        if not await self.is_code(user_id, code):
            return None
        await self._attempts.forgive(CODE_BY_USER, str(user_id))
        codes = totp.new_recovery_codes()
        keys = [key for key in map(totp.recovery_key, codes) if key is not None]
        await self._factors.confirm_totp(user_id, keys)
        return codes

    def opened_totp(self, user_id: int, sealed: bytes) -> str:
        """Return the secret of a user's app. Raises ConflictError where the key is another."""
        try:
            return self._sealer.open(_totp_of(user_id), sealed).decode()
        except SealError as error:
            raise ConflictError(
                "the key of this installation (secret.key) is not the one that this app was set "
                "up under: use a recovery code, or let an administrator remove the app"
            ) from error

    async def seal_anew(self) -> tuple[int, int]:
        """Return how many apps were sealed by the key in use, and how many no key here opens."""
        done = lost = 0
        for user_id, sealed in await self._factors.sealed():
            try:
                secret = self._sealer.open(_totp_of(user_id), sealed)
            except SealError:
                lost += 1
                continue
            anew = self._sealer.seal(_totp_of(user_id), secret)
            await self._factors.seal_anew(user_id, sealed, anew)
            done += 1
        return done, lost

    async def passkey_options(self, site: Site, client: Client) -> str:
        """Return what a browser logs in with, as JSON. Raises TooManyError."""
        await self._allow(CHALLENGES, _networks(client.ip)[0])
        challenge, options = passkeys.request_options(site)
        await self._secrets.add(key_of(challenge), Purpose.PASSKEY_LOGIN, minutes=CHALLENGE_MINUTES)
        return options

    async def by_passkey(self, credential: str, site: Site, client: Client) -> Admitted:
        """Return that somebody was let in by his passkey. Raises InputError and TooManyError."""
        counted = [(PASSKEY_BY_ADDRESS, _networks(client.ip)[0])]
        await self._count(counted)
        challenge = passkeys.challenge_of(credential)
        key = passkeys.id_of(credential)
        if not await self._secrets.take_any(key_of(challenge), Purpose.PASSKEY_LOGIN):
            raise InputError("that took too long: try the passkey again")
        found = await self._passkeys.find(key)
        if found is None:
            raise InputError("this passkey lets nobody in here: come in another way")
        user_id, kept = found
        await self._passkeys.note_use(key, passkeys.used(credential, challenge, site, kept))
        await self._forgive(counted)
        return await self.begin(user_id, client)

    async def new_passkey_options(self, site: Site, user_id: int) -> str:
        """Return what a browser makes a passkey of, as JSON."""
        user = await self._users.get(user_id)
        known = [passkey.id for passkey in await self._passkeys.of_user(user_id)]
        challenge, options = passkeys.creation_options(
            site, user_id=user_id, login=user.login, name=user.name, known=known
        )
        await self._secrets.add(
            key_of(challenge), Purpose.PASSKEY_NEW, minutes=CHALLENGE_MINUTES, user_id=user_id
        )
        return options

    async def add_passkey(self, user_id: int, credential: str, site: Site, *, name: str) -> None:
        """Let a passkey in from now on. Raises InputError and ConflictError."""
        challenge = passkeys.challenge_of(credential)
        owner = await self._secrets.take(key_of(challenge), Purpose.PASSKEY_NEW)
        if owner != user_id:
            raise InputError("that took too long: make the passkey again")
        await self._passkeys.add(user_id, passkeys.made(credential, challenge, site), name=name)

    async def begin(self, user_id: int, client: Client) -> Admitted:
        """Return the new session of somebody who has proved who he is."""
        cookie = new_session()
        name = await self._sessions.begin(
            session_key(cookie),
            user_id,
            ip=client.ip,
            agent=client.agent,
            sudo_minutes=SUDO_MINUTES,
            instead_of=client.earlier,
        )
        return Admitted(cookie, user_id, name)

    async def password_again(self, user_id: int, session: bytes, password: str) -> str | None:
        """Return the cookie that the session goes on by if the password was right.

        It then counts as just given. Raises TooManyError.
        """
        await self._allow(PASSWORD_AGAIN, str(user_id))
        known = await self._users.known_by_id(user_id)
        checked = await self._passwords.check(known.password_hash if known else None, password)
        if not checked.right:
            return None
        await self._attempts.forget(PASSWORD_AGAIN, str(user_id))
        return await self.renew(session)

    async def renew(self, session: bytes) -> str:
        """Return the cookie by which a session goes on whose owner has just shown who he is.

        Whoever had got hold of the old one has nothing any more.
        """
        cookie = new_session()
        await self._sessions.renew(session, session_key(cookie), sudo_minutes=SUDO_MINUTES)
        return cookie

    async def allow_link(self, client: Client) -> None:
        """Raise TooManyError when too many tried to come in by a link from one place.

        Links are not guessed, so these are not counted with passwords.
        """
        await self._allow(LINK_BY_ADDRESS, _networks(client.ip)[0])

    async def allow_sign_on(self, client: Client) -> None:
        """Raise TooManyError when too many came back from the provider and were not let in."""
        await self._allow(SIGN_ON_BY_ADDRESS, _networks(client.ip)[0])

    async def forgive_sign_on(self, client: Client) -> None:
        """Do not count somebody who was let in."""
        await self._attempts.forgive(SIGN_ON_BY_ADDRESS, _networks(client.ip)[0])

    async def _count(self, counted: Counted) -> None:
        """Raise TooManyError unless one more may be tried under each of these limits.

        What is refused by one counts under none, so that nobody fills a limit that holds for all
        by what another has refused.
        """
        for number, (limit, subject) in enumerate(counted):
            try:
                await self._allow(limit, subject)
            except TooManyError:
                for passed in counted[:number]:
                    await self._attempts.forgive(*passed)
                raise

    async def _forgive(self, counted: Counted) -> None:
        """Begin to count anew what is somebody's own, and take one back of what others share."""
        for limit, subject in counted:
            if limit in _ONES_OWN:
                await self._attempts.forget(limit, subject)
            else:
                await self._attempts.forgive(limit, subject)

    async def _allow(self, limit: Limit, subject: str) -> None:
        seconds = await self._attempts.wait(limit, subject)
        if seconds is not None:
            raise TooManyError(
                f"too many tries: wait {_words(seconds)}, then try again", retry_after=seconds
            )


def _limits_of(login: str, user_id: int | None, client: Client) -> Counted:
    """Return what an attempt counts under.

    Others cannot keep somebody out of a browser that he has logged in with before: there he has
    tries of his own.
    """
    browser = client.browser
    if browser is not None and user_id in browser.users:
        return [(LOGIN_BY_BROWSER, f"{browser.name} {user_id}")]
    place, *site = _networks(client.ip)
    return [
        (LOGIN_BY_ADDRESS, place),
        *((LOGIN_BY_SITE, one) for one in site),
        (LOGIN_BY_USER, login),
        # Last: what a limit of somebody's own refuses does not count for all.
        (LOGIN_IN_ALL, ""),
    ]


def _networks(ip: str | None) -> tuple[str, ...]:
    """Return whose address this is, and of the new kind whose site.

    A household or a server has 2^64 addresses of that kind, and a site 2^16 times as many.
    """
    if ip is None:
        return ("",)
    try:
        address = ip_address(ip)
    except ValueError:
        return (ip,)
    if not isinstance(address, IPv6Address):
        return (str(address),)
    if address.ipv4_mapped is not None:
        return (str(address.ipv4_mapped),)
    return (str(int(address) >> 64), str(int(address) >> 80))


def _totp_of(user_id: int) -> str:
    return f"totp {user_id}"


def _words(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"

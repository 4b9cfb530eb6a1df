"""The people who may log in: made, changed, and given a way to choose a password."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctiscraper.access.one_time import Purpose, key_of, new_secret
from ctiscraper.access.passwords import Passwords, check_new
from ctiscraper.db.one_time import OneTimeSecrets
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.errors import InputError, NotFoundError, SettingsError
from ctiscraper.identity import Access, Role, User

SETUP_MINUTES = 30
# An administrator hands the link over himself, perhaps by a note on a desk.
LINK_MINUTES = 24 * 60
NAME_MOST = 100
# What else somebody may have made who knew the password; an app is asked for beside it.
_BESIDE = (Access.TOKENS, Access.FEEDS, Access.PASSKEYS)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_GONE = "this link is wrong, was used or has expired: ask an administrator for another"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """Somebody to be let in."""

    login: str
    name: str
    role: Role


class Accounts:
    """Makes and changes users."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self.users = Users(database)
        self._secrets = OneTimeSecrets(database)
        self._passwords = passwords

    async def offer_setup(self) -> str:
        """Return the secret that makes the first administrator, once and within half an hour."""
        secret = new_secret()
        await self._secrets.replace(key_of(secret), Purpose.SETUP, minutes=SETUP_MINUTES)
        return secret

    async def set_up(self, secret: str, *, login: str, name: str, password: str) -> int | None:
        """Return the id of the first administrator, None when the secret opens nothing.

        Raises InputError.
        """
        return await self._add_first(login, name, password, setup_key=key_of(secret))

    async def bootstrap(self, file: Path) -> User | None:
        """Return the file's administrator if he was made: only where there is nobody yet.

        Raises InputError and SettingsError.
        """
        given = _administrator_in(file)
        made = await self._add_first(given["username"], given["name"], given["password"])
        return None if made is None else await self.users.get(made)

    async def _add_first(
        self, login: str, name: str, password: str, *, setup_key: bytes | None = None
    ) -> int | None:
        login, name = login_given(login), name_given(name, login)
        check_new(password, login=login, name=name)
        kept = await self._passwords.hash(password)
        return await self.users.add_first(login, name=name, password_hash=kept, setup_key=setup_key)

    async def create(self, new: NewUser, password: str | None = None) -> User:
        """Return a new user; without a password he chooses one by a link.

        Raises InputError and ConflictError.
        """
        login = login_given(new.login)
        name = name_given(new.name, login)
        kept = None
        if password is not None:
            check_new(password, login=login, name=name)
            kept = await self._passwords.hash(password)
        return await self.users.get(
            await self.users.add(login, name=name, role=new.role, password_hash=kept)
        )

    async def rename(self, user_id: int, name: str) -> str:
        """Return what a user is called from now on. Raises InputError and NotFoundError."""
        user = await self.users.get(user_id)
        name = name_given(name, user.login)
        await self.users.rename(user_id, name)
        return name

    async def change(
        self,
        user_id: int,
        *,
        name: str | None = None,
        role: Role | None = None,
        disabled: bool | None = None,
    ) -> None:
        """Change all that is given of a user, or nothing.

        Raises InputError, NotFoundError, and ConflictError for the last administrator.
        """
        if name is not None:
            user = await self.users.get(user_id)
            name = name_given(name, user.login)
        await self.users.change(user_id, name=name, role=role, disabled=disabled)

    async def set_password(
        self, user_id: int, password: str, *, keep: bytes | None = None, end_all: bool = False
    ) -> None:
        """Give a user another password and end every session but `keep`.

        With `end_all` his tokens, feeds and passkeys end as well. Raises InputError and
        NotFoundError.
        """
        user = await self.users.get(user_id)
        check_new(password, login=user.login, name=user.name)
        kept = await self._passwords.hash(password)
        await self.users.set_password(user_id, kept, keep=keep, end=_BESIDE if end_all else ())

    async def is_password_of(self, user_id: int, password: str) -> bool:
        """Return whether this is the password of somebody who may log in."""
        known = await self.users.known_by_id(user_id)
        checked = await self._passwords.check(known.password_hash if known else None, password)
        return checked.right

    async def password_link(self, user_id: int) -> str:
        """Return the secret by which a user chooses a password, once and within a day.

        Raises NotFoundError.
        """
        user = await self.users.get(user_id)
        secret = new_secret()
        await self._secrets.replace(
            key_of(secret), Purpose.PASSWORD, minutes=LINK_MINUTES, user_id=user.id
        )
        return secret

    async def choose_password(self, secret: str, password: str, *, end_all: bool = False) -> User:
        """Return whose password this is from now on. Raises NotFoundError and InputError.

        With `end_all` his tokens, feeds and passkeys end.
        """
        key = key_of(secret)
        owner = await self._secrets.owner(key, Purpose.PASSWORD)
        user = None if owner is None else await self.users.get(owner)
        if user is None or user.disabled_at is not None:
            raise NotFoundError(_GONE)
        # Before the link is used up: whoever takes a bad password may try another.
        check_new(password, login=user.login, name=user.name)
        kept = await self._passwords.hash(password)
        if await self._secrets.take(key, Purpose.PASSWORD) is None:
            raise NotFoundError(_GONE)
        await self.users.set_password(user.id, kept, end=_BESIDE if end_all else ())
        return user


def login_given(text: str) -> str:
    """Return a login as it is kept. Raises InputError."""
    login = text.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise InputError(
            "a login has up to 100 letters of a to z, digits and the signs . _ @ + -, and begins "
            "with a letter or digit"
        )
    return login


def name_given(text: str, login: str) -> str:
    """Return a name as it is kept; without one the login is. Raises InputError."""
    name = " ".join(text.split()) or login
    if len(name) > NAME_MOST or not name.isprintable():
        raise InputError(f"a name has at most {NAME_MOST} characters, all of them visible")
    return name


def _administrator_in(file: Path) -> Mapping[str, str]:
    """Return the fields of a file as Secrets Manager mounts it. Raises SettingsError."""
    try:
        given = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"CTISCRAPER_BOOTSTRAP_ADMIN_FILE: {file} cannot be read") from error
    fields = {"name": "", **given} if isinstance(given, dict) else {}
    if not {"username", "password"} <= fields.keys() or not all(
        isinstance(fields[name], str) for name in ("username", "password", "name")
    ):
        raise SettingsError(
            f"CTISCRAPER_BOOTSTRAP_ADMIN_FILE: {file} should hold a JSON object with the texts "
            '"username" and "password"'
        )
    return fields

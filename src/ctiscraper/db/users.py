"""The people who may log in."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg.errors import UniqueViolation

from ctiscraper.access.one_time import Purpose
from ctiscraper.db.one_time import is_setup_key
from ctiscraper.db.principals import ABSOLUTE, IDLE
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.user_access import end_parts
from ctiscraper.errors import ConflictError, NotFoundError
from ctiscraper.identity import Access, Role, User

_ADD = """
    INSERT INTO app_user (login, name, role, password_hash, password_changed_at)
    VALUES (%(login)s, %(name)s, %(role)s, %(hash)s,
        CASE WHEN %(hash)s::text IS NOT NULL THEN now() END)
    RETURNING id
"""
_USER = f"""
    SELECT u.id, u.login, u.name, u.role, u.created_at, u.last_login_at, u.disabled_at,
        u.password_hash IS NOT NULL,
        EXISTS (SELECT FROM user_totp t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL),
        (SELECT count(*) FROM passkey p WHERE p.user_id = u.id),
        (
            SELECT count(*) FROM user_session s WHERE s.user_id = u.id
                AND s.seen_at > now() - interval '{IDLE}'
                AND s.created_at > now() - interval '{ABSOLUTE}'
        ),
        u.disabled_at IS NOT NULL
            AND EXISTS (SELECT FROM user_identity i WHERE i.user_id = u.id AND i.shut_out)
    FROM app_user u
"""  # noqa: S608 - constants
_LAST_ADMIN = (
    "this is the last administrator: make another one first, or nobody could let people in any more"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a login is held against."""

    id: int
    name: str
    password_hash: str | None


class Users:
    """Everybody who was let in, whether he still may or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, login: str, *, name: str, role: Role, password_hash: str | None = None
    ) -> int:
        """Return the id of a new user. Raises ConflictError when there is one of this login."""
        try:
            async with self._database.connection() as conn:
                return await _add(conn, login, name=name, role=role, password_hash=password_hash)
        except UniqueViolation as error:
            raise ConflictError(f"there is a user '{login}' already") from error

    async def add_first(
        self, login: str, *, name: str, password_hash: str, setup_key: bytes | None = None
    ) -> int | None:
        """Return the id of the first user, an administrator; None when there is somebody already.

        With `setup_key` this must be the key of the set-up, which is gone afterwards.
        """
        async with self._database.transaction() as conn:
            if setup_key is not None and not await is_setup_key(conn, setup_key):
                return None
            # Nobody can be added in between: the lock lets reads through alone.
            await conn.execute("LOCK TABLE app_user IN SHARE ROW EXCLUSIVE MODE")
            cursor = await conn.execute("SELECT FROM app_user LIMIT 1")
            if await cursor.fetchone() is not None:
                return None
            await conn.execute("DELETE FROM one_time_secret WHERE purpose = %s", (Purpose.SETUP,))
            return await _add(conn, login, name=name, role=Role.ADMIN, password_hash=password_hash)

    async def all(self) -> tuple[User, ...]:
        """Return everybody, by login."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(f"{_USER} ORDER BY u.login".encode())
            rows = await cursor.fetchall()
        return tuple(_user(row) for row in rows)

    async def get(self, user_id: int) -> User:
        """Return one user. Raises NotFoundError."""
        return await self._one("u.id = %s", user_id)

    async def named(self, login: str) -> User:
        """Return the user of a login. Raises NotFoundError."""
        return await self._one("u.login = %s", login)

    async def _one(self, condition: str, value: object) -> User:
        async with self._database.connection() as conn:
            cursor = await conn.execute(f"{_USER} WHERE {condition}".encode(), (value,))
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError("there is no such user")
        return _user(row)

    async def known(self, login: str) -> Known | None:
        """Return what a login is held against; None for one that lets nobody in."""
        return await self._known("login = %s", login)

    async def known_by_id(self, user_id: int) -> Known | None:
        """Return what a user's password is held against; None when he may not log in."""
        return await self._known("id = %s", user_id)

    async def _known(self, condition: str, value: object) -> Known | None:
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"SELECT id, name, password_hash FROM app_user WHERE {condition}"  # noqa: S608 - ours
                " AND disabled_at IS NULL".encode(),
                (value,),
            )
            row = await cursor.fetchone()
        return None if row is None else Known(id=row[0], name=row[1], password_hash=row[2])

    async def rename(self, user_id: int, name: str) -> None:
        """Call a user by another name."""
        async with self._database.connection() as conn:
            await conn.execute("UPDATE app_user SET name = %s WHERE id = %s", (name, user_id))

    async def set_password(
        self,
        user_id: int,
        password_hash: str,
        *,
        keep: bytes | None = None,
        end: Collection[Access] = (),
    ) -> None:
        """Keep another password and end every session but `keep`; links for a new one are void.

        What is named in `end` lets nobody in any more either.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                "UPDATE app_user SET password_hash = %s, password_changed_at = now() WHERE id = %s",
                (password_hash, user_id),
            )
            await conn.execute(
                "DELETE FROM one_time_secret WHERE user_id = %s AND purpose = ANY(%s)",
                (user_id, [Purpose.PASSWORD, Purpose.SECOND_FACTOR]),
            )
            await _end_sessions(conn, user_id, keep=keep)
            await end_parts(conn, user_id, end)

    async def rehash(self, user_id: int, before: str, after: str) -> None:
        """Keep the same password in another way, unless it was changed meanwhile."""
        async with self._database.connection() as conn:
            await conn.execute(
                "UPDATE app_user SET password_hash = %s WHERE id = %s AND password_hash = %s",
                (after, user_id, before),
            )

    async def change(
        self,
        user_id: int,
        *,
        name: str | None = None,
        role: Role | None = None,
        disabled: bool | None = None,
    ) -> None:
        """Change all that is given of a user, or nothing.

        Raises ConflictError for the last administrator, and NotFoundError.
        """
        async with self._database.transaction() as conn:
            await _check_known(conn, user_id)
            if role is not None:
                await self.set_role(user_id, role, inside=conn)
            if disabled is not None:
                act = self.disable if disabled else self.enable
                await act(user_id, inside=conn)
            if name is not None:
                await conn.execute("UPDATE app_user SET name = %s WHERE id = %s", (name, user_id))

    async def set_role(self, user_id: int, role: Role, *, inside: Conn | None = None) -> None:
        """Give a user another role; his sessions end where it was another.

        Raises ConflictError for the last administrator, and NotFoundError.
        """
        async with self._in(inside) as conn:
            if role is not Role.ADMIN:
                await _keep_an_admin(conn, user_id)
            cursor = await conn.execute(
                "UPDATE app_user SET role = %(role)s WHERE id = %(id)s AND role <> %(role)s"
                " RETURNING true",
                {"id": user_id, "role": role},
            )
            if await cursor.fetchone() is not None:
                await _end_sessions(conn, user_id)
            else:
                await _check_known(conn, user_id)

    async def disable(self, user_id: int, *, inside: Conn | None = None) -> None:
        """Let a user in no more, whatever his provider says, and end all that keeps him in.

        Raises ConflictError for the last administrator, and NotFoundError.
        """
        async with self._in(inside) as conn:
            await _check_known(conn, user_id)
            await _keep_an_admin(conn, user_id)
            await conn.execute(
                "UPDATE app_user SET disabled_at = coalesce(disabled_at, now()) WHERE id = %s",
                (user_id,),
            )
            await conn.execute(
                "UPDATE user_identity SET shut_out = false WHERE user_id = %s", (user_id,)
            )
            await conn.execute("DELETE FROM one_time_secret WHERE user_id = %s", (user_id,))
            await _end_sessions(conn, user_id)

    async def enable(self, user_id: int, *, inside: Conn | None = None) -> None:
        """Let a user in again. Raises NotFoundError."""
        async with self._in(inside) as conn:
            await _check_known(conn, user_id)
            await conn.execute("UPDATE app_user SET disabled_at = NULL WHERE id = %s", (user_id,))
            # Whoever lets him in vouches for him, as his provider would.
            await conn.execute(
                "UPDATE user_identity SET shut_out = false, seen_at = now() WHERE user_id = %s",
                (user_id,),
            )

    @asynccontextmanager
    async def _in(self, inside: Conn | None) -> AsyncIterator[Conn]:
        """Yield a transaction: the one that a change is a part of, else its own."""
        if inside is not None:
            yield inside
            return
        async with self._database.transaction() as conn:
            yield conn


async def _add(conn: Conn, login: str, *, name: str, role: Role, password_hash: str | None) -> int:
    cursor = await conn.execute(
        _ADD, {"login": login, "name": name, "role": role, "hash": password_hash}
    )
    row = await cursor.fetchone()
    assert row is not None, "what was added has an id"
    return int(row[0])


async def _check_known(conn: Conn, user_id: int) -> None:
    cursor = await conn.execute("SELECT FROM app_user WHERE id = %s", (user_id,))
    if await cursor.fetchone() is None:
        raise NotFoundError("there is no such user")


async def _keep_an_admin(conn: Conn, user_id: int) -> None:
    """Raise ConflictError for the last administrator."""
    if await is_last_admin(conn, user_id):
        raise ConflictError(_LAST_ADMIN)


async def is_last_admin(conn: Conn, user_id: int) -> bool:
    """Return whether nobody else could let people in.

    All are locked, in one order: of two who go at once the second sees that the first has gone.
    """
    cursor = await conn.execute(
        "SELECT id FROM app_user WHERE role = %s AND disabled_at IS NULL ORDER BY id FOR UPDATE",
        (Role.ADMIN,),
    )
    return [row[0] for row in await cursor.fetchall()] == [user_id]


async def _end_sessions(conn: Conn, user_id: int, *, keep: bytes | None = None) -> None:
    await conn.execute(
        "DELETE FROM user_session WHERE user_id = %s AND id IS DISTINCT FROM %s", (user_id, keep)
    )


def _user(row: tuple[object, ...]) -> User:
    names = User.__dataclass_fields__
    values = dict(zip(names, row, strict=True))
    return User(**{**values, "role": Role(str(values["role"]))})  # type: ignore[arg-type]  # the columns' own types

"""People whom a provider vouches for."""

from dataclasses import dataclass

from ctiscraper.access.identity_claims import Identity
from ctiscraper.audit_views import Actor, ActorKind, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.users import is_last_admin
from ctiscraper.errors import SignOnError
from ctiscraper.identity import Role

_LOGINS_MOST = 100
_KNOWN = """
    SELECT u.id, u.role, u.disabled_at IS NOT NULL, i.shut_out
    FROM user_identity i JOIN app_user u ON u.id = i.user_id
    WHERE i.issuer = %s AND i.subject = %s
"""
# Whoever has a password here is vouched for by whoever gave him one, as long as he comes.
_UNSEEN = """
    SELECT u.id, u.login FROM app_user u JOIN user_identity i ON i.user_id = u.id
    WHERE u.disabled_at IS NULL
    GROUP BY u.id
    HAVING greatest(
            max(i.seen_at), CASE WHEN u.password_hash IS NOT NULL THEN u.last_login_at END
        ) < now() - make_interval(days => %s)
    ORDER BY u.id
"""
_PROGRAM = Actor(kind=ActorKind.PROGRAM, name="ctiscraper")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOn:
    """Who came: his number here, whether he is new, and the role he had before.

    The last administrator stays one: `refused_role` is what his provider would have made of him.
    """

    user_id: int
    name: str
    role: Role
    is_new: bool
    former_role: Role | None = None
    refused_role: Role | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """Somebody who was here; `is_kept` is an administrator who is the last."""

    user_id: int
    role: Role
    is_disabled: bool
    is_shut_out: bool
    is_kept: bool


class Identities:
    """Who people are at their provider: by issuer and subject alone, whatever their logins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(self, identity: Identity) -> SignedOn:
        """Return the user that somebody is, made at his first login; his role follows.

        Raises SignOnError for whoever has no role (he is shut out until he has one again), and
        for whoever was disabled here. The last administrator is neither shut out nor given
        another role.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"{identity.issuer}\n{identity.subject}",),
            )
            known = await _known(conn, identity)
            if identity.role is not None:
                if known is None:
                    return await _join(conn, identity, identity.role)
                if not known.is_disabled or known.is_shut_out:
                    return await _come_back(conn, identity, identity.role, known)
            elif known is not None and not known.is_disabled and not known.is_kept:
                await _shut_out(conn, known.user_id)
        if identity.role is None:
            raise SignOnError(_no_role(known))
        raise SignOnError("you may not log in here any more: ask whoever runs this")

    async def owner(self, issuer: str, subject: str) -> int | None:
        """Return the user that somebody is, None for nobody who may log in."""
        async with self._database.connection() as conn:
            row = await (await conn.execute(_KNOWN, (issuer, subject))).fetchone()
        return None if row is None or row[2] else int(row[0])

    async def knows(self, issuer: str, user_id: int) -> bool:
        """Return whether a user can come by this provider."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT FROM user_identity WHERE issuer = %s AND user_id = %s LIMIT 1",
                (issuer, user_id),
            )
            return await cursor.fetchone() is not None

    async def shut_out_unseen(self, days: int) -> tuple[str, ...]:
        """Return the logins of those now shut out who have not come by their provider so long.

        Nobody tells when a provider removes somebody: he just does not come any more. The last
        administrator stays. Each has an entry of the audit log.
        """
        async with self._database.connection() as conn:
            found = await (await conn.execute(_UNSEEN, (days,))).fetchall()
        return tuple([login for user_id, login in found if await self._is_out(user_id, days)])

    async def _is_out(self, user_id: int, days: int) -> bool:
        """Return whether somebody was shut out: he may have come, or be the last, meanwhile."""
        async with self._database.transaction() as conn:
            if await is_last_admin(conn, user_id):
                return False
            await conn.execute("SELECT FROM app_user WHERE id = %s FOR UPDATE", (user_id,))
            unseen = await (await conn.execute(_UNSEEN, (days,))).fetchall()
            if user_id not in {row[0] for row in unseen}:
                return False
            await _shut_out(conn, user_id)
            deed = Deed(
                action="user.shut_out",
                object_kind="user",
                object_id=str(user_id),
                detail={"unseen_days": days},
            )
            await Audit(self._database).note(_PROGRAM, deed, conn=conn)
        return True


async def _known(conn: Conn, identity: Identity) -> _Known | None:
    key = (identity.issuer, identity.subject)
    row = await (await conn.execute(_KNOWN, key)).fetchone()
    if row is None:
        return None
    is_kept = False
    if Role(row[1]) is Role.ADMIN and identity.role is not Role.ADMIN:
        # Before his own row: administrators are locked in one order.
        is_kept = await is_last_admin(conn, row[0])
    row = await (await conn.execute(f"{_KNOWN} FOR UPDATE OF u", key)).fetchone()
    assert row is not None, "nobody is removed"
    return _Known(row[0], Role(row[1]), is_disabled=row[2], is_shut_out=row[3], is_kept=is_kept)


async def _join(conn: Conn, identity: Identity, role: Role) -> SignedOn:
    """Make a user; a login that another has is given a number, never taken over."""
    for number in range(1, _LOGINS_MOST):
        login = identity.login if number == 1 else f"{identity.login}-{number}"
        cursor = await conn.execute(
            """
            INSERT INTO app_user (login, name, role, last_login_at)
            VALUES (lower(%s), %s, %s, now()) ON CONFLICT (login) DO NOTHING RETURNING id
            """,
            (login, identity.name, role),
        )
        row = await cursor.fetchone()
        if row is not None:
            await conn.execute(
                "INSERT INTO user_identity (issuer, subject, user_id) VALUES (%s, %s, %s)",
                (identity.issuer, identity.subject, row[0]),
            )
            return SignedOn(user_id=row[0], name=identity.name, role=role, is_new=True)
    raise SignOnError(f"there are {_LOGINS_MOST} users '{identity.login}' already")


async def _come_back(conn: Conn, identity: Identity, given: Role, known: _Known) -> SignedOn:
    role = Role.ADMIN if known.is_kept else given
    await conn.execute(
        """
        UPDATE app_user SET name = %s, role = %s, last_login_at = now(), disabled_at = NULL
        WHERE id = %s
        """,
        (identity.name, role, known.user_id),
    )
    await conn.execute(
        "UPDATE user_identity SET seen_at = now(), shut_out = false WHERE user_id = %s",
        (known.user_id,),
    )
    return SignedOn(
        user_id=known.user_id,
        name=identity.name,
        role=role,
        is_new=False,
        former_role=known.role,
        refused_role=given if known.is_kept else None,
    )


async def _shut_out(conn: Conn, user_id: int) -> None:
    """Let neither sessions nor tokens of somebody count whom his provider vouches for no more."""
    await conn.execute("UPDATE app_user SET disabled_at = now() WHERE id = %s", (user_id,))
    await conn.execute("DELETE FROM user_session WHERE user_id = %s", (user_id,))
    await conn.execute("DELETE FROM one_time_secret WHERE user_id = %s", (user_id,))
    await conn.execute("UPDATE user_identity SET shut_out = true WHERE user_id = %s", (user_id,))


def _no_role(known: _Known | None) -> str:
    if known is not None and known.is_kept:
        return (
            "you have no role here any more, yet stay the last administrator: see whether "
            "CTISCRAPER_OIDC_ROLES is right, or make another administrator first"
        )
    return "you have no role here: ask whoever runs this to give you one at the provider"

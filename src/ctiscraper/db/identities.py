"""People whom a provider vouches for, and those who are on their way to one."""

from dataclasses import dataclass
from hashlib import sha256

from ctiscraper.access.identity_claims import Identity
from ctiscraper.access.oidc import Way
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import SignOnError, UnavailableError
from ctiscraper.identity import Role

# How long somebody may take to log in at the provider, and how many may be on their way.
ON_THE_WAY = "10 minutes"
ON_THE_WAY_MOST = 10_000
_LOGINS_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOn:
    """Who came: his number here, whether he is new, and the role he had before."""

    user_id: int
    name: str
    role: Role
    is_new: bool
    former_role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is remembered of somebody who comes back; `target` is where he wanted to go."""

    way: Way
    target: str


class Identities:
    """Who people are at their provider: by issuer and subject alone, whatever their logins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(self, identity: Identity) -> SignedOn:
        """Return the user that somebody is, made at his first login; his role follows.

        Raises SignOnError for whoever has no role (he is shut out until he has one again), and
        for whoever was disabled here.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"{identity.issuer}\n{identity.subject}",),
            )
            cursor = await conn.execute(
                """
                SELECT u.id, u.role, u.disabled_at IS NOT NULL, i.shut_out
                FROM user_identity i JOIN app_user u ON u.id = i.user_id
                WHERE i.issuer = %s AND i.subject = %s FOR UPDATE OF u
                """,
                (identity.issuer, identity.subject),
            )
            row = await cursor.fetchone()
            if identity.role is not None:
                if row is None:
                    return await _join(conn, identity, identity.role)
                is_disabled_here = row[2] and not row[3]
                if not is_disabled_here:
                    return await _come_back(conn, identity, identity.role, (row[0], Role(row[1])))
            elif row is not None and not row[2]:
                await _shut_out(conn, identity, row[0])
        if identity.role is None:
            raise SignOnError(
                "you have no role here: ask whoever runs this to give you one at the provider"
            )
        raise SignOnError("you may not log in here any more: ask whoever runs this")


class Ways:
    """Those who were sent to the provider and are not back yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, way: Way, browser: str, target: str) -> None:
        """Keep what somebody is known again by; `browser` is what his cookie holds.

        Raises UnavailableError when too many are on their way.
        """
        async with self._database.transaction() as conn:
            await conn.execute(
                f"DELETE FROM sign_on WHERE begun_at < now() - interval '{ON_THE_WAY}'"  # noqa: S608 - a constant
            )
            cursor = await conn.execute(
                """
                INSERT INTO sign_on (state, browser, nonce, verifier, target)
                SELECT %s, %s, %s, %s, %s WHERE (SELECT count(*) FROM sign_on) < %s
                """,
                (
                    _hash(way.state),
                    _hash(browser),
                    way.nonce,
                    way.verifier,
                    target,
                    ON_THE_WAY_MOST,
                ),
            )
        if not cursor.rowcount:
            raise UnavailableError("too many logins were begun and not ended; try again later")

    async def take(self, state: str, browser: str) -> Sent:
        """Return what is known of somebody who comes back; a state is good for one time.

        Raises SignOnError for a state that is unknown, too old, used, or another browser's.
        """
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                f"""
                DELETE FROM sign_on WHERE state = %s
                RETURNING browser = %s AND begun_at > now() - interval '{ON_THE_WAY}',
                    nonce, verifier, target
                """,  # noqa: S608 - a constant
                (_hash(state), _hash(browser)),
            )
            row = await cursor.fetchone()
        if row is None or not row[0]:
            raise SignOnError(
                "this login was not begun here, took too long or was used: begin it again"
            )
        return Sent(way=Way(state=state, nonce=row[1], verifier=row[2]), target=row[3])


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


async def _come_back(
    conn: Conn, identity: Identity, role: Role, known: tuple[int, Role]
) -> SignedOn:
    user_id, former = known
    await conn.execute(
        """
        UPDATE app_user SET name = %s, role = %s, last_login_at = now(), disabled_at = NULL
        WHERE id = %s
        """,
        (identity.name, role, user_id),
    )
    await conn.execute(
        "UPDATE user_identity SET seen_at = now(), shut_out = false WHERE user_id = %s", (user_id,)
    )
    return SignedOn(
        user_id=user_id, name=identity.name, role=role, is_new=False, former_role=former
    )


async def _shut_out(conn: Conn, identity: Identity, user_id: int) -> None:
    """Let neither sessions nor tokens of somebody count who has no role any more."""
    await conn.execute("UPDATE app_user SET disabled_at = now() WHERE id = %s", (user_id,))
    await conn.execute("DELETE FROM user_session WHERE user_id = %s", (user_id,))
    await conn.execute(
        "UPDATE user_identity SET shut_out = true WHERE issuer = %s AND subject = %s",
        (identity.issuer, identity.subject),
    )


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()

"""People of tests, let in without a login."""

from ctiscraper.access.cookies import new_session, session_key
from ctiscraper.access.tokens import new_token
from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.tokens import Tokens
from ctiscraper.db.users import Users
from ctiscraper.identity import Permission, Role


async def person(database: Database, role: Role = Role.ADMIN, login: str | None = None) -> int:
    """The id of a new user."""
    login = login or f"the-{role}"
    return await Users(database).add(login, name=f"The {login}", role=role)


async def token_of(database: Database, user_id: int | None) -> str:
    """A token that may do all that its user may, whose secret is known here alone."""
    token, key = new_token()
    await Tokens(database).add(key, name="a test", scopes=Permission, user_id=user_id)
    return token


async def session_of(database: Database, user_id: int, *, sudo_minutes: int = 0) -> str:
    """What the cookie of a new session holds, whose password was given now, or long ago."""
    secret = new_session()
    await Sessions(database).add(session_key(secret), user_id, sudo_minutes=sudo_minutes)
    return secret

"""Readers for tests of what they do."""

from ctiscraper.db.session import Database
from ctiscraper.identity import GRANTS, Principal, Role
from people import person


async def reader(database: Database, login: str, role: Role = Role.ANALYST) -> Principal:
    """A new user, as routes know him."""
    number = await person(database, role, login)
    return Principal(
        name=login.title(), permissions=GRANTS[role], login=login, user_id=number, role=role
    )

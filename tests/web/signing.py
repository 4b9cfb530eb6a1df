"""What tests of logging in have in common."""

import re
from html import unescape

import httpx2
from argon2 import PasswordHasher

from ctiscraper.access.cookies import csrf_token
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.identity import Role

PASSWORD = "seven lanterns hum at noon"
OTHER = "eight herons wait by the mill"
SAME_SITE = {"sec-fetch-site": "same-origin"}
_QUICK = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


async def user(database: Database, login: str = "jane", role: Role = Role.ADMIN) -> int:
    """The id of somebody with a password."""
    return await Users(database).add(
        login, name=login.title(), role=role, password_hash=_QUICK.hash(PASSWORD)
    )


async def post(client: httpx2.AsyncClient, path: str, **fields: str | list[str]) -> httpx2.Response:
    """The answer to a form of our own page, with the token of the session there is."""
    cookie = client.cookies.get("ctiscraper") or client.cookies.get("__Host-ctiscraper")
    csrf = csrf_token(cookie) if cookie else ""
    return await client.post(path, data={"csrf": csrf, **fields}, headers=SAME_SITE)


async def log_in(
    client: httpx2.AsyncClient, login: str = "jane", password: str = PASSWORD
) -> httpx2.Response:
    """The answer to a login."""
    return await post(client, "/login", login=login, password=password)


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to an address."""
    form = page.partition(f'action="{action}"')[2].partition("</form>")[0]
    return {name: unescape(value) for name, value in _FIELD.findall(form)}

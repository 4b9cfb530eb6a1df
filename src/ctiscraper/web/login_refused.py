"""Logins that were refused: an entry where they were somebody's, a line of the log for all."""

from collections.abc import Awaitable, Callable

import structlog
from fastapi import Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from ctiscraper.access.passkeys import id_of
from ctiscraper.audit_views import Deed
from ctiscraper.db.passkeys import Passkeys
from ctiscraper.db.session import Database
from ctiscraper.db.users import Users
from ctiscraper.errors import InputError, NotFoundError, StorageError
from ctiscraper.web.auditing import note

Owner = Callable[[], Awaitable[int | None]]
"""Finds whose login it was, None where there is nobody."""

_log = structlog.get_logger(__name__)


def refused(request: Request, answer: Response, action: str, owner: Owner) -> Response:
    """Return an answer that refuses, noted once it is sent.

    By then how long it takes tells nobody whether there is such a user.
    """
    answer.background = BackgroundTask(_note, request, action, owner)
    return answer


def owner_of_login(database: Database, login: str) -> Owner:
    """Return what finds the user of a login; what else was typed there may be a password."""

    async def find() -> int | None:
        try:
            return (await Users(database).named(login.strip().lower())).id
        except NotFoundError:
            return None

    return find


def owner_of_passkey(database: Database, credential: str) -> Owner:
    """Return what finds the user of a passkey, as a browser has sent it."""

    async def find() -> int | None:
        try:
            found = await Passkeys(database).find(id_of(credential))
        except InputError:
            return None
        return None if found is None else found[0]

    return find


async def _note(request: Request, action: str, owner: Owner) -> None:
    ip = request.client.host if request.client else ""
    said = {"action": action, "ip": ip}
    try:
        user_id = await owner()
        _log.warning("login.refused", user_id=user_id, **said)
        if user_id is not None:
            deed = Deed(action=action, object_kind="user", object_id=str(user_id))
            await note(request, deed)
    except StorageError as error:
        # The answer has gone.
        _log.warning("login.not_noted", cause=str(error), **said)

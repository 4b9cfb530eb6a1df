"""Who gives a command, and what the audit log keeps of what it did."""

import os
import pwd
from asyncio import CancelledError
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ctiscraper.audit_views import Actor, ActorKind, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database
from ctiscraper.errors import StorageError


def command_actor() -> Actor:
    """Return the user of this machine who gave the command."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return Actor(kind=ActorKind.COMMAND, name=name)


@asynccontextmanager
async def noting_what_breaks_off(
    database: Database, action: str, detail: Mapping[str, object], *, dry_run: bool
) -> AsyncIterator[None]:
    """Add an entry where the steps of a command break off: what they did until then stays.

    In a dry run they did nothing.
    """
    try:
        yield
    except (StorageError, CancelledError):
        if not dry_run:
            await note_deed(database, action, detail={**detail, "whole": False})
        raise


async def note_deed(
    database: Database,
    action: str,
    object_id: object = "",
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Add an entry of what this command has done; of `detail` what is not None.

    Raises StorageError.
    """
    deed = Deed(
        action=action,
        object_kind=action.partition(".")[0],
        object_id=str(object_id),
        before=before,
        after=after,
        detail={name: value for name, value in (detail or {}).items() if value is not None},
    )
    await Audit(database).note(command_actor(), deed)

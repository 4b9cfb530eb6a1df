"""Who gives a command, and what the audit log keeps of what it did."""

import os
import pwd
from collections.abc import Mapping

from ctiscraper.audit_views import Actor, ActorKind, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.session import Database


def command_actor() -> Actor:
    """Return the user of this machine who gave the command."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return Actor(kind=ActorKind.COMMAND, name=name)


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

"""Who gives a command, for the audit log."""

import os
import pwd

from ctiscraper.audit_views import Actor, ActorKind


def command_actor() -> Actor:
    """Return the user of this machine who gave the command."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return Actor(kind=ActorKind.COMMAND, name=name)

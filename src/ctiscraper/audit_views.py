"""What the audit log keeps: who did what to what, from where, and how its entries hang together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ActorKind(StrEnum):
    """What did something: a person, his or a service's token, a command, the program itself."""

    USER = "user"
    TOKEN = "token"  # noqa: S105 - a word
    COMMAND = "command"
    PROGRAM = "program"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something, and from where; a person who is not known yet is `nobody`."""

    kind: ActorKind
    name: str
    user_id: int | None = None
    token_id: str = ""
    ip: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What was done: `action` is a word like source.change, `object_kind` the kind of its object.

    Of `before` and `after` what differs is kept, and the hash of each as a whole; `detail` is
    kept as it is. Secrets in any of them are blacked out.
    """

    action: str
    object_kind: str = ""
    object_id: str = ""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry as it is kept; hashes are hexadecimal, `changes` is JSON as it was hashed."""

    id: int
    at: datetime
    actor_kind: str
    actor_id: int | None
    actor_token: str
    actor_name: str
    action: str
    object_kind: str
    object_id: str
    before_hash: str
    after_hash: str
    changes: str
    ip: str
    request_id: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Entries, the latest first; `next` is the cursor of the page after it."""

    entries: tuple[AuditEntry, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries: an action may be the first part of others (source is source.change too).

    An actor is a login, a name on record, or user:ID or token:ID.
    """

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """How far the chain is whole: `broken` is the first entry that does not fit, and why."""

    entries: int
    last_id: int
    last_hash: str
    broken: int | None = None
    fault: str = ""

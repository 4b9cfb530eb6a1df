"""Types of access; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType


class ApiToken(Struct, frozen=True, kw_only=True):
    """What is known of a token; its secret is not.

    `owner` is None for a token of nobody. It is `live` while it lets in whoever shows it.
    `made_by` is the token by which it was made, and with which it ends.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    owner_id: int | None
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    live: bool
    made_by: str | None = None


class AuditEntry(Struct, frozen=True, kw_only=True):
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


class AuditPage(Struct, frozen=True, kw_only=True):
    """Entries, the latest first; `next` is the cursor of the page after it."""

    entries: tuple[AuditEntry, ...]
    next: str | None = None


class MadeToken(Struct, frozen=True, kw_only=True):
    """A new token; `secret` is what a program shows, and is told this once."""

    secret: str
    token: ApiToken


Permission: TypeAlias = Literal[
    "article:read",
    "article:export",
    "article:annotate",
    "article:submit",
    "article:reprocess",
    "analysis:write",
    "verdict:write",
    "story:write",
    "watchlist:write",
    "detection:write",
    "detection:accept",
    "source:read",
    "source:write",
    "operations:read",
    "queue:write",
    "data:write",
    "settings:read",
    "settings:write",
    "user:read",
    "user:write",
    "token:write",
    "audit:read",
    "self:write",
]
"""One thing that a route, or the scope of a token, allows."""


class TokenIn(Struct, frozen=True, kw_only=True):
    """A token to be made: never more than its maker may do himself."""

    name: str
    scopes: tuple[Permission, ...]
    days: int | UnsetType | None = UNSET

"""Types of users; written from the description of the API, not by hand."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

Access: TypeAlias = Literal["sessions", "tokens", "feeds", "passkeys", "app", "password"]
"""What lets somebody in: each can be taken from him."""


class EndedAccess(Struct, frozen=True, kw_only=True):
    """How many of each there were that let nobody in any more."""

    sessions: int
    tokens: int
    feeds: int
    passkeys: int
    app: int
    password: int


class PasswordLink(Struct, frozen=True, kw_only=True):
    """An address by which somebody chooses his password, once and within a day."""

    url: str


Role: TypeAlias = Literal["viewer", "analyst", "curator", "admin"]
"""What a person is here; each holds what the one before it holds, and more."""


class User(Struct, frozen=True, kw_only=True):
    """A person who was let in. Without a password he may wait for his first.

    One who is `shut_out` is disabled until his provider gives him a role again.
    """

    id: int
    login: str
    name: str
    role: Role
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    has_password: bool
    has_totp: bool
    passkeys: int
    sessions: int
    shut_out: bool = False


class UserChange(Struct, frozen=True, kw_only=True):
    """What is to be another of a user; the rest stays."""

    name: str | UnsetType | None = UNSET
    role: Role | UnsetType | None = UNSET
    disabled: bool | UnsetType | None = UNSET


class UserIn(Struct, frozen=True, kw_only=True):
    """Somebody to be let in; he chooses his password by a link."""

    login: str
    name: str | UnsetType = UNSET
    role: Role

"""Who asks, and what he may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Permission(StrEnum):
    """One thing that a route, or the scope of a token, allows."""

    ARTICLE_READ = "article:read"
    ARTICLE_EXPORT = "article:export"
    ARTICLE_ANNOTATE = "article:annotate"
    ARTICLE_SUBMIT = "article:submit"
    ARTICLE_REPROCESS = "article:reprocess"
    ANALYSIS_WRITE = "analysis:write"
    VERDICT_WRITE = "verdict:write"
    STORY_WRITE = "story:write"
    WATCHLIST_WRITE = "watchlist:write"
    DETECTION_WRITE = "detection:write"
    DETECTION_ACCEPT = "detection:accept"
    SOURCE_READ = "source:read"
    SOURCE_WRITE = "source:write"
    OPERATIONS_READ = "operations:read"
    QUEUE_WRITE = "queue:write"
    DATA_WRITE = "data:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    USER_READ = "user:read"
    USER_WRITE = "user:write"
    TOKEN_WRITE = "token:write"  # noqa: S105 - a permission's name
    AUDIT_READ = "audit:read"
    # His own: what he has read, starred and saved, his password, his tokens.
    SELF_WRITE = "self:write"


class Role(StrEnum):
    """What a person is here; each holds what the one before it holds, and more."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    CURATOR = "curator"
    ADMIN = "admin"


class Access(StrEnum):
    """What lets somebody in: each can be taken from him."""

    SESSIONS = "sessions"
    TOKENS = "tokens"
    FEEDS = "feeds"
    PASSKEYS = "passkeys"
    APP = "app"
    PASSWORD = "password"  # noqa: S105 - a word


_VIEWER = frozenset(
    {
        Permission.ARTICLE_READ,
        Permission.ARTICLE_EXPORT,
        Permission.SOURCE_READ,
        Permission.OPERATIONS_READ,
        Permission.SELF_WRITE,
    }
)
_ANALYST = _VIEWER | {
    Permission.ARTICLE_ANNOTATE,
    Permission.ARTICLE_SUBMIT,
    Permission.ARTICLE_REPROCESS,
    Permission.ANALYSIS_WRITE,
    Permission.VERDICT_WRITE,
    Permission.STORY_WRITE,
    Permission.WATCHLIST_WRITE,
    Permission.DETECTION_WRITE,
}
_CURATOR = _ANALYST | {
    Permission.SOURCE_WRITE,
    Permission.QUEUE_WRITE,
    Permission.DETECTION_ACCEPT,
}

GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.ANALYST: _ANALYST,
        Role.CURATOR: _CURATOR,
        Role.ADMIN: frozenset(Permission),
    }
)


def signature(login: str, name: str = "") -> str:
    """Return how somebody is named on record: by his login first, since names are his to choose.

    A login that a provider gave may have spaces; no name behind it looks like a part of it.
    """
    login = f'"{login}"' if " " in login else login
    return f"{login} ({name})" if login and name not in {"", login} else login or name


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever asks: a person over a session, or a program with a token.

    `user_id` and `role` are None for a token that belongs to nobody, whose `login` is empty. A
    session has the hash it is kept by and may do what needs a fresh password until `sudo_until`.
    Whoever `owes_factor` has a password and nothing that is asked for after it.
    """

    name: str
    permissions: frozenset[Permission]
    login: str = ""
    user_id: int | None = None
    role: Role | None = None
    session: bytes | None = None
    token_id: str | None = None
    sudo_until: datetime | None = None
    owes_factor: bool = False

    @property
    def key(self) -> str:
        """Return what tells this one from all others, whatever he is called."""
        return f"user {self.user_id}" if self.user_id is not None else f"token {self.token_id}"

    @property
    def signature(self) -> str:
        """Return what stands on record for this one: by name alone he could pass for another."""
        if self.token_id is None:
            return signature(self.login, self.name)
        owner = f"{signature(self.login)}, " if self.login else ""
        return f"{owner}token {self.name}"

    def may(self, permission: Permission) -> bool:
        """Return whether this is allowed."""
        return permission in self.permissions

    def may_all_of(self, role: Role) -> bool:
        """Return whether everything is allowed that this role may."""
        return GRANTS[role] <= self.permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser in which somebody is logged in; its `key` lets nobody in."""

    key: bytes
    created_at: datetime
    seen_at: datetime
    ip: str | None
    agent: str

"""What the API offers of users; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.transport import Transport, path_part
from ctiscraper.client.users_types import (
    Access,
    EndedAccess,
    PasswordLink,
    Role,
    User,
    UserChange,
    UserIn,
)


class UsersCalls(Transport):
    """The operations of users."""

    def list_users(
        self,
    ) -> tuple[User, ...]:
        """Everybody.

        By login; `sessions` are those that go on.

        Needs `user:read`.
        """
        return self.call("GET", "/users", tuple[User, ...])

    def add_user(
        self,
        *,
        login: str,
        name: str | UnsetType = UNSET,
        role: Role,
    ) -> User:
        """Let somebody in.

        Without a password yet: ask for a link next.

        Needs `user:write`.
        """
        return self.call("POST", "/users", User, body=UserIn(login=login, name=name, role=role))

    def get_user(
        self,
        user_id: int,
    ) -> User:
        """One user.

        Whether he may log in still, or not.

        Needs `user:read`.
        """
        return self.call("GET", f"/users/{path_part(user_id)}", User)

    def change_user(
        self,
        user_id: int,
        *,
        name: str | UnsetType | None = UNSET,
        role: Role | UnsetType | None = UNSET,
        disabled: bool | UnsetType | None = UNSET,
    ) -> User:
        """Change a user.

        All of it or nothing; another role, or being disabled, ends his sessions.

        The last administrator stays one. Whoever asks may himself do all that the role before,
        and the new one, may.

        Needs `user:write`.
        """
        return self.call(
            "PATCH",
            f"/users/{path_part(user_id)}",
            User,
            body=UserChange(name=name, role=role, disabled=disabled),
        )

    def make_password_link(
        self,
        user_id: int,
    ) -> PasswordLink:
        """Let a user choose a password.

        The link is told this once; an earlier one is void.

        Needs `user:write`.
        """
        return self.call("POST", f"/users/{path_part(user_id)}/password", PasswordLink)

    def end_sessions(
        self,
        user_id: int,
    ) -> None:
        """Log a user out.

        All his sessions end; he may log in again.

        Needs `user:write`.
        """
        self.call("DELETE", f"/users/{path_part(user_id)}/sessions", None)

    def end_access(
        self,
        user_id: int,
        *,
        part: tuple[Access, ...] | None = None,
    ) -> EndedAccess:
        """End what lets a user in.

        All of it, or each `part`: sessions, tokens, feeds, passkeys, app (with its codes),
        password.

        Tokens that his tokens have made end with them. He may log in again by what is left; for
        another password make a link.

        Needs `user:write`.
        """
        return self.call(
            "DELETE", f"/users/{path_part(user_id)}/access", EndedAccess, query={"part": part}
        )

"""What the API offers of users; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.transport import Transport, path_part
from ctiscraper.client.users_types import PasswordLink, Role, User, UserChange, UserIn


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

        Another role, or being disabled, ends his sessions; the last administrator stays one.

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

"""What the API offers of access; written from the description of the API, not by hand."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ctiscraper.client.access_types import ApiToken, AuditPage, MadeToken, Permission, TokenIn
from ctiscraper.client.transport import Transport, path_part


class AccessCalls(Transport):
    """The operations of access."""

    def list_tokens(
        self,
        *,
        everybody: bool | None = None,
    ) -> tuple[ApiToken, ...]:
        """Your tokens.

        Those that live first, then the newest; at most 1,000.

        Needs `self:write`.
        """
        return self.call("GET", "/tokens", tuple[ApiToken, ...], query={"everybody": everybody})

    def add_token(
        self,
        *,
        name: str,
        scopes: tuple[Permission, ...],
        days: int | UnsetType | None = UNSET,
    ) -> MadeToken:
        """Make a token.

        It may do no more than you, belongs to you, and its secret is answered this once.

        A token that makes another gives it no longer life than its own, and takes it along when
        it is revoked. Only administrators make one for more than a year. An `Idempotency-Key`
        has no meaning here: the answer is kept nowhere.

        Needs `self:write`.
        """
        return self.call(
            "POST", "/tokens", MadeToken, body=TokenIn(name=name, scopes=scopes, days=days)
        )

    def remove_token(
        self,
        token_id: str,
    ) -> ApiToken:
        """Revoke a token.

        It lets nobody in from now on, nor does what was made by it.

        Revoking it twice changes nothing.

        Needs `self:write`.
        """
        return self.call("DELETE", f"/tokens/{path_part(token_id)}", ApiToken)

    def list_audit(  # noqa: PLR0913 - the fields of the API
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        about: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> AuditPage:
        """Who did what, latest first.

        Entries are never changed or removed; each holds the hash of the one before it.

        Needs `audit:read`.
        """
        return self.call(
            "GET",
            "/audit",
            AuditPage,
            query={
                "actor": actor,
                "action": action,
                "about": about,
                "since": since,
                "until": until,
                "cursor": cursor,
                "limit": limit,
            },
        )

    def export_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        about: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> bytes:
        """The same as a file, all of it.

        NDJSON holds each entry as it was hashed; in CSV what a spreadsheet would run is quoted.

        Needs `audit:read`.
        """
        return self.call(
            "GET",
            "/audit/export",
            bytes,
            query={
                "actor": actor,
                "action": action,
                "about": about,
                "since": since,
                "until": until,
            },
        )

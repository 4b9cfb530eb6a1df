"""What an operator sets of the provider that people log in by."""

import re
from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from ctiscraper.access.identity_claims import SignOn
from ctiscraper.access.places import is_safe_address, key_place
from ctiscraper.errors import SettingsError
from ctiscraper.identity import Role

_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


class SignOnSettings(BaseModel):
    """The settings of single sign-on."""

    oidc_issuer: str = Field(
        default="", description="OpenID Connect provider that people log in by: its issuer's URL."
    )
    oidc_client_id: str = Field(default="", description="Client id that the provider gave.")
    oidc_client_secret_file: Path | None = Field(
        default=None, description="File with the client's secret, on one line."
    )
    oidc_scopes: str = Field(
        default="openid profile email",
        description="What the provider is asked to tell, separated by spaces.",
    )
    oidc_role_claim: str = Field(
        default="groups",
        min_length=1,
        max_length=200,
        description="Claim of the ID token whose values give roles; a path like "
        "realm_access.roles leads into objects.",
    )
    oidc_roles: str = Field(
        default="",
        description="Role of each value of that claim: value=role, comma separated; "
        "whoever has none is not let in.",
    )
    oidc_unseen_days: int = Field(
        default=90,
        ge=0,
        le=3650,
        description="Whoever has not come by the provider for so many days is shut out until he "
        "does, with his tokens and feeds; 0 lets them be.",
    )
    alb_arn: str = Field(
        default="",
        description="ARN of the AWS load balancer that has people log in before they come here.",
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_named(cls, value: str) -> str:
        if value and (not is_safe_address(value) or "?" in value or "#" in value or "@" in value):
            raise ValueError(f"{value!r} should read https://host or https://host/path")
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _scopes_named(cls, value: str) -> str:
        if not _SCOPES.fullmatch(value) or "openid" not in value.split():
            raise ValueError("should be words with single spaces between, openid among them")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _roles_named(cls, value: str) -> str:
        _roles(value)
        return value

    @field_validator("alb_arn")
    @classmethod
    def _balancer_named(cls, value: str) -> str:
        if value:
            try:
                key_place(value)
            except SettingsError as error:
                raise ValueError(str(error).partition(": ")[2]) from error
        return value

    def sign_on(self) -> SignOn | None:
        """Return how people log in by a provider, None when they do not. Raises SettingsError."""
        if not self.oidc_issuer:
            if self.alb_arn:
                raise SettingsError("CTISCRAPER_ALB_ARN needs CTISCRAPER_OIDC_ISSUER beside it")
            return None
        if not self.oidc_client_id:
            raise SettingsError("CTISCRAPER_OIDC_ISSUER needs CTISCRAPER_OIDC_CLIENT_ID beside it")
        roles = _roles(self.oidc_roles)
        if not roles:
            raise SettingsError(
                "CTISCRAPER_OIDC_ISSUER needs CTISCRAPER_OIDC_ROLES beside it: without a role "
                "nobody is let in; for instance cti-analysts=analyst,cti-admins=admin"
            )
        return SignOn(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=_secret_in(self.oidc_client_secret_file),
            scopes=self.oidc_scopes,
            role_claim=self.oidc_role_claim,
            roles=roles,
            balancer_arn=self.alb_arn,
        )


def _roles(text: str) -> dict[str, Role]:
    """Return the role of each value. Raises ValueError."""
    found: dict[str, Role] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        value, sign, name = part.rpartition("=")
        if not sign or not value.strip():
            raise ValueError(f"{part!r} should read value=role, such as cti-admins=admin")
        try:
            found[value.strip()] = Role(name.strip())
        except ValueError:
            raise ValueError(f"{name.strip()!r} is no role: {', '.join(Role)}") from None
    return found


def _secret_in(file: Path | None) -> str | None:
    """Return the one line of a file. Raises SettingsError."""
    if file is None:
        return None
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"CTISCRAPER_OIDC_CLIENT_SECRET_FILE: {error}") from error
    if len(lines) != 1 or not lines[0].strip():
        raise SettingsError(
            f"CTISCRAPER_OIDC_CLIENT_SECRET_FILE: {file} should hold the secret, on one line"
        )
    return lines[0].strip()

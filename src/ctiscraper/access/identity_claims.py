"""Whom a provider vouches for: what its claims make of somebody here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ctiscraper.errors import SignOnError
from ctiscraper.identity import Role

LEEWAY_SECONDS = 60
_LONGEST = 200
_NAMES = ("preferred_username", "email", "upn", "sub")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    """How this installation knows its provider, and what its claims are worth here.

    `roles` has the role of each value that `role_claim` may hold.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: str = "openid profile email"
    role_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    balancer_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody as his provider knows him; without a role he has no business here."""

    issuer: str
    subject: str
    login: str
    name: str
    role: Role | None


def identity_of(claims: Mapping[str, object], sign_on: SignOn) -> Identity:
    """Return whom verified claims are about. Raises SignOnError for claims about nobody."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():  # noqa: PLR2004 - OpenID Connect Core, section 2
        raise SignOnError("the provider does not say whom it vouches for (claim 'sub')")
    logins = (_text(claims.get(name)) for name in _NAMES)
    login = next((found for found in logins if found), subject)
    return Identity(
        issuer=sign_on.issuer,
        subject=subject,
        login=login.lower(),
        name=_text(claims.get("name")) or login,
        role=role_of(claims, sign_on),
    )


def role_of(claims: Mapping[str, object], sign_on: SignOn) -> Role | None:
    """Return the highest role that the values of the role claim give, None for none."""
    given = _claim(claims, sign_on.role_claim)
    values = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    found = {sign_on.roles.get(value) for value in values if isinstance(value, str)}
    return next((role for role in reversed(Role) if role in found), None)


def _claim(claims: Mapping[str, object], name: str) -> object:
    """Return a claim by its name, or by a path like realm_access.roles into objects."""
    if name in claims:
        return claims[name]
    at: object = claims
    for part in name.split("."):
        at = at.get(part) if isinstance(at, Mapping) else None
    return at


def _text(value: object) -> str:
    """Return a claim as a name on one line, empty for what is none."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value.strip() if c.isprintable())[:_LONGEST]

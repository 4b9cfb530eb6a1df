"""What of a deployment's single sign-on cannot hold."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cti_infra.config import Environment
from cti_infra.given_secrets import secret_faults

if TYPE_CHECKING:
    from cti_infra.deployment import Deployment

ROLES = ("viewer", "analyst", "curator", "admin")
# As long as the product takes.
_MOST_DAYS = 3650
_ADDRESS = re.compile(r"https://[^\s?#@]+")
_ENDPOINTS = ("oidc_authorization_endpoint", "oidc_token_endpoint", "oidc_userinfo_endpoint")


def sign_on_faults(deployment: "Deployment", environment: Environment) -> Iterator[str]:
    """Yield each fault with what to do."""
    if not deployment.oidc_issuer:
        yield from _without_issuer(deployment)
        return
    for name in ("oidc_issuer", *_ENDPOINTS):
        value = getattr(deployment, name)
        if value and not _ADDRESS.fullmatch(value):
            yield f"{name}: {value!r} should read https://host or https://host/path"
    if not deployment.oidc_client_id:
        yield "oidc_client_id: missing; the provider gave one with oidc_issuer"
    if "openid" not in deployment.oidc_scopes.split():
        yield f"oidc_scopes: {deployment.oidc_scopes!r} should have openid among them"
    days = deployment.oidc_unseen_days
    if not days.isdecimal() or int(days) > _MOST_DAYS:
        yield f"oidc_unseen_days: {days!r} should be days from 0 to {_MOST_DAYS}, between quotes"
    yield from _role_faults(deployment.oidc_roles)
    yield from secret_faults("oidc_secret_arn", deployment.oidc_secret_arn, deployment, environment)
    yield from _balancer_faults(deployment, environment)


def _without_issuer(deployment: "Deployment") -> Iterator[str]:
    for name in ("oidc_client_id", "oidc_roles", "oidc_secret_arn", *_ENDPOINTS):
        if getattr(deployment, name):
            yield f"{name}: there is no oidc_issuer beside it; add that, or remove this"


def _role_faults(roles: str) -> Iterator[str]:
    parts = [part.strip() for part in roles.split(",") if part.strip()]
    if not parts:
        yield (
            "oidc_roles: missing; without a role nobody is let in, "
            "for instance cti-analysts=analyst,cti-admins=admin"
        )
    for part in parts:
        value, _, role = part.rpartition("=")
        if not value.strip() or role.strip() not in ROLES:
            yield f"oidc_roles: {part!r} should read value=role, a role of {', '.join(ROLES)}"


def _balancer_faults(deployment: "Deployment", environment: Environment) -> Iterator[str]:
    missing = [name for name in _ENDPOINTS if not getattr(deployment, name)]
    if len(missing) == len(_ENDPOINTS):
        return
    if environment.blue_green:
        yield (
            "oidc_authorization_endpoint: blue-green deployments move requests of one rule alone; "
            "set blue_green=False, or remove the three endpoints"
        )
    for name in missing:
        yield f"{name}: missing; the load balancer needs all three, or none of them"
    if not deployment.oidc_secret_arn:
        yield "oidc_secret_arn: missing; the load balancer is no public client"

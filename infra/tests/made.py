"""Systems that are not committed: the stacks of production with options that it leaves off."""

from dataclasses import replace
from functools import cache

from cti_infra.config import PROD
from cti_infra.deployment import Deployment
from cti_infra.rendering import synthesize
from model import System

ACCOUNT = "111122223333"
SECRET_ARN = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:cti-scraper/prod/oidc-a1B2c3"
DEPLOYMENT = Deployment(
    account=ACCOUNT,
    certificate_arn=f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{'0' * 36}",
    domain="cti.example.org",
    contact="https://example.org/crawler",
    alerts_to="on-call@example.org",
)
SIGN_ON = replace(
    DEPLOYMENT,
    oidc_issuer="https://id.example.org",
    oidc_client_id="cti-scraper",
    oidc_roles="cti-analysts=analyst,cti-admins=admin",
)
WITH_SECRET = replace(SIGN_ON, oidc_secret_arn=SECRET_ARN)
AT_BALANCER = replace(
    WITH_SECRET,
    oidc_authorization_endpoint="https://id.example.org/auth",
    oidc_token_endpoint="https://id.example.org/token",
    oidc_userinfo_endpoint="https://id.example.org/userinfo",
)


@cache
def deployed(deployment: Deployment) -> System:
    """Return production as a deployment file has it."""
    templates, found = synthesize(PROD, acknowledging=True, deployment=deployment)
    assert found == set()
    return System("prod", templates)


@cache
def in_turns() -> System:
    """Return production with blue-green deployments of web."""
    templates, found = synthesize(replace(PROD, blue_green=True), acknowledging=True)
    assert found == set()
    return System("prod", templates)


@cache
def with_endpoints() -> System:
    """Return production with doors to services of AWS within its network."""
    environment = replace(PROD, interface_endpoints=True)
    templates, found = synthesize(environment, acknowledging=True)
    assert found == set()
    return System("prod", templates)

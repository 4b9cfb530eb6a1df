"""What an operator brings: account, certificate and names, read from one TOML file."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from cti_infra.config import ENVIRONMENTS, Environment
from cti_infra.errors import SettingsError
from cti_infra.model_settings import model_faults
from cti_infra.sign_on_settings import sign_on_faults

ACCOUNT = re.compile(r"\d{12}")
CERTIFICATE = re.compile(
    r"arn:aws:acm:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):certificate/[0-9a-f-]{36}"
)
DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
MAIL = re.compile(r"[^@\s,]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where an environment is deployed, and under which names."""

    account: str
    certificate_arn: str
    domain: str
    # What the User-Agent tells sources; a web or mail address.
    contact: str
    alerts_to: str
    # The model that articles are given to, in the image of Ollama or at a server elsewhere; none is
    # asked where it is empty. What else is empty is as the product has it by itself.
    model: str = ""
    model_url: str = ""
    model_kind: str = ""
    model_key_arn: str = ""
    model_tasks: str = ""
    model_slots: str = ""
    model_seconds: str = ""
    model_context: str = ""
    model_article_tokens: str = ""
    model_source_tokens: str = ""
    model_day_tokens: str = ""
    model_price_in: str = ""
    model_price_out: str = ""
    model_tlp: str = ""
    embedding: str = ""
    # The provider that people log in by; all empty where there is none.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_roles: str = ""
    oidc_role_claim: str = "groups"
    oidc_scopes: str = "openid profile email"
    oidc_unseen_days: str = "90"
    oidc_secret_arn: str = ""
    # Those that let the load balancer have people log in.
    oidc_authorization_endpoint: str = ""
    oidc_token_endpoint: str = ""
    oidc_userinfo_endpoint: str = ""


def load_deployment(file: Path, environment: Environment, *, account: str | None) -> Deployment:
    """Return what the file says of the environment; `account` is that of the credentials.

    Raises SettingsError with every fault.
    """
    where = f"environment {environment.name!r} by {file}"
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(where, [f"the file cannot be read: {error}"]) from error
    table = tables.get(environment.name)
    if not isinstance(table, dict):
        raise SettingsError(where, [f"write a table [{environment.name}] into the file"])
    faults = [*_shape(table), *_shared_accounts(tables)]
    if not faults:
        deployment = Deployment(**table)
        faults = [*_faults(deployment, environment, account)]
    if faults:
        raise SettingsError(where, faults)
    return deployment


def _shape(table: Mapping[str, object]) -> Iterator[str]:
    wanted = [field.name for field in fields(Deployment)]
    needed = {field.name for field in fields(Deployment) if field.default is MISSING}
    for name in wanted:
        value = table.get(name)
        if value is None and name not in needed:
            continue
        if value is None:
            yield f"{name}: missing; add it"
        elif not isinstance(value, str) or not value.strip():
            yield f"{name}: should be a text between quotes"
    for name in sorted(set(table) - set(wanted)):
        yield f"{name}: no such setting; remove it, or write one of {', '.join(wanted)}"


def _shared_accounts(tables: Mapping[str, object]) -> Iterator[str]:
    """Yield each account that two environments name: much is named alike in all of them."""
    seen: dict[object, str] = {}
    for name in ENVIRONMENTS:
        table = tables.get(name)
        account = table.get("account") if isinstance(table, dict) else None
        if account is None:
            continue
        if account in seen:
            yield f"account: {account} is that of {seen[account]} and {name}; give each its own"
        seen[account] = name


def _faults(deployment: Deployment, environment: Environment, account: str | None) -> Iterator[str]:
    if not ACCOUNT.fullmatch(deployment.account):
        yield f"account: {deployment.account!r} should be the 12 digits of an account"
    elif account is not None and account != deployment.account:
        yield (
            f"account: the credentials are of {account}, the file says {deployment.account}; "
            "take the credentials of the latter (aws sts get-caller-identity shows whose they are)"
        )
    yield from _certificate_faults(deployment, environment)
    if not DOMAIN.fullmatch(deployment.domain):
        yield f"domain: {deployment.domain!r} should be a name like cti.example.org, in lower case"
    if not MAIL.fullmatch(deployment.alerts_to):
        yield f"alerts_to: {deployment.alerts_to!r} should be a mail address"
    if not (MAIL.fullmatch(deployment.contact) or deployment.contact.startswith("https://")):
        yield f"contact: {deployment.contact!r} should be a mail address or https://…"
    yield from model_faults(deployment, environment)
    yield from sign_on_faults(deployment, environment)


def _certificate_faults(deployment: Deployment, environment: Environment) -> Iterator[str]:
    found = CERTIFICATE.fullmatch(deployment.certificate_arn)
    if found is None:
        yield (
            f"certificate_arn: {deployment.certificate_arn!r} should read "
            "arn:aws:acm:REGION:ACCOUNT:certificate/ID; aws acm request-certificate makes one"
        )
        return
    if found["region"] != environment.region:
        yield (
            f"certificate_arn: it is of {found['region']}, and a load balancer takes those of its "
            f"own region alone; request one in {environment.region}"
        )
    if found["account"] != deployment.account:
        yield (
            f"certificate_arn: it is of account {found['account']}, not of {deployment.account}; "
            "request one there"
        )

"""Settings that cannot be deployed are refused before anything is made, with what to do."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from cti_infra.config import DEV, ENVIRONMENTS, PROD, STAGING, Environment, checked, environment_of
from cti_infra.deployment import load_deployment
from cti_infra.errors import SettingsError
from model import INFRA

ACCOUNT = "111122223333"
ARN = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000"
GIVEN = {
    "account": ACCOUNT,
    "certificate_arn": ARN,
    "domain": "cti.example.org",
    "contact": "https://example.org/crawler",
    "alerts_to": "on-call@example.org",
}
NET = PROD.addresses
Change = Callable[[Environment], Environment]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_is_committed_can_be_deployed(name: str) -> None:
    assert environment_of(name).name == name


def test_an_unknown_environment_is_refused() -> None:
    with pytest.raises(SettingsError, match="none of dev, staging, prod"):
        environment_of("production")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: replace(e, region="eu-west-1"), "region: 'eu-west-1' is none of"),
        (lambda e: replace(e, recovery_region="us-east-1"), "is the region itself"),
        (
            lambda e: replace(e, addresses=replace(NET, vpc=IPv4Network("10.9.0.0/16"))),
            "subnet 10.0.1.0/24 is outside 10.9.0.0/16",
        ),
        (
            lambda e: replace(
                e,
                addresses=replace(
                    NET, private=(IPv4Network("10.0.1.0/25"), IPv4Network("10.0.12.0/24"))
                ),
            ),
            "subnets 10.0.1.0/24 and 10.0.1.0/25 overlap",
        ),
        (
            lambda e: replace(e, addresses=STAGING.addresses),
            "overlaps 10.1.0.0/16 of staging",
        ),
        (
            lambda e: replace(e, addresses=replace(NET, vpc=IPv4Network("52.0.0.0/16"))),
            "52.0.0.0/16 is public",
        ),
        (lambda e: replace(e, addresses=replace(NET, nat_gateways=3)), "nat_gateways: 3"),
        (lambda e: replace(e, web=replace(e.web, memory=1000)), "web: Fargate has no task"),
        (lambda e: replace(e, worker=replace(e.worker, minimum=9)), "worker: from 9 to 5"),
        (
            lambda e: replace(e, scheduler=replace(e.scheduler, maximum=2)),
            "scheduler: more than one",
        ),
        (
            lambda e: replace(e, database=replace(e.database, backup_days=40)),
            "backups for 40 days",
        ),
        (
            lambda e: replace(e, database=replace(e.database, most_storage=100)),
            "most_storage is not 10 % above",
        ),
        (lambda e: replace(e, cache=replace(e.cache, nodes=0)), "cache: no node"),
        (lambda e: replace(e, monthly_budget=0), "monthly_budget"),
    ],
)
def test_faults_are_named_with_what_to_do(change: Change, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        checked(change(PROD))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: replace(e, addresses=replace(NET, nat_gateways=1)), "two NAT gateways"),
        (lambda e: replace(e, database=replace(e.database, multi_az=False)), "Multi-AZ"),
        (lambda e: replace(e, database=replace(e.database, storage=50)), "100 GB"),
        (lambda e: replace(e, database=replace(e.database, backup_days=3)), "7 days"),
        (lambda e: replace(e, database=replace(e.database, protected=False)), "protection"),
        (
            lambda e: replace(e, database=replace(e.database, instance_class="db.t3.small")),
            "db.t3.medium or larger",
        ),
        (lambda e: replace(e, cache=replace(e.cache, snapshot_days=0)), "daily snapshots"),
        (lambda e: replace(e, recovery_region=None), "a region for copies"),
        (lambda e: replace(e, web=DEV.web), "web: 2 to 10"),
        (lambda e: replace(e, worker=DEV.worker), "worker: 2 to 5"),
        (lambda e: replace(e, scheduler=DEV.scheduler), "0.5 vCPU"),
    ],
)
def test_production_is_not_less_than_the_plan(change: Change, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        checked(change(PROD))
    assert checked(DEV) is DEV


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as told:
        checked(replace(PROD, region="nowhere", monthly_budget=0))
    assert len(told.value.faults) == 2


def write(folder: Path, **tables: dict[str, str]) -> Path:
    file = folder / "deployment.toml"
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f'{key} = "{value}"' for key, value in table.items())]
    file.write_text("\n".join(lines), "utf-8")
    return file


def test_a_deployment_is_read(tmp_path: Path) -> None:
    made = load_deployment(write(tmp_path, prod=GIVEN), PROD, account=ACCOUNT)
    assert (made.account, made.domain) == (ACCOUNT, "cti.example.org")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"account": "1234"}, "12 digits"),
        ({"account": "999988887777"}, "the credentials are of 111122223333"),
        ({"certificate_arn": "arn:aws:iam::1:x"}, "should read arn:aws:acm"),
        ({"certificate_arn": ARN.replace("us-east-1", "us-west-2")}, "it is of us-west-2"),
        ({"certificate_arn": ARN.replace(ACCOUNT, "999988887777")}, "of account 999988887777"),
        ({"domain": "https://cti.example.org"}, "a name like cti.example.org"),
        ({"contact": "nobody"}, "a mail address or https"),
        ({"alerts_to": "pager"}, "should be a mail address"),
        ({"domain": ""}, "should be a text between quotes"),
        ({"certificate": "x"}, "no such setting"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, wrong: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_deployment(write(tmp_path, prod={**GIVEN, **wrong}), PROD, account=ACCOUNT)


ISSUER = {
    "oidc_issuer": "https://id.example.org",
    "oidc_client_id": "cti",
    "oidc_roles": "a=analyst",
}
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:x-a1B2c3"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "oidc_issuer: .* should read https://host"),
        ({"oidc_client_id": ""}, "oidc_client_id: should be a text"),
        ({"oidc_scopes": "profile"}, "should have openid among them"),
        ({"oidc_unseen_days": "never"}, "should be days from 0 to 3650"),
        ({"oidc_roles": "a=owner"}, "a role of viewer, analyst, curator, admin"),
        ({"oidc_roles": ","}, "without a role nobody is let in"),
        ({"oidc_secret_arn": "secret"}, "should read arn:aws:secretsmanager"),
        ({"oidc_secret_arn": SECRET.replace("east-1", "west-2")}, "it is of us-west-2"),
        (
            {"oidc_token_endpoint": "https://id.example.org/token", "oidc_secret_arn": SECRET},
            "oidc_userinfo_endpoint: missing; the load balancer needs all three",
        ),
        ({"oidc_token_endpoint": "https://id.example.org/t"}, "is no public client"),
    ],
)
def test_single_sign_on_that_cannot_hold_is_refused(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    file = write(tmp_path, prod={**GIVEN, **ISSUER, **changes})
    with pytest.raises(SettingsError, match=said):
        load_deployment(file, PROD, account=ACCOUNT)


def test_single_sign_on_is_read_or_left_out(tmp_path: Path) -> None:
    made = load_deployment(write(tmp_path, prod={**GIVEN, **ISSUER}), PROD, account=None)
    assert (made.oidc_issuer, made.oidc_role_claim) == ("https://id.example.org", "groups")
    with pytest.raises(SettingsError, match="oidc_roles: there is no oidc_issuer beside it"):
        load_deployment(
            write(tmp_path, prod={**GIVEN, "oidc_roles": "a=admin"}), PROD, account=None
        )


@pytest.mark.parametrize("name", GIVEN)
def test_missing_values_are_refused(tmp_path: Path, name: str) -> None:
    table = {key: value for key, value in GIVEN.items() if key != name}
    with pytest.raises(SettingsError, match=f"{name}: missing; add it"):
        load_deployment(write(tmp_path, prod=table), PROD, account=None)


def test_two_environments_in_one_account_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, prod=GIVEN, dev=GIVEN)
    with pytest.raises(SettingsError, match="give each its own"):
        load_deployment(file, PROD, account=None)


def test_a_missing_table_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"write a table \[prod\]"):
        load_deployment(write(tmp_path, dev=GIVEN), PROD, account=None)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_deployment(tmp_path / "none.toml", PROD, account=None)


def test_the_app_refuses_before_anything_is_synthesized(tmp_path: Path) -> None:
    environment = {**os.environ, "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": "{}"}
    done = subprocess.run(
        [sys.executable, INFRA / "app.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "environment '' cannot be deployed" in done.stderr
    assert list(tmp_path.iterdir()) == []

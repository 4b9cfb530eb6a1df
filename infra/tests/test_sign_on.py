"""Single sign-on: told to web alone, under conditions that a deployment file fulfils."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract import faults
from cti_infra.containers import Secret, script
from cti_infra.deployment import Deployment
from cti_infra.sign_on_settings import ROLES
from made import AT_BALANCER, DEPLOYMENT, SECRET_ARN, SIGN_ON, WITH_SECRET, deployed
from model import Document, System, load, text, variables
from product import settings

WEB = "app.WebTask"
SWITCHED = {"CTISCRAPER_OIDC_CLIENT_SECRET_FILE", "CTISCRAPER_ALB_ARN"}
ON = {
    "CTISCRAPER_OIDC_CLIENT_ID",
    "CTISCRAPER_OIDC_ISSUER",
    "CTISCRAPER_OIDC_ROLES",
    "CTISCRAPER_OIDC_ROLE_CLAIM",
    "CTISCRAPER_OIDC_SCOPES",
    "CTISCRAPER_OIDC_UNSEEN_DAYS",
}


def told(system: System) -> dict[str, str]:
    found = variables(system.container(WEB, "web"))
    return {name: value for name, value in found.items() if name in ON | SWITCHED}


def files(system: System) -> set[str]:
    return {secret["Name"] for secret in system.container(WEB, "prepare")["Secrets"]}


def readable(system: System) -> list[str]:
    statements = system["app.WebExecutionRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    (found,) = [s["Resource"] for s in statements if s.get("Sid") == "Secrets"]
    return list(found)


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_without_a_provider_nothing_is_told(name: str) -> None:
    system = load(name)
    assert told(system) == {}
    assert "OIDC_CLIENT_SECRET" not in files(system)
    assert {"app.SignOnRule", "app.AlbToProvider"}.isdisjoint(system.resources)
    assert len(readable(system)) == 3


@pytest.mark.parametrize(
    ("deployment", "names"),
    [
        (DEPLOYMENT, set[str]()),
        (SIGN_ON, ON),
        (WITH_SECRET, ON | {"CTISCRAPER_OIDC_CLIENT_SECRET_FILE"}),
        (AT_BALANCER, ON | SWITCHED),
    ],
)
def test_each_part_is_told_where_it_is_set(deployment: Deployment, names: set[str]) -> None:
    assert set(told(deployed(deployment))) == names
    assert names <= settings()


def test_what_is_set_holds_in_the_contract() -> None:
    assert faults(deployed(AT_BALANCER)) == []
    assert faults(deployed(SIGN_ON)) == []


def test_values_lead_to_their_parameters_and_parameters_hold_the_file() -> None:
    system = deployed(AT_BALANCER)
    parameters = system.stacks["app"]["Parameters"]
    found = {
        name: parameters[place.partition(".")[2]]["Default"]
        for name, place in told(system).items()
        if name in ON
    }
    assert found == {
        "CTISCRAPER_OIDC_CLIENT_ID": "cti-scraper",
        "CTISCRAPER_OIDC_ISSUER": "https://id.example.org",
        "CTISCRAPER_OIDC_ROLES": "cti-analysts=analyst,cti-admins=admin",
        "CTISCRAPER_OIDC_ROLE_CLAIM": "groups",
        "CTISCRAPER_OIDC_SCOPES": "openid profile email",
        "CTISCRAPER_OIDC_UNSEEN_DAYS": "90",
    }
    assert parameters["OidcClientArn"]["Default"] == SECRET_ARN
    assert told(system)["CTISCRAPER_ALB_ARN"] == "app.LoadBalancer"


def test_parameters_take_what_the_file_may_hold() -> None:
    for name, parameter in deployed(AT_BALANCER).stacks["app"]["Parameters"].items():
        if name.startswith("Oidc"):
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), name


def test_tags_alone_are_given_beside_the_file() -> None:
    parameters = deployed(AT_BALANCER).stacks["app"]["Parameters"]
    given = {name for name, parameter in parameters.items() if "Default" not in parameter}
    assert given == {"ImageTag", "OllamaTag"}
    page = text("docs/howto/deploy-on-aws.md")
    assert "(for App `ImageTag` and `OllamaTag`)" in page


def test_web_alone_is_told() -> None:
    for task, container in deployed(AT_BALANCER).containers():
        if (task.place, container["Name"]) != (WEB, "web"):
            assert not [name for name in variables(container) if "OIDC" in name or "ALB" in name]
        if task.place != WEB:
            assert "OIDC_CLIENT_SECRET" not in {s["Name"] for s in container.get("Secrets", [])}


def test_the_secret_is_read_by_web_where_there_is_one() -> None:
    assert "app.OidcClientArn" in readable(deployed(WITH_SECRET))
    assert "OIDC_CLIENT_SECRET" in files(deployed(WITH_SECRET))
    assert "app.OidcClientArn" not in readable(deployed(SIGN_ON))
    written = deployed(WITH_SECRET).container(WEB, "prepare")["Command"][0]
    assert f">{told(deployed(WITH_SECRET))['CTISCRAPER_OIDC_CLIENT_SECRET_FILE']}\n" in written


def test_no_file_is_written_of_a_secret_that_is_not_given() -> None:
    wanted = Secret(variable="OIDC_CLIENT_SECRET", arn="arn", file="oidc-client", under="Given")
    (line,) = [row for row in script([wanted]).splitlines() if "oidc-client" in row]
    assert line.startswith('[ -z "${OIDC_CLIENT_SECRET-}" ] || printf')


def test_the_load_balancer_logs_in_at_the_one_address_that_takes_its_word() -> None:
    rule = deployed(AT_BALANCER)["app.SignOnRule"]
    ((path,),) = [one["PathPatternConfig"]["Values"] for one in rule["Conditions"]]
    page = text("src/ctiscraper/web/pages/oidc.py")
    prefix, (address,) = _prefix(page), re.findall(r'@router\.get\("(/balancer)"\)', page)
    assert path == f"{prefix}{address}"
    login, forward = sorted(rule["Actions"], key=lambda action: int(action["Order"]))
    assert (login["Type"], forward["Type"]) == ("authenticate-oidc", "forward")
    assert forward["TargetGroupArn"] == "app.WebTargets"
    assert rule["ListenerArn"] == "app.HttpsListener"


def _prefix(page: str) -> str:
    (found,) = re.findall(r'Routes\([^)]*prefix="([^"]+)"', page)
    return str(found)


def test_the_balancer_is_given_the_secret_by_reference_alone() -> None:
    login = deployed(AT_BALANCER)["app.SignOnRule"]["Actions"][0]["AuthenticateOidcConfig"]
    reference = "{{resolve:secretsmanager:app.OidcClientArn:SecretString}}"
    assert login["ClientSecret"] == reference
    assert login["OnUnauthenticatedRequest"] == "authenticate"
    assert login["Issuer"] == told(deployed(AT_BALANCER))["CTISCRAPER_OIDC_ISSUER"]


def test_the_balancer_reaches_the_provider_only_where_it_has_to() -> None:
    way = deployed(AT_BALANCER)["app.AlbToProvider"]
    assert (way["FromPort"], way["ToPort"], way["CidrIp"]) == (443, 443, "0.0.0.0/0")
    assert way["GroupId"] == "network.AlbSecurityGroup.GroupId"
    assert "app.AlbToProvider" not in deployed(WITH_SECRET)


def test_roles_are_those_of_the_product() -> None:
    source = text("src/ctiscraper/access/settings.py")
    (module,) = re.findall(r"from (ctiscraper[\w.]+) import [^\n]*\bRole\b", source)
    roles = text(f"src/{module.replace('.', '/')}.py").partition("class Role(")[2]
    assert set(
        re.findall(r'^    [A-Z]+ = "(\w+)"', roles.partition("\n\n\n")[0], re.MULTILINE)
    ) == set(ROLES)


def resources(stacks: dict[str, Document]) -> dict[str, Any]:
    found: dict[str, Any] = stacks["app"]["Resources"]
    return found


def everywhere(stacks: dict[str, Document]) -> None:
    rule = resources(stacks)["SignOnRule"]["Properties"]
    rule["Conditions"][0]["PathPatternConfig"]["Values"] = ["/*"]


def another_balancer(stacks: dict[str, Document]) -> None:
    for container in resources(stacks)["WebTask"]["Properties"]["ContainerDefinitions"]:
        for pair in container.get("Environment", []):
            if pair.get("Fn::If", [""])[0] == "LogInAtLoadBalancer":
                pair["Fn::If"][1]["Value"] = "arn:aws:elasticloadbalancing:another"


def no_way(stacks: dict[str, Document]) -> None:
    del resources(stacks)["AlbToProvider"]


def not_read(stacks: dict[str, Document]) -> None:
    policy = resources(stacks)["WebExecutionRole"]["Properties"]["Policies"][0]
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement.get("Sid") == "Secrets":
            statement["Resource"] = [one for one in statement["Resource"] if "Fn::If" not in one]


def plain_secret(stacks: dict[str, Document]) -> None:
    login = resources(stacks)["SignOnRule"]["Properties"]["Actions"][0]
    login["AuthenticateOidcConfig"]["ClientSecret"] = "hunter2"


def told_to_workers(stacks: dict[str, Document]) -> None:
    for container in resources(stacks)["WorkerTask"]["Properties"]["ContainerDefinitions"]:
        if container["Name"] == "worker":
            container["Environment"].append({"Name": "CTISCRAPER_OIDC_UNSEEN_DAYS", "Value": "90"})


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (everywhere, "sign_on"),
        (another_balancer, "sign_on"),
        (no_way, "sign_on"),
        (plain_secret, "sign_on"),
        (told_to_workers, "sign_on"),
        (not_read, "secrets"),
    ],
)
def test_what_is_broken_is_named(change: Callable[[dict[str, Document]], None], check: str) -> None:
    found = faults(deployed(AT_BALANCER).changed(change))
    assert [fault for fault in found if fault.startswith(f"{check}: ")], found


def test_the_example_names_every_setting() -> None:
    example = (Path(__file__).parents[1] / "deployments" / "example.toml.txt").read_text("utf-8")
    named = set(re.findall(r"^(?:# )?(\w+) = ", example, re.MULTILINE))
    assert named == set(Deployment.__slots__)

"""What compose.yaml starts, and how tightly each of it is held."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctiscraper.cli.app import PLACES
from ctiscraper.cli.secrets import DATABASE, REDIS, REDIS_SETTINGS
from ctiscraper.config import Settings
from deploy.dockerfile import ROOT, product_stages

FILES = ("compose.yaml", "deploy/compose.tls.yaml")
OURS = ("secrets", "migrate", "web", "worker", "beat", "nginx")
CREDENTIAL = re.compile(r"(?i)(password|secret|token|key)")


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """A compose file as it is read, anchors followed."""
    found = yaml.safe_load((ROOT / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found = compose()["services"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", FILES)
def test_it_is_a_compose_file(name: str) -> None:
    tool = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", ROOT / name],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_mistake_in_it_would_be_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text("services: {web: {image: x, read_onyl: true}}", "utf-8")
    tool = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", wrong], check=False, capture_output=True
    )
    assert done.returncode == 1


def test_what_is_started(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*OURS, "db", "redis", "ollama"}
    assert services["db"]["image"] == "pgvector/pgvector:pg15"
    assert services["redis"]["image"] == "redis:7-alpine"
    assert services["ollama"]["profiles"] == ["llm"]
    assert [name for name in services if "profiles" in services[name]] == ["ollama"]
    assert [name for name in services if "container_name" in services[name]] == []


def test_every_service_is_held_tightly(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert service["stop_grace_period"] == "60s", name
        assert service["pids_limit"] > 0, name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert not {"privileged", "pid", "ipc", "devices"} & set(service), name
        assert "docker.sock" not in str(service), name


def test_nobody_but_the_model_is_root(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name != "ollama":
            assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
    stages = product_stages()
    for name in OURS:
        stage = stages[services[name]["build"]["target"]]
        assert services[name]["user"] == stage.all("USER")[-1].value


def test_only_the_front_door_is_published(services: dict[str, dict[str, Any]]) -> None:
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "web": ["${CTISCRAPER_PUBLISH:-127.0.0.1:8080}:8080"]
    }
    # The port is the front door's: it shares the network of web, which listens on loopback.
    assert services["nginx"]["network_mode"] == "service:web"
    assert services["nginx"]["environment"]["NGINX_UPSTREAM"] == "127.0.0.1:8000"
    assert "--host" not in services["web"]["command"]
    tls = compose("deploy/compose.tls.yaml")["services"]
    assert tls["web"] == {"ports": ["${CTISCRAPER_PUBLISH_TLS:-127.0.0.1:8443}:8443"]}
    assert set(tls) == {"nginx", "web"}
    assert "network_mode: host" not in (ROOT / "compose.yaml").read_text("utf-8")


def test_the_networks_are_the_way(services: dict[str, dict[str, Any]]) -> None:
    networks = compose()["networks"]
    assert {name for name, given in networks.items() if given and given.get("internal")} == {"back"}
    members = {
        network: {
            name for name, service in services.items() if network in service.get("networks", ())
        }
        for network in networks
    }
    assert members == {
        "back": {"db", "redis", "migrate", "web", "worker", "beat", "ollama"},
        "egress": {"web", "worker", "ollama"},
    }
    assert services["secrets"]["network_mode"] == "none"


def test_no_credential_stands_anywhere(services: dict[str, dict[str, Any]]) -> None:
    """Whatever is named like one is the path of a file that the first start makes."""
    made = {f"/secrets/{name}" for name in (DATABASE, REDIS, REDIS_SETTINGS)}
    named = {}
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if CREDENTIAL.search(variable):
                named[name, variable] = value
            assert "://" not in str(value) or not re.search(r"://[^/@]*:[^/@]*@", value)
    assert set(named.values()) <= made
    assert ("db", "POSTGRES_PASSWORD_FILE") in named
    assert ("web", "REDIS_PASSWORD_FILE") in named
    for name in FILES:
        text = (ROOT / name).read_text("utf-8")
        assert re.search(r"(?i)requirepass|POSTGRES_PASSWORD:|\btrust\b", text) is None


def test_secrets_are_read_by_those_who_need_them(services: dict[str, dict[str, Any]]) -> None:
    mounts = {
        name: [each for each in service.get("volumes", ()) if each.startswith("secrets:")]
        for name, service in services.items()
    }
    assert {name for name, found in mounts.items() if found == ["secrets:/secrets"]} == {"secrets"}
    assert {name for name, found in mounts.items() if found == ["secrets:/secrets:ro"]} == {
        "db",
        "redis",
        "migrate",
        "web",
        "worker",
        "beat",
    }
    group = services["secrets"]["user"].partition(":")[2]
    assert services["db"]["group_add"] == services["redis"]["group_add"] == [group]


def test_each_waits_for_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"
    ready = {"db": healthy, "redis": healthy, "migrate": done}
    assert waits == {
        "secrets": {},
        "ollama": {},
        "db": {"secrets": done},
        "redis": {"secrets": done},
        "migrate": {"db": healthy},
        "web": ready,
        "worker": ready,
        "beat": ready,
        "nginx": {"web": healthy},
    }
    for name, service in services.items():
        if healthy in {how for other in waits.values() for at, how in other.items() if at == name}:
            assert "test" in service["healthcheck"]
        assert (service["restart"] == "no") is (name in {"secrets", "migrate"})


def test_the_product_gets_settings_that_it_knows(services: dict[str, dict[str, Any]]) -> None:
    known = {
        str(choice)
        for name, field in Settings.model_fields.items()
        for choice in (
            getattr(field.validation_alias, "choices", None) or [f"CTISCRAPER_{name.upper()}"]
        )
    }
    given = {
        name
        for service in ("migrate", "web", "worker", "beat")
        for name in services[service]["environment"]
    }
    assert given <= known
    # What an operator leaves unset must stay unset, not become an empty text.
    assert services["worker"]["environment"]["CTISCRAPER_CONTACT"] is None


def test_the_commands_are_the_products(services: dict[str, dict[str, Any]]) -> None:
    commands = {name: services[name]["command"][0] for name in OURS if name != "nginx"}
    assert commands == {
        "secrets": "secrets",
        "migrate": "migrate",
        "web": "web",
        "worker": "worker",
        "beat": "beat",
    }
    assert set(commands.values()) <= set(PLACES)
    roles = {name: services[name]["healthcheck"]["test"][-1] for name in ("web", "worker", "beat")}
    assert roles == {"web": "web", "worker": "worker", "beat": "beat"}


def test_the_front_door_knows_its_settings(services: dict[str, dict[str, Any]]) -> None:
    known = product_stages()["proxy"].env
    tls = compose("deploy/compose.tls.yaml")["services"]["nginx"]
    for given in (services["nginx"], tls):
        assert set(given["environment"]) <= set(known)
    assert tls["volumes"][0].endswith(":/tls:ro")

"""What compose.yaml starts, and how tightly each of it is held."""

import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from cli.terminal import Terminal
from ctiscraper.cli.commands import COMMANDS
from ctiscraper.cli.secrets import (
    DATABASE,
    REDIS,
    REDIS_SETTINGS,
    WEB_DATABASE,
    WORKER_DATABASE,
)
from ctiscraper.config import Settings
from ctiscraper.models.settings import ModelSettings
from deploy.dockerfile import ROOT, product_stages

FILES = ("compose.yaml", "deploy/compose.tls.yaml")
OURS = ("secrets", "migrate", "roles", "web", "worker", "model-worker", "beat", "nginx", "backup")
OF_MODELS = ["model-worker", "ollama"]
# Tokens that a model costs are no credentials.
BUDGETS = {f"CTISCRAPER_MODEL_{of}_TOKENS" for of in ("ARTICLE", "SOURCE", "DAY")}
# What an operator may give: the path of a file, or what every tool of AWS reads.
BROUGHT = {
    *("CTISCRAPER_MODEL_KEY_FILE", "CTISCRAPER_OIDC_CLIENT_SECRET_FILE", "CTISCRAPER_S3_KMS_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
}
# What the file itself sets or has no use for: the servers beside, the front door, AWS's own.
SET_HERE = {
    *("data_dir", "database_url", "database_password_file", "redis_url", "redis_password_file"),
    *("redis_ca", "pg_bin", "pulse_file", "secret_key_file", "bootstrap_admin_file"),
    *("tls_cert", "tls_key", "behind_proxy", "alb_arn", "ecs_agent_uri"),
}
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
    assert [services[name]["profiles"] for name in OF_MODELS] == [["llm"], ["llm"]]
    assert services["backup"]["profiles"] == ["backup"], "only when it is run"
    asked_for = sorted(name for name in services if "profiles" in services[name])
    assert asked_for == ["backup", *OF_MODELS]
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
        "nginx": ["${CTISCRAPER_PUBLISH:-127.0.0.1:8080}:8080"]
    }
    tls = compose("deploy/compose.tls.yaml")["services"]
    assert set(tls) == {"nginx"}
    assert tls["nginx"]["ports"] == ["${CTISCRAPER_PUBLISH_TLS:-127.0.0.1:8443}:8443"]
    assert "network_mode: host" not in (ROOT / "compose.yaml").read_text("utf-8")


def test_front_door_and_web_find_each_other_whichever_was_started_again(
    services: dict[str, dict[str, Any]],
) -> None:
    """By addresses that stay, and web believes the front door's alone."""
    web, door = services["web"], services["nginx"]
    assert "network_mode" not in {*web, *door}
    [subnet] = [one["subnet"] for one in compose()["networks"]["front"]["ipam"]["config"]]
    within = ip_network(_by_default(subnet))
    at = {
        name: ip_address(_by_default(service["networks"]["front"]["ipv4_address"]))
        for name, service in (("web", web), ("door", door))
    }
    # The first address of a network is the engine's own.
    assert set(at.values()) <= set(within.hosts()) - {next(within.hosts())}
    assert len(set(at.values())) == 2
    assert _by_default(door["environment"]["NGINX_UPSTREAM"]) == f"{at['web']}:8000"
    assert [_by_default(word) for word in web["command"]] == [
        *("web", "--host", "0.0.0.0", "--port", "8000"),
        *("--behind-proxy", f"{at['door']}/32"),
    ]


def _by_default(text: str) -> str:
    """What compose makes of variables that nobody has set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


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
        "front": {"web", "nginx"},
        "back": {"db", "redis", "migrate", "roles", "web", "worker", "beat", "backup", *OF_MODELS},
        "egress": {"web", "worker", "beat", "backup", *OF_MODELS},
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
    # What an operator brings himself is a path as well, and is named by him.
    assert {value for value in named.values() if value is not None} <= made
    brought = {variable for (_, variable), value in named.items() if value is None}
    assert brought <= {*BROUGHT, *BUDGETS}
    assert ("db", "POSTGRES_PASSWORD_FILE") in named
    assert ("web", "REDIS_PASSWORD_FILE") in named
    for name in FILES:
        text = (ROOT / name).read_text("utf-8")
        assert re.search(r"(?i)requirepass|POSTGRES_PASSWORD:|\btrust\b", text) is None


def test_secrets_are_read_by_those_who_need_them(services: dict[str, dict[str, Any]]) -> None:
    mounts = {
        name: [each for each in service.get("volumes", ()) if each.startswith("secrets")]
        for name, service in services.items()
    }
    assert {name: found for name, found in mounts.items() if found} == {
        "secrets": [
            "secrets:/secrets",
            "secrets-web:/secrets-web",
            "secrets-worker:/secrets-worker",
            "secrets-redis:/secrets-redis",
        ],
        "db": ["secrets:/secrets:ro"],
        "migrate": ["secrets:/secrets:ro"],
        "roles": ["secrets:/secrets:ro"],
        "backup": ["secrets:/secrets:ro"],
        "web": ["secrets-web:/secrets:ro"],
        "worker": ["secrets-worker:/secrets:ro"],
        "model-worker": ["secrets-worker:/secrets:ro"],
        "beat": ["secrets-worker:/secrets:ro"],
        "redis": ["secrets-redis:/secrets:ro"],
    }
    group = services["secrets"]["user"].partition(":")[2]
    assert services["db"]["group_add"] == services["redis"]["group_add"] == [group]


def test_each_part_has_a_role_of_its_own_in_the_database(
    services: dict[str, dict[str, Any]],
) -> None:
    roles = services["roles"]["command"]
    web, worker = "ctiscraper_web", "ctiscraper_worker"
    assert roles == [
        "db",
        "roles",
        f"--web={web}",
        f"--web-password-file=/secrets/{WEB_DATABASE}",
        f"--worker={worker}",
        f"--worker-password-file=/secrets/{WORKER_DATABASE}",
    ]
    users = {
        name: urlsplit(service["environment"]["DATABASE_URL"]).username
        for name, service in services.items()
        if "DATABASE_URL" in service.get("environment", {})
    }
    owner = services["db"]["environment"]["POSTGRES_USER"]
    assert users == {
        "migrate": owner,
        "roles": owner,
        "backup": owner,
        "web": web,
        "worker": worker,
        "model-worker": worker,
        "beat": worker,
    }


def test_a_first_start_makes_what_each_service_reads(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """The command that stands there, with the volumes as folders."""
    program, make, *options = services["secrets"]["command"]
    here = [part.replace("/secrets", f"{tmp_path}/secrets") for part in options]
    for _ in range(2):
        Terminal({}).run(program, make, *here)
    found = {
        folder.name: {file.name: file.read_text("ascii") for file in folder.iterdir()}
        for folder in tmp_path.iterdir()
    }
    own = found["secrets"]
    assert set(own) == {DATABASE, WEB_DATABASE, WORKER_DATABASE, REDIS, REDIS_SETTINGS}
    assert len({own[name] for name in (DATABASE, WEB_DATABASE, WORKER_DATABASE, REDIS)}) == 4
    assert found["secrets-web"] == {DATABASE: own[WEB_DATABASE], REDIS: own[REDIS]}
    assert found["secrets-worker"] == {DATABASE: own[WORKER_DATABASE], REDIS: own[REDIS]}
    assert found["secrets-redis"] == {REDIS: own[REDIS], REDIS_SETTINGS: own[REDIS_SETTINGS]}
    modes = {file.stat().st_mode & 0o777 for file in tmp_path.glob("*/*")}
    assert modes == {0o640}
    for service, volume in (("web", "secrets-web"), ("worker", "secrets-worker")):
        environment = services[service]["environment"]
        for variable in ("DATABASE_PASSWORD_FILE", "REDIS_PASSWORD_FILE"):
            assert Path(environment[variable]).name in found[volume]
    # The image has the places, so that the volumes belong to the user who fills them.
    [places] = [
        each.value for each in product_stages()["product"].all("RUN") if "install -d" in each.value
    ]
    assert {f"/{name}" for name in found} <= set(places.split())


def test_each_waits_for_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    healthy, done = "service_healthy", "service_completed_successfully"
    ready = {"db": healthy, "redis": healthy, "roles": done}
    assert waits == {
        "secrets": {},
        "ollama": {},
        "db": {"secrets": done},
        "redis": {"secrets": done},
        "migrate": {"db": healthy},
        "roles": {"migrate": done},
        "web": ready,
        "worker": ready,
        "model-worker": ready,
        "beat": ready,
        "nginx": {"web": healthy},
        "backup": {"db": healthy},
    }
    for name, service in services.items():
        if healthy in {how for other in waits.values() for at, how in other.items() if at == name}:
            assert "test" in service["healthcheck"]
        assert (service["restart"] == "no") is (name in {"secrets", "migrate", "roles", "backup"})


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
        for service in ("migrate", "roles", "web", "worker", "beat")
        for name in services[service]["environment"]
    }
    assert given <= known | {"AWS_CA_BUNDLE", *BROUGHT}
    # What an operator leaves unset must stay unset, not become an empty text.
    assert services["worker"]["environment"]["CTISCRAPER_CONTACT"] is None


def test_every_setting_of_models_is_passed_on(services: dict[str, dict[str, Any]]) -> None:
    of_models = {f"CTISCRAPER_{name.upper()}" for name in ModelSettings.model_fields}
    assert {"CTISCRAPER_MODEL_DAY_TOKENS", "CTISCRAPER_MODEL_PRICE_IN"} <= of_models
    for service in ("web", "worker", "model-worker", "beat"):
        given = services[service]["environment"]
        assert of_models <= set(given), service
        # Taken from the shell or from .env; without a value the product's own default holds.
        assert {given[name] for name in of_models} == {None}


def test_every_setting_can_be_given(services: dict[str, dict[str, Any]]) -> None:
    fields = Settings.model_fields
    assert set(fields) >= SET_HERE
    names = {f"CTISCRAPER_{name.upper()}" for name in set(fields) - SET_HERE - {"otlp_endpoint"}}
    names |= {"OTEL_EXPORTER_OTLP_ENDPOINT", "AWS_CA_BUNDLE", *BROUGHT}
    for service in ("web", "worker", "model-worker", "beat"):
        given = services[service]["environment"]
        assert sorted(names - set(given)) == [], service
        assert {given[name] for name in names} == {None}


def test_the_key_of_a_model_is_mounted_as_the_page_says(
    services: dict[str, dict[str, Any]],
) -> None:
    page = (ROOT / "docs/howto/use-a-language-model.md").read_text("utf-8")
    (shown,) = re.findall(r"compose\.override\.yaml.+?```yaml\n(.+?)```", page, re.DOTALL)
    override = yaml.safe_load(shown)["services"]
    # Those who ask the server: for answers, for vectors, and for questions of people.
    assert set(override) == {"web", "beat", "model-worker"}
    assert set(override) <= set(services)
    (place,) = {volume.split(":")[1] for one in override.values() for volume in one["volumes"]}
    assert f"CTISCRAPER_MODEL_KEY_FILE={place}`" in page


def test_the_commands_are_the_products(services: dict[str, dict[str, Any]]) -> None:
    commands = {name: services[name]["command"][0] for name in OURS if name != "nginx"}
    assert commands == {
        "secrets": "secrets",
        "migrate": "migrate",
        "roles": "db",
        "web": "web",
        "worker": "worker",
        "model-worker": "model-worker",
        "beat": "beat",
        "backup": "backup",
    }
    assert set(commands.values()) <= set(COMMANDS)
    roles = {name: services[name]["healthcheck"]["test"][-1] for name in ("web", "worker", "beat")}
    assert roles == {"web": "web", "worker": "worker", "beat": "beat"}


def test_the_front_door_knows_its_settings(services: dict[str, dict[str, Any]]) -> None:
    known = product_stages()["proxy"].env
    tls = compose("deploy/compose.tls.yaml")["services"]["nginx"]
    for given in (services["nginx"], tls):
        assert set(given["environment"]) <= set(known)
    assert tls["volumes"][0].endswith(":/tls:ro")


def test_archives_are_made_where_the_programs_for_them_and_a_place_are(
    services: dict[str, dict[str, Any]],
) -> None:
    backup, made = services["backup"], product_stages()
    [install] = [one.value for one in made["backup"].all("RUN") if "apt-get" in one.value]
    major = services["db"]["image"].rpartition("pg")[2]
    assert f"postgresql-client-{major} " in install
    place = backup["command"][1]
    assert f"-o 10001 -g 10001 -m 0750 {place}" in install
    assert f"${{CTISCRAPER_BACKUPS:-backups}}:{place}" in backup["volumes"]
    assert "backups" in compose()["volumes"]
    assert made["backup"].all("USER")[-1].value == backup["user"]
    assert "postgresql" not in str(made["product"].instructions), "who serves has no use for it"

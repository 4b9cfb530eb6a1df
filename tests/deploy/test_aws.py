"""What the templates for AWS tell the product is what it understands."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import make_operations as made
from ctiscraper.access.sealing import KEY_BYTES, read_keys
from ctiscraper.cli.app import app
from ctiscraper.config import load_settings
from ctiscraper.emf import MetricPlace, metric_documents
from ctiscraper.models.settings import ModelSettings
from make import NOW

RENDERED = Path(__file__).resolve().parents[2] / "infra" / "rendered"
ENVIRONMENTS = ("dev", "staging", "prod")
TASKS = (
    ("app", "WebTask", "web"),
    ("app", "WorkerTask", "worker"),
    ("app", "SchedulerTask", "scheduler"),
    ("app", "ModelWorkerTask", "model-worker"),
    ("release", "Migrate", "migrate"),
    ("release", "Migrate", "roles"),
)
PASSWORD = "0123456789" * 4


def template(environment: str, stack: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RENDERED / environment / f"{stack}.json").read_text())
    return found


def plain(value: str | dict[str, Any], name: str = "", environment: str = "prod") -> str:
    """A value as parameters have it by themselves, with a place for what is made by AWS."""
    if isinstance(value, str):
        return value
    parameter = template(environment, "app")["Parameters"].get(value.get("Ref"), {})
    if "Default" in parameter:
        return str(parameter["Default"])
    if "Fn::Join" in value:
        return "".join(plain(part) for part in value["Fn::Join"][1])
    return {"CTISCRAPER_CONTACT": "https://example.org/about"}.get(name, "place.example")


def container(environment: str, stack: str, task: str, name: str) -> dict[str, Any]:
    definition = template(environment, stack)["Resources"][task]["Properties"]
    found: dict[str, Any] = next(c for c in definition["ContainerDefinitions"] if c["Name"] == name)
    return found


def given(entries: list[dict[str, Any]], conditions: frozenset[str]) -> list[dict[str, Any]]:
    """The entries that are there under these conditions."""
    chosen = []
    for entry in entries:
        if "Fn::If" in entry:
            condition, there, otherwise = entry["Fn::If"]
            chosen.append(there if condition in conditions else otherwise)
        else:
            chosen.append(entry)
    return [entry for entry in chosen if entry != {"Ref": "AWS::NoValue"}]


def prepare(
    environment: str,
    stack: str,
    task: str,
    root: Path,
    conditions: frozenset[str] = frozenset(),
) -> None:
    """Write the files of a task below a folder, by the task's own lines."""
    first = container(environment, stack, task, "prepare")
    for name in ("secrets", "data", "tmp", "proxy"):
        (root / name).mkdir()
    lines = re.sub(r"(?<=[ >])/(?=(?:secrets|data|tmp|proxy)\b)", f"{root}/", first["Command"][0])
    lines = lines.replace("10001:10001", f"{os.getuid()}:{os.getgid()}")
    values = {secret["Name"]: PASSWORD for secret in given(first["Secrets"], conditions)}
    values |= {"DATABASE_AUTHORITY": "authority"}
    if "INSTALLATION_KEY" in values:
        values["INSTALLATION_KEY"] = PASSWORD[:KEY_BYTES]
    environ = {"PATH": os.environ["PATH"], **values}
    subprocess.run(["/bin/sh", "-c", lines], env=environ, check=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(("stack", "task", "name"), TASKS)
def test_the_product_takes_its_settings(
    environment: str,
    stack: str,
    task: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(environment, stack, task, tmp_path)
    entries = container(environment, stack, task, name)["Environment"]
    for pair in given(entries, frozenset()):
        value = plain(pair["Value"], pair["Name"], environment)
        value = value.replace("/secrets/", f"{tmp_path}/secrets/")
        monkeypatch.setenv(pair["Name"], value)

    settings = load_settings()

    assert settings.environment == environment
    assert settings.json_logs is True
    assert f":{PASSWORD}@" in (settings.database_url or "")
    assert "sslmode=verify-full" in (settings.database_url or "")
    if stack == "app":
        assert settings.collector("x") is not None
        of_models = ModelSettings.model_fields
        own = {"model_url": "http://ollama.cti-scraper.internal:11434"}
        wanted = {field: ModelSettings().model_dump()[field] for field in of_models}
        wanted |= own if environment == "prod" else {}
        assert settings.model_dump(include=set(of_models)) == wanted
    if name in {"web", "worker", "scheduler"}:
        assert settings.redis_url == f"rediss://:{PASSWORD}@place.example:6379/0"
        assert settings.bucket == ("place.example", "raw")
    if name == "model-worker":
        assert (settings.redis_url, settings.bucket) == (None, None)
    if name == "web":
        assert settings.allowed_hosts == frozenset({"place.example"})
        assert settings.require_second_factor is True
        assert read_keys(settings.key_file) == (PASSWORD[:KEY_BYTES].encode(),)
    if name == "migrate":
        assert settings.bootstrap_admin_file == tmp_path / "secrets" / "first-administrator.json"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_product_takes_a_provider_to_log_in_by(
    environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = frozenset({"SingleSignOn", "OidcClientSecret"})
    prepare(environment, "app", "WebTask", tmp_path, there)
    told = {
        "CTISCRAPER_OIDC_ISSUER": "https://id.example.org",
        "CTISCRAPER_OIDC_ROLES": "leads=curator",
        "CTISCRAPER_OIDC_SCOPES": "openid profile",
        "CTISCRAPER_OIDC_UNSEEN_DAYS": "30",
    }
    for pair in given(container(environment, "app", "WebTask", "web")["Environment"], there):
        value = told.get(pair["Name"], plain(pair["Value"], pair["Name"]))
        value = value.replace("/secrets/", f"{tmp_path}/secrets/")
        monkeypatch.setenv(pair["Name"], value)

    settings = load_settings()

    assert settings.oidc_issuer == "https://id.example.org"
    assert settings.oidc_unseen_days == 30
    assert settings.oidc_client_secret_file == tmp_path / "secrets" / "oidc-client"
    assert settings.oidc_client_secret_file.read_text("utf-8") == f"{PASSWORD}\n"


@pytest.mark.parametrize(
    ("task", "name"),
    [("WebTask", "web"), ("SchedulerTask", "scheduler"), ("ModelWorkerTask", "model-worker")],
)
def test_the_product_reads_the_key_of_a_model(
    task: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = frozenset({"ModelKey"})
    prepare("dev", "app", task, tmp_path, there)
    for pair in given(container("dev", "app", task, name)["Environment"], there):
        value = plain(pair["Value"], pair["Name"], "dev")
        monkeypatch.setenv(pair["Name"], value.replace("/secrets/", f"{tmp_path}/secrets/"))

    assert load_settings().model_key() == PASSWORD


@pytest.mark.parametrize(("stack", "task", "name"), TASKS)
def test_the_product_has_these_commands_and_options(stack: str, task: str, name: str) -> None:
    command = container("prod", stack, task, name)["Command"]
    words = [word for word in command if not word.startswith("-")][: 2 if name == "roles" else 1]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--help"], color=False)
    assert shown.exit_code == 0
    for option in (word.partition("=")[0] for word in command if word.startswith("--")):
        assert option in shown.output


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_alarms_watch_metrics_that_are_really_published(environment: str) -> None:
    place = MetricPlace(namespace="CTIScraper", environment=environment)
    published = {
        (directive["Namespace"], metric["Name"], frozenset(directive["Dimensions"][0]))
        for document in metric_documents(made.operations(), place, NOW)
        for directive in document["_aws"]["CloudWatchMetrics"]  # type: ignore[index]  # of that shape
        for metric in directive["Metrics"]
    }
    watched = set()
    for resource in template(environment, "observability")["Resources"].values():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        alarm = resource["Properties"]
        stats = [q["MetricStat"]["Metric"] for q in alarm.get("Metrics", []) if "MetricStat" in q]
        for metric in [*stats, *([alarm] if "MetricName" in alarm else [])]:
            names = frozenset(pair["Name"] for pair in metric.get("Dimensions", []))
            watched.add((metric["Namespace"], metric["MetricName"], names))
    ours = {metric for metric in watched if metric[0] == "CTIScraper"}
    assert len(ours) > 5
    assert ours <= published

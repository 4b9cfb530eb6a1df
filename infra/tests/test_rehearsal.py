"""`rehearse`: a deployment with tasks that really run, in its short form."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from cti_infra.config import DEV, PROD
from cti_ops.cli import main
from cti_ops.errors import OpsError
from emulated import parameters
from emulation import Deployer, DeploymentError
from emulation.server import empty
from installation import Installation
from model import INFRA, ROOT
from rehearsal import front
from rehearsal.containers import Image, LocalTask, Surroundings
from rehearsal.metrics import Reader
from rehearsal.play import must, rehearse, shortened

MINUTES = 10


@pytest.mark.skipif(
    not (ROOT / ".venv/bin/ctiscraper").exists(),
    reason="the environment of the product is not made yet: ./ctiscraper --help makes it",
)
def test_a_deployment_goes_through_and_a_broken_one_goes_back(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", INFRA / "run", "ops", "rehearse", "--env=dev", "--short"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    for line in (
        "refused: toolkit: us-east-1 is not ready for it",
        "refused: image: cti-scraper/web:",
        "migrate: The schema was empty and is ",
        "roles: ctiscraper_web has the rights of the pages now.",
        "https://cti.example.org answers as it should",
        "web: this image was broken on purpose",
        "refused: ECS went back by itself, since new tasks did not stay: web to ",
        "https://cti.example.org answers as before, from the same task",
        "in all; everything went as it should",
    ):
        assert line in said, said
    # What it made is gone.
    assert list(tmp_path.glob("ctiscraper-rehearsal-*")) == []


def test_the_model_cannot_run_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--env=prod"]) == 2
    assert "rehearse dev or staging" in capsys.readouterr().err


def test_what_is_not_as_it_should_be_ends_it() -> None:
    with pytest.raises(OpsError, match="the rehearsal failed: tasks were replaced"):
        must(holds=False, otherwise="tasks were replaced")


@pytest.fixture
def baseline(emulator: str) -> Deployer:
    empty(emulator)
    made = Deployer("dev", emulator)
    made.deploy(["baseline"], parameters("dev", ""))
    return made


def test_a_stack_that_stands_is_left_as_it_is(baseline: Deployer) -> None:
    assert baseline.update("baseline", parameters("dev", "")["baseline"]) == ({}, [])


def test_what_cannot_be_changed_here_is_told(baseline: Deployer) -> None:
    with pytest.raises(DeploymentError, match=r"Budgets::Budget cannot be changed here, and Notif"):
        baseline.update("baseline", {"AlertsTo": "others@example.org"})


def test_only_what_stands_is_updated(baseline: Deployer) -> None:
    with pytest.raises(DeploymentError, match="only what stands is changed here"):
        baseline.update("registry", {})


def test_images_set_what_the_dockerfile_says() -> None:
    assert front.image_settings("product")["CTISCRAPER_PULSE_FILE"] == "/tmp/ctiscraper.pulse"
    assert front.image_settings("proxy")["NGINX_ENVSUBST_FILTER"] == "^NGINX_"
    assert front.image_settings("nothing") == {}


def task(folder: Path, *containers: Mapping[str, object]) -> LocalTask:
    shell = {"entryPoint": ["/bin/sh", "-c"], "image": "product"}
    definition = {
        "volumes": [{"name": "secrets"}],
        "containerDefinitions": [{**shell, **one} for one in containers],
    }
    around = Surroundings(
        folder=folder,
        images={"product": Image(program="/bin/sh")},
        secret=lambda value_from: f"value of {value_from}",
        addresses=[("@database.example:5432/", "@127.0.0.1:15432/")],
        environ={"PATH": "/usr/bin:/bin"},
    )
    return LocalTask(definition, "task", around)


def end(made: LocalTask) -> LocalTask:
    while not made.over:
        made.advance()
    made.stop()
    return made


def test_containers_run_in_order_with_files_of_their_own(tmp_path: Path) -> None:
    prepare = {
        "name": "prepare",
        "essential": False,
        "command": ['printf %s "$PASSWORD" >/secrets/password\nchown 1:1 /secrets/*'],
        "secrets": [{"name": "PASSWORD", "valueFrom": "arn"}],
    }
    program = {
        "name": "program",
        "command": ['cat /secrets/password; echo " $URL $OTEL_EXPORTER_OTLP_ENDPOINT"; exit 3'],
        "dependsOn": [{"containerName": "prepare", "condition": "SUCCESS"}],
        "environment": [
            {"name": "URL", "value": "postgresql://me@database.example:5432/one"},
            {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://127.0.0.1:4318"},
        ],
    }
    made = end(task(tmp_path, prepare, program))
    assert made.codes == {"prepare": 0, "program": 3}
    wrote = "value of arn postgresql://me@127.0.0.1:15432/one "
    assert made.lines()["program"] == [wrote]
    assert made.last_words() == [f"program: {wrote}"]
    assert (tmp_path / "task/secrets/password").is_file()


def test_what_waits_for_something_that_failed_never_runs(tmp_path: Path) -> None:
    made = end(
        task(
            tmp_path,
            {"name": "first", "essential": False, "command": ["exit 8"]},
            {"name": "next", "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}]},
        )
    )
    assert made.codes == {"first": 8, "next": None}


def test_an_image_that_is_no_program_of_ours_is_left_out(tmp_path: Path) -> None:
    made = task(
        tmp_path,
        {"name": "collector", "image": "public.example/collector", "essential": False},
        {
            "name": "program",
            "command": ["exit 0"],
            "dependsOn": [{"containerName": "collector", "condition": "START"}],
        },
    )
    assert end(made).codes == {"collector": None, "program": 0}


def test_figures_of_a_log_reach_cloudwatch_once(installed: Installation, tmp_path: Path) -> None:
    figures = {"Namespace": "N", "Dimensions": [["Environment"]], "Metrics": [{"Name": "Depth"}]}
    document = {"_aws": {"CloudWatchMetrics": [figures]}, "Environment": "dev", "Depth": 3}
    made = end(task(tmp_path, {"name": "beat", "command": [f"echo '{json.dumps(document)}'"]}))
    installed.watch("cloudwatch", "PutMetricData")
    reader = Reader(installed.place)
    reader.read([("scheduler", made), ("web", made)])
    reader.read([("scheduler", made)])
    ((sent),) = installed.sent("PutMetricData")
    assert sent["MetricData"][0]["Value"] == 3
    assert sent["MetricData"][0]["Dimensions"] == [{"Name": "Environment", "Value": "dev"}]


def test_lines_of_logs_are_told_by_what_happened() -> None:
    line = json.dumps({"timestamp": "now", "event": "checked"})
    assert shortened(f"worker: {line}") == "worker: checked"
    assert shortened("x" * 200).endswith("x …")


def test_environments_that_can_be_rehearsed_have_no_model() -> None:
    assert DEV.ollama is None
    assert PROD.ollama is not None
    with pytest.raises(OpsError, match="whose image cannot run here"):
        rehearse(PROD, lambda _: None, short=True)

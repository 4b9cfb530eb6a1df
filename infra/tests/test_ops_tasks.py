"""`run-task`: a command of the product in a task of its own, followed to its end."""

from dataclasses import replace

import pytest

from cti_infra.config import STAGING
from cti_ops.cli import main
from cti_ops.errors import Exit, OpsError
from cti_ops.place import Answer
from cti_ops.tasks import definition_of, run_admin, run_task
from installation import Installation
from model import load, variables


def test_a_command_runs_with_the_releases_image_files_and_rights(installed: Installation) -> None:
    installed.agent.lines["admin", "admin"] = ["all is well"]
    assert run_admin(installed.place, ["status", "--json"]) == 0
    [ran] = installed.agent.ran
    assert ran["family"] == "admin"
    assert ran["overrides"] == {
        "containerOverrides": [{"name": "admin", "command": ["status", "--json"]}]
    }
    definition = definition_of(installed.place, "cti-scraper-prod-admin")
    prepare, admin = definition["containerDefinitions"]
    assert (prepare["name"], admin["name"]) == ("prepare", "admin")
    assert admin["image"] == prepare["image"] == "worker:old"
    assert admin["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]
    assert admin["essential"]
    assert admin["readonlyRootFilesystem"]
    assert not admin.get("secrets")
    assert "admin: all is well" in installed.said


def test_a_doctor_in_a_task_sees_the_stores_that_workers_see() -> None:
    prod = load("prod")
    names = ("REDIS_URL", "REDIS_PASSWORD_FILE", "CTISCRAPER_RAW_STORE", "CTISCRAPER_S3_REGION")
    admin, worker = (
        variables(prod.container(task, name))
        for task, name in (("release.Admin", "admin"), ("app.WorkerTask", "worker"))
    )
    assert [admin[name] for name in names] == [worker[name] for name in names]
    assert (
        admin["DATABASE_URL"]
        == variables(prod.container("release.Migrate", "migrate"))["DATABASE_URL"]
    )
    given = {one["Name"]: one for one in prod.container("release.Admin", "prepare")["Secrets"]}
    read = {one["Name"]: one for one in prod.container("app.WorkerTask", "prepare")["Secrets"]}
    assert given["REDIS_PASSWORD"] == read["REDIS_PASSWORD"]
    # What opens second factors is the pages' alone.
    assert set(given) == {"OWNER_PASSWORD", "WEB_PASSWORD", "WORKER_PASSWORD", "REDIS_PASSWORD"}


def test_no_definition_is_made_for_a_command(installed: Installation) -> None:
    ecs = installed.place.client("ecs")
    before = ecs.list_task_definitions()["taskDefinitionArns"]
    run_admin(installed.place, ["status"])
    assert ecs.list_task_definitions()["taskDefinitionArns"] == before


def test_it_ends_as_the_command_ended(installed: Installation) -> None:
    installed.agent.codes["admin", "admin"] = 9
    arguments = ["run-task", "--env=prod", f"--endpoint-url={installed.place.endpoint_url}"]
    assert main([*arguments, "--", "status"], installed.clock) == 9


def test_a_command_that_never_ran_is_an_error(installed: Installation) -> None:
    installed.agent.codes["admin", "prepare"] = 1
    with pytest.raises(OpsError, match="did not run: prepare 1, admin did not run") as caught:
        run_admin(installed.place, ["status"])
    assert caught.value.code == 1


def test_a_task_that_never_ends_is_not_waited_for_for_ever(installed: Installation) -> None:
    installed.clock.acts.clear()
    definition = definition_of(installed.place, "cti-scraper-prod-migrate")
    with pytest.raises(OpsError, match=r"has not ended after 2 minutes .*stop-task"):
        run_task(installed.place, definition, most=120)
    assert installed.clock.slept == 120


def test_each_line_of_the_log_is_told_once(installed: Installation) -> None:
    installed.agent.lines["admin", "admin"] = [f"line {number}" for number in range(300)]
    run_admin(installed.place, ["status"])
    assert [line for line in installed.said if line.startswith("admin: ")] == [
        f"admin: line {number}" for number in range(300)
    ]


def test_what_ecs_cannot_place_is_told(installed: Installation) -> None:
    def no_room(answer: Answer) -> None:
        answer.update(tasks=[], failures=[{"reason": "Capacity is unavailable at this time"}])

    installed.change("ecs", "RunTask", no_room)
    with pytest.raises(OpsError, match=r"no task .* started: Capacity is unavailable"):
        run_admin(installed.place, ["status"])


def test_a_refusal_of_aws_is_told(installed: Installation) -> None:
    installed.fail("ecs", "RunTask", "AccessDeniedException")
    with pytest.raises(OpsError, match=r"RunTask is not allowed .injected.: take a role") as caught:
        run_admin(installed.place, ["status"])
    assert caught.value.code == Exit.SETTINGS


def test_without_a_release_there_is_nothing_to_run(installed: Installation) -> None:
    place = replace(installed.place, environment=STAGING)
    with pytest.raises(OpsError, match="deploy cti-scraper-staging-release first") as caught:
        run_admin(place, ["status"])
    assert caught.value.code == Exit.NOT_FOUND

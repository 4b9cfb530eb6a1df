"""`rotate`: values are tried before the old ones are dropped, and never shown."""

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from cti_infra.release import Release
from cti_infra.secrets import KEY_BYTES, PASSWORD_LENGTH, USERS
from cti_ops.checks import SECRETS
from cti_ops.cli import main
from cti_ops.errors import Exit, OpsError
from cti_ops.rotate import NAMES, ROLES, rotate
from cti_ops.secret_values import KEY_LENGTH
from cti_ops.secret_values import PASSWORD_LENGTH as OURS
from installation import Installation, renew_owner
from model import RENDERED

PENDING = "AWSPENDING"


def password(installed: Installation, name: str, stage: str = "AWSCURRENT") -> str:
    return str(json.loads(installed.value(name, stage))["password"])


def waiting(installed: Installation, name: str) -> bool:
    try:
        installed.value(name, PENDING)
    except ClientError:
        return False
    return True


def families(installed: Installation) -> list[str]:
    return [task["family"] for task in installed.agent.ran]


def restarted(installed: Installation) -> list[str]:
    return [
        one["service"] for one in installed.sent("UpdateService") if one.get("forceNewDeployment")
    ]


@pytest.fixture
def watched(installed: Installation) -> Installation:
    installed.watch("ecs", "UpdateService")
    installed.watch("elasticache", "ModifyReplicationGroup")
    installed.watch("rds", "ModifyDBInstance")
    return installed


def test_the_secrets_are_those_of_the_templates() -> None:
    assert set(SECRETS) == {*USERS, "installation-key"}
    assert set(NAMES) == {*SECRETS, "owner"} - {"first-administrator"}
    assert (OURS, KEY_LENGTH) == (PASSWORD_LENGTH, KEY_BYTES)
    assert {name: role.name for name, role in ROLES.items()} == {
        name: user for name, (_, user) in USERS.items() if name.endswith("-database")
    }
    text = (RENDERED / "prod" / "release.json").read_text("utf-8")
    for role in ROLES.values():
        assert f'"{role.variable}"' in text
        assert role.file in text
    assert Release.__name__ == "Release"


def test_a_role_gets_a_password_that_was_tried(watched: Installation) -> None:
    rotate(watched.place, "web-database", voids_second_factors=False)
    value = json.loads(watched.value("web-database"))
    assert value["username"] == "user-of-web-database"
    assert len(value["password"]) == 48
    assert value["password"].isalnum()
    assert password(watched, "web-database", "AWSPREVIOUS") == "old-web-database-password"
    assert not waiting(watched, "web-database")
    assert families(watched) == ["rotate"]
    assert restarted(watched) == ["web"]


def test_the_task_alone_is_given_the_new_password(watched: Installation) -> None:
    rotate(watched.place, "worker-database", voids_second_factors=False)
    prepare, roles, login = watched.agent.definitions[0]["containerDefinitions"]
    given = {one["name"]: one["valueFrom"] for one in prepare["secrets"]}
    assert given["WORKER_PASSWORD"].endswith("worker-database:password:AWSPENDING:")
    assert given["WEB_PASSWORD"].endswith("web-database:password::")
    assert roles["command"][:2] == ["db", "roles"]
    assert not roles["essential"]
    assert login["command"] == ["db", "check"]
    assert login["essential"]
    assert login["dependsOn"] == [{"containerName": "roles", "condition": "SUCCESS"}]
    told = {one["name"]: one["value"] for one in login["environment"]}
    assert told["DATABASE_URL"].startswith("postgresql://ctiscraper_worker@database.example:5432/")
    assert told["DATABASE_PASSWORD_FILE"] == "/secrets/database-password-worker"
    assert restarted(watched) == ["worker", "scheduler", "model-worker"]


def test_where_no_model_is_asked_nobody_else_is_started_anew(watched: Installation) -> None:
    place = watched.place
    place.client("ecs").delete_service(cluster=place.cluster, service="model-worker", force=True)
    rotate(place, "worker-database", voids_second_factors=False)
    assert restarted(watched) == ["worker", "scheduler"]


def test_a_password_that_does_not_work_is_taken_back(watched: Installation) -> None:
    watched.agent.codes["rotate", "login"] = 8
    with pytest.raises(OpsError, match="ctiscraper_web cannot log in with the new") as caught:
        rotate(watched.place, "web-database", voids_second_factors=False)
    assert "the old value holds, in the database and in the secret" in str(caught.value)
    assert password(watched, "web-database") == "old-web-database-password"
    assert not waiting(watched, "web-database")
    # The second task set what the secret holds, the old one.
    assert families(watched) == ["rotate", "rotate"]
    (_, roles) = watched.agent.definitions[1]["containerDefinitions"]
    assert roles["name"] == "roles"
    assert "AWSPENDING" not in json.dumps(watched.agent.definitions[1])
    assert restarted(watched) == []


def test_where_nothing_was_set_nothing_is_taken_back(watched: Installation) -> None:
    watched.agent.codes["rotate", "prepare"] = 1
    with pytest.raises(OpsError, match="no password was set"):
        rotate(watched.place, "web-database", voids_second_factors=False)
    assert families(watched) == ["rotate"]
    assert password(watched, "web-database") == "old-web-database-password"


def test_a_task_that_is_lost_from_sight_is_taken_back(watched: Installation) -> None:
    left = [1]

    def lost(**_: object) -> None:
        if left.pop() if left else 0:
            raise watched.place.client("ecs").exceptions.ClientError(
                {"Error": {"Code": "ServerException", "Message": "injected"}}, "DescribeTasks"
            )

    watched.hook("ecs", "before-call.ecs.DescribeTasks", lost)
    with pytest.raises(OpsError, match="DescribeTasks was refused with ServerException") as caught:
        rotate(watched.place, "web-database", voids_second_factors=False)
    assert "the old value holds, in the database and in the secret" in str(caught.value)
    assert password(watched, "web-database") == "old-web-database-password"
    assert not waiting(watched, "web-database")


def test_a_way_back_that_fails_is_told(watched: Installation) -> None:
    watched.agent.codes["rotate", "roles"] = 1
    with pytest.raises(OpsError, match=r"could not be set again.*cti-scraper-prod-migrate"):
        rotate(watched.place, "web-database", voids_second_factors=False)


def test_services_that_do_not_stand_with_it_are_told(watched: Installation) -> None:
    watched.agent.stuck.add("web")
    with pytest.raises(OpsError, match="the new password holds in the database and in"):
        rotate(watched.place, "web-database", voids_second_factors=False)
    assert password(watched, "web-database") != "old-web-database-password"


def test_redis_takes_both_until_the_services_have_the_new(watched: Installation) -> None:
    rotate(watched.place, "redis", voids_second_factors=False)
    new = password(watched, "redis")
    assert new != "old-redis-password"
    asked = watched.sent("ModifyReplicationGroup")
    assert [(one["AuthToken"], one["AuthTokenUpdateStrategy"]) for one in asked] == [
        (new, "ROTATE"),
        (new, "SET"),
    ]
    names = [name for name, _ in watched.asked]
    assert names.index("UpdateService") > names.index("ModifyReplicationGroup")
    assert names[-1] == "ModifyReplicationGroup"
    assert restarted(watched) == ["web", "worker", "scheduler"]


def test_a_redis_that_refuses_leaves_the_old(watched: Installation) -> None:
    watched.fail("elasticache", "ModifyReplicationGroup", "InvalidReplicationGroupState")
    with pytest.raises(OpsError, match="the old value holds: no service was touched"):
        rotate(watched.place, "redis", voids_second_factors=False)
    assert password(watched, "redis") == "old-redis-password"
    assert not waiting(watched, "redis")
    assert restarted(watched) == []


def test_services_that_fail_with_the_new_get_the_old(watched: Installation) -> None:
    watched.agent.stuck.add("worker")
    with pytest.raises(OpsError, match="do not stand with it either"):
        rotate(watched.place, "redis", voids_second_factors=False)
    assert password(watched, "redis") == "old-redis-password"
    last = watched.sent("ModifyReplicationGroup")[-1]
    assert (last["AuthToken"], last["AuthTokenUpdateStrategy"]) == ("old-redis-password", "SET")


def test_a_redis_that_is_never_available_is_told(watched: Installation) -> None:
    watched.change(
        "elasticache",
        "DescribeReplicationGroups",
        lambda a: a["ReplicationGroups"][0].update(Status="modifying"),
    )
    with pytest.raises(OpsError, match="not available after half an hour"):
        rotate(watched.place, "redis", voids_second_factors=False)
    assert password(watched, "redis") == "old-redis-password"


def test_rds_renews_the_owners_and_it_is_tried(watched: Installation) -> None:
    done: list[bool] = []

    def rds() -> None:
        if not done and watched.sent("ModifyDBInstance"):
            done.append(True)
            renew_owner(watched.place)

    watched.clock.acts.append(rds)
    rotate(watched.place, "owner", voids_second_factors=False)
    (asked,) = watched.sent("ModifyDBInstance")
    assert asked["RotateMasterUserPassword"] is True
    (_, login) = watched.agent.definitions[0]["containerDefinitions"]
    assert login["command"] == ["db", "check"]
    assert restarted(watched) == []


def test_an_owners_password_that_rds_never_renews_is_told(watched: Installation) -> None:
    arn = watched.place.client("rds").describe_db_instances()["DBInstances"][0]["MasterUserSecret"]
    watched.change(
        "rds",
        "DescribeDBInstances",
        lambda a: a["DBInstances"][0]["MasterUserSecret"].update(SecretStatus="rotating"),
    )
    assert arn["SecretStatus"] == "active"
    with pytest.raises(OpsError, match="has not renewed the password after half an hour"):
        rotate(watched.place, "owner", voids_second_factors=False)


def test_the_key_is_renewed_when_that_is_meant(watched: Installation) -> None:
    with pytest.raises(OpsError, match="--voids-second-factors") as caught:
        rotate(watched.place, "installation-key", voids_second_factors=False)
    assert caught.value.code == Exit.CONFLICT
    assert watched.value("installation-key") == "k" * 32
    rotate(watched.place, "installation-key", voids_second_factors=True)
    assert len(watched.value("installation-key")) == 32
    assert watched.value("installation-key") != "k" * 32
    assert restarted(watched) == ["web"]


def test_a_key_with_which_web_fails_is_taken_back(watched: Installation) -> None:
    watched.agent.stuck.add("web")
    with pytest.raises(OpsError, match="the old value holds"):
        rotate(watched.place, "installation-key", voids_second_factors=True)
    assert watched.value("installation-key") == "k" * 32


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("first-administrator", "was taken once, by the first migration", Exit.CONFLICT),
        ("nothing", "there is no secret 'nothing': it is one of owner", Exit.NOT_FOUND),
    ],
)
def test_what_cannot_be_renewed_is_refused(
    watched: Installation, name: str, said: str, code: Exit
) -> None:
    with pytest.raises(OpsError, match=said) as caught:
        rotate(watched.place, name, voids_second_factors=False)
    assert caught.value.code == code
    assert watched.asked == []


def test_a_value_that_is_no_user_and_password_is_not_shown(watched: Installation) -> None:
    watched.place.client("secretsmanager").put_secret_value(
        SecretId="cti-scraper/prod/redis", SecretString="hunter2secret"
    )
    with pytest.raises(OpsError, match="is not made of username and password") as caught:
        rotate(watched.place, "redis", voids_second_factors=False)
    assert "hunter2secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def lines_of(act: Callable[[], object], installed: Installation) -> str:
    try:
        act()
    except OpsError as error:
        installed.said.append(str(error))
    return "\n".join(installed.said)


@pytest.mark.parametrize("name", ["web-database", "redis", "installation-key"])
@pytest.mark.parametrize("stuck", [False, True])
def test_no_value_is_ever_said(watched: Installation, name: str, stuck: bool) -> None:
    if stuck:
        watched.agent.stuck.add("web")
    before = watched.value(name)
    said = lines_of(lambda: rotate(watched.place, name, voids_second_factors=True), watched)
    for value in (before, watched.value(name)):
        secret = value if name == "installation-key" else json.loads(value)["password"]
        assert secret not in said


def test_nobody_is_asked_where_nobody_is(
    installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["rotate", "--env=prod", f"--endpoint-url={installed.place.endpoint_url}"]
    assert main([*arguments, "redis"], installed.clock) == 2
    assert "There is nobody to ask: add --yes" in capsys.readouterr().err
    assert main([*arguments, "redis", "--yes"], installed.clock) == 0
    assert password(installed, "redis") != "old-redis-password"

"""`rotate`: a new value for a secret, tried before the old one is dropped.

Processes read secrets from files that are written when a task starts (ADR 35), so a value holds
once the tasks that use it were replaced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from cti_ops import secret_values
from cti_ops.clock import wait_for
from cti_ops.errors import Exit, OpsError, aws_errors
from cti_ops.place import Answer, Place
from cti_ops.rollout import restart
from cti_ops.secret_values import PENDING, Staged
from cti_ops.tasks import definition_of, derive, forget, run_task

OWNER = "ctiscraper"
POLL_SECONDS = 10.0
MOST_SECONDS = 1800.0
REDIS_SERVICES = ("web", "worker", "scheduler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of the database: its name, where its password is, and who logs in with it."""

    name: str
    variable: str
    file: str
    services: tuple[str, ...]


# As infra/cti_infra/release.py and app.py have them.
ROLES: Mapping[str, Role] = {
    "web-database": Role(
        name="ctiscraper_web",
        variable="WEB_PASSWORD",
        file="/secrets/database-password-web",
        services=("web",),
    ),
    "worker-database": Role(
        name="ctiscraper_worker",
        variable="WORKER_PASSWORD",
        file="/secrets/database-password-worker",
        services=("worker", "scheduler", "model-worker"),
    ),
}
# What is renewed when no name is given; the key of the installation is renewed by name alone.
USUAL = ("owner", *ROLES, "redis")
NAMES = (*USUAL, "installation-key")


def rotate(place: Place, name: str, *, voids_second_factors: bool) -> None:
    """Renew one secret. Raises OpsError, which says which value holds."""
    if name == "first-administrator":
        raise OpsError(
            "the first administrator's password was taken once, by the first migration: give him "
            "another with ./ctiscraper ops run-task -- user end-access admin --only password, or "
            "on his own account page",
            Exit.CONFLICT,
        )
    if name == "installation-key" and not voids_second_factors:
        raise OpsError(
            "another key of the installation makes every second factor void, and everybody sets "
            "his up anew: if that is meant, add --voids-second-factors",
            Exit.CONFLICT,
        )
    ways: Mapping[str, Callable[[Place], None]] = {
        "owner": _owner,
        "redis": _redis,
        "installation-key": _key,
        **{role: partial(_role, name=role) for role in ROLES},
    }
    if name not in ways:
        raise OpsError(
            f"there is no secret {name!r}: it is one of {', '.join(NAMES)}", Exit.NOT_FOUND
        )
    ways[name](place)
    place.say(f"{name} is renewed")


def _role(place: Place, name: str) -> None:
    """Renew the password of a role: set and tried by a task that alone is given the new one."""
    role = ROLES[name]
    place.described(role.services)
    staged = secret_values.stage(place, name)
    release = definition_of(place, place.named("migrate"))
    login = {"name": "login", "command": ["db", "check"], "environment": _as_role(release, role)}
    definition = derive(
        place, "rotate", [{"name": "roles"}, login], stages={role.variable: PENDING}
    )
    try:
        ended = run_task(place, definition)
    except OpsError as error:
        # Whether it had set the new one is not known.
        back = _set_back(place, staged)
        secret_values.drop(place, staged)
        raise OpsError(f"{error}\n{back}") from error
    finally:
        forget(place, definition)
    if not ended.well:
        back = (
            "the old value holds: no password was set"
            if ended.codes.get("roles") is None
            else _set_back(place, staged)
        )
        secret_values.drop(place, staged)
        raise OpsError(f"{role.name} cannot log in with the new password: {ended.told()}\n{back}")
    secret_values.promote(place, staged)
    try:
        restart(place, role.services)
    except OpsError as error:
        raise OpsError(
            f"{error}\nthe new password holds in the database and in {staged.name}: run "
            f"'./ctiscraper ops status', and replace the tasks of {', '.join(role.services)} again "
            "when the cause is mended"
        ) from error


def _as_role(release: Answer, role: Role) -> list[Answer]:
    """Return what a container is told that logs in as a role instead of the owner."""
    container = next(one for one in release["containerDefinitions"] if one["name"] == "roles")
    told = {pair["name"]: pair["value"] for pair in container["environment"]}
    told["DATABASE_URL"] = told["DATABASE_URL"].replace(f"//{OWNER}@", f"//{role.name}@", 1)
    told["DATABASE_PASSWORD_FILE"] = role.file
    return [{"name": key, "value": value} for key, value in sorted(told.items())]


def _set_back(place: Place, staged: Staged) -> str:
    """Return what became of giving the roles the passwords in use once more."""
    try:
        definition = derive(place, "rotate", [{"name": "roles"}])
        try:
            ended = run_task(place, definition)
        finally:
            forget(place, definition)
    except OpsError as error:
        return f"and the old password could not be set again: {error}"
    if not ended.well:
        return (
            f"and the old password could not be set again: {ended.told()}. Run the task "
            f"{place.named('migrate')}, which sets what {staged.name} holds"
        )
    return "the old value holds, in the database and in the secret"


def _redis(place: Place) -> None:
    """Renew the password of Redis, which takes both until the services have the new one."""
    place.described(REDIS_SERVICES)
    staged = secret_values.stage(place, "redis")
    try:
        _redis_token(place, staged.password(new=True), "ROTATE")
    except OpsError as error:
        secret_values.drop(place, staged)
        raise OpsError(f"{error}\nthe old value holds: no service was touched") from error
    secret_values.promote(place, staged)
    try:
        restart(place, REDIS_SERVICES)
    except OpsError as error:
        secret_values.demote(place, staged)
        # Of two passwords Redis drops the older at the next rotation, which is the one in use.
        _redis_token(place, staged.password(new=False), "SET")
        raise OpsError(f"{error}\n{_restarted(place, REDIS_SERVICES)}") from error
    _redis_token(place, staged.password(new=True), "SET")


def _redis_token(place: Place, token: str, strategy: str) -> None:
    group = place.named("redis")
    redis = place.client("elasticache")
    with aws_errors():
        redis.modify_replication_group(
            ReplicationGroupId=group,
            AuthToken=token,
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )

    def ready() -> bool | None:
        with aws_errors():
            found = redis.describe_replication_groups(ReplicationGroupId=group)
        return True if found["ReplicationGroups"][0]["Status"] == "available" else None

    wait_for(
        place.clock,
        ready,
        every=POLL_SECONDS,
        most=MOST_SECONDS,
        late=f"{group} is not available after half an hour: see docs/runbooks/redis.md",
    )
    place.say(f"{group}: {strategy} is done")


def _key(place: Place) -> None:
    place.described(["web"])
    staged = secret_values.stage(place, "installation-key", key=True)
    secret_values.promote(place, staged)
    try:
        restart(place, ("web",))
    except OpsError as error:
        secret_values.demote(place, staged)
        raise OpsError(f"{error}\n{_restarted(place, ('web',))}") from error


def _restarted(place: Place, services: tuple[str, ...]) -> str:
    """Return what became of starting services with the old value again."""
    try:
        restart(place, services)
    except OpsError as error:
        return f"the old value holds, and the services do not stand with it either: {error}"
    return "the old value holds, and the services run with it"


def _owner(place: Place) -> None:
    """Have RDS renew the password of the owner, which it made itself; then log in with it."""
    rds, name = place.client("rds"), place.named("database")
    arn = _owner_secret(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])
    before = _current_version(place, arn)
    rds.modify_db_instance(
        DBInstanceIdentifier=name, RotateMasterUserPassword=True, ApplyImmediately=True
    )

    def renewed() -> bool | None:
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        active = found.get("MasterUserSecret", {}).get("SecretStatus") == "active"
        done = active and found["DBInstanceStatus"] == "available"
        return True if done and _current_version(place, arn) != before else None

    wait_for(
        place.clock,
        renewed,
        every=POLL_SECONDS,
        most=MOST_SECONDS,
        late=(
            f"RDS has not renewed the password after half an hour: aws rds describe-events "
            f"--source-identifier {name} --source-type db-instance says why"
        ),
    )
    definition = derive(place, "rotate", [{"name": "login", "command": ["db", "check"]}])
    try:
        ended = run_task(place, definition)
    finally:
        forget(place, definition)
    if not ended.well:
        raise OpsError(
            f"the owner cannot log in with the password that RDS made: {ended.told()}. Services "
            "run on, they are other roles; migrations will fail until this is mended"
        )


def _owner_secret(instance: Answer) -> str:
    arn = instance.get("MasterUserSecret", {}).get("SecretArn")
    if not arn:
        raise OpsError(
            f"the password of {instance['DBInstanceIdentifier']} is not managed by RDS: deploy the "
            "stack Data",
            Exit.CONFLICT,
        )
    return str(arn)


def _current_version(place: Place, arn: str) -> str:
    stages: Mapping[str, list[str]] = place.client("secretsmanager").describe_secret(SecretId=arn)[
        "VersionIdsToStages"
    ]
    return next((version for version, names in stages.items() if "AWSCURRENT" in names), "")

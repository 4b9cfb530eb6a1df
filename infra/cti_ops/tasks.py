"""Tasks of ECS that are run once: started, followed in their log, and waited for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from cti_ops.clock import wait_for
from cti_ops.errors import Exit, OpsError, aws_errors, error_code, is_missing
from cti_ops.place import Answer, Place

POLL_SECONDS = 5.0
MOST_SECONDS = 3600.0
# What ECS adds by itself when it tells a definition.
_OWN_FIELDS = ("cpu", "memory", "networkMode", "requiresCompatibilities", "runtimePlatform")
_KEPT_FIELDS = (*_OWN_FIELDS, "executionRoleArn", "taskRoleArn", "volumes", "ephemeralStorage")
# Beside `prepare`, of the 256 CPU units and 2 GiB of the task that migrates.
_CPU, _MEMORY = 224, 1536


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a task ended: the code of each container, None where it did not run, and why."""

    task: str
    codes: Mapping[str, int | None]
    reason: str
    lines: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether every container ended without an error."""
        return all(code == 0 for code in self.codes.values())

    def told(self) -> str:
        """Return how it ended, for people."""
        codes = ", ".join(
            f"{name} {'did not run' if code is None else code}" for name, code in self.codes.items()
        )
        return f"{codes} ({self.reason})" if self.reason else codes


@dataclass(slots=True)
class _Log:
    """The lines of a task, each told once."""

    place: Place
    definition: Answer
    task: str
    lines: list[str] = field(default_factory=list)
    _tokens: dict[str, str] = field(default_factory=dict)

    def follow(self) -> None:
        """Tell what was written since it was last asked."""
        for container in self.definition["containerDefinitions"]:
            options = container.get("logConfiguration", {}).get("options", {})
            if "awslogs-group" not in options:
                continue
            name = container["name"]
            stream = f"{options['awslogs-stream-prefix']}/{name}/{self.task.rsplit('/')[-1]}"
            self._read(options["awslogs-group"], stream, name)

    def _read(self, group: str, stream: str, name: str) -> None:
        logs = self.place.client("logs")
        while True:
            asked: dict[str, Any] = {"startFromHead": True}
            if stream in self._tokens:
                asked["nextToken"] = self._tokens[stream]
            try:
                page = logs.get_log_events(logGroupName=group, logStreamName=stream, **asked)
            except ClientError as error:
                # A container that has written nothing has no stream.
                if is_missing(error):
                    return
                raise
            for event in page["events"]:
                self.lines.append(event["message"])
                self.place.say(f"{name}: {event['message']}")
            if page["nextForwardToken"] == self._tokens.get(stream):
                return
            self._tokens[stream] = page["nextForwardToken"]


@aws_errors()
def definition_of(place: Place, family: str) -> Answer:
    """Return the newest definition of a task. Raises OpsError when there is none."""
    try:
        found: Answer = place.client("ecs").describe_task_definition(taskDefinition=family)
    except ClientError as error:
        if is_missing(error) or error_code(error) == "ClientException":
            raise OpsError(
                f"there is no task definition {family}: deploy {place.named('release')} first",
                Exit.NOT_FOUND,
            ) from error
        raise
    made: Answer = found["taskDefinition"]
    return made


@aws_errors()
def run_task(
    place: Place, definition: Answer, overrides: Sequence[Answer] = (), most: float = MOST_SECONDS
) -> Ended:
    """Return how a task ended, after following its log. Raises OpsError when none was started."""
    answer = place.client("ecs").run_task(
        cluster=place.cluster,
        taskDefinition=definition["taskDefinitionArn"],
        networkConfiguration=place.network(),
        capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
        overrides={"containerOverrides": list(overrides)},
        count=1,
    )
    if not answer["tasks"]:
        why = "; ".join(failure.get("reason", "") for failure in answer["failures"])
        raise OpsError(f"no task of {definition['family']} was started: {why or 'no reason given'}")
    task = answer["tasks"][0]["taskArn"]
    place.say(f"task {task.rsplit('/')[-1]} of {definition['family']}")
    log = _Log(place, definition, task)

    def stopped() -> Answer | None:
        log.follow()
        tasks = place.client("ecs").describe_tasks(cluster=place.cluster, tasks=[task])["tasks"]
        if not tasks:
            raise OpsError(f"task {task} is gone: its log is in CloudWatch")
        seen: Answer = tasks[0]
        return seen if seen["lastStatus"] == "STOPPED" else None

    seen = wait_for(
        place.clock,
        stopped,
        every=POLL_SECONDS,
        most=most,
        late=(
            f"task {task} has not ended after {most / 60:.0f} minutes and still runs: look at its "
            f"log, or end it with aws ecs stop-task --cluster {place.cluster} --task {task}"
        ),
    )
    # The last lines come to the log some seconds after the task has ended.
    place.clock.sleep(POLL_SECONDS)
    log.follow()
    return Ended(task=task, codes=_codes(seen), reason=_reason(seen), lines=tuple(log.lines))


def _codes(task: Answer) -> dict[str, int | None]:
    return {one["name"]: one.get("exitCode") for one in task["containers"]}


def _reason(task: Answer) -> str:
    told = [one["reason"] for one in task["containers"] if one.get("reason")]
    if any(code != 0 for code in _codes(task).values()) and task.get("stoppedReason"):
        told.append(task["stoppedReason"])
    return "; ".join(told)


@aws_errors()
def derive(
    place: Place, family: str, programs: Sequence[Answer], stages: Mapping[str, str] | None = None
) -> Answer:
    """Return a definition with the release's image, files and rights, and other programs.

    `stages` names the version of a secret by the variable that `prepare` gets it in.
    """
    release = definition_of(place, place.named("migrate"))
    prepare, model = _models(release)
    prepare["secrets"] = [
        {**secret, "valueFrom": _staged(secret["valueFrom"], (stages or {}).get(secret["name"]))}
        for secret in prepare.get("secrets", [])
    ]
    containers = [prepare]
    for number, program in enumerate(programs):
        last = number == len(programs) - 1
        before = programs[number - 1]["name"] if number else prepare["name"]
        cpu, memory = _CPU // len(programs), _MEMORY // len(programs)
        containers.append(
            {
                **model,
                "essential": last,
                "dependsOn": [{"containerName": before, "condition": "SUCCESS"}],
                "cpu": cpu,
                "memory": memory,
                **program,
            }
        )
    kept = {name: release[name] for name in _KEPT_FIELDS if release.get(name)}
    made: Answer = place.client("ecs").register_task_definition(
        family=place.named(family), containerDefinitions=containers, **kept
    )["taskDefinition"]
    return made


@aws_errors()
def forget(place: Place, definition: Answer) -> None:
    """Let nobody run a definition any more."""
    place.client("ecs").deregister_task_definition(taskDefinition=definition["taskDefinitionArn"])


def _models(release: Answer) -> tuple[Answer, Answer]:
    """Return the container that writes files, and one of the product."""
    found = {one["name"]: one for one in release["containerDefinitions"]}
    if not {"prepare", "roles"} <= set(found):
        raise OpsError(
            f"{release['family']} has containers {', '.join(found)}, not prepare and roles: "
            "deploy the stack Release of this version first",
            Exit.CONFLICT,
        )
    return dict(found["prepare"]), dict(found["roles"])


def _staged(value_from: str, stage: str | None) -> str:
    """Return which version of a secret is to be fetched: ARN:FIELD:STAGE:VERSION."""
    if stage is None:
        return value_from
    parts = value_from.split(":")
    arn, field_ = ":".join(parts[:7]), parts[7] if len(parts) > 7 else ""  # noqa: PLR2004 - an ARN has seven parts
    return f"{arn}:{field_}:{stage}:"


def run_admin(place: Place, command: Sequence[str]) -> int:
    """Return the code that a command of the product ended with. Raises OpsError if it never ran."""
    definition = definition_of(place, place.named("admin"))
    ended = run_task(place, definition, [{"name": "admin", "command": list(command)}])
    code = ended.codes.get("admin")
    if code is None:
        raise OpsError(f"the command did not run: {ended.told()}")
    place.say(f"ended with code {code}")
    return code

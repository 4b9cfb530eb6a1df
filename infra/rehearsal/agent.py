"""Does what ECS does with tasks and services, as the emulator alone does not."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Any

from moto.ecs.models import ecs_backends

from cti_ops.place import Place
from rehearsal import metrics
from rehearsal.containers import LocalTask, Surroundings
from rehearsal.processes import HERE

# ECS gives a deployment up after three tasks that did not stay, and after more of larger services.
MOST_FAILURES = 3
# How often a load balancer finds a target well before it sends it anything, and what it allows.
TARGET_CHECKS = 2
TARGET_SECONDS = 10.0
# A task that does not become well is stopped; on AWS after its start period and retries.
START_SECONDS = 120.0


@dataclass(slots=True)
class _Run:
    """A task of a service: when it began, and how often its target was found well."""

    task: LocalTask
    definition: str
    began: float
    checks: int = 0


@dataclass(slots=True)
class _Service:
    """What a service runs, and what it is to run."""

    wanted: str = ""
    before: str = ""
    standing: list[_Run] = field(default_factory=list)
    fresh: list[_Run] = field(default_factory=list)
    failures: int = 0
    # It has what it wants, or was given up with nothing to go back to.
    steady: bool = False
    given_up: bool = False


@dataclass(slots=True)
class Ran:
    """A container of a task that has ended, as the emulator tells of it."""

    name: str
    exitCode: int | None  # noqa: N815 - as the emulator spells it
    last_status: str = "STOPPED"


class Agent:
    """Runs the tasks of a cluster until it is closed."""

    def __init__(
        self,
        place: Place,
        account: str,
        around: Surroundings,
        evaluated: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._place = place
        self._around = around
        # What the stacks were made of, by the places of resources.
        self._evaluated = evaluated
        self._backend: Any = ecs_backends[account][place.environment.region]
        self._once: dict[str, LocalTask] = {}
        self._services: dict[str, _Service] = {}
        self._numbers = itertools.count(1)
        self._metrics = metrics.Reader(place)

    def act(self) -> bool:
        """Do what is to be done now; return whether something is under way."""
        busy = [self._once_step(task) for task in self._waiting()]
        busy += [self._step(one) for one in self._backend.services.values()]
        self._metrics.read(self._logs())
        return any(busy)

    def port_of(self, service: str) -> int | None:
        """Return where a load balancer reaches a task of a service."""
        standing = self._services[service].standing if service in self._services else []
        return next((run.task.port for run in standing if not run.task.over), None)

    def folders_of(self, service: str) -> list[str]:
        """Return what tells the tasks of a service from others."""
        return [run.task.folder.name for run in self._services[service].standing]

    def close(self) -> None:
        """End every task."""
        runs = [run for one in self._services.values() for run in (*one.fresh, *one.standing)]
        for task in (*self._once.values(), *(run.task for run in runs)):
            task.stop()

    def _logs(self) -> Iterator[tuple[str, LocalTask]]:
        for name, service in self._services.items():
            yield from ((name, run.task) for run in service.standing)

    # Tasks that are run once.

    def _waiting(self) -> list[Any]:
        tasks = self._backend.tasks.get(self._place.cluster, {}).values()
        return [task for task in tasks if task.desired_status != "STOPPED"]

    def _once_step(self, task: Any) -> bool:  # noqa: ANN401 - of the emulator
        arn = task.task_arn
        if arn not in self._once:
            self._once[arn] = self._local(task.task_definition_arn)
        local = self._once[arn]
        local.advance()
        if not local.over:
            return True
        del self._once[arn]
        local.stop()
        self._write(local, arn)
        task.containers = [Ran(name, code) for name, code in local.codes.items()]
        task.desired_status = task.last_status = "STOPPED"
        task.stopped_reason = "Essential container in task exited"
        return True

    def _local(self, definition_arn: str) -> LocalTask:
        definition = self._place.client("ecs").describe_task_definition(
            taskDefinition=definition_arn
        )["taskDefinition"]
        name = f"{definition['family']}-{definition['revision']}-{next(self._numbers)}"
        return LocalTask(definition, name, self._around)

    def _write(self, local: LocalTask, arn: str) -> None:
        """Put what a task wrote where its definition says."""
        logs, written = self._place.client("logs"), local.lines()
        at, task = int(datetime.now(UTC).timestamp() * 1000), arn.rpartition("/")[2]
        for container in local.definition["containerDefinitions"]:
            lines = [line for line in written.get(container["name"], []) if line.strip()]
            if not lines:
                continue
            options = container["logConfiguration"]["options"]
            group = options["awslogs-group"]
            stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task}"
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            events = [{"timestamp": at, "message": line} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    # Services.

    def _step(self, seen: Any) -> bool:  # noqa: ANN401 - of the emulator
        service = self._services.setdefault(seen.name, _Service())
        if service.wanted != seen.task_definition:
            self._begin(seen, service)
        self._drop_dead(seen, service)
        if service.failures >= MOST_FAILURES:
            self._give_up(seen, service)
        for _ in range(self._missing(seen, service)):
            task = self._local(service.wanted)
            service.fresh.append(_Run(task, service.wanted, time.monotonic()))
        for run in service.fresh:
            run.task.advance()
        ready = sum(self._is_ready(run) for run in service.fresh)
        if ready == len(service.fresh) and not service.given_up:
            self._complete(seen, service)
        seen.running_count = len(service.standing)
        seen.pending_count = len(service.fresh)
        return not service.steady or bool(service.fresh)

    def _missing(self, seen: Any, service: _Service) -> int:  # noqa: ANN401 - of the emulator
        there = len(service.fresh) + (len(service.standing) if service.steady else 0)
        return 0 if service.given_up else int(seen.desired_count) - there

    def _begin(self, seen: Any, service: _Service) -> None:  # noqa: ANN401 - of the emulator
        """Begin a deployment: beside what stands where there may be more, else in its place."""
        for run in service.fresh:
            run.task.stop()
        service.before = service.wanted
        service.wanted, service.fresh, service.failures = seen.task_definition, [], 0
        service.steady = service.given_up = False
        kept = [run for run in service.standing if run.definition == service.wanted]
        if not self._least_percent(seen.name):
            self._end(run for run in service.standing if run not in kept)
            service.standing = kept
        # What it goes back to may stand still.
        service.fresh = kept
        service.standing = [run for run in service.standing if run not in kept]
        primary = {**seen.deployments[0], "taskDefinition": service.wanted}
        primary.update(status="PRIMARY", rolloutState="IN_PROGRESS", rolloutStateReason="")
        older = [{**one, "status": "ACTIVE"} for one in seen.deployments if service.before and one][
            :1
        ]
        seen.deployments = [primary, *older]

    def _least_percent(self, name: str) -> int:
        """Return how much of a service stays while it is replaced, by its template."""
        return next(
            int(one["DeploymentConfiguration"]["MinimumHealthyPercent"])
            for one in self._evaluated.values()
            if one.get("ServiceName") == name
        )

    def _drop_dead(self, seen: Any, service: _Service) -> None:  # noqa: ANN401 - of the emulator
        """Let go of tasks that have ended, or never became well."""
        for run in list(service.fresh):
            late = time.monotonic() - run.began > START_SECONDS and not self._is_ready(run)
            if run.task.over or late:
                service.failures += 1
                run.task.stop()
                service.fresh.remove(run)
                self._place.say(f"{seen.name}: task {run.task.folder.name} did not stay")
                for line in run.task.last_words() if service.failures == 1 else []:
                    self._place.say(f"  {line}")
        for run in list(service.standing):
            if run.task.over:
                run.task.stop()
                service.standing.remove(run)

    def _give_up(self, seen: Any, service: _Service) -> None:  # noqa: ANN401 - of the emulator
        """Give a deployment up: back to the one before, as the templates ask for."""
        failed = {
            **seen.deployments[0],
            "status": "ACTIVE",
            "rolloutState": "FAILED",
            "rolloutStateReason": (
                f"ECS deployment circuit breaker: {service.failures} tasks failed to start"
            ),
        }
        if not service.before:
            self._place.say(f"{seen.name}: ECS gives the deployment up")
            service.given_up = service.steady = True
            seen.deployments = [failed]
            return
        self._place.say(f"{seen.name}: ECS gives the deployment up, and goes back")
        seen.task_definition = service.before
        self._begin(seen, service)

    def _is_ready(self, run: _Run) -> bool:
        if not run.task.runs:
            return False
        port = run.task.port
        if port is not None and run.checks < TARGET_CHECKS:
            run.checks += _answers(port, self._evaluated["app.WebTargets"]["HealthCheckPath"])
        return port is None or run.checks >= TARGET_CHECKS

    def _complete(self, seen: Any, service: _Service) -> None:  # noqa: ANN401 - of the emulator
        """Let what is ready stand: in place of what stood, or of tasks that had ended."""
        kept = service.standing if service.steady else []
        self._end(run for run in service.standing if run not in kept)
        service.standing, service.fresh, service.steady = [*kept, *service.fresh], [], True
        seen.deployments = [{**seen.deployments[0], "rolloutState": "COMPLETED"}]

    def _end(self, runs: Iterable[_Run]) -> None:
        for run in runs:
            run.task.stop()


def _answers(port: int, path: str) -> bool:
    """Return whether a target answers as its group asks."""
    connection = HTTPConnection(HERE, port, timeout=TARGET_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200  # noqa: PLR2004 - the group's matcher
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

"""Services: what they run, whether they are steady, and back to what they ran before."""

from collections.abc import Mapping, Sequence

from botocore.exceptions import ClientError

from cti_infra.config import PROJECT
from cti_ops.clock import wait_for
from cti_ops.errors import OpsError, aws_errors, is_missing
from cti_ops.place import Answer, Place

POLL_SECONDS = 10.0
# A web task is given up by its load balancer after five minutes, and stopped in one.
MOST_SECONDS = 1200.0


@aws_errors()
def running_definitions(place: Place) -> dict[str, str]:
    """Return the task definition of each service that is there, none on a first deployment."""
    try:
        answer = place.client("ecs").describe_services(
            cluster=place.cluster, services=list(place.services)
        )
    except ClientError as error:
        if is_missing(error):
            return {}
        raise
    return {
        one["serviceName"]: one["taskDefinition"]
        for one in answer["services"]
        if one["status"] == "ACTIVE"
    }


def obstacle(service: Answer) -> str | None:
    """Return why a service is not steady, None when it is."""
    name, deployments = service["serviceName"], service.get("deployments", [])
    if len(deployments) > 1:
        return f"{name}: {len(deployments)} deployments at once"
    if any(one.get("rolloutState") == "IN_PROGRESS" for one in deployments):
        return f"{name}: its deployment is under way"
    if service["runningCount"] != service["desiredCount"]:
        return f"{name}: {service['runningCount']} of {service['desiredCount']} tasks run"
    return None


def failed(service: Answer) -> str | None:
    """Return why ECS gave a deployment up, None when it did not."""
    for deployment in service.get("deployments", []):
        if deployment.get("rolloutState") == "FAILED":
            why = deployment.get("rolloutStateReason") or "ECS gives no reason"
            return f"{service['serviceName']}: {why}"
    return None


@aws_errors()
def wait_steady(place: Place, services: Sequence[str], most: float = MOST_SECONDS) -> None:
    """Return when services run what they should, and nothing else. Raises OpsError."""
    if not services:
        return
    last: list[str] = []

    def steady() -> bool | None:
        described = place.described(services)
        given_up = [why for why in map(failed, described) if why]
        if given_up:
            raise OpsError("ECS gave up: " + "; ".join(given_up))
        last[:] = [why for why in map(obstacle, described) if why]
        return None if last else True

    try:
        wait_for(place.clock, steady, every=POLL_SECONDS, most=most, late="late")
    except OpsError as error:
        if str(error) != "late":
            raise
        raise OpsError(
            f"not steady after {most / 60:.0f} minutes: {'; '.join(last)}. Why, its events say: "
            f"aws ecs describe-services --cluster {place.cluster} --services {services[0]} "
            "--query 'services[0].events[:10]'"
        ) from error


@aws_errors()
def see_newest(place: Place) -> None:
    """See that services run what was deployed last: ECS goes back by itself, and is steady then.

    Raises OpsError.
    """
    client, put_back = place.client("ecs"), list[str]()
    for name, definition in running_definitions(place).items():
        newest = client.describe_task_definition(taskDefinition=place.named(name))
        if newest["taskDefinition"]["taskDefinitionArn"] != definition:
            put_back.append(f"{name} to {definition.rsplit('/')[-1]}")
    if put_back:
        raise OpsError(
            f"ECS went back by itself, since new tasks did not stay: {', '.join(put_back)}. Why, "
            f"the log groups /aws/ecs/{PROJECT}/… say, and the events of a service: "
            f"aws ecs describe-services --cluster {place.cluster} "
            f"--services {put_back[0].partition(' ')[0]} --query 'services[0].events[:10]'"
        )


@aws_errors()
def restart(place: Place, services: Sequence[str]) -> None:
    """Replace the tasks of services, and wait until the new ones stand. Raises OpsError."""
    there = [one["serviceName"] for one in place.described(services)]
    for name in there:
        place.client("ecs").update_service(
            cluster=place.cluster, service=name, forceNewDeployment=True
        )
        place.say(f"{name}: new tasks")
    wait_steady(place, there)


@aws_errors()
def roll_back(place: Place, before: Mapping[str, str]) -> list[str]:
    """Return what was done to have services run what they ran before. Raises OpsError."""
    if not before:
        return ["there was nothing before: no service was rolled back"]
    now = running_definitions(place)
    changed = [name for name, definition in before.items() if now.get(name) != definition]
    for name in changed:
        place.client("ecs").update_service(
            cluster=place.cluster,
            service=name,
            taskDefinition=before[name],
            forceNewDeployment=True,
        )
    if not changed:
        return ["every service has the task definition of before already"]
    wait_steady(place, changed)
    return [f"{name} is back at {before[name].rsplit('/')[-1]}" for name in changed]

"""What must hold between the parts of the system, and between it and the product.

Each check yields the faults that it finds; linters know nothing of these.
"""

import re
from collections.abc import Iterator
from typing import Any

import product
from contract_models import models
from contract_rollout import turns
from contract_services import SERVICE_CHECKS
from contract_sign_on import sign_on
from model import MISSING, Resource, System, attributes, variables

PROGRAMS = {
    "web": "app.WebTask",
    "worker": "app.WorkerTask",
    "scheduler": "app.SchedulerTask",
    "model-worker": "app.ModelWorkerTask",
}
# A budget of tokens is no token.
SECRETIVE = re.compile(r"PASSWORD|SECRET|TOKEN(?!S$)|KEY$")
HARMLESS = re.compile(r"_FILE$")
MOST_STOP = 120
MASKED = "255.255.255.255/32"


def faults(system: System) -> list[str]:
    """Return every fault, each beginning with the name of its check."""
    return [f"{check.__name__}: {fault}" for check in CHECKS for fault in check(system)]


def imports(system: System) -> Iterator[str]:
    for resource in system.resources.values():
        for value in _texts(resource.properties):
            if MISSING in value:
                yield f"{resource.place} imports what nobody exports: {value}"


def tasks(system: System) -> Iterator[str]:
    for task in system.of("ECS::TaskDefinition"):
        made = task["ContainerDefinitions"]
        if sum(c.get("Memory", 1 << 20) for c in made) > int(task["Memory"]):
            yield f"{task.place}: its containers have more memory than it, or no limit"
        if sum(c.get("Cpu", 1 << 20) for c in made) > int(task["Cpu"]):
            yield f"{task.place}: its containers have more CPU than it, or no limit"
        names = {c["Name"] for c in made}
        for container in made:
            unknown = {d["ContainerName"] for d in container.get("DependsOn", [])} - names
            if unknown:
                yield f"{task.place}: {container['Name']} waits for {unknown}"
            missing = {m["SourceVolume"] for m in container.get("MountPoints", [])} - {
                v["Name"] for v in task.get("Volumes", [])
            }
            if missing:
                yield f"{task.place}: {container['Name']} mounts {missing}"


def containment(system: System) -> Iterator[str]:
    for task, container in system.containers():
        place = f"{task.place}/{container['Name']}"
        linux = container.get("LinuxParameters", {}).get("Capabilities", {})
        if container.get("ReadonlyRootFilesystem") is not True:
            yield f"{place}: its root can be written to"
        if container.get("Privileged"):
            yield f"{place}: is privileged"
        if container["Name"] == "prepare":
            if len(linux.get("Drop", [])) != 13:
                yield f"{place}: keeps more than CHOWN"
        elif linux.get("Drop") != ["ALL"]:
            yield f"{place}: keeps capabilities"
        elif container.get("User") == "0":
            yield f"{place}: is root"


def _programs(system: System) -> dict[str, str]:
    """The programs of the product that are there, by their tasks."""
    return {name: task for name, task in PROGRAMS.items() if task in system}


def stopping(system: System) -> Iterator[str]:
    for name, task in _programs(system).items():
        wanted = product.seconds(product.compose()[product.SERVICES[name]]["stop_grace_period"])
        for container in (name, "nginx") if name == "web" else (name,):
            given = system.container(task, container).get("StopTimeout")
            if given != wanted or given > MOST_STOP:
                yield f"{task}/{container}: {given} s to stop, compose.yaml gives {wanted}"
    targets = attributes(system["app.WebTargets"], "TargetGroupAttributes")
    draining = int(targets["deregistration_delay.timeout_seconds"])
    stop = system.container(PROGRAMS["web"], "web")["StopTimeout"]
    if not product.grace() <= draining < stop:
        yield f"draining takes {draining} s, between what web needs and what it is given"
    if system["app.WebService"]["HealthCheckGracePeriodSeconds"] < 60:
        yield "web is judged before its containers' own start period is over"


def secrets(system: System) -> Iterator[str]:
    for task, container in system.containers():
        place = f"{task.place}/{container['Name']}"
        for name, value in variables(container).items():
            if SECRETIVE.search(name) and not HARMLESS.search(name):
                yield f"{place}: {name} is a plain variable"
            if re.search(r"://[^/@\s]*:[^/@\s]+@|resolve:secretsmanager", value):
                yield f"{place}: {name} holds a secret"
        if container["Name"] != "prepare" and container.get("Secrets"):
            yield f"{place}: is given secrets"
    for task in system.of("ECS::TaskDefinition"):
        given = {
            re.sub(r":password::$", "", secret["ValueFrom"])
            for container in task["ContainerDefinitions"]
            for secret in container.get("Secrets", [])
        }
        role = system[task["ExecutionRoleArn"].removesuffix(".Arn")]
        if given != _allowed(role, "secretsmanager:GetSecretValue"):
            yield f"{task.place}: may not read what it is given, or more: {given}"
    redis = system["data.Redis"]
    if not str(redis.get("AuthToken", "")).startswith("{{resolve:secretsmanager:"):
        yield "the password of Redis is in a template"


def settings(system: System) -> Iterator[str]:
    known = product.settings()
    for task, container in system.containers():
        if "User" not in container or container["Name"] in {"prepare", "nginx"}:
            continue
        if container["User"] != "10001:10001":
            continue
        unknown = set(variables(container)) - known
        if unknown:
            yield f"{task.place}/{container['Name']}: the product knows no {unknown}"
        if variables(container)["CTISCRAPER_ENVIRONMENT"] != system.environment:
            yield f"{task.place}: says that it is another environment"
        if "sslmode=verify-full&sslrootcert=/secrets/" not in variables(container)["DATABASE_URL"]:
            yield f"{task.place}: takes any certificate of the database"
        if variables(container).get("CTISCRAPER_LOG_LEVEL") != "info":
            yield f"{task.place}: does not log what is counted in its lines"
        if not variables(container).get("REDIS_URL", "rediss://").startswith("rediss://"):
            yield f"{task.place}: speaks to Redis in the clear"
    door = set(variables(system.container("app.WebTask", "nginx"))) - product.nginx_variables()
    if door:
        yield f"the front door knows no {door}"


def _without_way_in(command: list[str]) -> list[str]:
    left = list(command)
    for option in ("--host", "--behind-proxy"):
        if option in left:
            at = left.index(option)
            del left[at : at + 2]
    return left


def commands(system: System) -> Iterator[str]:
    for name, task in _programs(system).items():
        wanted = product.compose()[product.SERVICES[name]]
        made = system.container(task, name)
        # Who stands before the pages, and where, is what each place has of its own.
        if _without_way_in(made["Command"]) != _without_way_in(wanted["command"]):
            yield f"{task}: {made['Command']} is not the command of compose.yaml"
        if made.get("HealthCheck", {}).get("Command") != wanted["healthcheck"]["test"]:
            yield f"{task}: its health check is not that of compose.yaml"
    door = system.container("app.WebTask", "nginx")["HealthCheck"]["Command"]
    if door != product.compose()["nginx"]["healthcheck"]["test"]:
        yield "the front door's health check is not that of compose.yaml"
    migrate = system.container("release.Migrate", "migrate")
    if migrate["Command"] != product.compose()["migrate"]["command"]:
        yield "the migration is not that of compose.yaml"
    after = {d["ContainerName"]: d["Condition"] for d in _depends(system, "roles")}
    if after.get("migrate") != "SUCCESS":
        yield "roles are made before the schema is there"


def ports(system: System) -> Iterator[str]:
    (target,) = system["app.WebService"]["LoadBalancers"]
    task = system[system["app.WebService"]["TaskDefinition"]]
    found = [c for c in task["ContainerDefinitions"] if c["Name"] == target["ContainerName"]]
    mapped = {p["ContainerPort"] for c in found for p in c.get("PortMappings", [])}
    port = target["ContainerPort"]
    if port not in mapped:
        yield f"the load balancer sends to {target['ContainerName']}:{port}, which is not there"
    door = variables(system.container("app.WebTask", "nginx"))
    if door["NGINX_LISTEN"] != str(port) or system["app.WebTargets"]["Port"] != port:
        yield "the front door listens on another port than the targets have"
    command = system.container("app.WebTask", "web")["Command"]
    if door["NGINX_UPSTREAM"] != f"127.0.0.1:{command[command.index('--port') + 1]}":
        yield "the front door asks another port than web has"
    public = {s["CidrBlock"] for s in system.of("EC2::Subnet") if s.name.startswith("Public")}
    if set(door["NGINX_TRUSTED_PROXIES"].split(",")) != public:
        yield "the front door believes others than the load balancer"
    if system["app.WebTargets"]["HealthCheckPath"] not in product.paths():
        yield "the product has no such health path"
    if system["app.WebTargets"].get("Matcher") != {"HttpCode": "200"}:
        yield "any answer is health"
    balancer = attributes(system["app.LoadBalancer"], "LoadBalancerAttributes")
    if int(balancer["idle_timeout.timeout_seconds"]) >= product.keepalive():
        yield "Nginx hangs up before the load balancer"


def groups(system: System) -> Iterator[str]:
    wanted = {
        ("Alb", 80, "0.0.0.0/0"),
        ("Alb", 443, "0.0.0.0/0"),
        ("Web", 8080, "Alb"),
        ("Rds", 5432, "Web"),
        ("Rds", 5432, "Worker"),
        ("Redis", 6379, "Web"),
        ("Redis", 6379, "Worker"),
    }
    if "network.OllamaSecurityGroup" in system:
        wanted |= {("Ollama", 11434, "Web"), ("Ollama", 11434, "Worker")}
    if "network.EndpointsSecurityGroup" in system:
        clients = {client for _, _, client in wanted if not client.startswith("0")} - {"Alb"}
        clients |= {"Ollama"} & {group for group, _, _ in wanted}
        wanted |= {("Endpoints", 443, client) for client in clients}
    rules = system.of("EC2::SecurityGroupIngress")
    found = {
        (_group(r["GroupId"]), r["FromPort"], r.get("CidrIp") or _group(r["SourceSecurityGroupId"]))
        for r in rules
    }
    if found != wanted or any(r["FromPort"] != r["ToPort"] for r in rules):
        yield f"others may come in: {sorted(found ^ wanted)}"
    for group in system.of("EC2::SecurityGroup"):
        closed = [rule.get("CidrIp") for rule in group.get("SecurityGroupEgress", [])]
        if closed != [MASKED] or group.get("SecurityGroupIngress"):
            yield f"{group.place}: lets out everything, or in"
    outward = {
        (_group(r["GroupId"]), r["FromPort"])
        for r in system.of("EC2::SecurityGroupEgress")
        if r.get("CidrIp")
    }
    if "app.SignOnRule" in system:
        outward.discard(("Alb", 443))
    allowed = {("Web", 80), ("Web", 443), ("Worker", 80), ("Worker", 443), ("Ollama", 443)}
    if not outward <= allowed:
        yield f"others may go out: {outward - allowed}"


def network(system: System) -> Iterator[str]:
    for route in system.of("EC2::Route"):
        if route["RouteTableId"] == "network.DatabaseRouteTable":
            yield "the database subnets have a way out"
        if "Private" in route["RouteTableId"] and "NatGatewayId" not in route.properties:
            yield f"{route.place}: private subnets are not behind a NAT gateway"
    for subnet in system.of("EC2::Subnet"):
        if subnet.get("MapPublicIpOnLaunch"):
            yield f"{subnet.place}: gives public addresses"
    for service in system.of("ECS::Service"):
        placed = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        if placed["AssignPublicIp"] != "DISABLED" or not all(
            subnet.startswith("network.Private") for subnet in placed["Subnets"]
        ):
            yield f"{service.place}: is not in private subnets"


def _group(place: str) -> str:
    return place.split(".")[1].removesuffix("SecurityGroup")


def _depends(system: System, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = system.container("release.Migrate", name).get("DependsOn", [])
    return found


def _allowed(role: Resource, action: str) -> set[str]:
    return {
        resource
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if action in statement["Action"]
        for resource in statement["Resource"]
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


CHECKS = (
    imports,
    tasks,
    containment,
    stopping,
    secrets,
    settings,
    commands,
    ports,
    groups,
    network,
    models,
    sign_on,
    turns,
    *SERVICE_CHECKS,
)

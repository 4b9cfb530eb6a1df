"""An installation in a moto server on loopback, and who does there what ECS and RDS do."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ecs.models import ecs_backends
from moto.elasticache.models import elasticache_backends
from moto.rds.models import rds_backends

from cti_infra.config import PROD, Environment
from cti_ops.errors import OpsError
from cti_ops.place import Answer, Place
from model import RENDERED

REGION = "us-east-1"
TAG = "0123456789ab"
OWNER_PASSWORD = "owner-password-of-today"
SECRETS = ("web-database", "worker-database", "redis", "first-administrator")
Values = Mapping[str, Mapping[str, str]]


@dataclass(slots=True)
class VirtualClock:
    """Time that passes when it is waited for; others act as it does."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    slept: float = 0
    acts: list[Callable[[], None]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.at += timedelta(seconds=seconds)
        for act in list(self.acts):
            act()


@dataclass(slots=True)
class Agent:
    """Does what the agent of ECS does: tasks end as it is told, services get their tasks."""

    place: Place
    # Exit codes by the family of a task and the name of a container; others end with 0.
    codes: dict[tuple[str, str], int | None] = field(default_factory=dict)
    # Lines by family and container.
    lines: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    # Services that never become steady, or that ECS gives up.
    stuck: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    # Task definitions with which a service gets no tasks.
    bad: set[str] = field(default_factory=set)
    ran: list[Answer] = field(default_factory=list)
    definitions: list[Answer] = field(default_factory=list)

    @property
    def backend(self) -> Any:
        return ecs_backends[ACCOUNT][REGION]

    def act(self) -> None:
        for task in list(self.backend.tasks.get(self.place.cluster, {}).values()):
            if task.desired_status != "STOPPED":
                self._end(task)
        for service in self.backend.services.values():
            self._settle(service)

    def _end(self, task: Any) -> None:
        definition = self.place.client("ecs").describe_task_definition(
            taskDefinition=task.task_definition_arn
        )["taskDefinition"]
        family = definition["family"].removeprefix(self.place.named(""))
        self.definitions.append(definition)
        self.ran.append({"family": family, "overrides": task.overrides})
        failed = False
        containers = []
        for container in definition["containerDefinitions"]:
            name = container["name"]
            code = None if failed else self.codes.get((family, name), 0)
            failed = failed or code != 0
            containers.append(Ran(name, code))
            self._write(container, task, self.lines.get((family, name), []))
        task.containers = containers
        task.desired_status = "STOPPED"
        task.last_status = "STOPPED"
        task.stopped_reason = "Essential container in task exited"

    def _write(self, container: Answer, task: Any, lines: Sequence[str]) -> None:
        options = container["logConfiguration"]["options"]
        stream = (
            f"{options['awslogs-stream-prefix']}/{container['name']}/{task.task_arn.split('/')[-1]}"
        )
        logs, group = self.place.client("logs"), options["awslogs-group"]
        if not lines:
            return
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        at = int(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": at, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def begin(self, name: str) -> None:
        """Begin what ECS begins when a service is changed, which the server leaves out."""
        for service in self.backend.services.values():
            if service.name == name:
                service.deployments[0]["rolloutState"] = "IN_PROGRESS"

    def _settle(self, service: Any) -> None:
        if service.name in self.stuck or service.task_definition in self.bad:
            return
        state = "FAILED" if service.name in self.given_up else "COMPLETED"
        service.running_count = service.desired_count
        service.pending_count = 0
        service.deployments = service.deployments[:1]
        service.deployments[0]["rolloutState"] = state
        service.deployments[0]["rolloutStateReason"] = "tasks failed to start"


@dataclass(slots=True)
class Ran:
    """A container of a task that has ended."""

    name: str
    exitCode: int | None  # noqa: N815 - as the server spells it
    last_status: str = "STOPPED"


@dataclass(slots=True)
class Installation:
    """What is deployed, and who acts in it."""

    place: Place
    clock: VirtualClock
    agent: Agent
    said: list[str]
    asked: list[tuple[str, Answer]]
    # Undone at the end: clients are shared by tests, since each takes long to make.
    hooks: list[tuple[str, str, Any]] = field(default_factory=list)

    def sent(self, action: str) -> list[Answer]:
        """What was asked of AWS by an action."""
        return [what for name, what in self.asked if name == action]

    def watch(self, service: str, *actions: str) -> None:
        """Note what is asked by actions of a service."""
        for action in actions:
            self.hook(
                service,
                f"provide-client-params.{service}.{action}",
                lambda params, action=action, **_: self.asked.append((action, dict(params))),
            )

    def hook(self, service: str, event: str, act: Any) -> None:
        """Have something done at an event of a client."""
        self.place.client(service).meta.events.register_first(event, act)
        self.hooks.append((service, event, act))

    def unhook(self) -> None:
        """Let clients do as they do by themselves."""
        for service, event, act in self.hooks:
            self.place.client(service).meta.events.unregister(event, act)

    def change(self, service: str, action: str, change: Callable[[Answer], None]) -> None:
        """Change what AWS answers to an action."""
        self.hook(service, f"after-call.{service}.{action}", lambda parsed, **_: change(parsed))

    def fail(self, service: str, action: str, code: str, *, after: int = 0) -> None:
        """Have AWS answer an action with an error, after it was asked so often."""
        left = [after]

        def answer(**_: object) -> Any:
            if left[0] > 0:
                left[0] -= 1
                return None
            raise self.place.client(service).exceptions.ClientError(
                {"Error": {"Code": code, "Message": "injected"}}, action
            )

        self.hook(service, f"before-call.{service}.{action}", answer)

    def value(self, name: str, stage: str = "AWSCURRENT") -> str:
        """A secret's value."""
        found = self.place.client("secretsmanager").get_secret_value(
            SecretId=self.place.secret(name), VersionStage=stage
        )
        return str(found["SecretString"])

    def service(self, name: str) -> Answer:
        """What ECS says of a service."""
        return self.place.described([name])[0]


def make_network(place: Place) -> dict[str, str]:
    """Make the network, and return its ids."""
    ec2 = place.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=str(place.environment.addresses.vpc))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    _name(ec2, vpc, place.named("vpc"))
    here = place.environment.addresses
    ids = {"vpc": vpc}
    for kind in ("private", "database"):
        for number, block in enumerate(getattr(here, kind), 1):
            subnet = ec2.create_subnet(
                VpcId=vpc, CidrBlock=str(block), AvailabilityZone=f"{REGION}{'ab'[number - 1]}"
            )["Subnet"]["SubnetId"]
            ids[f"{kind}-{number}"] = subnet
            _name(ec2, subnet, place.named(f"{kind}-{number}"))
    for group in ("worker-sg", "rds-sg"):
        ids[group] = ec2.create_security_group(
            GroupName=place.named(group), Description=group, VpcId=vpc
        )["GroupId"]
    return ids


def _name(ec2: Any, resource: str, name: str) -> None:
    ec2.create_tags(Resources=[resource], Tags=[{"Key": "Name", "Value": name}])


def make_secrets(place: Place) -> None:
    """Make the secrets of the stack Data."""
    client = place.client("secretsmanager")
    for name in SECRETS:
        value = {"username": f"user-of-{name}", "password": f"old-{name}-password"}
        client.create_secret(Name=place.secret(name), SecretString=json.dumps(value))
    client.create_secret(Name=place.secret("installation-key"), SecretString="k" * 32)


def make_databases(place: Place, ids: Mapping[str, str]) -> None:
    """Make PostgreSQL with a snapshot, and Redis."""
    rds = place.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="places",
        DBSubnetGroupDescription="places",
        SubnetIds=[ids["database-1"], ids["database-2"]],
    )
    rds.create_db_parameter_group(
        DBParameterGroupName="tls", DBParameterGroupFamily="postgres15", Description="tls"
    )
    name = place.named("database")
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.medium",
        AllocatedStorage=100,
        MasterUsername="ctiscraper",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="places",
        DBParameterGroupName="tls",
        VpcSecurityGroupIds=[ids["rds-sg"]],
    )
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier="before-the-drill")
    redis = place.client("elasticache")
    redis.create_replication_group(
        ReplicationGroupId=place.named("redis"),
        ReplicationGroupDescription="the bell",
        Engine="redis",
        CacheNodeType="cache.t3.micro",
        TransitEncryptionEnabled=True,
        AuthToken="old-redis-password",
    )


def make_release(place: Place, image: str = "worker:old") -> None:
    """Make the cluster and the tasks of the schema's owner, as the rendered template has them."""
    ecs = place.client("ecs")
    ecs.create_cluster(clusterName=place.cluster)
    template = json.loads((RENDERED / place.environment.name / "release.json").read_text("utf-8"))
    for name in ("Migrate", "Admin"):
        made = template["Resources"][name]["Properties"]
        ecs.register_task_definition(**_request(place, made, image))
    group = "/aws/ecs/cti-scraper/release"
    place.client("logs").create_log_group(logGroupName=group)


def _request(place: Place, made: Answer, image: str) -> Answer:
    """Return a task definition of a template as ECS is asked for it."""

    def lower(value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            if any(key == "Ref" or key.startswith("Fn::") for key in value):
                return _resolved(place, value, name, image)
            free = name == "options"
            return {
                (key if free else key[:1].lower() + key[1:]): lower(
                    one, key if free else key[:1].lower() + key[1:]
                )
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [lower(one, name) for one in value]
        return value

    request: Answer = lower({k: v for k, v in made.items() if k != "Tags"})
    return request


def _resolved(place: Place, value: Mapping[str, Any], name: str, image: str) -> str:
    told = json.dumps(value)
    if name == "image":
        return image
    if name == "awslogs-group":
        return "/aws/ecs/cti-scraper/release"
    if name == "valueFrom":
        secret = next(
            (one for one in SECRETS if one.title().replace("-", "") + "Secret" in told), "owner"
        )
        field_ = "" if secret == "first-administrator" else ":password::"
        return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{place.secret(secret)}{field_}"
    if name == "value" and "Fn::Join" in value:
        parts = value["Fn::Join"][1]
        host = "database.example" if "DatabaseEndpoint" in told else "of-aws.example"
        return "".join(one if isinstance(one, str) else host for one in parts)
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def make_services(place: Place, image: str, names: Sequence[str] = ()) -> None:
    """Make the services, or have them run a newer image."""
    ecs = place.client("ecs")
    for name in names or place.services:
        size = getattr(place.environment, name.replace("-", "_"))
        definition = ecs.register_task_definition(
            family=place.named(name),
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": name, "image": image, "memory": 128, "cpu": 64}],
        )["taskDefinition"]["taskDefinitionArn"]
        there = ecs.describe_services(cluster=place.cluster, services=[name])["services"]
        if there:
            ecs.update_service(cluster=place.cluster, service=name, taskDefinition=definition)
            continue
        ecs.create_service(
            cluster=place.cluster,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=size.minimum,
        )
        if name != "scheduler":
            place.client("application-autoscaling").register_scalable_target(
                ServiceNamespace="ecs",
                ResourceId=f"service/{place.cluster}/{name}",
                ScalableDimension="ecs:service:DesiredCount",
                MinCapacity=size.minimum,
                MaxCapacity=size.maximum,
            )


@dataclass(slots=True)
class MotoStacks:
    """Deploys what tests need of the stacks by the calls that make it."""

    place: Place
    deployed: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    fails: str | None = None
    address: str = "127.0.0.1"

    def deploy(self, stacks: Sequence[str], parameters: Values) -> Values:
        outputs: dict[str, Mapping[str, str]] = {}
        for stack in stacks:
            given = parameters.get(stack, {})
            self.deployed.append((stack, given))
            if stack == self.fails:
                raise OpsError(f"{stack} could not be deployed")
            outputs[stack] = {}
            if stack == self.place.named("app"):
                make_services(self.place, f"product:{given['ImageTag']}")
                outputs[stack] = {"Address": self.address}
        return outputs


def renew_owner(place: Place) -> None:
    """Renew the owner's password, as RDS does when it is asked to."""
    arn = place.client("rds").describe_db_instances(DBInstanceIdentifier=place.named("database"))[
        "DBInstances"
    ][0]["MasterUserSecret"]["SecretArn"]
    value = json.dumps({"username": "ctiscraper", "password": OWNER_PASSWORD})
    place.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=value)


def set_database(name: str, **values: object) -> None:
    """Have a database be in a state, as RDS would."""
    database = rds_backends[ACCOUNT][REGION].databases[name]
    for key, value in values.items():
        setattr(database, key, value)


def set_redis(place: Place, state: str) -> None:
    """Have Redis be in a state, as ElastiCache would."""
    groups = elasticache_backends[ACCOUNT][REGION].replication_groups
    groups[place.named("redis")].status = state


@contextmanager
def installation(
    url: str, clients: dict[tuple[str, str], Any], environment: Environment = PROD
) -> Iterator[Installation]:
    """Yield a whole installation."""
    clock, said = VirtualClock(), list[str]()
    place = Place(
        environment=environment, say=said.append, endpoint_url=url, clock=clock, clients=clients
    )
    ids = make_network(place)
    make_secrets(place)
    make_databases(place, ids)
    make_release(place)
    make_services(place, "product:old")
    agent = Agent(place)
    agent.act()
    clock.acts.append(agent.act)
    made = Installation(place, clock, agent, said, [])
    made.change("ecs", "UpdateService", lambda a: agent.begin(a["service"]["serviceName"]))
    try:
        yield made
    finally:
        made.unhook()

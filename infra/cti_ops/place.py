"""An environment on AWS: its names, and clients for its region."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from cti_infra.config import PROJECT, Environment
from cti_ops.clock import Clock, SystemClock
from cti_ops.errors import Exit, OpsError

# A client of boto3 has the methods of its service, which are made when it is.
Client = Any
Answer = dict[str, Any]
# There only where a model is named (infra/cti_infra/models.py).
ONLY_WITH_MODEL = "model-worker"
# The program is named first in each line of its log; see infra/cti_infra/release.py.
RELEASE_LOG = f"/aws/ecs/{PROJECT}/release"
# Asks again what did not get through, as AWS advises, and never waits for ever.
_SETTINGS = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=60
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command does its work, and how it speaks and waits."""

    environment: Environment
    say: Callable[[str], None]
    endpoint_url: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    clients: dict[tuple[str, str], Client] = field(default_factory=dict)

    def client(self, service: str, region: str | None = None) -> Client:
        """Return the client of a service in this region or another."""
        key = (service, region or self.environment.region)
        if key not in self.clients:
            self.clients[key] = boto3.client(
                service, region_name=key[1], endpoint_url=self.endpoint_url, config=_SETTINGS
            )
        return self.clients[key]

    def named(self, name: str) -> str:
        """Return a name of this environment, as the templates make them."""
        return f"{PROJECT}-{self.environment.name}-{name}"

    def secret(self, name: str) -> str:
        """Return the name of a secret."""
        return f"{PROJECT}/{self.environment.name}/{name}"

    @property
    def cluster(self) -> str:
        """The cluster of all tasks."""
        return self.named("cluster")

    @property
    def services(self) -> tuple[str, ...]:
        """The services that the environment may have."""
        own = ["ollama"] if self.environment.ollama else []
        return ("web", "worker", "scheduler", ONLY_WITH_MODEL, *own)

    def account(self) -> str:
        """Return the account of the credentials."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def bucket(self) -> str:
        """Return the bucket of application data."""
        return f"{PROJECT}-data-{self.environment.name}-{self.account()}"

    def described(self, services: Sequence[str] = ()) -> list[Answer]:
        """Return what ECS says of services; that which asks models may be missing.

        Raises OpsError when another is not there.
        """
        wanted = list(services or self.services)
        answer = self.client("ecs").describe_services(cluster=self.cluster, services=wanted)
        found = {one["serviceName"]: one for one in answer["services"] if one["status"] == "ACTIVE"}
        missing = [name for name in wanted if name not in found and name != ONLY_WITH_MODEL]
        if missing:
            raise OpsError(
                f"{self.cluster} has no service {', '.join(missing)}: deploy first, or name "
                "another environment",
                Exit.NOT_FOUND,
            )
        return [found[name] for name in wanted if name in found]

    def network(self) -> Answer:
        """Return where tasks run: private subnets, with the security group of workers."""
        ec2 = self.client("ec2")
        names = [self.named(f"private-{number}") for number in (1, 2)]
        subnets = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": names}])["Subnets"]
        group = self.named("worker-sg")
        groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [group]}])[
            "SecurityGroups"
        ]
        if not subnets or len(groups) != 1:
            raise OpsError(
                f"{len(subnets)} subnets {names[0]} … and {len(groups)} groups {group} were found "
                f"in {self.environment.region}: deploy {self.named('network')} first",
                Exit.NOT_FOUND,
            )
        return {
            "awsvpcConfiguration": {
                "subnets": sorted(subnet["SubnetId"] for subnet in subnets),
                "securityGroups": [groups[0]["GroupId"]],
                "assignPublicIp": "DISABLED",
            }
        }

"""The environments: what each is made of. What an operator brings is in `deployment`."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from cti_infra.errors import SettingsError

PROJECT = "cti-scraper"
ZONES = 2
# RDS keeps automatic backups for so long at most.
MOST_BACKUP_DAYS = 35
REGIONS = ("us-east-1", "us-west-2")
# What tasks ask of AWS all the time, beside S3.
ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "monitoring", "secretsmanager", "xray")
# What a task of Fargate may have: memory in MiB for each CPU, in its units.
FARGATE = {
    256: range(512, 2049, 512),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The networks of an environment, a subnet of each kind in each zone."""

    vpc: IPv4Network
    public: tuple[IPv4Network, IPv4Network]
    private: tuple[IPv4Network, IPv4Network]
    database: tuple[IPv4Network, IPv4Network]
    nat_gateways: int

    @property
    def subnets(self) -> tuple[IPv4Network, ...]:
        """Every subnet."""
        return self.public + self.private + self.database


def addresses(second: int, *, nat_gateways: int) -> Addresses:
    """Return the networks below 10.`second`.0.0/16 as the plan divides them."""

    def pair(first: int) -> tuple[IPv4Network, IPv4Network]:
        here = (IPv4Network(f"10.{second}.{third}.0/24") for third in (first, first + 1))
        return next(here), next(here)

    return Addresses(
        vpc=IPv4Network(f"10.{second}.0.0/16"),
        public=pair(1),
        private=pair(11),
        database=pair(21),
        nat_gateways=nat_gateways,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The size of a task in CPU units and MiB, and how many there are."""

    cpu: int
    memory: int
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The PostgreSQL of an environment; storage in GiB."""

    instance_class: str
    storage: int
    most_storage: int
    multi_az: bool
    backup_days: int
    protected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The Redis of an environment."""

    node_type: str
    nodes: int
    snapshot_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One deployment of the whole system, in an account of its own."""

    name: str
    region: str
    recovery_region: str | None
    addresses: Addresses
    web: Service
    worker: Service
    scheduler: Service
    # There only where a model is named, which may be at a server elsewhere.
    model_worker: Service
    ollama: Service | None
    database: Database
    cache: Cache
    log_days: int
    # CloudTrail, Config, GuardDuty and Security Hub; off where an organisation has them already.
    compliance: bool
    monthly_budget: int
    # Doors to the services in ENDPOINTS within the network; without them a NAT gateway is the way.
    interface_endpoints: bool = False
    # A new web stands beside the old one before it is asked; else its tasks are replaced in turn.
    blue_green: bool = False

    @property
    def production(self) -> bool:
        """Whether the plan's least figures bind it."""
        return self.name == "prod"


_WEB = Service(cpu=1024, memory=2048, minimum=2, maximum=10)
_WORKER = Service(cpu=1024, memory=2048, minimum=2, maximum=5)
_SCHEDULER = Service(cpu=512, memory=1024, minimum=1, maximum=1)
# It waits for answers; a second one is for texts that wait.
_MODEL_WORKER = Service(cpu=256, memory=1024, minimum=1, maximum=2)
_OLLAMA = Service(cpu=4096, memory=16384, minimum=1, maximum=2)
_DATABASE = Database(
    instance_class="db.t3.medium",
    storage=100,
    most_storage=500,
    multi_az=True,
    backup_days=7,
    protected=True,
)

PROD = Environment(
    name="prod",
    region="us-east-1",
    recovery_region="us-west-2",
    addresses=addresses(0, nat_gateways=2),
    web=_WEB,
    worker=_WORKER,
    scheduler=_SCHEDULER,
    model_worker=_MODEL_WORKER,
    ollama=_OLLAMA,
    database=_DATABASE,
    cache=Cache(node_type="cache.t3.micro", nodes=1, snapshot_days=7),
    log_days=90,
    compliance=True,
    monthly_budget=880,
)

# What production is, but that one zone may fail.
STAGING = Environment(
    name="staging",
    region="us-east-1",
    recovery_region="us-west-2",
    addresses=addresses(1, nat_gateways=1),
    web=_WEB,
    worker=_WORKER,
    scheduler=_SCHEDULER,
    model_worker=_MODEL_WORKER,
    ollama=None,
    database=Database(
        instance_class="db.t3.medium",
        storage=100,
        most_storage=200,
        multi_az=False,
        backup_days=7,
        protected=True,
    ),
    cache=Cache(node_type="cache.t3.micro", nodes=1, snapshot_days=1),
    log_days=30,
    compliance=False,
    monthly_budget=500,
)

DEV = Environment(
    name="dev",
    region="us-east-1",
    recovery_region=None,
    addresses=addresses(2, nat_gateways=1),
    web=Service(cpu=512, memory=1024, minimum=1, maximum=2),
    worker=Service(cpu=512, memory=1024, minimum=1, maximum=2),
    scheduler=Service(cpu=256, memory=1024, minimum=1, maximum=1),
    model_worker=Service(cpu=256, memory=1024, minimum=1, maximum=1),
    ollama=None,
    database=Database(
        instance_class="db.t3.small",
        storage=20,
        most_storage=50,
        multi_az=False,
        backup_days=1,
        protected=False,
    ),
    cache=Cache(node_type="cache.t3.micro", nodes=1, snapshot_days=1),
    log_days=7,
    compliance=False,
    # The plan's 215 is its least cost, so that it would ring in every month.
    monthly_budget=275,
)

ENVIRONMENTS = {environment.name: environment for environment in (DEV, STAGING, PROD)}


def environment_of(name: str) -> Environment:
    """Return an environment by its name. Raises SettingsError."""
    if name not in ENVIRONMENTS:
        known = ", ".join(ENVIRONMENTS)
        raise SettingsError(f"environment {name!r}", [f"it is none of {known}: name one of them"])
    return checked(ENVIRONMENTS[name])


def checked(environment: Environment) -> Environment:
    """Return the environment. Raises SettingsError with every fault."""
    faults = [*_places(environment), *_networks(environment), *_sizes(environment)]
    if environment.production:
        faults += _below_the_plan(environment)
    if faults:
        raise SettingsError(f"environment {environment.name!r}", faults)
    return environment


def _places(environment: Environment) -> Iterator[str]:
    for field in ("region", "recovery_region"):
        region = getattr(environment, field)
        if region is not None and region not in REGIONS:
            yield (
                f"{field}: {region!r} is none of {', '.join(REGIONS)}; to add one, put the "
                "authorities of its databases into cti_infra/authorities and name it in REGIONS"
            )
    if environment.region == environment.recovery_region:
        yield f"recovery_region: {environment.region} is the region itself; choose another"


def _networks(environment: Environment) -> Iterator[str]:
    here = environment.addresses
    if not here.vpc.is_private:
        yield f"addresses: {here.vpc} is public; take one of 10.0.0.0/8"
    for subnet in here.subnets:
        if not subnet.subnet_of(here.vpc):
            yield f"addresses: subnet {subnet} is outside {here.vpc}; move it into that network"
    for one, other in combinations(here.subnets, 2):
        if one.overlaps(other):
            yield f"addresses: subnets {one} and {other} overlap; give each a range of its own"
    for other_one in ENVIRONMENTS.values():
        if other_one.name != environment.name and other_one.addresses.vpc.overlaps(here.vpc):
            yield (
                f"addresses: {here.vpc} overlaps {other_one.addresses.vpc} of {other_one.name}; "
                "environments that overlap can never be peered, so take a free 10.x.0.0/16"
            )
    if here.nat_gateways not in {1, ZONES}:
        yield f"nat_gateways: {here.nat_gateways}; one for all zones, or 2 for one in each"


def _sizes(environment: Environment) -> Iterator[str]:
    for name in ("web", "worker", "scheduler", "model_worker", "ollama"):
        service: Service | None = getattr(environment, name)
        if service is None:
            continue
        if service.memory not in FARGATE.get(service.cpu, ()):
            yield (
                f"{name}: Fargate has no task of {service.cpu} CPU units and {service.memory} MiB; "
                "see FARGATE for those it has"
            )
        if not 1 <= service.minimum <= service.maximum:
            yield f"{name}: from {service.minimum} to {service.maximum} tasks; 1 to more are needed"
    if environment.scheduler.maximum != 1:
        yield "scheduler: more than one at a time; set minimum and maximum to 1"
    database = environment.database
    if not 1 <= database.backup_days <= MOST_BACKUP_DAYS:
        yield f"database: backups for {database.backup_days} days; RDS keeps them for 1 to 35"
    # RDS refuses less room to grow than a tenth.
    if database.most_storage < database.storage * 1.1:
        yield "database: most_storage is not 10 % above storage, so it cannot grow; raise it"
    if environment.cache.nodes < 1:
        yield "cache: no node; set nodes to 1 at least"
    if environment.monthly_budget < 1:
        yield "monthly_budget: nothing may be spent; give the dollars of a month"


def _below_the_plan(environment: Environment) -> list[str]:
    """Return what of production is less than the plan states."""
    database, cache = environment.database, environment.cache
    least = {
        "addresses: two NAT gateways": environment.addresses.nat_gateways == ZONES,
        "database: Multi-AZ": database.multi_az,
        "database: 100 GB": database.storage >= _DATABASE.storage,
        "database: backups for 7 days": database.backup_days >= _DATABASE.backup_days,
        "database: protection from deletion": database.protected,
        "database: db.t3.medium or larger": not database.instance_class.endswith(
            (".micro", ".small", ".nano")
        ),
        "cache: daily snapshots": cache.snapshot_days >= 1,
        "recovery_region: a region for copies": environment.recovery_region is not None,
        "web: 2 to 10 tasks": _at_least(environment.web, _WEB),
        "worker: 2 to 5 tasks": _at_least(environment.worker, _WORKER),
        "scheduler: 0.5 vCPU and 1 GB": _at_least(environment.scheduler, _SCHEDULER),
        "ollama: 4 vCPU and 16 GB": environment.ollama is None
        or _at_least(environment.ollama, _OLLAMA),
    }
    return [
        f"{line} is what the plan asks of production; raise it to that"
        for line, held in least.items()
        if not held
    ]


def _at_least(service: Service, least: Service) -> bool:
    return (
        service.cpu >= least.cpu
        and service.memory >= least.memory
        and service.minimum >= least.minimum
        and service.maximum >= least.maximum
    )

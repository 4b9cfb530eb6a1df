"""The alarms: what each watches, how grave it is, and the page that says what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from cti_infra.config import Environment, Service
from cti_infra.models import WORKER
from cti_infra.services import INSIGHTS_NAMESPACE
from cti_infra.task_roles import METRICS_NAMESPACE

MINUTE = 60
GIB = 1024**3
ECS, RDS, REDIS, ALB, WAF = (
    "AWS/ECS",
    "AWS/RDS",
    "AWS/ElastiCache",
    "AWS/ApplicationELB",
    "AWS/WAFV2",
)
LOGS = "CTIScraper/Logs"
# What PostgreSQL lets in by default: its memory by 9,531,392 bytes; a tenth is for others.
CONNECTIONS = {"db.t3.small": 180, "db.t3.medium": 380, "db.t3.large": 780}
ANY_CONNECTIONS = 380


class Severity(StrEnum):
    """Who is told: critical wakes somebody, warning is for the day, information for the record."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Missing(StrEnum):
    """What it means that there are no figures."""

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, and how its figures are put together."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str = "Average"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm; `above` is the highest figure that is well, `below` the lowest."""

    name: str
    severity: Severity
    runbook: str
    says: str
    metrics: Mapping[str, Metric]
    # Of the names of several metrics; one alone needs none.
    expression: str | None = None
    above: float | None = None
    below: float | None = None
    minutes: int = 5
    period: int = MINUTE
    missing: Missing = Missing.NOT_BREACHING
    # Of what is there only where a model is named.
    of_models: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the alarms are about, as CloudWatch knows it."""

    environment: Environment
    cluster: str
    database: str
    redis: str
    load_balancer: str
    # The groups of targets: requests go to one of them, of which deployments make the other.
    targets: Mapping[str, str]
    firewall: str

    def product(self, name: str, statistic: str = "Average") -> Metric:
        """Return a metric that the product publishes of the whole."""
        return Metric(
            namespace=METRICS_NAMESPACE,
            name=name,
            dimensions={"Environment": self.environment.name},
            statistic=statistic,
        )

    def service(self, name: str, metric: str) -> Metric:
        """Return a metric of a service of ECS."""
        return Metric(
            namespace=ECS,
            name=metric,
            dimensions={"ClusterName": self.cluster, "ServiceName": name},
        )

    def tasks(self, name: str) -> Metric:
        """Return how many tasks of a service run."""
        return Metric(
            namespace=INSIGHTS_NAMESPACE,
            name="RunningTaskCount",
            dimensions={"ClusterName": self.cluster, "ServiceName": name},
        )

    def rds(self, name: str, statistic: str = "Average") -> Metric:
        """Return a metric of the database."""
        return Metric(
            namespace=RDS,
            name=name,
            dimensions={"DBInstanceIdentifier": self.database},
            statistic=statistic,
        )

    def cache(self, name: str, statistic: str = "Average") -> Metric:
        """Return a metric of the first node of Redis."""
        return Metric(
            namespace=REDIS,
            name=name,
            dimensions={"CacheClusterId": f"{self.redis}-001"},
            statistic=statistic,
        )

    def edge(self, name: str, statistic: str, *, group: str | None = None) -> Metric:
        """Return a metric of the load balancer, or of one of its groups of targets."""
        dimensions = {"LoadBalancer": self.load_balancer}
        if group:
            dimensions["TargetGroup"] = group
        return Metric(namespace=ALB, name=name, dimensions=dimensions, statistic=statistic)

    def healthy(self) -> dict[str, Metric]:
        """Return how many targets of each group are well."""
        return {
            colour: self.edge("HealthyHostCount", "Minimum", group=group)
            for colour, group in self.targets.items()
        }

    def lines(self, name: str) -> Metric:
        """Return a metric that is counted in the logs."""
        return Metric(namespace=LOGS, name=name, dimensions={}, statistic="Sum")

    def services(self) -> dict[str, Service]:
        """Return the services that are there in any case, and their sizes."""
        here = self.environment
        found = {"web": here.web, "worker": here.worker, "scheduler": here.scheduler}
        if here.ollama:
            found["ollama"] = here.ollama
        return found


def alarms(watched: Watched) -> Iterator[Alarm]:
    """Return every alarm."""
    yield from _down(watched)
    yield from _answers(watched)
    yield from _services(watched, watched.services())
    yield from _models(watched)
    yield from _database(watched)
    yield from _redis(watched)
    yield from _work(watched)
    yield from _security(watched)


def _down(watched: Watched) -> Iterator[Alarm]:
    healthy = watched.healthy()
    yield Alarm(
        name="web-down",
        severity=Severity.CRITICAL,
        runbook="web-down",
        says="No web task answers its health check",
        metrics=healthy,
        # One group is empty between deployments, and which one changes.
        expression="MAX([FILL(blue, 0), FILL(green, 0)])" if len(healthy) > 1 else None,
        below=1,
        minutes=3,
        missing=Missing.BREACHING,
    )
    yield Alarm(
        name="workers-down",
        severity=Severity.CRITICAL,
        runbook="workers-down",
        says="No worker process is alive",
        metrics={"m": watched.product("Workers", "Maximum")},
        below=1,
        missing=Missing.BREACHING,
    )
    yield Alarm(
        name="scheduler-down",
        severity=Severity.CRITICAL,
        runbook="scheduler-down",
        says="The scheduler publishes nothing",
        metrics={"m": watched.product("DatabaseReachable", "SampleCount")},
        below=1,
        missing=Missing.BREACHING,
    )
    yield Alarm(
        name="database-unavailable",
        severity=Severity.CRITICAL,
        runbook="database-unavailable",
        says="The database does not answer, or cannot be written to",
        metrics={
            "reached": watched.product("DatabaseReachable", "Maximum"),
            "written": watched.product("DatabaseWritable", "Maximum"),
        },
        expression="MIN([reached, written])",
        below=1,
        minutes=3,
    )


def _answers(watched: Watched) -> Iterator[Alarm]:
    failed = watched.edge("HTTPCode_Target_5XX_Count", "Sum")
    refused = watched.edge("HTTPCode_ELB_5XX_Count", "Sum")
    yield Alarm(
        name="error-rate",
        severity=Severity.CRITICAL,
        runbook="errors",
        says="More than 5 % of the answers are errors of ours",
        metrics={
            "failed": failed,
            "refused": refused,
            "asked": watched.edge("RequestCount", "Sum"),
        },
        # A handful of requests at night is no rate.
        expression=(
            "IF(FILL(asked, 0) > 20, "
            "100 * (FILL(failed, 0) + FILL(refused, 0)) / FILL(asked, 0), 0)"
        ),
        above=5,
    )
    yield Alarm(
        name="response-time",
        severity=Severity.WARNING,
        runbook="slow-answers",
        says="One answer in twenty takes longer than a second",
        metrics={"m": watched.edge("TargetResponseTime", "p95")},
        above=1,
        minutes=10,
    )
    yield Alarm(
        name="logged-errors",
        severity=Severity.WARNING,
        runbook="errors",
        says="The logs hold more than 20 errors in five minutes",
        metrics={"m": watched.lines("Errors")},
        above=20,
        period=5 * MINUTE,
    )


def _services(watched: Watched, services: Mapping[str, Service]) -> Iterator[Alarm]:
    for name in services:
        for metric, short, most in (
            ("CPUUtilization", "cpu", 85),
            ("MemoryUtilization", "memory", 85),
        ):
            yield Alarm(
                name=f"{name}-{short}",
                severity=Severity.WARNING,
                runbook="busy-service",
                says=f"{name} uses more than {most} % of its {short}",
                metrics={"m": watched.service(name, metric)},
                above=most,
                minutes=15,
            )
    for name, size in services.items():
        if size.maximum > size.minimum:
            yield Alarm(
                name=f"{name}-at-most",
                severity=Severity.INFO,
                runbook="busy-service",
                says=f"{name} runs as many tasks as it may",
                metrics={"m": watched.tasks(name)},
                above=size.maximum - 0.5,
                minutes=30,
            )


def _models(watched: Watched) -> Iterator[Alarm]:
    for alarm in _services(watched, {WORKER: watched.environment.model_worker}):
        yield replace(alarm, of_models=True)
    yield Alarm(
        name="model-worker-down",
        severity=Severity.WARNING,
        runbook="models",
        says="Nobody asks the model: no task runs",
        metrics={"m": watched.tasks(WORKER)},
        below=1,
        minutes=15,
        missing=Missing.BREACHING,
        of_models=True,
    )
    yield Alarm(
        name="model-queue-age",
        severity=Severity.WARNING,
        runbook="models",
        says="A text waits for the model for more than a day",
        metrics={"m": watched.product("ModelOldestAge", "Minimum")},
        # A source that has spent its budget waits for tomorrow; its turn comes within the day.
        above=30 * 3600,
        minutes=30,
        of_models=True,
    )


def _database(watched: Watched) -> Iterator[Alarm]:
    wanted = watched.environment.database
    most = CONNECTIONS.get(wanted.instance_class, ANY_CONNECTIONS)
    figures = (
        ("database-cpu", "CPUUtilization", "Its CPU is above 80 %", 80, None),
        ("database-connections", "DatabaseConnections", f"More than {most} are open", most, None),
        ("database-memory", "FreeableMemory", "Less than 256 MiB is free", None, GIB / 4),
        ("database-credits", "CPUCreditBalance", "Its CPU credits run out", None, 30),
        ("database-disk-queue", "DiskQueueDepth", "Its disk is behind", 20, None),
    )
    for name, metric, says, above, below in figures:
        yield Alarm(
            name=name,
            severity=Severity.WARNING,
            runbook="busy-database",
            says=f"PostgreSQL: {says}",
            metrics={"m": watched.rds(metric)},
            above=above,
            below=below,
            minutes=15,
        )
    yield Alarm(
        name="database-storage",
        severity=Severity.CRITICAL,
        runbook="database-storage",
        says="PostgreSQL has less than a tenth of its first storage left",
        metrics={"m": watched.rds("FreeStorageSpace", "Minimum")},
        below=wanted.storage * GIB / 10,
    )
    yield Alarm(
        name="slow-statements",
        severity=Severity.WARNING,
        runbook="busy-database",
        says="More than 30 statements took over a second within five minutes",
        metrics={"m": watched.lines("SlowStatements")},
        above=30,
        period=5 * MINUTE,
    )


def _redis(watched: Watched) -> Iterator[Alarm]:
    for name, metric, says, most in (
        ("redis-cpu", "EngineCPUUtilization", "Its engine is above 80 %", 80),
        ("redis-memory", "DatabaseMemoryUsagePercentage", "Its memory is above 75 %", 75),
        ("redis-connections", "CurrConnections", "More than 500 are open", 500),
    ):
        yield Alarm(
            name=name,
            severity=Severity.WARNING,
            runbook="redis",
            says=f"Redis: {says}",
            metrics={"m": watched.cache(metric)},
            above=most,
            minutes=10,
        )


def _work(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="accounting",
        severity=Severity.CRITICAL,
        runbook="accounting",
        says="An announced item stands in no place, or in two",
        metrics={"m": watched.product("AccountingBalanced", "Minimum")},
        below=1,
        minutes=10,
    )
    yield Alarm(
        name="no-progress",
        severity=Severity.CRITICAL,
        runbook="queue",
        says="Work waits and none is done",
        metrics={
            "waiting": watched.product("QueueDepth", "Minimum"),
            "done": watched.product("ItemsPerMinute", "Maximum"),
        },
        expression="IF(waiting > 0 AND done <= 0, 1, 0)",
        above=0,
        minutes=10,
    )
    for name, metric, says, most, runbook in (
        ("queue-age", "OldestMessageAge", "The oldest work waits for an hour", 3600, "queue"),
        ("queue-depth", "QueueDepth", "More than 20,000 items wait", 20_000, "queue"),
        ("dead-letters", "DeadLettersLastHour", "More than 50 items died", 50, "dead-letters"),
        ("refunds", "RefundsLastHour", "More than 500 attempts were given back", 500, "queue"),
        ("enrichment", "EnrichmentFailed", "More than 100 texts failed", 100, "dead-letters"),
    ):
        yield Alarm(
            name=name,
            severity=Severity.WARNING,
            runbook=runbook,
            says=says,
            metrics={"m": watched.product(metric, "Minimum")},
            above=most,
            minutes=15,
        )


def _security(watched: Watched) -> Iterator[Alarm]:
    yield Alarm(
        name="refused-logins",
        severity=Severity.WARNING,
        runbook="logins",
        says="More than 50 logins were refused within five minutes",
        metrics={"m": watched.lines("RefusedLogins")},
        above=50,
        period=5 * MINUTE,
    )
    yield Alarm(
        name="firewall-blocks",
        severity=Severity.WARNING,
        runbook="firewall",
        says="The firewall blocked more than 500 requests within five minutes",
        metrics={
            "m": Metric(
                namespace=WAF,
                name="BlockedRequests",
                dimensions={
                    "Region": watched.environment.region,
                    "Rule": "ALL",
                    "WebACL": watched.firewall,
                },
                statistic="Sum",
            )
        },
        above=500,
        period=5 * MINUTE,
    )

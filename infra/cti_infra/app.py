"""The services: web behind its front door, workers, the scheduler, and a language model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct

from cti_infra import containers
from cti_infra.config import Environment
from cti_infra.config import Service as Size
from cti_infra.containers import SECRETS, Log, Program, Secret
from cti_infra.data import Data
from cti_infra.deployment import ACCOUNT, Deployment
from cti_infra.edge import Edge
from cti_infra.layer import Document, Layer, logical
from cti_infra.models import NAMESPACE, OLLAMA_NAME, Models, only_where_asked, protect_own_tasks
from cti_infra.models import WORKER as MODEL_WORKER
from cti_infra.network import FRONT_DOOR, OLLAMA, Network
from cti_infra.registry import Registry
from cti_infra.release import TAG, Release, password, product_environment, stores_environment
from cti_infra.rollout import blue_green, refuse_balancer_login
from cti_infra.services import (
    Placement,
    Task,
    by_backlog,
    by_cpu,
    by_waiting_texts,
    scale,
    service,
)
from cti_infra.sign_on import SignOn
from cti_infra.task_roles import execution_role, own_metrics, raw_pages, task_role
from cti_infra.waf import make_firewall

WEB_PORT = 8000
# What containers beside the product leave to it of a task.
_BESIDE_WEB = (128 + containers.COLLECTOR_CPU + 32, 64 + containers.COLLECTOR_MEMORY + 64)
_BESIDE_WORKER = (containers.COLLECTOR_CPU + 32, containers.COLLECTOR_MEMORY + 64)
PROCESS_CPU = 512
OLLAMA_STORAGE = 50
# Whose image is that of another: there is one for all that works behind the pages.
_REPOSITORIES = {MODEL_WORKER: "worker"}
# Five dollars for each million of traces: one in ten tells enough.
TRACE_RATIO = "0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The stacks that the services stand on."""

    network: Network
    registry: Registry
    data: Data
    release: Release


class App(Layer):
    """Everything that runs all the time."""

    def __init__(
        self,
        scope: Construct,
        environment: Environment,
        deployment: Deployment | None,
        *,
        base: Base,
    ) -> None:
        super().__init__(
            scope, "App", environment, deployment, description="services and load balancer"
        )
        self._network, self._registry, self._data = base.network, base.registry, base.data
        self._cluster = base.release.cluster.ref
        self._tag = self.given(
            "ImageTag", None, description="The commit of the images to run", pattern=TAG
        )
        self._domain = self.given(
            "Domain",
            "domain",
            description="The name that the pages are asked by",
            pattern=r"[a-z0-9.-]{4,253}",
        )
        self._contact = self.given(
            "Contact",
            "contact",
            description="Web or mail address that sources may write to",
            pattern=r"\S{4,200}",
        )
        certificate = self.given(
            "CertificateArn",
            "certificate_arn",
            description="The certificate of that name, in this region",
            pattern=rf"arn:aws:acm:{environment.region}:{ACCOUNT.pattern}:certificate/[0-9a-f-]+",
        )
        self.edge = Edge(self, base.network, base.data, certificate)
        self.sign_on = SignOn(self)
        self.sign_on.log_in_at(
            self.edge.https, self.edge.targets.ref, base.network.alb_sg.attr_group_id
        )
        self.firewall = make_firewall(self, self.edge.load_balancer.ref)
        self._models = Models(self)
        self.web = self._web()
        self.worker = self._worker()
        self.scheduler = self._scheduler()
        with only_where_asked(self, self._models.asked):
            self.model_worker = self._model_worker()
        self.ollama = self._ollama(environment.ollama) if environment.ollama else None
        self.tell("Address", self.edge.load_balancer.attr_dns_name, "What the domain points to")

    @property
    def processes(self) -> int:
        """How many worker processes a task has."""
        return max(1, self.environment_settings.worker.cpu // PROCESS_CPU)

    def _log(self, name: str) -> Log:
        group = logs.CfnLogGroup(
            self,
            f"{logical(name)}LogGroup",
            log_group_name=self.log_name(name),
            retention_in_days=self.environment_settings.log_days,
        )
        return Log(group=group.ref, region=self.region)

    def _told(self, user: str) -> dict[str, str]:
        """Return what every process is told that runs all the time."""
        return {
            **product_environment(
                self.environment_settings,
                user=user,
                host=self._data.database.attr_endpoint_address,
            ),
            "CTISCRAPER_CONTACT": self._contact,
            "CTISCRAPER_TRACE_RATIO": TRACE_RATIO,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{containers.OTLP_PORT}",
            **self._models.values,
        }

    def _told_of_stores(self) -> Mapping[str, str]:
        return stores_environment(self._data, self.region)

    def _database(self, part: str) -> Secret:
        arn = self._data.secrets.arn(f"{part}-database")
        return password("DATABASE_PASSWORD", arn, "database-password")

    @property
    def _redis(self) -> Secret:
        return password("REDIS_PASSWORD", self._data.secrets.arn("redis"), "redis-password")

    def _place(self, group: str) -> Placement:
        return Placement(
            cluster=self._cluster,
            subnets=[subnet.ref for subnet in self._network.private],
            group=group,
        )

    def _task(
        self,
        name: str,
        size: Size,
        made: Sequence[ecs.CfnTaskDefinition.ContainerDefinitionProperty],
        *,
        secrets: Sequence[Secret],
        rights: Sequence[Document],
        volumes: Sequence[str] = (),
    ) -> Task:
        """Return a task of the product."""
        starting = execution_role(
            self,
            logical(name),
            repositories=[self._registry.arn(_REPOSITORIES.get(name, name))],
            log_group=self.log_group_arn(name),
            secrets=[secret.readable for secret in secrets],
            key=self._data.key.attr_arn,
        )
        return Task(
            name=name,
            size=size,
            containers=made,
            execution_role=starting,
            task_role=task_role(self, logical(name), rights),
            volumes=["secrets", "data", "tmp", *volumes],
        )

    def _web(self) -> ecs.CfnService:
        size = self.environment_settings.web
        image = self._registry.image("web", self._tag)
        log = self._log("web")
        key = self._data.secrets.arn("installation-key")
        secrets = [
            self._database("web"),
            self._redis,
            Secret(variable="INSTALLATION_KEY", arn=key, file="secret.key", line=False),
            self.sign_on.secret,
            self._models.key,
        ]
        cpu, memory = _BESIDE_WEB
        web = Program(
            name="web",
            image=image,
            command=["web", "--port", str(WEB_PORT), "--behind-proxy", "127.0.0.1/32"],
            cpu=size.cpu - cpu,
            memory=size.memory - memory,
            environment={
                **self._told("ctiscraper_web"),
                **self._told_of_stores(),
                "CTISCRAPER_ALLOWED_HOSTS": self._domain,
                # It faces the internet: no password alone lets anybody in.
                "CTISCRAPER_REQUIRE_SECOND_FACTOR": "true",
                "CTISCRAPER_SECRET_KEY_FILE": f"{SECRETS}/secret.key",
            },
            health=["ctiscraper", "health", "web"],
            after={"collector": "START"},
            told={
                **self.sign_on.told(self.edge.load_balancer.ref),
                **self._models.told,
            },
        )
        hops = ",".join(str(block) for block in self.environment_settings.addresses.public)
        door = self._registry.image("web", f"proxy-{self._tag}")
        made = [
            containers.prepare(image, secrets, log, self.region, {"proxy": "/proxy"}),
            containers.program(web, log),
            containers.proxy(door, log, upstream_port=WEB_PORT, port=FRONT_DOOR, hops=hops),
            containers.collector(log, self.region),
        ]
        task = self._task(
            "web",
            size,
            made,
            secrets=secrets,
            rights=raw_pages(self._data, "GetObject"),
            volumes=["proxy"],
        )
        turns = blue_green(self, self.edge) if self.environment_settings.blue_green else None
        if turns:
            refuse_balancer_login(self)
        place = self._place(self._network.web_sg.attr_group_id)
        running = service(self, task, place, targets=self.edge.targets, turns=turns)
        # A service that has a load balancer is refused until a listener leads to its targets.
        running.add_resource_dependency(self.edge.https)
        scale(self, running, task, self._cluster, by_cpu())
        return running

    def _program(
        self, name: str, command: str, size: Size, further: Mapping[str, str] | None = None
    ) -> Program:
        """Return what fills a task in which nothing but the product and its collector is."""
        cpu, memory = _BESIDE_WORKER
        return Program(
            name=name,
            image=self._registry.image(_REPOSITORIES.get(name, name), self._tag),
            command=[command],
            cpu=size.cpu - cpu,
            memory=size.memory - memory,
            environment={**self._told("ctiscraper_worker"), **(further or {})},
            health=["ctiscraper", "health", command],
            after={"collector": "START"},
        )

    def _worker(self) -> ecs.CfnService:
        size = self.environment_settings.worker
        further = {**self._told_of_stores(), "CTISCRAPER_WORKERS": str(self.processes)}
        wanted = self._program("worker", "worker", size, further)
        rights = raw_pages(self._data, "GetObject", "PutObject", "DeleteObject")
        secrets = [self._database("worker"), self._redis]
        task = replace(self._product_task(wanted, size, secrets, rights), spot=True)
        running = service(self, task, self._place(self._network.worker_sg.attr_group_id))
        backlog = by_backlog(self.environment_settings.name, self.processes)
        scale(self, running, task, self._cluster, backlog)
        return running

    def _scheduler(self) -> ecs.CfnService:
        size = self.environment_settings.scheduler
        # It has vectors made, by the server of models where that is set.
        wanted = replace(
            self._program("scheduler", "beat", size, self._told_of_stores()),
            told=self._models.told,
        )
        # Retention is its work: it removes raw pages, and publishes the metrics.
        rights = [*raw_pages(self._data, "DeleteObject"), own_metrics()]
        secrets = [self._database("worker"), self._redis, self._models.key]
        task = replace(self._product_task(wanted, size, secrets, rights), single=True)
        return service(self, task, self._place(self._network.worker_sg.attr_group_id))

    def _model_worker(self) -> ecs.CfnService:
        """Return what asks the model: it knows the database and the model, and nothing else.

        No answer is thrown away with a machine of Spot: each was paid for.
        """
        size = self.environment_settings.model_worker
        wanted = replace(self._program(MODEL_WORKER, MODEL_WORKER, size), told=self._models.told)
        rights = [protect_own_tasks(self, self._cluster)]
        secrets = [self._database("worker"), self._models.key]
        task = self._product_task(wanted, size, secrets, rights)
        running = service(self, task, self._place(self._network.worker_sg.attr_group_id))
        if size.maximum > size.minimum:
            waiting = by_waiting_texts(self.environment_settings.name, self._cluster, MODEL_WORKER)
            scale(self, running, task, self._cluster, waiting)
        return running

    def _product_task(
        self, wanted: Program, size: Size, secrets: Sequence[Secret], rights: Sequence[Document]
    ) -> Task:
        log = self._log(wanted.name)
        made = [
            containers.prepare(wanted.image, secrets, log, self.region, {}),
            containers.program(wanted, log),
            containers.collector(log, self.region),
        ]
        return self._task(wanted.name, size, made, secrets=secrets, rights=rights)

    def _ollama(self, size: Size) -> ecs.CfnService:
        assert self._network.ollama_sg is not None, "made where there is a model"
        tag = self.given(
            "OllamaTag",
            None,
            description="The tag of the image with the model inside",
            pattern=r"[0-9A-Za-z_.-]{1,128}",
        )
        log = self._log("ollama")
        model = containers.model(self._registry.image("ollama", tag), log, size, OLLAMA)
        starting = execution_role(
            self,
            "Ollama",
            repositories=[self._registry.arn("ollama")],
            log_group=self.log_group_arn("ollama"),
        )
        task = Task(
            name="ollama",
            size=size,
            containers=[model],
            execution_role=starting,
            task_role=task_role(self, "Ollama", [], traces=False),
            volumes=["tmp"],
            storage=OLLAMA_STORAGE,
        )
        place = self._place(self._network.ollama_sg.attr_group_id)
        running = service(self, task, place, registry=self._name_of_the_model().attr_arn)
        scale(self, running, task, self._cluster, by_cpu())
        return running

    def _name_of_the_model(self) -> discovery.CfnService:
        """Return what gives the model a name; unlike Service Connect it cuts no long answer."""
        names = discovery.CfnPrivateDnsNamespace(
            self, "Names", name=NAMESPACE, vpc=self._network.vpc.ref
        )
        return discovery.CfnService(
            self,
            "OllamaName",
            name=OLLAMA_NAME,
            namespace_id=names.attr_id,
            dns_config=discovery.CfnService.DnsConfigProperty(
                dns_records=[discovery.CfnService.DnsRecordProperty(type="A", ttl=10)],
                routing_policy="MULTIVALUE",
            ),
            health_check_custom_config=discovery.CfnService.HealthCheckCustomConfigProperty(
                failure_threshold=1
            ),
        )

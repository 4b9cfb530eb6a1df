"""What a release needs before the services: the cluster, and the task that migrates the schema."""

from collections.abc import Mapping

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from cti_infra import containers
from cti_infra.config import PROJECT, Environment
from cti_infra.containers import DATA, SECRETS, Log, Program, Secret
from cti_infra.data import DATABASE, OWNER, Data
from cti_infra.deployment import Deployment
from cti_infra.layer import Layer
from cti_infra.network import POSTGRESQL
from cti_infra.registry import Registry
from cti_infra.task_roles import execution_role, task_role

TAG = r"[0-9a-f]{7,40}"


def database_url(user: str, host: str) -> str:
    """Return how the database is reached: over TLS, and only if it is the one that it says."""
    authority = f"{SECRETS}/{containers.AUTHORITY}"
    return (
        f"postgresql://{user}@{host}:{POSTGRESQL}/{DATABASE}"
        f"?sslmode=verify-full&sslrootcert={authority}"
    )


def product_environment(environment: Environment, *, user: str, host: str) -> Mapping[str, str]:
    """Return what every process of the product is told."""
    return {
        "CTISCRAPER_ENVIRONMENT": environment.name,
        "CTISCRAPER_LOG_FORMAT": "json",
        # By itself web logs errors alone; requests and refused logins are counted in its lines.
        "CTISCRAPER_LOG_LEVEL": "info",
        "CTISCRAPER_DATA_DIR": DATA,
        "DATABASE_URL": database_url(user, host),
        "DATABASE_PASSWORD_FILE": f"{SECRETS}/database-password",
    }


class Release(Layer):
    """Deployed before App: a task of App's own stack would migrate with the image of before."""

    def __init__(
        self,
        scope: Construct,
        environment: Environment,
        deployment: Deployment | None,
        *,
        registry: Registry,
        data: Data,
    ) -> None:
        super().__init__(
            scope,
            "Release",
            environment,
            deployment,
            description="the cluster, and the task that migrates the schema",
        )
        tag = self.given(
            "ImageTag", None, description="The commit of the images to migrate with", pattern=TAG
        )
        self.cluster = ecs.CfnCluster(
            self,
            "Cluster",
            cluster_name=self.named("cluster"),
            cluster_settings=[
                ecs.CfnCluster.ClusterSettingsProperty(name="containerInsights", value="enhanced")
            ],
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
        )
        self.log_group = logs.CfnLogGroup(
            self,
            "LogGroup",
            log_group_name=f"/aws/ecs/{PROJECT}/release",
            retention_in_days=environment.log_days,
        )
        self.migrate = self._migrate(registry, data, registry.image("worker", tag))
        self.tell("ClusterName", self.cluster.ref, "The cluster of all tasks")
        self.tell("MigrateTask", self.migrate.ref, "What to run before App is deployed")

    def _secrets(self, data: Data) -> list[Secret]:
        web, worker = data.secrets.arn("web-database"), data.secrets.arn("worker-database")
        first = data.secrets.arn("first-administrator")
        return [
            _password("OWNER_PASSWORD", data.owner_secret, "database-password"),
            _password("WEB_PASSWORD", web, "database-password-web"),
            _password("WORKER_PASSWORD", worker, "database-password-worker"),
            Secret(variable="FIRST_ADMINISTRATOR", arn=first, file="first-administrator.json"),
        ]

    def _migrate(self, registry: Registry, data: Data, image: str) -> ecs.CfnTaskDefinition:
        environment = self.environment_settings
        secrets = self._secrets(data)
        log = Log(group=self.log_group.ref, region=self.region)
        told = product_environment(
            environment, user=OWNER, host=data.database.attr_endpoint_address
        )
        migrate = Program(
            name="migrate",
            image=image,
            command=["migrate", "--seed"],
            cpu=128,
            memory=512,
            environment={
                **told,
                "CTISCRAPER_BOOTSTRAP_ADMIN_FILE": f"{SECRETS}/first-administrator.json",
            },
            # What comes after it is essential instead: a task ends with its first such container.
            essential=False,
        )
        roles = Program(
            name="roles",
            image=image,
            command=[
                "db",
                "roles",
                "--web=ctiscraper_web",
                f"--web-password-file={SECRETS}/database-password-web",
                "--worker=ctiscraper_worker",
                f"--worker-password-file={SECRETS}/database-password-worker",
            ],
            cpu=64,
            memory=512,
            environment=told,
            after={"migrate": "SUCCESS"},
        )
        starting = execution_role(
            self,
            "Migrate",
            repositories=[registry.arn("worker")],
            log_group=self.log_group_arn("release"),
            secrets=[secret.arn for secret in secrets],
            key=data.key.attr_arn,
        )
        # It speaks to the database alone.
        own = task_role(self, "Migrate", [], traces=False)
        self.migrate_roles = (starting, own)
        return ecs.CfnTaskDefinition(
            self,
            "Migrate",
            family=self.named("migrate"),
            cpu="256",
            memory="2048",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=containers.linux(),
            execution_role_arn=starting.attr_arn,
            task_role_arn=own.attr_arn,
            volumes=containers.volumes(),
            container_definitions=[
                containers.prepare(image, secrets, log, self.region, {}),
                containers.program(migrate, log),
                containers.program(roles, log),
            ],
        )


def _password(variable: str, arn: str, file: str) -> Secret:
    return Secret(variable=variable, arn=arn, field="password", file=file)

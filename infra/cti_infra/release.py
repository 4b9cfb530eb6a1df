"""What a release needs before the services: the cluster, and the tasks of the schema's owner."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from cti_infra import containers
from cti_infra.config import PROJECT, Environment
from cti_infra.containers import DATA, SECRETS, Log, Program, Secret
from cti_infra.data import DATABASE, OWNER, Data
from cti_infra.deployment import Deployment
from cti_infra.layer import Layer
from cti_infra.network import POSTGRESQL, REDIS
from cti_infra.registry import Registry
from cti_infra.storage import RAW_PREFIX
from cti_infra.task_roles import execution_role, raw_pages, task_role

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


def stores_environment(data: Data, region: str) -> Mapping[str, str]:
    """Return what those are told who ring the bell, and read or write raw pages."""
    redis = data.redis.attr_primary_end_point_address
    return {
        "REDIS_URL": f"rediss://{redis}:{REDIS}/0",
        "REDIS_PASSWORD_FILE": f"{SECRETS}/redis-password",
        "CTISCRAPER_RAW_STORE": f"s3://{data.storage.data.ref}/{RAW_PREFIX}",
        "CTISCRAPER_S3_REGION": region,
    }


def password(variable: str, arn: str, file: str) -> Secret:
    """Return the password of a secret as a file."""
    return Secret(variable=variable, arn=arn, field="password", file=file)


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
            description="the cluster, and the tasks of the schema's owner",
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
        image = registry.image("worker", tag)
        self._log = Log(group=self.log_group.ref, region=self.region)
        self._told = product_environment(
            environment, user=OWNER, host=data.database.attr_endpoint_address
        )
        self.migrate = self._migrate(registry, data, image)
        self.admin = self._admin(registry, data, image)
        self.tell("ClusterName", self.cluster.ref, "The cluster of all tasks")
        self.tell("MigrateTask", self.migrate.ref, "What to run before App is deployed")

    def _migrate(self, registry: Registry, data: Data, image: str) -> ecs.CfnTaskDefinition:
        secrets = [
            *_passwords(data),
            Secret(
                variable="FIRST_ADMINISTRATOR",
                arn=data.secrets.arn("first-administrator"),
                file="first-administrator.json",
            ),
        ]
        migrate = Program(
            name="migrate",
            image=image,
            command=["migrate", "--seed"],
            cpu=128,
            memory=512,
            environment={
                **self._told,
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
            environment=self._told,
            after={"migrate": "SUCCESS"},
        )
        starting = self._starting("Migrate", registry, data, secrets)
        # It speaks to the database alone.
        own = task_role(self, "Migrate", [], traces=False)
        self.migrate_roles = (starting, own)
        return self._task("Migrate", (starting, own), image, secrets, [migrate, roles])

    def _admin(self, registry: Registry, data: Data, image: str) -> ecs.CfnTaskDefinition:
        """Return what commands of the product are run in; they are given when it is run."""
        secrets = [
            *_passwords(data),
            password("REDIS_PASSWORD", data.secrets.arn("redis"), "redis-password"),
        ]
        admin = Program(
            name="admin",
            image=image,
            command=["doctor"],
            cpu=224,
            memory=1536,
            environment={**self._told, **stores_environment(data, self.region)},
        )
        starting = self._starting("Admin", registry, data, secrets)
        # A doctor tries the bucket with an empty page, and removes none.
        own = task_role(self, "Admin", raw_pages(data, "GetObject", "PutObject"), traces=False)
        return self._task("Admin", (starting, own), image, secrets, [admin])

    def _starting(
        self, name: str, registry: Registry, data: Data, secrets: Sequence[Secret]
    ) -> iam.CfnRole:
        return execution_role(
            self,
            name,
            repositories=[registry.arn("worker")],
            log_group=self.log_group_arn("release"),
            secrets=[secret.arn for secret in secrets],
            key=data.key.attr_arn,
        )

    def _task(
        self,
        name: str,
        roles: tuple[iam.CfnRole, iam.CfnRole],
        image: str,
        secrets: Sequence[Secret],
        programs: Sequence[Program],
    ) -> ecs.CfnTaskDefinition:
        starting, own = roles
        return ecs.CfnTaskDefinition(
            self,
            name,
            family=self.named(name.lower()),
            cpu="256",
            memory="2048",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=containers.linux(),
            execution_role_arn=starting.attr_arn,
            task_role_arn=own.attr_arn,
            volumes=containers.volumes(),
            container_definitions=[
                containers.prepare(image, secrets, self._log, self.region, {}),
                *(containers.program(program, self._log) for program in programs),
            ],
        )


def _passwords(data: Data) -> list[Secret]:
    """Return those of the database's owner, and of the roles that he makes."""
    web, worker = data.secrets.arn("web-database"), data.secrets.arn("worker-database")
    return [
        password("OWNER_PASSWORD", data.owner_secret, "database-password"),
        password("WEB_PASSWORD", web, "database-password-web"),
        password("WORKER_PASSWORD", worker, "database-password-worker"),
    ]

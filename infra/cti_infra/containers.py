"""The containers of a task: the product, what makes its files ready, and what carries traces."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

from cti_infra.config import Service

# Users of the images (Dockerfile).
PRODUCT_USER = "10001:10001"
PROXY_USER = "101:101"
ROOT_USER = "0"
SECRETS = "/secrets"
DATA = "/data"
TMP = "/tmp"  # noqa: S108 - a volume of the task, not this machine's
AUTHORITY = "rds-ca.pem"
# As compose.yaml gives; more than any process of the product takes to stop.
STOP_SECONDS = 60
OTLP_PORT = 4318
COLLECTOR_HEALTH_PORT = 13133
COLLECTOR_IMAGE = "public.ecr.aws/aws-observability/aws-otel-collector:v0.48.0"
COLLECTOR_CPU, COLLECTOR_MEMORY = 64, 128
PREPARE_MEMORY = 64
# What Docker lets root do unasked; the one thing that is needed here is missing: CHOWN.
NOT_NEEDED = (
    "AUDIT_WRITE",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
_Container = ecs.CfnTaskDefinition.ContainerDefinitionProperty
_Depends = ecs.CfnTaskDefinition.ContainerDependencyProperty
_Pair = ecs.CfnTaskDefinition.KeyValuePairProperty
_Mount = ecs.CfnTaskDefinition.MountPointProperty
_Health = ecs.CfnTaskDefinition.HealthCheckProperty


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that becomes a file: which, the field of it or all of it, and the file's name."""

    variable: str
    arn: str
    file: str
    field: str | None = None
    # Passwords are a line; keys are bytes.
    line: bool = True
    # The condition that it is given under, where it is not always.
    under: str | None = None

    @property
    def value_from(self) -> str:
        """What the agent is told to fetch."""
        return f"{self.arn}:{self.field}::" if self.field else self.arn

    @property
    def readable(self) -> str:
        """The ARN that may be read, under the condition of the secret."""
        if self.under is None:
            return self.arn
        return cdk.Fn.condition_if(self.under, self.arn, cdk.Aws.NO_VALUE).to_string()

    @property
    def given(self) -> "ecs.CfnTaskDefinition.SecretProperty | cdk.IResolvable":
        """What a container is given, under the condition of the secret."""
        if self.under is None:
            return ecs.CfnTaskDefinition.SecretProperty(
                name=self.variable, value_from=self.value_from
            )
        wanted = {"Name": self.variable, "ValueFrom": self.value_from}
        return cdk.Fn.condition_if(self.under, wanted, cdk.Aws.NO_VALUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Where a container's lines go."""

    group: str
    region: str

    def of(self, prefix: str) -> ecs.CfnTaskDefinition.LogConfigurationProperty:
        """Return the configuration of a container with streams of its own."""
        return ecs.CfnTaskDefinition.LogConfigurationProperty(
            log_driver="awslogs",
            options={
                "awslogs-group": self.group,
                "awslogs-region": self.region,
                "awslogs-stream-prefix": prefix,
                # A full buffer loses lines rather than holding up the program.
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A container of the product: its name, command, size and what it is told."""

    name: str
    image: str
    command: Sequence[str]
    cpu: int
    memory: int
    environment: Mapping[str, str]
    health: Sequence[str] | None = None
    essential: bool = True
    after: Mapping[str, str] = field(default_factory=dict)
    # Further values, each with the condition that it is told under.
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def authority(region: str) -> str:
    """Return the authorities that sign certificates of databases in a region."""
    folder = Path(__file__).parent / "authorities"
    return (folder / f"{region}.pem").read_text("ascii")


def script(secrets: Sequence[Secret], *, owner: str = PRODUCT_USER, root: str = "") -> str:
    """Return what writes the files of a task, each readable by the product alone."""
    folder = f"{root}{SECRETS}"
    lines = ["set -eu", "umask 077"]
    for secret in secrets:
        form = "%s\\n" if secret.line else "%s"
        write = f"printf '{form}' \"${secret.variable}\" >{folder}/{secret.file}"
        absent = f'[ -z "${{{secret.variable}-}}" ] || ' if secret.under else ""
        lines.append(f"{absent}{write}")
    lines += [
        f"printf '%s' \"$DATABASE_AUTHORITY\" >{folder}/{AUTHORITY}",
        f"chmod 1777 {root}{TMP}",
        f"chown {owner} {folder}/* {root}{DATA} {folder}",
    ]
    return "\n".join(lines)


def volumes(*further: str) -> list[ecs.CfnTaskDefinition.VolumeProperty]:
    """Return the volumes of a task, which end with it."""
    return [
        ecs.CfnTaskDefinition.VolumeProperty(name=name)
        for name in ("secrets", "data", "tmp", *further)
    ]


def prepare(
    image: str, secrets: Sequence[Secret], log: Log, region: str, further: Mapping[str, str]
) -> _Container:
    """Return the container that runs first: it alone is given secrets, and writes them to files.

    `further` are volumes of others that are to be open to them, by their folders here.
    """
    text = script(secrets)
    for folder in further.values():
        text += f"\nchmod 1777 {folder}"
    return _Container(
        name="prepare",
        image=image,
        user=ROOT_USER,
        entry_point=["/bin/sh", "-c"],
        command=[text],
        essential=False,
        cpu=32,
        memory=PREPARE_MEMORY,
        environment=[_Pair(name="DATABASE_AUTHORITY", value=authority(region))],
        secrets=[secret.given for secret in secrets],
        readonly_root_filesystem=True,
        linux_parameters=ecs.CfnTaskDefinition.LinuxParametersProperty(
            capabilities=ecs.CfnTaskDefinition.KernelCapabilitiesProperty(drop=list(NOT_NEEDED))
        ),
        mount_points=[
            _mount("secrets", SECRETS),
            _mount("data", DATA),
            _mount("tmp", TMP),
            *(_mount(name, folder) for name, folder in further.items()),
        ],
        log_configuration=log.of("prepare"),
    )


def program(wanted: Program, log: Log) -> _Container:
    """Return a container of the product."""
    after = {"prepare": "SUCCESS", **wanted.after}
    return _Container(
        name=wanted.name,
        image=wanted.image,
        user=PRODUCT_USER,
        command=list(wanted.command),
        essential=wanted.essential,
        cpu=wanted.cpu,
        memory=wanted.memory,
        environment=[*pairs(wanted.environment), *conditional(wanted.told)],
        readonly_root_filesystem=True,
        linux_parameters=unprivileged(),
        mount_points=[
            _mount("secrets", SECRETS, read_only=True),
            _mount("data", DATA),
            _mount("tmp", TMP),
        ],
        depends_on=depends(after),
        health_check=health(wanted.health, start=60) if wanted.health else None,
        stop_timeout=STOP_SECONDS,
        log_configuration=log.of(wanted.name),
    )


def proxy(image: str, log: Log, *, upstream_port: int, port: int, hops: str) -> _Container:
    """Return the front door: Nginx with the files of deploy/nginx."""
    return _Container(
        name="nginx",
        image=image,
        user=PROXY_USER,
        essential=True,
        cpu=128,
        memory=64,
        environment=pairs(
            {
                "NGINX_UPSTREAM": f"127.0.0.1:{upstream_port}",
                "NGINX_LISTEN": str(port),
                "NGINX_TRUSTED_PROXIES": hops,
            }
        ),
        port_mappings=[
            ecs.CfnTaskDefinition.PortMappingProperty(
                container_port=port, protocol="tcp", name="http"
            )
        ],
        readonly_root_filesystem=True,
        linux_parameters=unprivileged(),
        mount_points=[_mount("proxy", TMP)],
        depends_on=depends({"prepare": "SUCCESS", "web": "HEALTHY"}),
        health_check=health(
            ["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}/health/live"],
            start=10,
            interval=15,
            patience=5,
        ),
        stop_timeout=STOP_SECONDS,
        log_configuration=log.of("nginx"),
    )


def collector(log: Log, region: str) -> _Container:
    """Return what takes traces of the product and hands them to X-Ray; without it nothing ends."""
    return _Container(
        name="collector",
        image=COLLECTOR_IMAGE,
        essential=False,
        restart_policy=ecs.CfnTaskDefinition.RestartPolicyProperty(enabled=True),
        cpu=COLLECTOR_CPU,
        memory=COLLECTOR_MEMORY,
        environment=pairs({"AOT_CONFIG_CONTENT": json.dumps(_collector_settings(region))}),
        readonly_root_filesystem=True,
        linux_parameters=unprivileged(),
        health_check=health(["/healthcheck"], start=10),
        log_configuration=log.of("collector"),
    )


def model(image: str, log: Log, size: Service, port: int) -> _Container:
    """Return the language model, which is inside its image."""
    return _Container(
        name="ollama",
        image=image,
        essential=True,
        cpu=size.cpu,
        memory=size.memory,
        environment=pairs({"OLLAMA_HOST": f"0.0.0.0:{port}", "HOME": TMP}),
        port_mappings=[
            ecs.CfnTaskDefinition.PortMappingProperty(container_port=port, protocol="tcp")
        ],
        readonly_root_filesystem=True,
        linux_parameters=unprivileged(),
        mount_points=[_mount("tmp", TMP)],
        health_check=health(["ollama", "list"], start=120),
        stop_timeout=STOP_SECONDS,
        log_configuration=log.of("ollama"),
    )


def _collector_settings(region: str) -> dict[str, object]:
    """Return the collector's settings; JSON is YAML as well."""
    return {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{COLLECTOR_HEALTH_PORT}"}},
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{OTLP_PORT}"}}}},
        "processors": {
            "memory_limiter": {"check_interval": "1s", "limit_mib": 96},
            "batch": {"timeout": "5s", "send_batch_size": 50},
        },
        "exporters": {"awsxray": {"region": region}},
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "batch"],
                    "exporters": ["awsxray"],
                }
            },
        },
    }


def pairs(environment: Mapping[str, str]) -> list[_Pair]:
    """Return variables as a task definition has them."""
    return [_Pair(name=name, value=value) for name, value in sorted(environment.items())]


def conditional(told: Mapping[str, tuple[str, str]]) -> list[cdk.IResolvable]:
    """Return variables that a task definition has under their conditions alone."""
    return [
        cdk.Fn.condition_if(under, {"Name": name, "Value": value}, cdk.Aws.NO_VALUE)
        for name, (under, value) in sorted(told.items())
    ]


def depends(after: Mapping[str, str]) -> list[_Depends]:
    """Return what must have come about before a container starts."""
    return [_Depends(container_name=name, condition=what) for name, what in after.items()]


def health(
    command: Sequence[str], *, start: int, interval: int = 30, patience: int = 10
) -> _Health:
    """Return the check of a container."""
    return _Health(
        command=["CMD", *command],
        interval=interval,
        timeout=patience,
        retries=3,
        start_period=start,
    )


def unprivileged() -> ecs.CfnTaskDefinition.LinuxParametersProperty:
    """Return what a container may ask of the kernel: nothing special; init reaps what it leaves."""
    return ecs.CfnTaskDefinition.LinuxParametersProperty(
        init_process_enabled=True,
        capabilities=ecs.CfnTaskDefinition.KernelCapabilitiesProperty(drop=["ALL"]),
    )


def _mount(name: str, folder: str, *, read_only: bool = False) -> _Mount:
    return _Mount(source_volume=name, container_path=folder, read_only=read_only)


def linux() -> ecs.CfnTaskDefinition.RuntimePlatformProperty:
    """Return what the images are built for."""
    return ecs.CfnTaskDefinition.RuntimePlatformProperty(
        operating_system_family="LINUX", cpu_architecture="X86_64"
    )

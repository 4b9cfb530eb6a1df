"""Settings: the only reader of the environment; everything below gets plain values."""

import os
import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ctiscraper import __version__
from ctiscraper.access.settings import SignOnSettings
from ctiscraper.errors import SettingsError
from ctiscraper.http import EgressPolicy
from ctiscraper.models.reach import reach
from ctiscraper.models.settings import ModelSettings
from ctiscraper.setting_texts import (
    fault_of_authority,
    password_in,
    to_days,
    to_pairs,
    to_part,
    to_parts,
    to_redis_url,
    to_tier,
    to_weight,
    variables_of,
    with_password,
)
from ctiscraper.tracing import Collector
from ctiscraper.types import Keep, Tier
from ctiscraper.weighing import DEFAULT_WEIGHTS, PartName

PREFIX = "CTISCRAPER_"
AGENT = "CTIScraper"
MAX_PORT = 65535

# The rules of S3 for names of buckets; a prefix that needs no escaping anywhere.
_BUCKET_URL = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
    r"(?:/(?P<prefix>\w[\w.-]*(?:/\w[\w.-]*)*))?/?",
    re.ASCII,
)
_ENDPOINT = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?/?")
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)*")


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/ctiscraper")
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "ctiscraper"


def _by_tier(*, premium: int, standard: int, basic: int) -> dict[Tier, int]:
    return {Tier.PREMIUM: premium, Tier.STANDARD: standard, Tier.BASIC: basic}


class LogSettings(BaseSettings):
    """What a process must know before it can say anything."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    log_format: Literal["json", "plain"] | None = Field(
        default=None,
        description="Form of the log lines: json or plain; by itself plain on a terminal only.",
    )
    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None,
        description="The least that is logged: debug, info, warning or error; "
        "by itself info in services and error in commands.",
    )

    @property
    def json_logs(self) -> bool | None:
        """Whether log lines are JSON; None leaves it to where they go."""
        return None if self.log_format is None else self.log_format == "json"


class Settings(LogSettings, SignOnSettings, ModelSettings):
    """What an operator sets, from variables named CTISCRAPER_… (and DATABASE_URL)."""

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Folder of the embedded database and the raw store.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "CTISCRAPER_DATABASE_URL", "database_url"),
        description="PostgreSQL 15 or newer to use instead of the embedded one.",
    )
    redis_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL", "CTISCRAPER_REDIS_URL", "redis_url"),
        description="Redis 7 or Valkey that wakes the workers; without it they look by themselves.",
    )
    redis_ca: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the certificate of a rediss:// server.",
    )
    pg_bin: Path | None = Field(
        default=None,
        description="Folder with initdb, postgres, pg_dump and pg_restore, "
        "instead of the bundled ones.",
    )
    contact: str = Field(
        default="",
        max_length=200,
        description="Web or mail address that sources may write to; part of the User-Agent.",
    )
    workers: int = Field(
        default_factory=lambda: max(1, min(4, os.cpu_count() or 1)),
        ge=1,
        le=64,
        description="Worker processes.",
    )
    concurrency: int = Field(
        default=100, ge=1, le=1000, description="Hosts that one worker speaks to at a time."
    )
    enrich: bool = Field(
        default=True,
        description="Whether workers look through what was stored for what it names; "
        "with `false` they only collect, and others must do it.",
    )
    min_gap: float = Field(
        default=1.0, ge=0, le=60, description="Seconds between two requests to one host, at least."
    )
    lease_seconds: float = Field(
        default=60.0,
        ge=2,
        le=600,
        description="Seconds without a sign of life after which what a worker holds is given to "
        "another.",
    )
    egress_allow_cidrs: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(), description="Private networks that sources may be in, comma separated."
    )
    egress_allow_ports: Annotated[frozenset[int], NoDecode] = Field(
        default=frozenset({80, 443}), description="Ports that sources may use, comma separated."
    )
    egress_host_map: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="Names to fixed addresses: name=ip[:port], comma separated.",
    )
    ca_bundle: Path | None = Field(
        default=None, description="PEM file of further certificate authorities to trust."
    )
    proxy: str | None = Field(default=None, description="Outbound HTTP proxy, http://host:port.")
    database_password_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "DATABASE_PASSWORD_FILE",
            "CTISCRAPER_DATABASE_PASSWORD_FILE",
            "database_password_file",
        ),
        description="File with the password for DATABASE_URL, in place of one in the URL.",
    )
    redis_password_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "REDIS_PASSWORD_FILE", "CTISCRAPER_REDIS_PASSWORD_FILE", "redis_password_file"
        ),
        description="File with the password for REDIS_URL, in place of one in the URL.",
    )
    pulse_file: Path | None = Field(
        default=None,
        description="File that `worker` and `beat` renew while they are well; `health` reads it.",
    )
    ecs_agent_uri: str = Field(
        default="",
        validation_alias=AliasChoices("ECS_AGENT_URI", "CTISCRAPER_ECS_AGENT_URI", "ecs_agent_uri"),
        description="Agent of ECS, which sets it: a model worker asks it not to end a task "
        "that has an answer in hand.",
    )
    raw_store: str = Field(
        default="",
        description="Where raw bytes are kept: s3://bucket/prefix, or empty for the data folder.",
    )
    s3_endpoint: str = Field(
        default="", description="URL of an S3 API that is not that of AWS, http://host:port."
    )
    s3_region: str = Field(
        default="", description="AWS region of the bucket, where the SDK's own setting is not used."
    )
    s3_kms_key: str = Field(
        default="", description="KMS key that encrypts raw bytes in S3, by id, alias or ARN."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "CTISCRAPER_OTLP_ENDPOINT", "otlp_endpoint"
        ),
        description="OTLP/HTTP collector that traces go to; without it there are none.",
    )
    trace_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Part of the traces begun here that is sent."
    )
    metrics_namespace: str = Field(
        default="CTIScraper",
        pattern=r"^[A-Za-z0-9._/#-]{1,255}$",
        description="CloudWatch namespace of the published metrics.",
    )
    metrics_seconds: float = Field(
        default=30.0, ge=1, le=3600, description="Seconds from one line of metrics to the next."
    )
    environment: str = Field(
        default="local",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name of this deployment, for instance prod: a dimension of its metrics.",
    )

    keep_raw_days: Annotated[dict[Tier, int], NoDecode] = Field(
        default_factory=lambda: _by_tier(premium=365, standard=180, basic=90),
        description="Days that raw pages are kept, for each tier; 0 is for ever.",
    )
    keep_revisions_days: Annotated[dict[Tier, int], NoDecode] = Field(
        default_factory=lambda: _by_tier(premium=0, standard=730, basic=365),
        description="Days that earlier texts are kept beyond the last five; 0 is for ever.",
    )
    keep_checks_days: Annotated[dict[Tier, int], NoDecode] = Field(
        default_factory=lambda: _by_tier(premium=90, standard=90, basic=30),
        description="Days that records of checks are kept, for each tier; 0 is for ever.",
    )

    allowed_hosts: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Names that the pages are asked by beside localhost, comma separated.",
    )
    require_second_factor: bool = Field(
        default=False,
        description="Whoever has a password sets up an app for codes before he may do anything "
        "else: no password alone lets anybody in.",
    )
    tls_cert: Path | None = Field(
        default=None, description="PEM file with the certificate of the pages, and its chain."
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the key to it.")
    behind_proxy: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="Networks of the proxies before the pages, comma separated; "
        "what these say of who asks is believed.",
    )
    secret_key_file: Path | None = Field(
        default=None,
        description="File with the key of this installation, 32 bytes; "
        "by default `secret.key` in the data folder, made when there is none.",
    )
    bootstrap_admin_file: Path | None = Field(
        default=None,
        description='JSON file with "username" and "password" of the first administrator, '
        "made by `migrate` where there is nobody yet.",
    )

    score_weights: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=lambda: dict(DEFAULT_WEIGHTS),
        description="What each part of a score weighs against the others; 0 leaves it out.",
    )

    @field_validator(
        "egress_allow_cidrs", "egress_allow_ports", "behind_proxy", "allowed_hosts", mode="before"
    )
    @classmethod
    def _listed(cls, value: object) -> object:
        return to_parts(value) if isinstance(value, str) else value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        return to_redis_url(value) if value and value.strip() else None

    @field_validator("egress_host_map", mode="before")
    @classmethod
    def _mapped(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in to_parts(value)]
        if wrong := [name for name, sign, address in pairs if not (sign and address)]:
            raise ValueError(f"{wrong[0]!r} should read name=address")
        return {name.lower(): address for name, _, address in pairs}

    @field_validator("raw_store")
    @classmethod
    def _bucket_named(cls, value: str) -> str:
        if value and not _BUCKET_URL.fullmatch(value):
            raise ValueError(
                f"{value!r} should read s3://bucket or s3://bucket/prefix, the bucket in lower "
                "case, the prefix of letters, digits, and _ . - /"
            )
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _endpoint_named(cls, value: str) -> str:
        found = _ENDPOINT.fullmatch(value)
        if value and (found is None or int(found["port"] or 0) > MAX_PORT):
            raise ValueError(f"{value!r} should read https://host or https://host:port")
        return value.rstrip("/")

    @field_validator("s3_region")
    @classmethod
    def _region_named(cls, value: str) -> str:
        if value and not _REGION.fullmatch(value):
            raise ValueError(f"{value!r} should read like eu-central-1")
        return value

    @field_validator("keep_raw_days", "keep_revisions_days", "keep_checks_days", mode="before")
    @classmethod
    def _days(cls, value: object, info: ValidationInfo) -> object:
        """Return days by tier; a tier that is not named keeps its default."""
        if isinstance(value, str):
            given: object = to_pairs(value, "tier=days", "premium=365")
        else:
            given = value
        if not isinstance(given, dict):
            return given
        default: dict[Tier, int] = cls.model_fields[str(info.field_name)].get_default(
            call_default_factory=True
        )
        return default | {to_tier(name): to_days(days) for name, days in given.items()}

    @field_validator("score_weights", mode="before")
    @classmethod
    def _weighed(cls, value: object) -> object:
        """Return weights by part; a part that is not named keeps its default."""
        if isinstance(value, str):
            value = to_pairs(value, "part=weight", "urgency=0.5")
        if not isinstance(value, dict):
            return value
        weights = dict(DEFAULT_WEIGHTS)
        weights |= {to_part(str(name)): to_weight(weight) for name, weight in value.items()}
        if not any(weights[name] for name in PartName if name is not PartName.RELEVANCE):
            raise ValueError("a part beside relevance needs a weight above 0")
        return weights

    @property
    def user_agent(self) -> str:
        """The honest name every request carries."""
        contact = f"+{self.contact}" if self.contact else "operator gave no contact"
        return f"{AGENT}/{__version__} ({contact})"

    @property
    def models_dir(self) -> Path:
        """The folder of what was made of the model of vectors that comes along."""
        return self.data_dir / "models"

    @property
    def raw_dir(self) -> Path:
        """The folder of the raw store."""
        return self.data_dir / "raw"

    @property
    def key_file(self) -> Path:
        """The file of the installation's key."""
        return self.secret_key_file or self.data_dir / "secret.key"

    @property
    def outbox_dir(self) -> Path:
        """The folder of raw bytes that wait for their bucket."""
        return self.data_dir / "raw-outbox"

    @property
    def packs_dir(self) -> Path:
        """Where copies of the data packs in use are."""
        return self.data_dir / "packs"

    @property
    def bucket(self) -> tuple[str, str] | None:
        """Bucket and prefix of the raw store, None when it is a folder."""
        found = _BUCKET_URL.fullmatch(self.raw_store)
        return (found["bucket"], found["prefix"] or "") if found else None

    def keep(self) -> Keep:
        """Return for how long what is kept."""
        return Keep(
            raw=self.keep_raw_days, revisions=self.keep_revisions_days, checks=self.keep_checks_days
        )

    def egress_policy(self) -> EgressPolicy:
        """Return what the outbound client may do. Raises SettingsError."""
        return EgressPolicy(
            user_agent=self.user_agent,
            allow_networks=self.egress_allow_cidrs,
            allow_ports=self.egress_allow_ports,
            host_map=self.egress_host_map,
            ca_bundle=self.ca_bundle,
            proxy=self.proxy,
        )

    def model_policy(self) -> EgressPolicy:
        """Return what the client for the server of models may do. Raises SettingsError."""
        return reach(
            self.model_url,
            user_agent=self.user_agent,
            host_map=self.egress_host_map,
            ca_bundle=self.ca_bundle,
            proxy=self.proxy,
        )

    def model_key(self) -> str:
        """Return the key for the server of models, empty for none. Raises SettingsError."""
        if self.model_key_file is None:
            return ""
        try:
            return password_in(self.model_key_file).strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"CTISCRAPER_MODEL_KEY_FILE: {error}") from error

    def collector(self, service: str) -> Collector | None:
        """Return where the traces of this process go, under a service's name."""
        if not self.otlp_endpoint:
            return None
        return Collector(endpoint=self.otlp_endpoint, service=service, ratio=self.trace_ratio)


def load_log_settings() -> LogSettings:
    """Return what is set of the log alone. Raises SettingsError."""
    try:
        return LogSettings()
    except ValidationError as error:
        raise _wrong(error) from error


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment for a program that is to have these settings."""
    values = settings.model_dump(mode="json").items()
    own = {f"{PREFIX}{name.upper()}": _written(value) for name, value in values if value}
    return {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}} | own


def given_variables() -> frozenset[str]:
    """Return the names of the variables of this process's environment that are not empty."""
    return frozenset(name.upper() for name, value in os.environ.items() if value)


def _written(value: object) -> str:
    """Return a setting as its variable would hold it."""
    if isinstance(value, dict):
        return ",".join(f"{name}={part}" for name, part in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def load_settings(**overrides: object) -> Settings:
    """Return the settings of this process; overrides come from the command line.

    Raises SettingsError that names every fault and its variable.
    """
    try:
        settings = Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise _wrong(error) from error
    # Not asked by workers, who are given settings: those go on without Redis.
    if settings.redis_ca and (fault := fault_of_authority(settings.redis_ca)):
        raise SettingsError(f"these settings are wrong:\n  CTISCRAPER_REDIS_CA: {fault}")
    return with_passwords(settings)


def with_passwords(settings: Settings) -> Settings:
    """Return the settings with what the files of passwords hold now in their URLs.

    Raises SettingsError.
    """
    found: dict[str, str] = {}
    faults: list[str] = []
    for server in ("database", "redis"):
        url: str | None = getattr(settings, f"{server}_url")
        file: Path | None = getattr(settings, f"{server}_password_file")
        if file is None:
            continue
        if url is None:
            faults.append(f"{server.upper()}_PASSWORD_FILE needs {server.upper()}_URL beside it")
            continue
        try:
            found[f"{server}_url"] = with_password(url, password_in(file))
        except (OSError, ValueError) as error:
            faults.append(f"{server.upper()}_PASSWORD_FILE: {error}")
    if faults:
        raise SettingsError("these settings are wrong:\n  " + "\n  ".join(faults))
    return settings.model_copy(update=found)


def _wrong(error: ValidationError) -> SettingsError:
    """Return the error that names every fault and its variable."""
    faults = [f"{_variable(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors()]
    return SettingsError("these settings are wrong:\n  " + "\n  ".join(faults))


def _variable(place: str) -> str:
    """Return the variable that is set, or should be, of what a fault calls by any of its names."""
    given = given_variables()
    for name, field in Settings.model_fields.items():
        known = variables_of(PREFIX, name, field)
        if place == name or place.upper() in known:
            return next((one for one in known if one in given), known[0])
    return f"{PREFIX}{place.upper()}"

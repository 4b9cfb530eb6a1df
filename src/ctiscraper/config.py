"""Settings: the only reader of the environment; everything below gets plain values."""

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ctiscraper import __version__
from ctiscraper.errors import SettingsError
from ctiscraper.http import EgressPolicy
from ctiscraper.tracing import Collector

PREFIX = "CTISCRAPER_"
AGENT = "CTIScraper"


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/ctiscraper")
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "ctiscraper"


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


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
        "by itself info in workers and error in commands.",
    )

    @property
    def json_logs(self) -> bool | None:
        """Whether log lines are JSON; None leaves it to where they go."""
        return None if self.log_format is None else self.log_format == "json"


class Settings(LogSettings):
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
    pg_bin: Path | None = Field(
        default=None, description="Folder with initdb and postgres, instead of the bundled ones."
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
    min_gap: float = Field(
        default=1.0, ge=0, le=60, description="Seconds between two requests to one host, at least."
    )
    lease_seconds: float = Field(
        default=60.0, ge=2, le=600, description="How long a worker may be silent."
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
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "CTISCRAPER_OTLP_ENDPOINT", "otlp_endpoint"
        ),
        description="OTLP/HTTP collector that traces go to; "
        "OTEL_EXPORTER_OTLP_ENDPOINT names it as well. Without it there are none.",
    )
    trace_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Part of the traces begun here that is sent."
    )

    @field_validator("egress_allow_cidrs", "egress_allow_ports", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return _parts(value) if isinstance(value, str) else value

    @field_validator("egress_host_map", mode="before")
    @classmethod
    def _mapped(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in _parts(value)]
        if wrong := [name for name, sign, address in pairs if not (sign and address)]:
            raise ValueError(f"{wrong[0]!r} should read name=address")
        return {name.lower(): address for name, _, address in pairs}

    @property
    def user_agent(self) -> str:
        """The honest name every request carries."""
        contact = f"+{self.contact}" if self.contact else "operator gave no contact"
        return f"{AGENT}/{__version__} ({contact})"

    @property
    def raw_dir(self) -> Path:
        """The folder of the raw store."""
        return self.data_dir / "raw"

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


def load_settings(**overrides: object) -> Settings:
    """Return the settings of this process; overrides come from the command line.

    Raises SettingsError that names every fault and its variable.
    """
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise _wrong(error) from error


def _wrong(error: ValidationError) -> SettingsError:
    """Return the error that names every fault and its variable."""
    faults = [f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
    return SettingsError("these settings are wrong:\n  " + "\n  ".join(faults))

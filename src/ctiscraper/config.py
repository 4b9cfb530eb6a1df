"""Settings: the only reader of the environment; everything below gets plain values."""

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ctiscraper import __version__
from ctiscraper.errors import SettingsError
from ctiscraper.http import EgressPolicy
from ctiscraper.types import Keep, Tier

PREFIX = "CTISCRAPER_"
AGENT = "CTIScraper"
MOST_DAYS = 36_500


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/ctiscraper")
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "ctiscraper"


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _by_tier(*, premium: int, standard: int, basic: int) -> dict[Tier, int]:
    return {Tier.PREMIUM: premium, Tier.STANDARD: standard, Tier.BASIC: basic}


def _days_given(value: str) -> dict[str, str]:
    """Return the days that a text like premium=365,basic=90 gives each tier."""
    pairs = [part.partition("=") for part in _parts(value)]
    names = [name.strip() for name, _, _ in pairs]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise ValueError(f"{wrong[0]!r} should read tier=days, such as premium=365")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} is given twice")
    return dict(zip(names, (days.strip() for _, _, days in pairs), strict=True))


def _tier(name: str) -> Tier:
    try:
        return Tier(name)
    except ValueError:
        raise ValueError(f"{name!r} is no tier: {', '.join(Tier)}") from None


def _whole(days: object) -> int:
    try:
        number = int(str(days))
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_DAYS:
        raise ValueError(f"{days!r} is no number of days: 0 for ever, else 1 to {MOST_DAYS}")
    return number


class Settings(BaseSettings):
    """What an operator sets, from variables named CTISCRAPER_… (and DATABASE_URL)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

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

    @field_validator("keep_raw_days", "keep_revisions_days", "keep_checks_days", mode="before")
    @classmethod
    def _days(cls, value: object, info: ValidationInfo) -> object:
        """Return days by tier; a tier that is not named keeps its default."""
        given = _days_given(value) if isinstance(value, str) else value
        if not isinstance(given, dict):
            return given
        default: dict[Tier, int] = cls.model_fields[str(info.field_name)].get_default(
            call_default_factory=True
        )
        return default | {_tier(name): _whole(days) for name, days in given.items()}

    @property
    def user_agent(self) -> str:
        """The honest name every request carries."""
        contact = f"+{self.contact}" if self.contact else "operator gave no contact"
        return f"{AGENT}/{__version__} ({contact})"

    @property
    def raw_dir(self) -> Path:
        """The folder of the raw store."""
        return self.data_dir / "raw"

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


def load_settings(**overrides: object) -> Settings:
    """Return the settings of this process; overrides come from the command line.

    Raises SettingsError that names every fault and its variable.
    """
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()
        ]
        raise SettingsError("these settings are wrong:\n  " + "\n  ".join(faults)) from error

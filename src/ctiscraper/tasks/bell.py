"""The doorbell: tells idle workers that PostgreSQL has work for them."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ctiscraper.config import Settings
from ctiscraper.types import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class BellState:
    """Whether workers can be woken; `detail` says what is wrong and what can be done.

    `waiting` counts messages nobody has heard yet, by tier. `failed` counts this process's rings
    that were not taken, the last of them `failed_seconds` ago for the reason of `failure`.
    """

    configured: bool
    reachable: bool
    detail: str = ""
    waiting: Mapping[str, int] | None = None
    failed: int = 0
    failed_seconds: float | None = None
    failure: str = ""


class Bell(Protocol):
    """Wakes workers; that it fails costs time, never work."""

    def ring(self, tier: Tier) -> None:
        """Say that a tier has work; returns at once, whatever becomes of it."""

    async def look(self) -> BellState:
        """Return how the bell is."""
        ...

    async def aclose(self) -> None:
        """Let go of its connections."""


class SilentBell:
    """The bell of an installation without Redis: its workers look for work by themselves."""

    def ring(self, tier: Tier) -> None:
        """Do nothing: nobody listens."""

    async def look(self) -> BellState:
        """Return that there is none."""
        return BellState(configured=False, reachable=False)

    async def aclose(self) -> None:
        """Do nothing: nothing is held."""


def bell_of(settings: Settings) -> Bell:
    """Return the bell that the settings name: over Redis, or none."""
    if settings.redis_url is None:
        return SilentBell()
    # Celery and Redis cost 30 MB: only who rings carries them.
    bell: Bell = importlib.import_module("ctiscraper.tasks.redis_bell").RedisBell(settings)
    return bell

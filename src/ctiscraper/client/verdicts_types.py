"""Types of verdicts; written from the description of the API, not by hand."""

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from ctiscraper.client.shared_types import Kind, Name, TeamVerdict, VerdictInput

Scope: TypeAlias = Literal["value", "domain", "source"]
"""How far a decision reaches."""


class VerdictIn(Struct, frozen=True, kw_only=True):
    """A decision: of a value, of a domain with all below it, or of a value in one source."""

    value: str
    verdict: VerdictInput
    scope: Scope | UnsetType = UNSET
    kind: Kind | Name | UnsetType | None = UNSET
    source: str | UnsetType | None = UNSET
    reason: str | UnsetType = UNSET


class VerdictPage(Struct, frozen=True, kw_only=True):
    """A page of decisions, the latest first."""

    verdicts: tuple[TeamVerdict, ...]
    next: str | None

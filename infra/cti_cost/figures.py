"""Prices and assumed amounts, read from infra/cost."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from cti_cost.errors import CostError

FOLDER = Path(__file__).resolve().parents[1] / "cost"


@dataclass(frozen=True, slots=True)
class Span:
    """A figure at the least and at the most."""

    low: Decimal
    high: Decimal

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low + other.low, self.high + other.high)

    def __sub__(self, other: "Span") -> "Span":
        return Span(self.low - other.low, self.high - other.high)

    def __mul__(self, other: "Span | Decimal | int") -> "Span":
        if isinstance(other, Span):
            return Span(self.low * other.low, self.high * other.high)
        return Span(self.low * other, self.high * other)


def span(low: Decimal | int | str, high: Decimal | int | str | None = None) -> Span:
    """Return a span, of one figure where there is no other."""
    return Span(Decimal(low), Decimal(low if high is None else high))


NOTHING = span(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit costs in dollars, and who says so."""

    name: str
    price: Decimal
    unit: str
    source: str
    date: str
    # No source that AWS or a price feed keeps could confirm it.
    believed: bool = False


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices by their names."""

    known: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        if name not in self.known:
            raise CostError(f'no price of {name}: add ["{name}"] to infra/cost/prices.toml')
        return self.known[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What is assumed of a month, and why."""

    name: str
    unit: str
    reason: str
    spans: Mapping[str, Span]


@dataclass(frozen=True, slots=True)
class Usage:
    """The amounts of one environment."""

    environment: str
    known: Mapping[str, Amount]

    def __getitem__(self, name: str) -> Span:
        amount = self.known.get(name)
        if amount is None or self.environment not in amount.spans:
            raise CostError(
                f"no amount of {name} in {self.environment}: "
                f'add it to ["{name}"] of infra/cost/usage.toml'
            )
        return amount.spans[self.environment]

    def but(self, name: str, wanted: Span) -> "Usage":
        """Return the same with another amount of one."""
        changed = replace(self.known[name], spans={self.environment: wanted})
        return replace(self, known={**self.known, name: changed})


def load_prices(file: Path = FOLDER / "prices.toml") -> Prices:
    """Return the prices. Raises CostError."""
    return Prices({name: _price(name, table) for name, table in _read(file).items()})


def load_usage(environment: str, file: Path = FOLDER / "usage.toml") -> Usage:
    """Return the amounts of an environment. Raises CostError."""
    return Usage(environment, {name: _amount(name, table) for name, table in _read(file).items()})


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CostError(f"{file} cannot be read: {error}") from error


def _price(name: str, table: Mapping[str, Any]) -> Price:
    try:
        return Price(name=name, **{**table, "price": Decimal(table["price"])})
    except (KeyError, TypeError) as error:
        raise CostError(
            f"prices.toml: {name} needs price, unit, source and date: {error}"
        ) from error


def _amount(name: str, table: Mapping[str, Any]) -> Amount:
    spans = {key: value for key, value in table.items() if key not in {"unit", "reason"}}
    try:
        made = {key: span(*value) for key, value in spans.items()}
        amount = Amount(name=name, unit=table["unit"], reason=table["reason"], spans=made)
    except (KeyError, TypeError) as error:
        raise CostError(f"usage.toml: {name} needs unit, reason and amounts: {error}") from error
    for environment, found in made.items():
        if not 0 <= found.low <= found.high:
            raise CostError(f"usage.toml: {name}: {environment}: not from less to more")
    return amount

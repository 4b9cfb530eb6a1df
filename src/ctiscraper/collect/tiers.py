"""What a tier buys beside its interval: a longer turn, an earlier one, and weight."""

from dataclasses import dataclass

from ctiscraper.types import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class TierShare:
    """`turn` is how many items of a host are fetched before others have their turn."""

    turn: int
    weight: float


SHARES = {
    Tier.PREMIUM: TierShare(turn=200, weight=1.0),
    Tier.STANDARD: TierShare(turn=100, weight=0.6),
    Tier.BASIC: TierShare(turn=50, weight=0.3),
}

from itertools import pairwise

from ctiscraper.collect.tiers import SHARES
from ctiscraper.types import Tier


def test_each_tier_buys_more_than_the_next_and_none_nothing() -> None:
    ordered = [SHARES[tier] for tier in (Tier.PREMIUM, Tier.STANDARD, Tier.BASIC)]
    assert set(SHARES) == set(Tier)
    for better, worse in pairwise(ordered):
        assert better.turn > worse.turn > 0
        assert better.weight > worse.weight > 0

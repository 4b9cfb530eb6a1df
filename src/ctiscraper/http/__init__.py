"""The one way out of the program: guarded addresses, bounded answers."""

from ctiscraper.http.client import BeforeHop, Client, FetchLimits
from ctiscraper.http.guard import (
    EgressPolicy,
    Target,
    admissible,
    check_url,
    is_allowed_address,
)

__all__ = [
    "BeforeHop",
    "Client",
    "EgressPolicy",
    "FetchLimits",
    "Target",
    "admissible",
    "check_url",
    "is_allowed_address",
]

"""The one way out of the program: guarded addresses, bounded answers."""

from ctiscraper.http.client import BeforeHop, Client, tls_context
from ctiscraper.http.guard import (
    EgressPolicy,
    OnlyServer,
    Target,
    admissible,
    check_url,
    is_allowed_address,
    only_server,
)
from ctiscraper.http.intake import FetchLimits
from ctiscraper.http.streamed import Streamed

__all__ = [
    "BeforeHop",
    "Client",
    "EgressPolicy",
    "FetchLimits",
    "OnlyServer",
    "Streamed",
    "Target",
    "admissible",
    "check_url",
    "is_allowed_address",
    "only_server",
    "tls_context",
]

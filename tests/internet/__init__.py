"""A small internet on loopback, for tests: sites with pages, feeds and faults."""

from internet.exchange import Request
from internet.prose import Prose
from internet.site import Item, Site
from internet.world import FAULTS, FakeInternet

__all__ = ["FAULTS", "FakeInternet", "Item", "Prose", "Request", "Site"]

"""A sample site of fictional researchers, served on loopback, to try the product with."""

from ctiscraper.demo.server import DemoSite

__all__ = ["DemoSite"]

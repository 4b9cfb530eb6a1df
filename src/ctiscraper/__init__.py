"""CTIScraper: what security researchers publish, kept faithfully and read with evidence."""

__version__ = "0.1.0"

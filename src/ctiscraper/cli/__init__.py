"""The command line: a door that holds no logic."""

from ctiscraper.cli.app import main

__all__ = ["main"]

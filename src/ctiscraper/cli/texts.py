"""Texts that a command is given: a file, or standard input."""

import sys
from pathlib import Path

from ctiscraper.errors import SettingsError

LARGEST = 16 * 1024 * 1024


def read_text(file: Path) -> str:
    """Return a text as UTF-8, wrong bytes replaced; - is standard input. Raises SettingsError."""
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise SettingsError(f"{file} has more than {LARGEST >> 20} MB: give it in parts")
    return raw.decode("utf-8-sig", "replace")


def on_a_line(value: str, widest: int = 100) -> str:
    """Return a value on one line, cut where it is very long."""
    shown = " ".join(value.split())
    return shown if len(shown) <= widest else f"{shown[: widest - 1]}\u2026"

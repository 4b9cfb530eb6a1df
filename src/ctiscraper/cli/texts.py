"""What a command is given and hands over: a file, or standard input and output."""

import sys
from pathlib import Path

from ctiscraper.cli.output import print_json
from ctiscraper.errors import CTIScraperError, SettingsError

# As much as the API takes of a file.
LARGEST = 20 * 1024 * 1024


def read_text(file: Path) -> str:
    """Return a text as UTF-8, wrong bytes replaced; - is standard input. Raises SettingsError."""
    return read_file(file).decode("utf-8-sig", "replace")


def read_file(file: Path) -> bytes:
    """Return what a file holds; - is standard input. Raises SettingsError."""
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise SettingsError(f"{file} has more than {LARGEST >> 20} MB: give it in parts")
    return raw


def hand_over(text: str, output: Path | None, *, json: bool) -> None:
    """Write an export into a file, or to standard output; as JSON, say where it is.

    Raises CTIScraperError.
    """
    if output is not None:
        try:
            output.write_bytes(text.encode())
        except OSError as error:
            raise CTIScraperError(f"{output} cannot be written: {error.strerror}") from error
    if json:
        print_json({"file": str(output) if output else None, "text": text})
    elif output is None:
        sys.stdout.buffer.write(text.encode())


def on_a_line(value: str, widest: int = 100) -> str:
    """Return a value on one line, cut where it is very long."""
    shown = " ".join(value.split())
    return shown if len(shown) <= widest else f"{shown[: widest - 1]}\u2026"

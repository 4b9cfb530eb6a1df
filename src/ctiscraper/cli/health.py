"""`health`: whether the process beside this one is well, for container health checks."""

import socket
import ssl
from enum import StrEnum
from typing import Annotated

import typer

from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Json
from ctiscraper.cli.output import print_json, print_lines
from ctiscraper.config import load_settings
from ctiscraper.errors import SettingsError
from ctiscraper.tasks.pulse import Pulse

HOST = "127.0.0.1"
PATIENCE = 5.0
_MOST = 64


class Role(StrEnum):
    """What a process of the product does."""

    WEB = "web"
    WORKER = "worker"
    MODEL_WORKER = "model-worker"
    BEAT = "beat"


Asked = Annotated[Role, typer.Argument(help="What the process does.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the web process.")]
Within = Annotated[
    float, typer.Option("--within", min=1, help="Seconds for which workers or beat may be silent.")
]


def health(
    role: Asked = Role.WEB, port: Port = 8000, within: Within = 60.0, json: Json = False
) -> None:
    """Say whether web, worker, model-worker or beat on this machine is well: exit code 0, or 1."""
    if role is Role.WEB:
        fault = _web_fault(port, over_tls=load_settings().tls_cert is not None)
    else:
        fault = _pulse_fault(role, within)
    if json:
        print_json({"role": role, "well": fault is None, "fault": fault})
    else:
        print_lines([f"{role}: {fault or 'well'}"])
    if fault is not None:
        raise typer.Exit(Exit.FAILED)


def _web_fault(port: int, *, over_tls: bool) -> str | None:
    """Return what is wrong with the web process of this machine, asked whether it lives."""
    question = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((HOST, port), timeout=PATIENCE) as opened:
            # The certificate is of another name than this machine's own: it is not asked for one.
            connection = _unchecked().wrap_socket(opened) if over_tls else opened
            connection.sendall(question)
            answer = connection.recv(_MOST)
    except OSError as error:
        return f"port {port} does not answer: {error}"
    line = answer.split(b"\r\n")[0].decode("latin-1")
    return None if line.startswith("HTTP/1.1 200 ") else f"port {port} answered {line!r}"


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _pulse_fault(role: Role, within: float) -> str | None:
    file = load_settings().pulse_file
    if file is None:
        raise SettingsError(
            f"the {role}'s health is in the file of CTISCRAPER_PULSE_FILE: set it for both"
        )
    age = Pulse(file).age()
    if age is None:
        return f"no pulse in {file}"
    return None if age <= within else f"silent for {age:.0f} seconds"

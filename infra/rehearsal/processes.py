"""Processes of this machine that end with the rehearsal, however it ends."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
PRODUCT = ROOT / ".venv" / "bin" / "ctiscraper"
HERE = "127.0.0.1"
# Becomes the program, which the kernel ends when this process has gone.
_LAUNCHER = ROOT / "src" / "ctiscraper" / "db" / "foreground.py"

Process = subprocess.Popen[bytes]


def start(command: Sequence[str], environ: Mapping[str, str], log: Path, folder: Path) -> Process:
    """Return a process that writes into a log, in a session of its own."""
    launched = [str(PYTHON), "-I", "-S", str(_LAUNCHER), str(os.getpid()), "same", *command]
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - commands of our own task definitions
            launched,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )


def stop(process: Process, number: signal.Signals, patience: float) -> None:
    """End a process, and what it started; at once when it takes longer than it may."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        # It left nobody behind.
        return


def free_port() -> int:
    """Return a port of loopback that nobody has just now."""
    with socket.create_server((HERE, 0)) as listening:
        port: int = listening.getsockname()[1]
    return port

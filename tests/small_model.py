"""The small language model that tests ask: what it is called, and one process for all workers."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SMALL_MODEL = "smollm2:135m"
CONTEXT = 8192
_SHIM = Path(__file__).with_name("model_shim.py")
_START_SECONDS = 120


@contextmanager
def running_model(folder: Path) -> Iterator[str]:
    """The address of the model's server; whoever comes first starts it, the last one ends it."""
    users = os.open(folder / "small-model-users.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(users, fcntl.LOCK_SH)
    address = folder / "small-model"
    process: subprocess.Popen[bytes] | None = None
    with (folder / "small-model.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            process = _started(address)
    try:
        yield address.read_text("utf-8")
    finally:
        if process is not None:
            # A worker that needs the model only now starts one of its own.
            address.unlink(missing_ok=True)
            fcntl.flock(users, fcntl.LOCK_EX)
            _ended(process)
        os.close(users)


def _started(address: Path) -> subprocess.Popen[bytes]:
    log = address.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(_SHIM), str(address), "--parent", str(os.getpid())],
            stdout=out,
            stderr=subprocess.STDOUT,
            # One that waits for work should not spin on a core that tests need.
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        )
    deadline = time.monotonic() + _START_SECONDS
    while not address.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
        if process.returncode is not None or time.monotonic() > deadline:
            _ended(process)
            raise RuntimeError(f"the small model did not start:\n{log.read_text('utf-8')}")
    return process


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

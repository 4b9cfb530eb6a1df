"""The emulator moto as a process of its own, on a free port of this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

STOP_SECONDS = 60
# Types that moto cannot make, and why; what of them the stacks hold is left out.
MOTO_LIMITS = {
    "AccessAnalyzer::Analyzer": "moto has no Access Analyzer",
    "Backup::BackupSelection": "moto has plans and vaults of Backup, and no selections",
    "ElastiCache::ParameterGroup": "moto has no parameter groups of ElastiCache",
    "Logs::QueryDefinition": "moto runs queries of logs, and keeps no definitions of them",
    "XRay::Group": "moto takes segments of X-Ray, and has no groups",
}

# It ends when whoever started it does: the pipe is closed then.
_PROGRAM = """
import logging, sys
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def moto_server() -> Iterator[str]:
    """Yield the address of an emulator that knows nothing yet."""
    environment = {
        **os.environ,
        # Roles name policies that AWS manages.
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    }
    with (
        TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            said.seek(0)
            raise RuntimeError(f"the emulator did not start: {said.read()}")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()
            process.wait(timeout=STOP_SECONDS)

"""Emulators of AWS, each a process of its own on a free port of this machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from tempfile import TemporaryFile

HERE = "127.0.0.1"
STOP_SECONDS = 60
# Types that moto cannot make, and why; what of them the stacks hold is left out.
MOTO_LIMITS = {
    "AccessAnalyzer::Analyzer": "moto has no Access Analyzer",
    "Backup::BackupSelection": "moto has plans and vaults of Backup, and no selections",
    "ElastiCache::ParameterGroup": "moto has no parameter groups of ElastiCache",
    "Logs::QueryDefinition": "moto runs queries of logs, and keeps no definitions of them",
    "XRay::Group": "moto takes segments of X-Ray, and has no groups",
}

# Images of machines, of which moto knows hundreds, are no part of the system.
NO_MACHINES = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}

# Both end when whoever started them does: the pipe is closed then.
# A thousand policies of AWS are read once, not each time that moto forgets everything.
_MOTO = """
import copy, logging, sys
from moto.iam.models import IAMBackend
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
read, known = IAMBackend._init_aws_policies, []
def policies(backend):
    known.extend([] if known else read(backend))
    return [copy.copy(one) for one in known]
IAMBackend._init_aws_policies = policies
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
_MINISTACK = """
import os, socket, sys, threading, time
def until_closed():
    sys.stdin.read()
    os._exit(0)
def tell():
    port = int(os.environ["GATEWAY_PORT"])
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((os.environ["BIND_HOST"], port)) == 0:
                break
        time.sleep(0.05)
    os.write(1, f"{port}\\n".encode())
threading.Thread(target=until_closed, daemon=True).start()
from ministack.app import main
threading.Thread(target=tell, daemon=True).start()
sys.argv = ["ministack"]
main()
"""


@contextmanager
def moto_server() -> Iterator[str]:
    """Yield the address of a moto that knows nothing yet."""
    # Roles name policies that AWS manages.
    with _server(_MOTO, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", **NO_MACHINES}) as address:
        yield address


@contextmanager
def ministack_server(account: str) -> Iterator[str]:
    """Yield the address of a ministack that is that account."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port = probe.getsockname()[1]
    settings = {
        # It listens on every interface unless it is told.
        "BIND_HOST": HERE,
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "ERROR",
        "MINISTACK_ACCOUNT_ID": account,
    }
    with _server(_MINISTACK, settings) as address:
        yield address


@contextmanager
def _server(program: str, settings: Mapping[str, str]) -> Iterator[str]:
    with (
        TemporaryFile("w+") as said,
        subprocess.Popen(  # noqa: S603 - the program is one of the two above
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env={**os.environ, **settings},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        port = ""
        while not port.isdigit():
            if not (line := process.stdout.readline()):
                said.seek(0)
                raise RuntimeError(f"the emulator did not start: {said.read()}")
            port = line.strip()
        try:
            yield f"http://{HERE}:{port}"
        finally:
            process.stdin.close()
            process.wait(timeout=STOP_SECONDS)


def empty(address: str) -> None:
    """Make moto forget everything."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=STOP_SECONDS)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()

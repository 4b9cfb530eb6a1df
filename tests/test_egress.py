"""There is one way out of the program: nothing outside its room can open a connection."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ctiscraper"
HTTP = SOURCE / "http"

# What can reach another machine. Names are modules, or members of modules that do more.
CLIENTS = {
    "aiobotocore",
    "aiohttp",
    "boto3",
    "botocore",
    "ftplib",
    "grpc",
    "http.client",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "imaplib",
    "nntplib",
    "poplib",
    "pycurl",
    "requests",
    "s3transfer",
    "smtplib",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websockets",
    "xmlrpc.client",
    "asyncio.open_connection",
    "socket.create_connection",
    "socket.socket",
    "socket.getaddrinfo",
    "socket.gethostbyname",
}
# Calls by which a library would fetch for us, or an event loop connect.
FETCHERS = {
    "create_connection",
    "create_datagram_endpoint",
    "fetch_url",
    "getaddrinfo",
    "open_connection",
    "sock_connect",
    "urlopen",
    "urlretrieve",
}
# Whoever binds or talks within this machine: the server's own socket, and pairs of processes.
WITHIN = {
    "sandbox.py": {"socket.socket"},
    "nursery.py": {"socket.socket"},
    "demo/server.py": {"socket.socket"},
    "web/serve.py": {"socket.socket"},
    "cli/up.py": {"socket.socket"},
    "cli/health.py": {"socket.create_connection", "create_connection"},
}
# The operator's own storage, at an address that only settings give: no source leads there.
STORAGE = {
    "db/raw_s3.py": (
        "boto3.session",
        "botocore.config",
        "botocore.exceptions",
        "urllib3.exceptions",
    )
}
# Traces go to the collector that the operator names, docs/adr/0011-traces.md; its own tests hold it
# to that address.
TO_THE_OPERATOR = {"tracing/otlp.py": {"requests", "requests.Session"}}
# Runs where others use an installation, and reaches the one address that they name.
TO_AN_INSTALLATION = {"client/transport.py": {"httpcore2", "httpcore2.ConnectionPool"}}


def dotted(node: ast.expr) -> str:
    """The words of `a.b.c`; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def ways_out(source: str) -> set[str]:
    """What a module uses that can reach another machine."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            found |= {name} | ({name.rpartition(".")[2]} & FETCHERS) | _imported_by_name(node)
    return {name for name in found if name in CLIENTS | FETCHERS or _inside(name)}


def _imported_by_name(call: ast.Call) -> set[str]:
    """What `importlib.import_module("…")` and its like bring in."""
    words = [word.value for word in call.args if isinstance(word, ast.Constant)]
    if dotted(call.func).rpartition(".")[2] not in {"import_module", "__import__"}:
        return set()
    return {str(word) for word in words}


def _inside(name: str) -> bool:
    return any(name.startswith(f"{client}.") for client in CLIENTS)


def test_only_the_outbound_client_can_reach_another_machine() -> None:
    strays = {}
    for module in sorted(SOURCE.rglob("*.py")):
        if HTTP in module.parents:
            continue
        place = str(module.relative_to(SOURCE))
        found = ways_out(module.read_text("utf-8")) - _allowed(place)
        found = {name for name in found if not _of_storage(place, name)}
        if found:
            strays[place] = found
    assert strays == {}


def _allowed(place: str) -> set[str]:
    rooms = (WITHIN, TO_THE_OPERATOR, TO_AN_INSTALLATION)
    return set().union(*(room.get(place, set()) for room in rooms))


def _of_storage(place: str, name: str) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in STORAGE.get(place, ()))


def test_the_address_of_the_storage_comes_from_settings_alone() -> None:
    makers = {
        str(module.relative_to(SOURCE)): [
            ast.unparse(argument) for argument in (*node.args, *(k.value for k in node.keywords))
        ]
        for module in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "S3Store"
    }
    assert makers == {
        "bootstrap.py": [
            "bucket",
            "prefix",
            "settings.s3_endpoint",
            "settings.s3_region",
            "settings.s3_kms_key",
        ]
    }


def test_the_client_is_made_with_the_operators_policy_alone() -> None:
    """Who collects, the doctor, updates; the server of models under one for it alone."""
    makers: dict[str, set[str]] = {}
    for module in SOURCE.rglob("*.py"):
        text = module.read_text("utf-8")
        if "ctiscraper.http" not in text:
            continue
        found = {
            ast.unparse(node.args[0])
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "Client"
        }
        if found:
            makers[str(module.relative_to(SOURCE))] = found
    assert makers == {
        "bootstrap.py": {"settings.egress_policy()", "settings.model_policy()"},
        "cli/reference_data.py": {"settings.egress_policy()"},
        "tasks/diagnosis.py": {"settings.egress_policy()"},
    }


@pytest.mark.parametrize(
    "source",
    [
        "import requests",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import http.client",
        "import socket\nsocket.create_connection(('h', 80))",
        "import asyncio\nasync def f():\n    await asyncio.open_connection('h', 80)",
        "async def f(loop):\n    await loop.create_connection(str, 'h', 80)",
        "from httpx2 import AsyncClient",
        "import trafilatura\ntrafilatura.fetch_url('http://h')",
        "def f():\n    import smtplib",
        "import boto3",
        "from botocore.httpsession import URLLib3Session",
        "import importlib\nimportlib.import_module('boto3')",
        "__import__('requests')",
    ],
)
def test_other_ways_out_would_be_seen(source: str) -> None:
    assert ways_out(source)


def test_what_reaches_nobody_is_let_be() -> None:
    assert not ways_out(
        "from urllib.parse import urlsplit\nfrom http import HTTPStatus\nimport ssl"
    )

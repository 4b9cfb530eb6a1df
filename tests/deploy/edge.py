"""A real Nginx with the front door's own settings, filled in as the image's entrypoint does it."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.dockerfile import ROOT, product_stages
from web.shelf import Shelf

FOLDER = ROOT / "deploy" / "nginx"
TEMPLATES = sorted(FOLDER.glob("*.template"))
PATIENCE = 20.0


def nginx() -> str:
    """The path of Nginx; skips the test where there is none."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("nginx is not installed here (Debian: apt-get install nginx)")
    return found


def settings(**given: str) -> dict[str, str]:
    """What the entrypoint's shell knows once it has sourced our part of it."""
    chosen = product_stages()["proxy"].env | {"NGINX_LOCAL_RESOLVERS": "127.0.0.1"} | given
    shown = subprocess.run(
        ["sh", "-euc", f". {FOLDER}/18-edge.envsh; env -0"],
        env={"PATH": os.environ["PATH"], **chosen},
        capture_output=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in shown.stdout.decode().split("\0") if line)


def filled_in(template: str, values: Mapping[str, str]) -> str:
    """A template with its names replaced: those that are set and match the image's filter."""
    wanted = re.compile(values["NGINX_ENVSUBST_FILTER"])

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return values[name] if name in values and wanted.search(name) else match[0]

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, template)


def render(folder: Path, **given: str) -> Path:
    """Write the settings below a folder; return the file that Nginx is started with."""
    values = settings(NGINX_RUN=str(folder), **given)
    for template in TEMPLATES:
        text = filled_in(template.read_text("utf-8"), values)
        (folder / template.name.removesuffix(".template")).write_text(text, "utf-8")
    return folder / "nginx.conf"


def check(file: Path) -> str:
    """What `nginx -t` says about a file. Raises AssertionError when it refuses it."""
    done = subprocess.run(
        [nginx(), "-t", "-c", str(file), "-g", directives()],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def directives(*more: str) -> str:
    """What is given on the command line; workers of root stay root, to read the test's folders."""
    own = ("user root;",) if os.geteuid() == 0 else ()
    return " ".join((*own, *more))


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert isinstance(port, int)
    return port


@dataclass(frozen=True)
class Site:
    """A web process that runs over a database, and what lets an administrator in."""

    port: int
    shelf: Shelf
    token: str
    session: str

    @property
    def known(self) -> dict[str, str]:
        """The header of a program that shows its token."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Edge:
    """A front door that is open."""

    port: int
    tls_port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Its address over plain HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """What it logged until now."""
        return (self.folder / "access.log").read_text("utf-8")


@contextmanager
def edge(folder: Path, upstream: int, **given: str) -> Iterator[Edge]:
    """A front door before the port of a web process; gone at the end whatever happens."""
    port, tls_port = free_port(), free_port()
    file = render(
        folder,
        **{
            "NGINX_UPSTREAM": f"127.0.0.1:{upstream}",
            "NGINX_LISTEN": f"127.0.0.1:{port}",
            "NGINX_LISTEN_TLS": f"127.0.0.1:{tls_port}",
            "NGINX_ROOT": str(ROOT / "src" / "ctiscraper" / "web"),
            "NGINX_TLS_PORT": str(tls_port),
            **given,
        },
    )
    command = [nginx(), "-c", str(file), "-g", directives("daemon off;")]
    with (
        (folder / "access.log").open("wb") as out,
        (folder / "error.log").open("wb") as err,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err) as process,
    ):
        opened = Edge(port, tls_port, folder, process)
        try:
            wait_for(port, process)
            yield opened
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return once somebody listens; fail when the process ended instead."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            # Nothing tells when another program listens: asked again until it does.
            process_wait(process)
        else:
            return
    raise AssertionError(f"nobody listens on port {port}")


def process_wait(process: "subprocess.Popen[bytes]") -> None:
    """Wait a moment for a process, which may go on."""
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        return


@dataclass(frozen=True)
class Answered:
    """An answer as it stood on the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """The value of a header that stands there exactly once."""
        values = self.all(name)
        assert len(values) == 1, (name, values)
        return values[0]


def answered(received: bytes) -> Answered:
    """The first answer of what was received."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return Answered(int(first.split()[1]), [(k.lower(), v) for k, _, v in pairs], body)


def ask(
    port: int, path: str, *, method: str = "GET", source: str = "127.0.0.1", **headers: str
) -> Answered:
    """The answer to one request without a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return answered(exchange(port, ("\r\n".join(lines) + "\r\n\r\n").encode(), source=source))


def exchange(
    port: int, sent: bytes, *, source: str = "127.0.0.1", until: bytes | None = None
) -> bytes:
    """All that comes back for these bytes, until the other side hangs up or says this."""
    received = b""
    with socket.create_connection(
        ("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0)
    ) as connection:
        connection.sendall(sent)
        try:
            while (until is None or until not in received) and (block := connection.recv(65_536)):
                received += block
        except ConnectionResetError:
            pass
    return received


def connected(stack: ExitStack, port: int, source: str) -> socket.socket:
    """A connection that is closed with the stack."""
    return stack.enter_context(
        socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
    )


def readable(
    connections: list[socket.socket], wanted: int, seconds: float = 20
) -> set[socket.socket]:
    """Those of the connections where something came, at least so many unless time is up."""
    found: set[socket.socket] = set()
    deadline = time.monotonic() + seconds
    while len(found) < wanted and time.monotonic() < deadline:
        waiting = [each for each in connections if each not in found]
        found |= set(select.select(waiting, [], [], 0.5)[0])
    return found

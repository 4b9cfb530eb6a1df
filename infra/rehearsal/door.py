"""The load balancer of a rehearsal: TLS on loopback, before the tasks of `web`."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rehearsal.processes import HERE

TARGET_SECONDS = 60.0
_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "upgrade"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where it listens."""

    https_port: int
    http_port: int


def make_certificate(file: Path, domain: str, now: datetime) -> None:
    """Write a certificate with its key, signed by itself, as ACM would give one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.touch(mode=0o600)
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class _Server(ThreadingHTTPServer):
    """A listener, and where it leads."""

    target: Callable[[], int | None]


class _Https(BaseHTTPRequestHandler):
    """Passes requests on to a target, and says for whom and over what."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        port = self.server.target()
        if port is None:
            self.send_error(503)
            return
        connection = HTTPConnection(HERE, port, timeout=TARGET_SECONDS)
        try:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            connection.request(self.command, self.path, body, self._headers())
            answer = connection.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
        except (OSError, HTTPException):
            self.send_error(502)
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        passed = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _OF_ONE_CONNECTION
        }
        own = {"X-Forwarded-For": str(self.client_address[0]), "X-Forwarded-Proto": "https"}
        return {**passed, **own}

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {*_OF_ONE_CONNECTION, "content-length"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the class has it
        """Say nothing: the front door behind it keeps the log."""


class _Plain(_Https):
    """Leads to HTTPS, as the listener of port 80 does."""

    def do_GET(self) -> None:
        self.send_response_only(301)
        self.send_header("location", f"https://{self.headers['Host']}:443{self.path}")
        self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def open_door(certificate: Path, target: Callable[[], int | None]) -> Iterator[Door]:
    """Yield a door that leads to whatever target is there when it is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    https, plain = _Server((HERE, 0), _Https), _Server((HERE, 0), _Plain)
    https.target = plain.target = target
    https.socket = context.wrap_socket(https.socket, server_side=True)
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in (https, plain)]
    for thread in threads:
        thread.start()
    try:
        yield Door(https_port=https.server_port, http_port=plain.server_port)
    finally:
        for server in (https, plain):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()

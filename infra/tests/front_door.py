"""A front door on loopback: TLS by an authority of its own, and answers as the product's."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DOMAIN = "cti.example.org"
HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "accelerometer=(), camera=()",
    "x-request-id": "5f",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
LOGIN = '<form method="post" action="/login"><input type="password" name="password"></form>'


@dataclass(slots=True)
class FrontDoor:
    """Where it listens, how it answers, and who signed its certificate."""

    authority: Path
    https_port: int = 0
    http_port: int = 0
    answers: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {
            "/health/live": (200, '{"status":"ok"}'),
            "/health/ready": (200, '{"status":"ok"}'),
            "/login": (200, LOGIN),
        }
    )
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))
    leads_on: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)


def make_certificate(folder: Path, *, now: datetime, days: int, name: str = DOMAIN) -> Path:
    """Return the file of a certificate with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}-{days}.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@contextmanager
def front_door(certificate: Path) -> Iterator[FrontDoor]:
    """Yield a front door that is open on two ports."""
    door = FrontDoor(authority=certificate)

    class Over(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            door.asked.append((self.headers["Host"], self.path))
            status, body = door.answers.get(self.path, (404, ""))
            self.send_response(status)
            for name, value in door.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the class has it
            pass

    class Plain(Over):
        def do_GET(self) -> None:
            self.send_response(301 if door.leads_on else 200)
            self.send_header("location", f"https://{self.headers['Host']}{self.path}")
            self.send_header("content-length", "0")
            self.end_headers()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    https = ThreadingHTTPServer(("127.0.0.1", 0), Over)
    https.socket = context.wrap_socket(https.socket, server_side=True)
    plain = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in (https, plain)]
    for thread in threads:
        thread.start()
    door.https_port, door.http_port = https.server_port, plain.server_port
    try:
        yield door
    finally:
        for server in (https, plain):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()

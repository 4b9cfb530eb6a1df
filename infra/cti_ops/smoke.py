"""What somebody outside sees: certificate, health, the login page and the headers of answers."""

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cti_ops.errors import Exit, OpsError

TIMEOUT = 10.0
LEAST_DAYS = 14
MOST_BODY = 1_000_000
PATHS = {"health": "/health/live", "ready": "/health/ready", "login page": "/login"}
# As src/ctiscraper/web/security.py and deploy/nginx send them.
HEADERS = {
    "content-security-policy": r"default-src 'none'.*frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=",
    "x-request-id": ".",
}
OVER_TLS = {"strict-transport-security": r"max-age=[1-9]\d{6,}"}
HELP = {
    "TLS": "see the certificate in ACM and where the domain points to",
    "health": "see docs/runbooks/web-down.md",
    "ready": "the web process runs and cannot work: see docs/runbooks/database-unavailable.md",
    "login page": "see docs/runbooks/errors.md",
    "headers": "something before the program changes its answers: see what the domain points to",
    "plain HTTP": "see the listener of port 80 in the stack App",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and what is wrong with it, if anything."""

    what: str
    wrong: str | None
    seen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked: an address of the web, at another machine if its name leads nowhere yet."""

    url: SplitResult
    machine: str | None = None
    authorities: Path | None = None
    plain_port: int | None = 80

    @property
    def host(self) -> str:
        """The name that is asked for."""
        return self.url.hostname or ""

    @property
    def tls(self) -> bool:
        """Whether it is asked over TLS."""
        return self.url.scheme == "https"

    @property
    def address(self) -> tuple[str, int]:
        """Where the connection goes."""
        return self.machine or self.host, self.url.port or (443 if self.tls else 80)


def target_of(url: str, **further: object) -> Target:
    """Return what to ask. Raises OpsError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise OpsError(f"{url!r} is no address: {error}", Exit.USAGE) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise OpsError(f"{url!r} should be like https://cti.example.org", Exit.USAGE)
    if parts.username or parts.query or parts.fragment:
        raise OpsError("the address holds more than a host: leave the rest away", Exit.USAGE)
    if parts.scheme == "http" and not _on_this_machine(parts.hostname):
        raise OpsError(
            f"{url} has no TLS, and passwords go there: give https://{parts.hostname}",
            Exit.USAGE,
        )
    return Target(url=parts, **further)  # type: ignore[arg-type]  # named as the fields are


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def smoke(target: Target, now: datetime) -> list[Finding]:
    """Return everything that was looked at."""
    return list(_findings(target, now))


def _findings(target: Target, now: datetime) -> Iterator[Finding]:
    if target.tls:
        yield _certificate(target, now)
        if target.plain_port is not None:
            yield _plain(target, target.plain_port)
    for what, path in PATHS.items():
        try:
            answer = _ask(target, path)
        except (OSError, http.client.HTTPException) as error:
            yield Finding(what, f"{path} cannot be asked: {error}")
            continue
        yield Finding(what, _wrong_answer(what, path, answer), f"{path} {answer.status}")
        if what == "login page":
            yield Finding("headers", _wrong_headers(answer, tls=target.tls))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: str


def _context(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _connect(target: Target) -> socket.socket:
    plain = socket.create_connection(target.address, timeout=TIMEOUT)
    if not target.tls:
        return plain
    try:
        return _context(target).wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _ask(target: Target, path: str) -> _Answer:
    connection = http.client.HTTPConnection(target.host, target.address[1], timeout=TIMEOUT)
    connection.sock = _connect(target)
    try:
        host = target.url.netloc
        connection.request("GET", path, headers={"Host": host, "User-Agent": "ctiscraper-smoke"})
        answer = connection.getresponse()
        body = answer.read(MOST_BODY).decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return _Answer(answer.status, headers, body)
    finally:
        connection.close()


def _certificate(target: Target, now: datetime) -> Finding:
    try:
        with _connect(target) as connection:
            assert isinstance(connection, ssl.SSLSocket), "it is asked over TLS"
            certificate, version = connection.getpeercert() or {}, connection.version()
    except OSError as error:
        return Finding("TLS", f"{target.host}: {error}")
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (until - now).days
    seen = f"{version}, certificate until {until:%Y-%m-%d}"
    if days < LEAST_DAYS:
        return Finding("TLS", f"the certificate ends in {days} days; ACM should have renewed it")
    return Finding("TLS", None, seen)


def _plain(target: Target, port: int) -> Finding:
    connection = http.client.HTTPConnection(target.address[0], port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/login", headers={"Host": target.host})
        answer = connection.getresponse()
        leads = answer.getheader("location", "")
    except (OSError, http.client.HTTPException) as error:
        return Finding("plain HTTP", f"port {port} cannot be asked: {error}")
    finally:
        connection.close()
    if answer.status not in {301, 308} or not leads.startswith(f"https://{target.host}"):
        return Finding("plain HTTP", f"it answers {answer.status} {leads}, not a way to HTTPS")
    return Finding("plain HTTP", None, f"{answer.status} to HTTPS")


def _wrong_answer(what: str, path: str, answer: _Answer) -> str | None:
    if answer.status != http.HTTPStatus.OK:
        return f"{path} answers {answer.status}"
    if what == "login page":
        return None if 'type="password"' in answer.body else "it has no field for a password"
    return None if '"ok"' in answer.body else f"{path} does not say that it is ok"


def _wrong_headers(answer: _Answer, *, tls: bool) -> str | None:
    wanted = {**HEADERS, **(OVER_TLS if tls else {})}
    wrong = [
        name
        for name, form in wanted.items()
        if not re.search(form, answer.headers.get(name, ""), re.DOTALL)
    ]
    return f"missing or other: {', '.join(wrong)}" if wrong else None


def wrong_lines(findings: list[Finding]) -> list[str]:
    """Return what is wrong and what to do, a line each."""
    return [f"{one.what}: {one.wrong}; {HELP[one.what]}" for one in findings if one.wrong]

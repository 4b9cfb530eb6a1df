"""A real S3 API on loopback that can go and come back, and a proxy before it that does harm."""

import http.client
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION: Final = "eu-central-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    # Whoever runs the tests may have settings of their own.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass
class S3Server:
    """A server that keeps its objects while it is stopped; `client` is for what tests arrange."""

    port: int = 0
    bucket: str = ""
    _server: ThreadedMotoServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @cached_property
    def client(self) -> "S3Client":
        return boto3.session.Session().client("s3", endpoint_url=self.url, region_name=REGION)

    def make_bucket(self) -> str:
        """Make a bucket that keeps every version of an object."""
        self.bucket = f"bucket-{uuid4().hex[:12]}"
        self.client.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.client.put_bucket_versioning(
            Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        return self.bucket

    def versions(self) -> list[str]:
        """The key of every version of every object: one that came twice is here twice."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket)
        return [item["Key"] for page in pages for item in page.get("Versions", [])]


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Yield a running server with a fresh bucket; meanwhile this process has credentials."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        server.start()
        try:
            server.make_bucket()
            yield server
        finally:
            server.client.close()
            server.stop()


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came to the proxy."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Harm:
    """What is done to a request: an answer in its place, or what happens to its bytes.

    `cut` of the body's bytes go on and then the connection ends; `flip` turns a byte of the
    body; `lose` lets the server act and drops its answer; `short` halves the answer.
    """

    status: int = 0
    code: str = ""
    body: bytes | None = None
    cut: int | None = None
    flip: bool = False
    lose: bool = False
    short: bool = False


@dataclass
class HarmfulProxy:
    """A proxy in front of a server; `harm` says what becomes of a request."""

    upstream: int
    port: int = 0
    harm: Callable[[Request], Harm | None] = lambda _: None
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def harmful_proxy(upstream: int) -> Iterator[HarmfulProxy]:
    """Yield a proxy on loopback in front of the server at a port."""
    proxy = HarmfulProxy(upstream)

    class Handler(_Handler):
        of = proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    proxy.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: HarmfulProxy
    protocol_version = "HTTP/1.1"

    def _carry(self) -> None:
        self.close_connection = True
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        self.of.requests.append(request)
        harm = self.of.harm(request) or Harm()
        if harm.status:
            self._answer(harm.status, _error(harm.code) if harm.body is None else harm.body)
            return
        status, given, body = self._forward(request, harm)
        if harm.lose or harm.cut is not None:
            return
        self._answer(status, body, given, keep=len(body) // 2 if harm.short else None)

    # The names by which the library finds them.
    do_GET = do_PUT = do_DELETE = do_HEAD = _carry  # noqa: N815

    def _forward(self, request: Request, harm: Harm) -> tuple[int, dict[str, str], bytes]:
        body = request.body
        if harm.flip:
            body = body[:-1] + bytes([body[-1] ^ 0xFF])
        headers = {name: value for name, value in request.headers.items() if name != "expect"}
        connection = http.client.HTTPConnection("127.0.0.1", self.of.upstream, timeout=10)
        try:
            connection.putrequest(request.method, request.path, True, True)  # noqa: FBT003 - positional there
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(body[: harm.cut])
            if harm.cut is not None:
                return 0, {}, b""
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        keep: int | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in (headers or {"Content-Type": "application/xml"}).items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[:keep])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _error(code: str) -> bytes:
    return (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Words</Message></Error>".encode()
    )

"""A small OTLP/HTTP receiver on loopback, and what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True)
class Sent:
    """A span as it came in, its ids as people write them."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    kind: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    failed: bool
    raw: trace_pb2.Span


@dataclass
class Receiver:
    """What came in; `status` is what is answered, `location` sends the sender elsewhere."""

    status: int = 200
    location: str = ""
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def endpoint(self) -> str:
        """The base address to export to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Sent]:
        """Every span so far, decoded."""
        return [span for body in self.bodies for span in _spans(body)]

    def named(self, name: str) -> list[Sent]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Sent:
        """The one span of a name."""
        [span] = self.named(name)
        return span


def _spans(body: bytes) -> Iterator[Sent]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Sent(
                    name=span.name,
                    service=service,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    kind=trace_pb2.Span.SpanKind.Name(span.kind),
                    attributes=_values(span.attributes),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    raw=span,
                )


def _values(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - generated code
    return {it.key: getattr(it.value, it.value.WhichOneof("value")) for it in attributes}


@contextmanager
def receiving(status: int = 200, location: str = "") -> Iterator[Receiver]:
    """A receiver that listens meanwhile."""
    receiver = Receiver(status, location)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.paths.append(self.path)
            receiver.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("location", receiver.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""OpenTelemetry with AWS X-Ray ids, sent over OTLP/HTTP to the operator's collector alone."""

import logging
import re
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

import requests  # noqa: TID251 - the exporter speaks through nothing else; it goes to one address
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.extension.aws.trace import AwsXRayIdGenerator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ctiscraper import __version__
from ctiscraper.redaction import redact_text
from ctiscraper.tracing import Collector, Span

# One try to send a batch, and what a process waits at its end for all of them.
EXPORT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
_LET_GO_SECONDS = 0.5
# How often the log says that the collector does not answer.
_SAID_SECONDS = 60.0
_ATTRIBUTE_MOST = 1_000

_EXPORT_LOGS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
)
# What a load balancer sends that began a trace itself: a trace, but no span of it.
_ROOT = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})\s*(?:;|$)")
_XRAY_HEADER = "x-amzn-trace-id"

# The trace that the next span without a parent belongs to.
_begun: ContextVar[int | None] = ContextVar("begun", default=None)


class _Ids(AwsXRayIdGenerator):
    """Ids that begin with the time, as X-Ray wants them; a trace begun outside keeps its own."""

    def generate_trace_id(self) -> int:
        return _begun.get() or super().generate_trace_id()


class _Headers(Getter[Mapping[str, str]]):
    """Reads headers whose names are in lower case."""

    def get(self, carrier: Mapping[str, str], key: str) -> list[str] | None:
        value = carrier.get(key.lower())
        return None if value is None else [value]

    def keys(self, carrier: Mapping[str, str]) -> list[str]:
        return list(carrier)


class _Seldom(logging.Filter):
    """Lets one line through each minute: a collector that is away is not worth more."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, _: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _SAID_SECONDS
        return True


class _Kept(Span):
    """A span that is sent; it is the current one inside its block."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def set(self, **attributes: object) -> None:
        _describe(self._span, attributes)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, said: str = "") -> None:
        self._span.set_status(trace.StatusCode.ERROR, redact_text(said, _ATTRIBUTE_MOST) or None)

    def __enter__(self) -> Self:
        self._token = attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        if self._token is not None:
            detach(self._token)
        # A cancelled task is no fault, and neither is an exit.
        if isinstance(error, Exception):
            said = redact_text(str(error), _ATTRIBUTE_MOST)
            self._span.add_event(
                "exception",
                {"exception.type": type(error).__name__, "exception.message": said},
            )
            self.fail(said)
        self._span.end()


class _Resumed(Span):
    """A block whose spans belong to a trace from elsewhere."""

    __slots__ = ("_begun", "_context", "_token", "_trace")

    def __init__(self, context: Context, begun: int | None) -> None:
        self._context = context
        self._trace = begun
        self._token: Token[Context] | None = None
        self._begun: Token[int | None] | None = None

    def __enter__(self) -> Self:
        self._begun = _begun.set(self._trace)
        self._token = attach(self._context)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            detach(self._token)
        if self._begun is not None:
            _begun.reset(self._begun)


class OtlpTracer:
    """Spans of one process, sent in batches by a thread of its own."""

    def __init__(self, collector: Collector) -> None:
        # Neither a proxy nor a password file of the environment: to the collector or nowhere.
        session = requests.Session()
        session.trust_env = False
        self._exporter = OTLPSpanExporter(
            endpoint=collector.url, timeout=EXPORT_SECONDS, session=session
        )
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(collector.ratio)),
            resource=Resource.create(
                {"service.name": collector.service, "service.version": __version__}
            ),
            shutdown_on_exit=False,
            id_generator=_Ids(),
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("ctiscraper", __version__)
        self._w3c = TraceContextTextMapPropagator()
        # Of two headers the later one counts: `traceparent` always names a span.
        self._headers = CompositePropagator([AwsXRayPropagator(), self._w3c])
        for name in _EXPORT_LOGS:
            logger = logging.getLogger(name)
            logger.setLevel(logging.WARNING)
            if not any(isinstance(known, _Seldom) for known in logger.filters):
                logger.addFilter(_Seldom())

    def span(
        self, name: str, kind: str, link: str | None, attributes: Mapping[str, object]
    ) -> Span:
        """Return a span that begins now."""
        begun = self._tracer.start_span(
            name, kind=trace.SpanKind[kind.upper()], links=self._links(link)
        )
        _describe(begun, attributes)
        return _Kept(begun)

    def describe(self, attributes: Mapping[str, object]) -> None:
        """Add attributes to the current span."""
        _describe(trace.get_current_span(), attributes)

    def carrier(self) -> dict[str, str]:
        """Return the headers that carry the current trace elsewhere."""
        headers: dict[str, str] = {}
        self._headers.inject(headers)
        return headers

    def resume(self, carrier: Mapping[str, str]) -> Span:
        """Return a block in which spans continue the trace of these headers."""
        headers = {name.lower(): value for name, value in carrier.items() if _is_header(value)}
        context = self._headers.extract(headers, Context(), _Headers())
        if trace.get_current_span(context).get_span_context().is_valid:
            return _Resumed(context, None)
        root = _ROOT.search(headers.get(_XRAY_HEADER, ""))
        return _Resumed(context, int(root[1] + root[2], 16) if root else None)

    def here(self) -> str | None:
        """Return the current span as a `traceparent`, None when nobody keeps it."""
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return None
        headers: dict[str, str] = {}
        self._w3c.inject(headers)
        return headers.get("traceparent")

    def ids(self) -> dict[str, str]:
        """Return what log lines name the current span by; the trace as X-Ray writes it."""
        at = trace.get_current_span().get_span_context()
        if not at.is_valid:
            return {}
        number = f"{at.trace_id:032x}"
        return {"trace": f"1-{number[:8]}-{number[8:]}", "span": f"{at.span_id:016x}"}

    def close(self) -> None:
        """Send what is left, within a few seconds."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(CLOSE_SECONDS)
        if ending.is_alive():
            # Wakes the sender from its next try.
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library types it not
            ending.join(_LET_GO_SECONDS)

    def _links(self, traceparent: str | None) -> list[trace.Link]:
        if not traceparent:
            return []
        context = self._w3c.extract({"traceparent": traceparent}, Context())
        at = trace.get_current_span(context).get_span_context()
        return [trace.Link(at)] if at.is_valid else []


def _is_header(value: object) -> bool:
    return isinstance(value, str) and value.isascii()


def _describe(span: trace.Span, attributes: Mapping[str, object]) -> None:
    for name, value in attributes.items():
        if isinstance(value, bool | int | float):
            span.set_attribute(name, value)
        elif value is not None:
            span.set_attribute(name, redact_text(str(value), _ATTRIBUTE_MOST))

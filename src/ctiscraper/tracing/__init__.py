"""Spans of what is done, for the operator's collector; without one they cost next to nothing.

This room alone knows OpenTelemetry, and imports it when a collector is named.
"""

import asyncio
import functools
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import ParamSpec, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from ctiscraper.errors import SettingsError

Given = ParamSpec("Given")
Value = TypeVar("Value")
Work = Callable[Given, Coroutine[object, object, Value]]

_OTLP = "ctiscraper.tracing.otlp"
_PATH = "/v1/traces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where spans go, under which name, and what part of the traces begun here.

    `endpoint` is the base address of an OTLP/HTTP receiver.
    """

    endpoint: str
    service: str = "ctiscraper"
    ratio: float = 1.0

    @property
    def url(self) -> str:
        """The address that traces are posted to."""
        base = self.endpoint.rstrip("/")
        return base if base.endswith(_PATH) else base + _PATH


class Span:
    """A span that nobody keeps; what a kept one can do as well."""

    __slots__ = ()

    def set(self, **attributes: object) -> None:
        """Add what became known; None says nothing."""

    def rename(self, name: str) -> None:
        """Give the span the name that is known now."""

    def fail(self, said: str = "") -> None:
        """Mark the span as failed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""


class Tracer(Protocol):
    """What makes spans when a collector is named."""

    def span(
        self, name: str, kind: str, link: str | None, attributes: Mapping[str, object]
    ) -> Span:
        """Return a span that begins now."""

    def describe(self, attributes: Mapping[str, object]) -> None:
        """Add attributes to the current span."""

    def carrier(self) -> dict[str, str]:
        """Return the headers that carry the current trace elsewhere."""

    def resume(self, carrier: Mapping[str, str]) -> Span:
        """Return a block in which spans continue the trace of these headers."""

    def here(self) -> str | None:
        """Return the current span as a `traceparent`, None when nobody keeps it."""

    def ids(self) -> dict[str, str]:
        """Return what log lines name the current span by."""

    def close(self) -> None:
        """Send what is left, within a few seconds."""


class _Process:
    """What this process traces with."""

    tracer: Tracer | None = None


_OFF = Span()


def span(
    name: str, *, kind: str = "internal", link: str | None = None, **attributes: object
) -> Span:
    """Return a span to be entered; `link` is a `traceparent` that led to it.

    `kind` is that of OpenTelemetry: internal, server, client, producer or consumer.
    """
    tracer = _Process.tracer
    if tracer is None:
        return _OFF
    return tracer.span(name, kind, link, attributes)


def traced(name: str) -> Callable[[Work[Given, Value]], Work[Given, Value]]:
    """Return a decorator that puts each call of a coroutine function into a span."""

    def decorate(function: Work[Given, Value]) -> Work[Given, Value]:
        @functools.wraps(function)
        async def inside(*args: Given.args, **kwargs: Given.kwargs) -> Value:
            with span(name):
                return await function(*args, **kwargs)

        return inside

    return decorate


def describe(**attributes: object) -> None:
    """Add what is known of it to the current span."""
    if _Process.tracer is not None:
        _Process.tracer.describe(attributes)


def carrier() -> dict[str, str]:
    """Return the headers that carry the current trace in a message; none when there is none."""
    return _Process.tracer.carrier() if _Process.tracer is not None else {}


def resume(headers: Mapping[str, str]) -> Span:
    """Return a block, for `with`, in which spans continue the trace that came in headers."""
    return _Process.tracer.resume(headers) if _Process.tracer is not None else _OFF


def here() -> str | None:
    """Return the current span as a `traceparent` to link to, None when nobody keeps it."""
    return _Process.tracer.here() if _Process.tracer is not None else None


def ids() -> dict[str, str]:
    """Return the fields that tie a log line to the current span."""
    return _Process.tracer.ids() if _Process.tracer is not None else {}


@asynccontextmanager
async def exporting(collector: Collector | None) -> AsyncIterator[None]:
    """Send the spans of the block to a collector, the last of them within a few seconds.

    Does nothing without a collector, or when the process has one already. Raises SettingsError.
    """
    if collector is None or _Process.tracer is not None:
        yield
        return
    tracer = _open(collector)
    _Process.tracer = tracer
    try:
        yield
    finally:
        _Process.tracer = None
        await asyncio.to_thread(tracer.close)


def check_collector(collector: Collector | None) -> None:
    """Raise SettingsError for a collector that spans cannot be sent to; it need not answer."""
    if collector is not None:
        _exporter(collector)


def _open(collector: Collector) -> Tracer:
    tracer: Tracer = _exporter(collector).OtlpTracer(collector)
    return tracer


def _is_address(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _exporter(collector: Collector) -> ModuleType:
    """Return the module that sends spans to a collector. Raises SettingsError."""
    if not _is_address(collector.endpoint):
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is no http:// or https:// address of an OTLP receiver, "
            "such as http://localhost:4318"
        )
    try:
        return importlib.import_module(_OTLP)
    except ImportError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed: install "
            "'ctiscraper[tracing]', or unset it to do without traces"
        ) from error

"""Structured logs, one line for each thing worth knowing, and the metrics beside them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Secrets that could ride in an address or a header that someone logs.
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY_SECRET = re.compile(r"(?i)([?&](?:key|token|secret|password|auth|sig)[^=&\s]*=)[^&\s]+")


def configure_logs(*, json: bool, level: int = logging.INFO) -> None:
    """Send log lines to standard error, one each, secrets in addresses blacked out."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Return the event with user names, passwords and keys in its addresses blacked out."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _QUERY_SECRET.sub(r"\1***", _USERINFO.sub("***@", value))
    return event


def write_metrics(line: str) -> None:
    """Write one line of metrics to standard output, where an agent collects it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

"""Structured logs: one JSON line, or a plain one for a person, for each thing worth knowing.

Everything that logs in a process ends here, libraries and the interpreter's last words included.
"""

import json as jsonlib
import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import structlog
from structlog.contextvars import merge_contextvars

from ctiscraper.redaction import CUT, Plain, blacken, redact
from ctiscraper.tracing import ids

# Of a traceback the end says most.
_TRACE_HEAD, _TRACE_TAIL = 4_000, 12_000
# What stands first in a line, in this order.
_FIRST = ("timestamp", "level", "event", "logger")
_LEVELS = {"exception": "error", "warn": "warning", "fatal": "critical"}
_UNSHOWN: dict[str, Plain] = {"event": "unloggable"}
# A query that is stopped twice ends its connection, which is what whoever stops it wants.
_NO_NEWS = {"psycopg": "query cancellation interrupted (CancelledError)"}

Event = MutableMapping[str, Any]


class _Lines:
    """Standard error, a whole line at a time; a line that cannot be written is dropped."""

    def write(self, line: str) -> None:
        """Write a line with its end in one go, so that lines of several processes stay whole."""
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg = log = write


class _Foreign(logging.Handler):
    """Lets what libraries log by the standard library come out as our own lines do."""

    def __init__(self, *, json: bool) -> None:
        super().__init__()
        self.json = json

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it tells a library's warning of what is no fault here."""
        said = _said(record)
        if (usual := _NO_NEWS.get(record.name)) and said.startswith(usual):
            return
        event: Event = {"event": said, "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        _LINES.write(_line(merge_contextvars(None, "", event), record.levelname, json=self.json))


_LINES = _Lines()


def configure_logs(*, json: bool | None = None, level: int | str = logging.INFO) -> None:
    """Send every log line of this process to standard error, one each, secrets blacked out.

    `json` chooses the form; None means plain for a terminal and JSON for all else.
    """
    as_json = not _is_terminal() if json is None else json
    number = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level

    def render(_logger: object, method: str, event: Event) -> str:
        return _line(event, method, json=as_json)

    structlog.configure(
        processors=[merge_contextvars, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _LINES,
    )
    root = logging.getLogger()
    for handler in [old for old in root.handlers if isinstance(old, _Foreign)]:
        root.removeHandler(handler)
    root.addHandler(_Foreign(json=as_json))
    root.setLevel(number)
    logging.captureWarnings(capture=True)
    sys.excepthook = _last_words
    threading.excepthook = _last_words_of_thread


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def _line(event: Event, method: str, *, json: bool) -> str:
    """Return an event as one line. Never raises, whatever the event holds."""
    try:
        fields = _fields(event, method)
    except Exception:  # noqa: BLE001 - a log line must not cost the work it tells of
        fields = _UNSHOWN
    return jsonlib.dumps(fields) if json else _plain(fields)


def _fields(event: Event, method: str) -> dict[str, Plain]:
    """Return the fields of a line: bounded, safe to show, those that hold nothing left out."""
    trace = _traceback(event.pop("exc_info", None))
    held = redact({**ids(), **event})
    assert isinstance(held, dict), "made of a mapping"
    level = method.lower()
    fields: dict[str, Plain] = {
        **held,
        "timestamp": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": _LEVELS.get(level, level),
        **({"exception": trace} if trace else {}),
    }
    names = (*_FIRST, *(name for name in fields if name not in _FIRST))
    return {name: fields[name] for name in names if fields.get(name) is not None}


def _plain(fields: Mapping[str, Plain]) -> str:
    """Return a line for a person: nothing in it moves the cursor or begins another line."""
    trace = fields.get("exception")
    rest = " ".join(
        f"{_shown(name)}={_shown(value)}"
        for name, value in fields.items()
        if name not in {"timestamp", "level", "event", "exception"}
    )
    said = "".join(char if char.isprintable() else CUT for char in str(fields.get("event", "")))
    line = f"{fields.get('timestamp', '')} {fields.get('level', ''):<8} {said} {rest}".rstrip()
    if not isinstance(trace, str):
        return line
    lines = [ascii(part)[1:-1] if not part.isprintable() else part for part in trace.split("\n")]
    return "\n    ".join([line, *lines])


def _shown(value: Plain) -> str:
    if isinstance(value, str) and value.isprintable() and value and not set(value) & set(' "='):
        return value
    return jsonlib.dumps(value)


def _said(record: logging.LogRecord) -> str:
    """Return the message of a record, its arguments beside it when they do not fit."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's mistake in its own log call
        return f"{record.msg} {redact(record.args)}"


def _traceback(info: object) -> str | None:
    """Return the traceback that `exc_info` means, without secrets, its middle cut out."""
    if info is True or info == 1:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) and len(info) == len(sys.exc_info()) else info
    if not isinstance(error, BaseException):
        return None
    try:
        text = "".join(traceback.format_exception(error)).rstrip()
    except Exception:  # noqa: BLE001 - an exception may be as broken as any other object
        return type(error).__name__
    text = blacken(text)
    if len(text) <= _TRACE_HEAD + _TRACE_TAIL:
        return text
    return f"{text[:_TRACE_HEAD]}\n{CUT}\n{text[-_TRACE_TAIL:]}"


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log what ends the process; a person's Ctrl-C is no fault."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().critical("unhandled", exc_info=(kind, error, trace))


def _last_words_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        structlog.get_logger().error(
            "unhandled",
            exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback),
            thread=ended.thread.name if ended.thread else None,
        )


def write_metrics(line: str) -> None:
    """Write one line of metrics to standard output, where an agent collects it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
